"""The log as the service sees it: `append`, and one group-commit writer."""

from __future__ import annotations

import asyncio
import functools
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from service.errors import Unavailable
from service.log.integrity import LogLock, LostTail, SideFile
from service.log.records import ANY, NOTHING
from service.log.store import Append, Committed, LogDiverged, Store
from service.telemetry import Metrics, get_logger, traces
from service.telemetry.traces import SpanRef

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from service.domain.event import Position
    from service.log.records import Beside, Expect, Head, ProposedEvent, RecordedEvent

BATCH_APPENDS_MAX = 2000
"""The most appends in one transaction, so that no commit takes long."""

COMMIT_PAUSE_S = 0.003
"""The least time between two commits of few appends."""

GATHERED_MAX = 16
"""So many appends are committed at once, whenever the last commit was."""

SIDE_FILE_INTERVAL_S = 1.0

Answer = TypeVar("Answer")

logger = get_logger(__name__)


class _Waiting:
    """An append, and whoever waits for it, even when he has been cancelled."""

    def __init__(
        self, append: Append, future: asyncio.Future[list[Position]], span: SpanRef
    ) -> None:
        self.append = append
        self.span = span
        self._future = future
        self._end: asyncio.Event | None = None
        self._is_settled = False

    def settle(self, answer: Committed | Exception) -> None:
        """Answer, once, unless nobody listens any more."""
        if self._is_settled:
            return
        self._is_settled = True
        if self._end is not None:
            self._end.set()
        if self._future.done():
            return
        if isinstance(answer, Committed):
            self._future.set_result(answer.positions)
        else:
            self._future.set_exception(answer)

    async def settled(self) -> None:
        """Wait until there is an answer."""
        if not self._is_settled:
            self._end = asyncio.Event()
            await self._end.wait()


