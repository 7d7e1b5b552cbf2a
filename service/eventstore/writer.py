"""Append events to the log, with group commit by a thread (`commit_thread`).

The thread does not wait for the event loop: a batch is folded while the next one is committed.
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
from service.eventstore.completions import PendingAppend, ThreadCall
from service.eventstore.hand_over import HandOver
from service.eventstore.inspection import LogFiles
from service.eventstore.lock import LogLock
from service.eventstore.plan import Committed
from service.eventstore.read_models.outbox_notes import OutboxNotes
from service.eventstore.records import ANY
from service.eventstore.side_file import DamagedHead, DamagedSideFile, LostTail, SideFile
from service.eventstore.sqlite import SqliteStore
from service.eventstore.store import LeaseLost
from service.telemetry import Metrics, get_logger, traces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from service.domain.events.base import Position
    from service.domain.personal_data import PersonalData
    from service.eventstore.completions import OnAppended
    from service.eventstore.plan import Condition
    from service.eventstore.records import Expect, Head, ProposedEvent, RecordedEvent
    from service.eventstore.replication import Replication
    from service.eventstore.store import Store

Result = TypeVar("Result")

logger = get_logger(__name__)


class EventLog:
    """The appender of the event store: commits appends in batches (group commit).

    After each commit `on_commit` folds and publishes, and then the callers get their results. So a
    caller that has its result finds its own events in the projections.
    """

    def __init__(  # noqa: PLR0913 - the parts are given by the composition root
        self,
        path: Path,
        *,
        node: str,
        busy_ms: int,
        postgres: str | None = None,
        is_shared: bool = False,
        accept_lost_tail: bool = False,
        metrics: Metrics | None = None,
        lock: LogLock | None = None,
    ) -> None:
        """Open the log at `path`; raise `LogInUse`, `DamagedHead` or `LostTail`.

        With `postgres`, the address of a database, the log is there, and `path` only gives the
        lock and the side file their names. Where it `is_shared` with other nodes, nothing can be
        appended before `begin_incarnation`. The lock is taken unless the caller passes it; either
        way `close` releases it. With `accept_lost_tail` a log without its last events is opened
        under a new epoch.
        """
        self._metrics = metrics or Metrics()
        files = LogFiles(path)
        self._lock = lock or LogLock(files.lock)
        try:
            self._store = _open_store(path, postgres, node, busy_ms, is_shared=is_shared)
        except BaseException:
            self._lock.release()
            raise
        self._side_file = SideFile(files.side_file)
        self._check_end(accept_lost_tail=accept_lost_tail)
        self._lock.mark()
        self._loop: asyncio.AbstractEventLoop
        self._on_commit: Callable[[Sequence[RecordedEvent]], None]
        self._replication: Replication | None = None
        self._new: list[PendingAppend] = []
        """Appends that are not handed to the thread yet."""
        self._hand_over = HandOver(self._hand_over_new, time.monotonic)
        self._pending = 0
        self._all_settled: asyncio.Future[None] | None = None
        """Set by `close` while it waits for pending appends."""
        self._failure: asyncio.Future[None] | None = None
        self._thread = CommitThread(self._store, self._side_file, self._metrics)
        self.outbox_notes = OutboxNotes(functools.partial(self._in_thread, self._store.execute))

    def _check_end(self, *, accept_lost_tail: bool) -> None:
        """Raise `DamagedHead` or `LostTail`, unless that is accepted."""
        try:
            self._store.check_end()
            store = self._store
            self._side_file.check(store.head, store.hash_at, store.is_archived)
        except (LostTail, DamagedHead) as error:
            if isinstance(error, LostTail) and self._is_loss_accepted():
                self._side_file.write(self._store.head)
                logger.warning(
                    "side file of a former epoch replaced: other nodes go on under this one",
                    error_code="TAIL_GIVEN_UP",
                    metadata={"reason": error.message},
                )
                return
            if isinstance(error, DamagedHead) or not accept_lost_tail:
                self._store.close()
                self._lock.release()
                raise
            self._accept_lost_tail()

    def _is_loss_accepted(self) -> bool:
        """Return whether the loss was accepted at another node, which goes on under a new epoch."""
        head = self._store.head
        return self._side_file.is_of_other_epoch(head) and self._store.has_other_writers()

    def _accept_lost_tail(self) -> None:
        """Begin a new epoch without the lost tail, and log what was lost."""
        before = self._store.head
        try:
            recorded = self._side_file.read()
        except DamagedSideFile:
            recorded = None
        self._store.begin_epoch()
        self._side_file.write(self._store.head)
        logger.warning(
            "lost tail accepted: revocations of sessions that were in it are undone",
            error_type="internal_error",
            error_code="TAIL_GIVEN_UP",
            metadata={
                "position": before.position,
                "lost_position": None if recorded is None else recorded.position,
                "epoch_before": before.epoch,
                "epoch": self._store.head.epoch,
            },
        )

    @property
    def head(self) -> Head:
        """The head of the log; its last events may not be folded yet."""
        return self._store.head

    @property
    def position(self) -> Position:
        """The greatest position that is known to be in the log; it may not be folded yet."""
        position = self._store.head.position
        return position if self._replication is None else max(position, self._replication.head)

    @property
    def waiting(self) -> int:
        """The number of appends without a result."""
        return self._pending

    def begin_incarnation(self, incarnation: int) -> None:
        """Append as this incarnation of the node from now on."""
        self._store.begin_incarnation(incarnation)

    def start(
        self,
        on_commit: Callable[[Sequence[RecordedEvent]], None],
        replication: Replication | None = None,
    ) -> asyncio.Task[None]:
        """Start to commit; `on_commit` gets the events of every commit, in order.

        Where other nodes append as well, `replication` folds the events of all of them in its
        place. The returned task ends only by an error after which memory and log may differ: the
        fold raised, the writer thread died, the lease of this node was lost (`LeaseLost`), or the
        log diverged (`LogDiverged`).
        """
        self._loop = asyncio.get_running_loop()
        self._on_commit = on_commit
        self._replication = replication
        if replication is not None:
            replication.start(self._fail)
        self._failure = self._loop.create_future()
        self._thread.connect(self._loop, self._on_results, self._fail)
        return asyncio.create_task(_raised(self._failure), name="log-writer")

    def append(  # noqa: PLR0913 - what an append is
        self,
        events: Sequence[ProposedEvent],
        done: OnAppended,
        expect: Expect = ANY,
        *,
        personal_data: PersonalData = NO_PERSONAL_DATA,
        condition: Condition | None = None,
        may_wait_s: float = 0.0,
    ) -> None:
        """Commit `events`, all or nothing; `done` is called with the result, after the fold.

        `personal_data` is stored in the same transaction. An event id that was recorded before
        gets its first position. The result is `VersionConflict` if a stream is not at the version
        in `expect`, `KeyConflict` if `condition` does not hold, and `Unavailable` when the log
        can't be written. Raises `Unavailable` when the log is closing.

        With `may_wait_s` the events are not needed before this time, and may be committed together
        with later ones. Without it they are committed at once, after those that still wait. The
        order of the log is always that of the calls.
        """
        if self._thread.is_closing:
            raise Unavailable("The service is stopping; connect again and retry.")
        self._hand_over.schedule(may_wait_s)
        span = traces.begin("log.append", events=len(events))
        self._new.append(
            PendingAppend(events, expect, personal_data, condition, done=done, span=span)
        )
        self._pending += 1

    def hurry(self) -> None:
        """Commit what still waits because of its `may_wait_s`."""
        self._hand_over.hurry()

    async def probe(self) -> None:
        """Raise `Unavailable` unless the log can be written."""
        await self._in_thread(self._thread.probe)

    async def save_snapshot(
        self,
        code_version: str,
        position: Position,
        data: bytes,
        *,
        needed_from: Position,
        used: AbstractSet[str] = frozenset(),
    ) -> None:
        """Store a snapshot of the world after the event at `position`, and drop older ones.

        Those of the code versions `used`, which other nodes have, are kept, and the newest snapshot
        not after `needed_from`. Raises `Unavailable`.
        """
        save = functools.partial(self._store.save_snapshot, needed_from=needed_from, used=used)
        await self._in_thread(save, "world", code_version, position, data)

    async def load_snapshot(
        self, code_version: str, at_most: Position
    ) -> tuple[Position, bytes] | None:
        """Return position and data of the newest usable snapshot not after `at_most`, or None.

        A snapshot is usable if this code version made it of this log.
        """
        return await self._in_thread(self._store.load_snapshot, "world", code_version, at_most)

    async def drop_snapshot(self, position: Position) -> None:
        """Delete the snapshot of the world at `position`; raise `Unavailable` when that fails."""
        await self._in_thread(self._store.drop_snapshot, "world", position)

    def abandon(self, error: Exception) -> None:
        """Append nothing any more, and wait for no answer of the database."""
        self._store.is_closing = True
        self._fail(error)

    async def close(self) -> None:
        """Commit pending appends, close the database and release the lock."""
        self._thread.is_closing = self._store.is_closing = True
        if self._new:
            self._hand_over.schedule()
        if self._pending:
            self._all_settled = self._loop.create_future()
            await asyncio.shield(self._all_settled)
        if self._replication is not None:
            await self._replication.stop()
        if self._failure is not None:
            self._failure.cancel()
        await self._in_thread(self._thread.close)
        await asyncio.to_thread(self._thread.join)
        self._lock.release()

    def _hand_over_new(self) -> None:
        """Pass the new appends to the thread."""
        new, self._new = self._new, []
        if self._replication is not None:
            self._replication.sent(new)
        self._thread.put(new)

    async def _in_thread(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """Run a call in the thread between two batches, even if the caller is cancelled."""
        thread_call = ThreadCall(call, arguments)
        self._thread.put(thread_call)
        result: Result = await thread_call.future
        return result

    def _on_results(
        self, batch: Sequence[PendingAppend], results: list[Committed | Exception], began_at: float
    ) -> None:
        """Fold and publish a committed batch, and then pass the results to the callers."""
        recorded = [
            one for result in results if isinstance(result, Committed) for one in result.recorded
        ]
        if recorded and not self._thread.is_broken:
            took_s = time.perf_counter() - began_at
            self._metrics.committed(len(recorded), took_s)
            self._hand_over.committed(took_s)
        if self._replication is not None:
            self._replication.committed(
                batch, results, functools.partial(self._give, batch, results)
            )
            lost = next((one for one in results if isinstance(one, LeaseLost)), None)
            if lost is not None:
                self._fail(lost)
            return
        if recorded and not self._thread.is_broken:
            try:
                self._on_commit(recorded)
            except Exception as error:  # noqa: BLE001 - it is raised by the task of `start`
                self._fail(error)
        self._give(batch, results)

    def _give(
        self, batch: Sequence[PendingAppend], results: Sequence[Committed | Exception]
    ) -> None:
        """Pass the results of a batch, whose events are folded, to the callers."""
        if self._thread.is_broken:
            results = [Unavailable("The log is closed.")] * len(batch)
        self._pending -= len(batch)
        for pending, result in zip(batch, results, strict=True):
            if isinstance(result, LeaseLost):
                result = Unavailable("This node has left its cluster; connect again.")  # noqa: PLW2901 - what callers know
            if pending.span is not None:
                pending.span.end(result if isinstance(result, Exception) else None)
            try:
                pending.done(result)
            except Exception:
                # A fault in one callback must not keep the others from their results.
                logger.exception("answer failed", error_type="internal_error")
        if self._all_settled is not None and not self._pending:
            self._all_settled.set_result(None)
            self._all_settled = None

    def _fail(self, error: Exception) -> None:
        """Stop committing: memory and log may differ."""
        self._thread.is_broken = self._thread.is_closing = True
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)


def _open_store(
    path: Path, postgres: str | None, node: str, busy_ms: int, *, is_shared: bool
) -> Store:
    if postgres is None:
        return SqliteStore(path, node, busy_ms)
    from service.eventstore.postgres import PostgresStore  # noqa: PLC0415 - slow to import

    return PostgresStore(postgres, node, busy_ms, is_shared=is_shared)


@contextmanager
def writer_error_raised(writer: asyncio.Task[None]) -> Iterator[None]:
    """Replace an `Unavailable` of a failed log by the error that its `writer` task ended with."""
    try:
        yield
    except Unavailable:
        if writer.done():
            writer.result()
        raise


async def _raised(failure: asyncio.Future[None]) -> None:
    await failure
