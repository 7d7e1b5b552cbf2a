"""Writer thread: commits pending appends in groups, and runs other calls on the store.

It takes whatever has come in while it was busy, and hands the results to the loop.
"""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from service.errors import ServiceError, Unavailable
from service.eventstore.completions import PendingAppend, ThreadCall
from service.eventstore.sqlite import DuplicateVersion, LogDiverged
from service.eventstore.stream_index import ROWS_PER_FILL, UNINDEXED_MAX
from service.telemetry import get_logger, traces

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from service.eventstore.plan import Append, Committed
    from service.eventstore.side_file import SideFile
    from service.eventstore.sqlite import Store
    from service.telemetry import Metrics

BATCH_APPENDS_MAX = 2000
"""About the most appends in one transaction, so that no commit takes long."""

COMMIT_PAUSE_S = 0.003
"""The least time between two commits of few appends."""

GATHERED_MAX = 16
"""So many appends are committed at once, whenever the last commit was."""

SIDE_FILE_INTERVAL_S = 1.0

logger = get_logger(__name__)


class WriterDied(ServiceError):
    """The thread that writes the log has ended; start again, and rebuild from the log."""


class CommitThread:
    """Commits batches of appends to `store`, one transaction a batch, until `close`."""

    def __init__(self, store: Store, side_file: SideFile, metrics: Metrics) -> None:
        """Start the thread; appends may be put only after `connect`."""
        self.is_closing = False
        """No more appends will come, so that a batch need not wait for them."""
        self.is_broken = False
        """Memory and log do not agree: nothing may be committed any more."""
        self._store = store
        self._side_file = side_file
        self._side_file_at = 0.0
        self._metrics = metrics
        self._loop: asyncio.AbstractEventLoop
        self._on_results: Callable[
            [Sequence[PendingAppend], list[Committed | Exception], float], None
        ]
        self._on_failure: Callable[[Exception], None]
        self._is_closed = False
        self._has_no_index = False
        """The index of streams can't be filled, since the log is damaged."""
        self._committed_at = 0.0
        self._outage_at: float | None = None
        """Since when nothing can be written; None while all is well."""
        self._in_hand: list[PendingAppend] = []
        """What the thread is writing."""
        self._queue: SimpleQueue[list[PendingAppend] | ThreadCall] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="log-writer", daemon=True)
        self._thread.start()

    def connect(
        self,
        loop: asyncio.AbstractEventLoop,
        on_results: Callable[[Sequence[PendingAppend], list[Committed | Exception], float], None],
        on_failure: Callable[[Exception], None],
    ) -> None:
        """Call these in `loop` after each batch, and when nothing can be committed any more.

        `on_results` gets the batch, the result of each append, and when the commit began.
        """
        self._loop = loop
        self._on_results = on_results
        self._on_failure = on_failure

    def put(self, work: list[PendingAppend] | ThreadCall) -> None:
        """Let the thread do `work` after all that was put before."""
        self._queue.put(work)

    def close(self) -> None:
        """Close the store; runs in the thread, as a `ThreadCall`, which then ends."""
        self._is_closed = True
        while self._fill_index(at_least=1):
            pass
        if self._store.head.position:
            self._note_head()
        self._store.close()

    def join(self) -> None:
        """Block until the thread has ended."""
        self._thread.join()

    def probe(self) -> None:
        """Raise `Unavailable` unless the log can be written; runs in the thread."""
        try:
            self._store.probe()
        except Unavailable as error:
            self._note_outage(error)
            raise
        self._note_outage(None)

    def _work(self) -> None:
        """Carry out what is asked for, until the end; a fault of the thread itself ends the log."""
        try:
            self._carry_out_work()
        except BaseException as error:
            logger.critical("log writer died", error_type="internal_error", exc_info=error)
            self._loop.call_soon_threadsafe(self._on_failure, WriterDied())
            self._refuse(self._in_hand)
            self._refuse_work()

    def _refuse_work(self) -> None:
        """Answer what can't be written any more, so that nobody waits for it for ever."""
        while not self._is_closed:
            work = self._queue.get()
            if isinstance(work, ThreadCall):
                work.carry_out()
            else:
                self._refuse(work)

    def _refuse(self, batch: Sequence[PendingAppend]) -> None:
        answers: list[Committed | Exception] = [Unavailable()] * len(batch)
        self._loop.call_soon_threadsafe(self._on_results, batch, answers, 0.0)

    def _carry_out_work(self) -> None:
        while not self._is_closed:
            work = self._queue.get()
            if isinstance(work, ThreadCall):
                work.carry_out()
                continue
            self._in_hand = work
            call = self._gather(work)
            self._write(work)
            self._in_hand = []
            self._fill_index(at_least=ROWS_PER_FILL if self._queue.empty() else UNINDEXED_MAX)
            if call is not None:
                call.carry_out()

    def _fill_index(self, *, at_least: int) -> bool:
        """Add events to the index of streams if so many are not in it; tell whether that was so.

        Nothing that is acknowledged depends on it: while it can't be written, readers look at more
        events one by one.
        """
        if self._store.unindexed < at_least or self._has_no_index or self.is_broken:
            return False
        try:
            self._store.fill_index()
        except Unavailable:
            # The next commit notes the outage.
            return False
        except DuplicateVersion:
            self._has_no_index = True
            logger.critical(
                "two events of a stream have the same version: run `ws-service log verify`",
                error_type="internal_error",
                error_code="DUPLICATE_VERSION",
            )
            return False
        return True

    def _gather(self, batch: list[PendingAppend]) -> ThreadCall | None:
        """Add what else has been submitted; return what is not an append and came after it.

        A commit costs the same for one append as for many. So when the last commit was only just
        now, a few more may come in. A single append after a pause does not wait, and neither does
        a batch that is large already.
        """
        pause_s = COMMIT_PAUSE_S - (time.monotonic() - self._committed_at)
        if pause_s > 0 and len(batch) < GATHERED_MAX and not self.is_closing:
            time.sleep(pause_s)
        while len(batch) < BATCH_APPENDS_MAX:
            try:
                more = self._queue.get_nowait()
            except Empty:
                break
            if isinstance(more, ThreadCall):
                return more
            batch += more
        return None

    def _write(self, batch: Sequence[PendingAppend]) -> None:
        """Commit a batch, and let the loop know."""
        began_at = time.perf_counter()
        tell = self._loop.call_soon_threadsafe
        answers: list[Committed | Exception]
        try:
            # None while tracing is off.
            links = [None if one.span is None else one.span.ref for one in batch]
            with traces.span("log.commit", links, appends=len(batch)):
                answers = self._commit([one.append for one in batch])
            self._note_outage(None)
        except Exception as error:
            if isinstance(error, LogDiverged):
                tell(self._on_failure, error)
            elif isinstance(error, Unavailable):
                self._note_outage(error)
            else:
                logger.exception("append failed", error_type="internal_error")
            self._metrics.commit_failed()
            answers = [error] * len(batch)
        self._committed_at = time.monotonic()
        tell(self._on_results, batch, answers, began_at)

    def _commit(self, batch: Sequence[Append]) -> list[Committed | Exception]:
        """Commit, and note the new head beside the database."""
        if self.is_broken:
            raise Unavailable
        answers = self._commit_or_each(batch)
        now = time.monotonic()
        if now - self._side_file_at >= SIDE_FILE_INTERVAL_S:
            self._side_file_at = now
            self._note_head()
        return answers

    def _note_outage(self, error: Unavailable | None) -> None:
        """Log once that nothing can be written, however many appends fail, and once its end."""
        if self.is_broken:
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