class EventLog:
    """The one way to write events; whoever appends waits for the commit of his batch.

    After each commit, in this order: `on_commit` folds and publishes, then the appends are
    answered. So whoever gets an answer finds the world as after his events.
    """

    def __init__(
        self,
        path: Path,
        *,
        node: str,
        busy_ms: int,
        accept_lost_tail: bool = False,
        metrics: Metrics | None = None,
    ) -> None:
        """Open the log at `path`; raise `LogInUse` or `LostTail`."""
        self._metrics = metrics or Metrics()
        self._lock = LogLock(path.with_suffix(".lock"))
        self._store = Store(path, node, busy_ms)
        self._side_file = SideFile(path.with_suffix(".head"))
        self._side_file_at = 0.0
        try:
            self._side_file.check(self._store.head, self._store.hash_at)
        except LostTail:
            if not accept_lost_tail:
                self._store.close()
                self._lock.release()
                raise
            self._store.begin_epoch()
            self._side_file.write(self._store.head)
        self._thread = ThreadPoolExecutor(1, "log-writer")
        self._queue: deque[_Waiting] = deque()
        self._waiting = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._writer: asyncio.Task[None] | None = None
        self._closing = False
        self._on_commit: Callable[[Sequence[RecordedEvent]], None] = lambda _: None

    @property
    def head(self) -> Head:
        """Where the log ends."""
        return self._store.head

    @property
    def waiting(self) -> int:
        """How many appends wait for the next commit."""
        return len(self._queue)

    def start(self, on_commit: Callable[[Sequence[RecordedEvent]], None]) -> asyncio.Task[None]:
        """Begin to write; `on_commit` gets the events of every commit, in order.

        The task ends only by an error, when memory and log no longer agree: `on_commit` has
        raised, or the log was found to be elsewhere (`LogDiverged`).
        """
        self._on_commit = on_commit
        self._writer = asyncio.create_task(self._write(), name="log-writer")
        return self._writer

    async def append(
        self,
        events: Sequence[ProposedEvent],
        expect: Expect = ANY,
        *,
        beside: Beside = NOTHING,
    ) -> list[Position]:
        """Commit `events`, all or nothing, and return their positions.

        `expect` names versions that streams must be at, else `VersionConflict` is raised.
        `beside` is kept with the same commit. An event id that was recorded
        before gets its first position. Raises `Unavailable` when nothing can be written now.
        A caller that is cancelled goes only when his events are folded, or have failed: until
        then nobody else may decide on their streams.
        """
        if self._closing:
            raise Unavailable("The service is stopping; try again with the next one.")
        future: asyncio.Future[list[Position]] = asyncio.get_running_loop().create_future()
        with traces.span("log.append", events=len(events)):
            waiting = _Waiting(Append(events, expect, beside), future, traces.here())
            self._queue.append(waiting)
            self._drained.clear()
            self._waiting.set()
            try:
                return await future
            except asyncio.CancelledError:
                await waiting.settled()
                raise

    async def probe(self) -> None:
        """Raise `Unavailable` unless the log can be written."""
        await self._in_thread(self._store.probe)

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
        """Return a snapshot of the world that this code has made of this log, or None.

        It is the newest one that is not after `at_most`, or else the oldest one.
        """
        return await self._in_thread(self._store.load_snapshot, "world", code_version, at_most)

    async def note(self, statement: str, **parameters: object) -> None:
        """Change what stands beside the log and does not follow from it, as a delivery's attempts.

        Raises `Unavailable` when nothing can be written now.
        """
        await self._in_thread(self._store.note, statement, parameters)

    async def close(self) -> None:
        """Commit what waits, and let go of the database; then nothing can be appended."""
        self._closing = True
        if self._writer is not None:
            drained = asyncio.create_task(self._drained.wait())
            await asyncio.wait([drained, self._writer], return_when=asyncio.FIRST_COMPLETED)
            for task in (drained, self._writer):
                task.cancel()
            await asyncio.wait([drained, self._writer])
        if self._store.head.position:
            await self._in_thread(self._note_head)
        await self._in_thread(self._store.close)
        self._thread.shutdown()
        self._lock.release()

    async def _write(self) -> None:
        batch: list[_Waiting] = []
        committed_at = 0.0
        try:
            while True:
                await self._waiting.wait()
                await self._gather(committed_at)
                count = min(len(self._queue), BATCH_APPENDS_MAX)
                batch = [self._queue.popleft() for _ in range(count)]
                if not self._queue:
                    self._waiting.clear()
                await self._write_batch(batch)
                committed_at = time.monotonic()
                if not self._queue:
                    self._drained.set()
        finally:
            # Nobody writes any more, so nobody may wait for it.
            self._closing = True
            for waiting in (*batch, *self._queue):
                waiting.settle(Unavailable("The log is closed."))

    async def _gather(self, committed_at: float) -> None:
        """Let a few more appends come in, when the last commit was only just now.

        A commit costs the same for one append as for many. A single append after a pause does not
        wait, and neither does a batch that is large already.
        """
        pause_s = COMMIT_PAUSE_S - (time.monotonic() - committed_at)
        if pause_s > 0 and len(self._queue) < GATHERED_MAX and not self._closing:
            await asyncio.sleep(pause_s)

    async def _write_batch(self, batch: Sequence[_Waiting]) -> None:
        started_at = time.perf_counter()
        try:
            with traces.span("log.commit", [one.span for one in batch], appends=len(batch)):
                answers = await self._in_thread(self._commit, [one.append for one in batch])
        except LogDiverged:
            raise
        except Exception as error:
            self._metrics.commit_failed()
            if not isinstance(error, Unavailable):
                logger.exception("append failed", error_type="internal_error")
            answers = [error] * len(batch)
        recorded = [
            one for answer in answers if isinstance(answer, Committed) for one in answer.recorded
        ]
        if recorded:
            self._metrics.committed(len(recorded), time.perf_counter() - started_at)
            self._on_commit(recorded)
        for waiting, answer in zip(batch, answers, strict=True):
            waiting.settle(answer)

    def _commit(self, batch: Sequence[Append]) -> list[Committed | Exception]:
        """Commit in the writer's thread, and note the new head beside the database."""
        answers = self._store.commit(batch)
        now = time.monotonic()
        if now - self._side_file_at >= SIDE_FILE_INTERVAL_S:
            self._side_file_at = now
            self._note_head()
        return answers

    def _note_head(self) -> None:
        """Write the side file; a disk that is full stops neither commits nor the end."""
        try:
            self._side_file.write(self._store.head)
        except OSError as error:
            logger.warning("side file not written", metadata={"reason": str(error)})

    async def _in_thread(self, call: Callable[..., Answer], *arguments: Any) -> Answer:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, call, *arguments)
