"""The log as the service sees it: `append`, and one thread that commits what waits, together.

The thread takes whatever has come in while it was busy. It does not wait for the loop: what it has
committed is folded while the next batch is on its way to the disk.
"""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from service.errors import ServiceError, Unavailable
from service.eventstore.inspection import Files
from service.eventstore.lock import LogLock
from service.eventstore.records import ANY, NO_PERSONAL_DATA
from service.eventstore.side_file import DamagedHead, DamagedSideFile, LostTail, SideFile
from service.eventstore.sqlite import Append, Committed, LogDiverged, Store
from service.telemetry import Metrics, get_logger, traces
from service.telemetry.traces import SpanRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from service.domain.events.base import Position
    from service.eventstore.records import Expect, Head, PersonalData, ProposedEvent, RecordedEvent

    Then: TypeAlias = Callable[[Committed | Exception], None]

BATCH_APPENDS_MAX = 2000
"""About the most appends in one transaction, so that no commit takes long."""

COMMIT_PAUSE_S = 0.003
"""The least time between two commits of few appends."""

GATHERED_MAX = 16
"""So many appends are committed at once, whenever the last commit was."""

SIDE_FILE_INTERVAL_S = 1.0

Result = TypeVar("Result")

logger = get_logger(__name__)


class WriterDied(ServiceError):
    """The thread that writes the log has ended; start again, and rebuild from the log."""


class _Waiting(NamedTuple):
    """An append, and who is told what has become of it."""

    append: Append
    then: Then
    span: SpanRef


