"""Append events to the log, with group commit by a thread (`commit_thread`).

The thread does not wait for the loop: what it has committed is folded while the next batch is on
its way to the disk.
"""

from __future__ import annotations

import asyncio
import functools
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from service.domain.personal_data import NO_PERSONAL_DATA
from service.errors import Unavailable
from service.eventstore.commit_thread import CommitThread
from service.eventstore.completions import Completion, PendingAppend, ThreadCall
from service.eventstore.inspection import Files
from service.eventstore.lock import LogLock
from service.eventstore.plan import Append, Committed
from service.eventstore.read_models.outbox_notes import OutboxNotes
from service.eventstore.records import ANY
from service.eventstore.side_file import DamagedHead, DamagedSideFile, LostTail, SideFile
from service.eventstore.sqlite import Store
from service.telemetry import Metrics, get_logger, traces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from service.domain.events.base import Position
    from service.domain.personal_data import PersonalData
    from service.eventstore.completions import Then
    from service.eventstore.records import Expect, Head, ProposedEvent, RecordedEvent

Result = TypeVar("Result")

logger = get_logger(__name__)


class EventLog:
    """The appender of the event store: commits appends in batches (group commit).

    After each commit, in this order: `on_commit` folds and publishes, then the appends are
    answered. So a caller that gets an answer finds its own events in the projections.
    """

    def __init__(  # noqa: PLR0913 - the parts are given by the composition root
        self,
        path: Path,
        *,
        node: str,
        busy_ms: int,
        accept_lost_tail: bool = False,
        metrics: Metrics | None = None,
        lock: LogLock | None = None,
    ) -> None:
        """Open the log at `path`; raise `LogInUse` or `LostTail`.

        The lock is taken unless the caller gives it; either way it is released by `close`.
        """
        self._metrics = metrics or Metrics()
        files = Files(path)
        self._lock = lock or LogLock(files.lock)
        try:
            self._store = Store(path, node, busy_ms)
        except BaseException:
            self._lock.release()
            raise
        self._side_file = SideFile(files.side_file)
        try:
            self._store.check_end()
            self._side_file.check(self._store.head, self._store.hash_at)
        except (LostTail, DamagedHead) as error:
            if isinstance(error, DamagedHead) or not accept_lost_tail:
                self._store.close()
                self._lock.release()
                raise
            self._give_tail_up()
        self._lock.mark()
        self._loop: asyncio.AbstractEventLoop
        self._on_commit: Callable[[Sequence[RecordedEvent]], None]
        self._new: list[PendingAppend] = []
        """What was submitted in this turn of the loop."""
        self._unanswered = 0
        self._all_answered: asyncio.Future[None] | None = None
        """Is set when somebody waits for it."""
        self._failure: asyncio.Future[None] | None = None
        self._thread = CommitThread(self._store, self._side_file, self._metrics)
        self.outbox_notes = OutboxNotes(functools.partial(self._in_thread, self._store.note))

    def _give_tail_up(self) -> None:
        """Go on without a lost tail, under a new epoch, and say what was given up."""
        before = self._store.head
        try:
            remembered = self._side_file.read()
        except DamagedSideFile:
            remembered = None
        self._store.begin_epoch()
        self._side_file.write(self._store.head)
        logger.warning(
            "lost tail accepted: revocations of sessions that were in it are undone",
            error_type="internal_error",
            error_code="TAIL_GIVEN_UP",
            metadata={
                "position": before.position,
                "lost_position": None if remembered is None else remembered.position,
                "epoch_before": before.epoch,
                "epoch": self._store.head.epoch,
            },
        )

    @property
    def head(self) -> Head:
        """Where the log ends; what it ends with may be on its way to being folded."""
        return self._store.head

    @property
    def waiting(self) -> int:
        """How many appends wait for their answer."""
        return self._unanswered

    def start(self, on_commit: Callable[[Sequence[RecordedEvent]], None]) -> asyncio.Task[None]:
        """Begin to write; `on_commit` gets the events of every commit, in order.

        The task ends only by an error, when memory and log no longer agree: `on_commit` has
        raised, or the log was found to be elsewhere (`LogDiverged`).
        """
        self._loop = asyncio.get_running_loop()
        self._on_commit = on_commit
        self._failure = self._loop.create_future()
        self._thread.connect(self._loop, self._on_results, self._fail)
        return asyncio.create_task(_raised(self._failure), name="log-writer")

    async def append(
        self,
        events: Sequence[ProposedEvent],
        expect: Expect = ANY,
        *,
        beside: PersonalData = NO_PERSONAL_DATA,
    ) -> list[Position]:
        """Commit `events`, all or nothing, and return their positions.

        `expect` names versions that streams must be at, else `VersionConflict` is raised.
        `beside` is kept with the same commit. An event id that was recorded
        before gets its first position. Raises `Unavailable` when nothing can be written now.
        A caller that is cancelled goes only when its events are folded, or have failed: until
        then nobody else may decide on their streams.
        """
        answer = Completion[Committed]()
        self.submit(events, answer.settle, expect, beside=beside)
        try:
            return (await answer.future).positions
        except asyncio.CancelledError:
            await answer.settled()
            raise

    def submit(
        self,
        events: Sequence[ProposedEvent],
        then: Then,
        expect: Expect = ANY,
        *,
        beside: PersonalData = NO_PERSONAL_DATA,
    ) -> None:
        """Do as `append`, and call `then` with what becomes of it, after the fold.

        Raises `Unavailable` when the log is closing.
        """
        if self._thread.is_closing:
            raise Unavailable("The service is stopping; try again with the next one.")
        if not self._new:
            self._loop.call_soon(self._hand_over)
        span = traces.begin("log.append", events=len(events))
        self._new.append(PendingAppend(Append(events, expect, beside), then, span))
        self._unanswered += 1

    async def probe(self) -> None:
        """Raise `Unavailable` unless the log can be written."""
        await self._in_thread(self._thread.probe)

    async def save_snapshot(
        self, code_version: str, position: Position, data: bytes, *, needed_from: Position
    ) -> None:
        """Keep a snapshot of the world as it is after the event at `position`.

        Older ones go, but for one from which the events after `needed_from` can be folded.
        """
        save = functools.partial(self._store.save_snapshot, needed_from=needed_from)
        await self._in_thread(save, "world", code_version, position, data)

    async def load_snapshot(
        self, code_version: str, at_most: Position
    ) -> tuple[Position, bytes] | None:
        """Return the newest snapshot not after `at_most` that this code has made of this log.

        None when there is no such one.
        """
        return await self._in_thread(self._store.load_snapshot, "world", code_version, at_most)

    async def drop_snapshot(self, position: Position) -> None:
        """Delete the snapshot of the world at `position`; raise `Unavailable` when that fails."""
        await self._in_thread(self._store.drop_snapshot, "world", position)

    async def close(self) -> None:
        """Commit what waits, and let go of the database; then nothing can be appended."""
        self._thread.is_closing = True
        if self._unanswered:
            self._all_answered = self._loop.create_future()
            await asyncio.shield(self._all_answered)
        if self._failure is not None:
            self._failure.cancel()
        await self._in_thread(self._thread.close)
        await asyncio.to_thread(self._thread.join)
        self._lock.release()

    def _hand_over(self) -> None:
        """Give the thread what was submitted in this turn."""
        new, self._new = self._new, []
        self._thread.put(new)

    async def _in_thread(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """Let the thread do something between two batches; it is done even if nobody waits."""
        asked = ThreadCall(call, arguments)
        self._thread.put(asked)
        result: Result = await asked.future
        return result

    def _on_results(
        self, batch: Sequence[PendingAppend], answers: list[Committed | Exception], began_at: float
    ) -> None:
        """Fold what was committed and publish it, and then answer."""
        recorded = [
            one for answer in answers if isinstance(answer, Committed) for one in answer.recorded
        ]
        if recorded and not self._thread.is_broken:
            self._metrics.committed(len(recorded), time.perf_counter() - began_at)
            try:
                self._on_commit(recorded)
            except Exception as error:  # noqa: BLE001 - it is raised by the task of `start`
                self._fail(error)
        if self._thread.is_broken:
            answers = [Unavailable("The log is closed.")] * len(batch)
        self._unanswered -= len(batch)
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.span is not None:
                waiting.span.end(answer if isinstance(answer, Exception) else None)
            try:
                waiting.then(answer)
            except Exception:
                # The fault of one who waits is no reason to leave the others without an answer.
                logger.exception("answer failed", error_type="internal_error")
        if self._all_answered is not None and not self._unanswered:
            self._all_answered.set_result(None)
            self._all_answered = None

    def _fail(self, error: Exception) -> None:
        """Write no more: memory and log do not agree."""
        self._thread.is_broken = self._thread.is_closing = True
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)


@contextmanager
def reason_of(writer: asyncio.Task[None]) -> Iterator[None]:
    """Raise why the log was closed, such as a fold that failed, not just that it is closed."""
    try:
        yield
    except Unavailable:
        if writer.done():
            writer.result()
        raise


async def _raised(failure: asyncio.Future[None]) -> None:
    await failure