class _Answer:
    """What has become of an append, for a coroutine that waits for it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[list[Position]] = self._loop.create_future()
        self._is_settled = False
        self._end: asyncio.Future[None] | None = None

    def settle(self, answer: Committed | Exception) -> None:
        """Take it; it is of no use to a caller that was cancelled."""
        self._is_settled = True
        if self._end is not None:
            self._end.set_result(None)
        if self.future.done():
            return
        if isinstance(answer, Committed):
            self.future.set_result(answer.positions)
        else:
            self.future.set_exception(answer)

    async def settled(self) -> None:
        """Wait until it is there."""
        if not self._is_settled:
            self._end = self._loop.create_future()
            await asyncio.shield(self._end)


class _Call:
    """Something else that the thread does for a coroutine."""

    def __init__(self, call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self._loop.create_future()
        self._call = call
        self._arguments = arguments

    def carry_out(self) -> None:
        try:
            result = self._call(*self._arguments)
        except Exception as error:  # noqa: BLE001 - it is raised where the call was asked for
            self._loop.call_soon_threadsafe(self._settle, None, error)
        else:
            self._loop.call_soon_threadsafe(self._settle, result, None)

    def _settle(self, result: Any, error: Exception | None) -> None:
        if self.future.done():
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


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
        self._side_file_at = 0.0
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
        self._new: list[_Waiting] = []
        """What was submitted in this turn of the loop."""
        self._unanswered = 0
        self._all_answered: asyncio.Future[None] | None = None
        """Is set when somebody waits for it."""
        self._failure: asyncio.Future[None] | None = None
        self._is_broken = False
        self._is_closing = False
        self._is_closed = False
        self._committed_at = 0.0
        self._outage_at: float | None = None
        """Since when nothing can be written; None while all is well."""
        self._in_hand: list[_Waiting] = []
        """What the thread is writing."""
        self._queue: SimpleQueue[list[_Waiting] | _Call] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="log-writer", daemon=True)
        self._thread.start()

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
        answer = _Answer()
        with traces.span("log.append", events=len(events)):
            self.submit(events, answer.settle, expect, beside=beside)
            try:
                return await answer.future
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
        if self._is_closing:
            raise Unavailable("The service is stopping; try again with the next one.")
        if not self._new:
            self._loop.call_soon(self._hand_over)
        self._new.append(_Waiting(Append(events, expect, beside), then, traces.here()))
        self._unanswered += 1

    async def probe(self) -> None:
        """Raise `Unavailable` unless the log can be written."""
        await self._in_thread(self._probe)

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

    async def note(self, statement: str, **parameters: object) -> None:
        """Change what stands beside the log and does not follow from it, as a delivery's attempts.

        Raises `Unavailable` when nothing can be written now.
        """
        await self._in_thread(self._store.note, statement, parameters)

    async def close(self) -> None:
        """Commit what waits, and let go of the database; then nothing can be appended."""
        self._is_closing = True
        if self._unanswered:
            self._all_answered = self._loop.create_future()
            await asyncio.shield(self._all_answered)
        if self._failure is not None:
            self._failure.cancel()
        await self._in_thread(self._end)
        await asyncio.to_thread(self._thread.join)
        self._lock.release()

    # In the loop

    def _hand_over(self) -> None:
        """Give the thread what was submitted in this turn."""
        new, self._new = self._new, []
        self._queue.put(new)

    async def _in_thread(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """Let the thread do something between two batches; it is done even if nobody waits."""
        asked = _Call(call, arguments)
        self._queue.put(asked)
        result: Result = await asked.future
        return result

    def _tell(
        self, batch: Sequence[_Waiting], answers: list[Committed | Exception], began_at: float
    ) -> None:
        """Fold what was committed and publish it, and then answer."""
        recorded = [
            one for answer in answers if isinstance(answer, Committed) for one in answer.recorded
        ]
        if recorded and not self._is_broken:
            self._metrics.committed(len(recorded), time.perf_counter() - began_at)
            try:
                self._on_commit(recorded)
            except Exception as error:  # noqa: BLE001 - it is raised by the task of `start`
                self._fail(error)
        if self._is_broken:
            answers = [Unavailable("The log is closed.")] * len(batch)
        self._unanswered -= len(batch)
        for waiting, answer in zip(batch, answers, strict=True):
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
        self._is_broken = self._is_closing = True
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)

    # In the thread

    def _work(self) -> None:
        """Carry out what is asked for, until the end; a fault of the thread itself ends the log."""
        try:
            self._carry_out_work()
        except BaseException as error:
            logger.critical("log writer died", error_type="internal_error", exc_info=error)
            self._loop.call_soon_threadsafe(self._fail, WriterDied())
            self._refuse(self._in_hand)
            self._refuse_work()

    def _refuse_work(self) -> None:
        """Answer what can't be written any more, so that nobody waits for it for ever."""
        while not self._is_closed:
            work = self._queue.get()
            if isinstance(work, _Call):
                work.carry_out()
            else:
                self._refuse(work)

    def _refuse(self, batch: Sequence[_Waiting]) -> None:
        answers: list[Committed | Exception] = [Unavailable()] * len(batch)
        self._loop.call_soon_threadsafe(self._tell, batch, answers, 0.0)

    def _carry_out_work(self) -> None:
        while not self._is_closed:
            work = self._queue.get()
            if isinstance(work, _Call):
                work.carry_out()
                continue
            self._in_hand = work
            call = self._gather(work)
            self._write(work)
            self._in_hand = []
            if call is not None:
                call.carry_out()

    def _gather(self, batch: list[_Waiting]) -> _Call | None:
        """Add what else has been submitted; return what is not an append and came after it.

        A commit costs the same for one append as for many. So when the last commit was only just
        now, a few more may come in. A single append after a pause does not wait, and neither does
        a batch that is large already.
        """
        pause_s = COMMIT_PAUSE_S - (time.monotonic() - self._committed_at)
        if pause_s > 0 and len(batch) < GATHERED_MAX and not self._is_closing:
            time.sleep(pause_s)
        while len(batch) < BATCH_APPENDS_MAX:
            try:
                more = self._queue.get_nowait()
            except Empty:
                break
            if isinstance(more, _Call):
                return more
            batch += more
        return None

    def _write(self, batch: Sequence[_Waiting]) -> None:
        """Commit a batch, and let the loop know."""
        began_at = time.perf_counter()
        tell = self._loop.call_soon_threadsafe
        answers: list[Committed | Exception]
        try:
            with traces.span("log.commit", [one.span for one in batch], appends=len(batch)):
                answers = self._commit([one.append for one in batch])
            self._note_outage(None)
        except Exception as error:
            if isinstance(error, LogDiverged):
                tell(self._fail, error)
            elif isinstance(error, Unavailable):
                self._note_outage(error)
            else:
                logger.exception("append failed", error_type="internal_error")
            self._metrics.commit_failed()
            answers = [error] * len(batch)
        self._committed_at = time.monotonic()
        tell(self._tell, batch, answers, began_at)

    def _commit(self, batch: Sequence[Append]) -> list[Committed | Exception]:
        """Commit, and note the new head beside the database."""
        if self._is_broken:
            raise Unavailable
        answers = self._commit_or_each(batch)
        now = time.monotonic()
        if now - self._side_file_at >= SIDE_FILE_INTERVAL_S:
            self._side_file_at = now
            self._note_head()
        return answers

    def _probe(self) -> None:
        try:
            self._store.probe()
        except Unavailable as error:
            self._note_outage(error)
            raise
        self._note_outage(None)

    def _note_outage(self, error: Unavailable | None) -> None:
        """Log once that nothing can be written, however many appends fail, and once its end."""
        if self._is_broken:
            return
        if error is not None and self._outage_at is None:
            self._outage_at = time.monotonic()
            logger.error(
                "the event log can't be written: nothing is acknowledged until it can",
                error_type="internal_error",
                error_code="LOG_UNWRITABLE",
                metadata={"reason": error.message},
            )
        elif error is None and self._outage_at is not None:
            outage_s, self._outage_at = time.monotonic() - self._outage_at, None
            logger.warning(
                "the event log can be written again", metadata={"outage_s": round(outage_s, 3)}
            )

    def _commit_or_each(self, batch: Sequence[Append]) -> list[Committed | Exception]:
        """Commit a batch; when something in it can't be, commit each append for itself."""
        try:
            return self._store.commit(batch)
        except (Unavailable, LogDiverged):
            raise
        except Exception:
            if len(batch) == 1:
                raise
            return [self._commit_one(append) for append in batch]

    def _commit_one(self, append: Append) -> Committed | Exception:
        try:
            return self._store.commit([append])[0]
        except LogDiverged:
            raise
        except Exception as error:
            if not isinstance(error, Unavailable):
                logger.exception("append failed", error_type="internal_error")
            return error

    def _note_head(self) -> None:
        """Write the side file; a disk that is full stops neither commits nor the end."""
        try:
            self._side_file.write(self._store.head)
        except OSError as error:
            logger.warning("side file not written", metadata={"reason": str(error)})

    def _end(self) -> None:
        """Let go of the database."""
        self._is_closed = True
        if self._store.head.position:
            self._note_head()
        self._store.close()


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
