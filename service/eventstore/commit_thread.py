"""Writer thread: commits pending appends in batches (group commit), and runs other store calls.

Each batch holds the appends that were queued during the last commit. Results are handed to the
event loop.
"""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from service.errors import ServiceError, Unavailable
from service.eventstore.completions import PendingAppend, ThreadCall
from service.eventstore.store import DuplicateVersion, LogDiverged
from service.eventstore.stream_index import ROWS_PER_FILL, UNINDEXED_MAX
from service.telemetry import get_logger, traces

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from service.eventstore.plan import Append, Committed
    from service.eventstore.side_file import SideFile
    from service.eventstore.store import Store
    from service.telemetry import Metrics

BATCH_APPENDS_MAX = 2000
"""Approximate limit of appends in one transaction, so that no commit takes long."""

COMMIT_PAUSE_S = 0.003
"""The least time between two commits of small batches."""

SMALL_BATCH_MAX = 16
"""Larger batches are committed at once, however recent the last commit is."""

SIDE_FILE_INTERVAL_S = 1.0
"""The least time between two writes of the side file."""

logger = get_logger(__name__)


class WriterDied(ServiceError):
    """The writer thread of the log has died; restart the service."""


class CommitThread:
    """Commits batches of appends to `store`, one transaction a batch, until `close`."""

    def __init__(self, store: Store, side_file: SideFile, metrics: Metrics) -> None:
        """Start the thread; appends may be put only after `connect`."""
        self.is_closing = False
        """No further appends will be put, so a batch need not wait for any."""
        self.is_broken = False
        """Memory and log differ: nothing may be committed any more."""
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
        """Monotonic time since which commits fail; None while they succeed."""
        self._current: list[PendingAppend] = []
        """The batch that is being committed."""
        self._queue: SimpleQueue[list[PendingAppend] | ThreadCall] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="log-writer", daemon=True)
        self._thread.start()

    def connect(
        self,
        loop: asyncio.AbstractEventLoop,
        on_results: Callable[[Sequence[PendingAppend], list[Committed | Exception], float], None],
        on_failure: Callable[[Exception], None],
    ) -> None:
        """Set the callbacks, which are called in `loop`.

        `on_results` gets each batch, the result of each append, and the time (`perf_counter`) at
        which the commit began. `on_failure` gets the error after which nothing can be committed.
        """
        self._loop = loop
        self._on_results = on_results
        self._on_failure = on_failure

    def put(self, work: list[PendingAppend] | ThreadCall) -> None:
        """Queue `work` for the thread."""
        self._queue.put(work)

    def close(self) -> None:
        """Close the store and end the thread; to be run in the thread, as a `ThreadCall`."""
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
        """Raise `Unavailable` unless the log can be written; to be run in the thread."""
        try:
            self._store.probe()
        except Unavailable as error:
            self._note_outage(error)
            raise
        self._note_outage(None)

    def _work(self) -> None:
        """Run the thread; an unexpected exception reports `WriterDied` and fails all appends."""
        try:
            self._run()
        except BaseException as error:
            logger.critical("log writer died", error_type="internal_error", exc_info=error)
            self._loop.call_soon_threadsafe(self._on_failure, WriterDied())
            self._refuse(self._current)
            self._refuse_queued()

    def _refuse_queued(self) -> None:
        """Fail queued appends until `close`, so that no caller waits for ever."""
        while not self._is_closed:
            work = self._queue.get()
            if isinstance(work, ThreadCall):
                work.run()
            else:
                self._refuse(work)

    def _refuse(self, batch: Sequence[PendingAppend]) -> None:
        results: list[Committed | Exception] = [Unavailable()] * len(batch)
        self._loop.call_soon_threadsafe(self._on_results, batch, results, 0.0)

    def _run(self) -> None:
        while not self._is_closed:
            work = self._queue.get()
            if isinstance(work, ThreadCall):
                work.run()
                continue
            self._current = work
            call = self._gather(work)
            self._write(work)
            self._current = []
            self._fill_index(at_least=ROWS_PER_FILL if self._queue.empty() else UNINDEXED_MAX)
            if call is not None:
                call.run()

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
        """Extend `batch` by the appends that are queued; return the call that follows them, if any.

        A commit costs the same for one append as for many, so after a recent commit a small batch
        waits for more. A single append after a pause does not wait, and neither does a large batch.
        """
        pause_s = COMMIT_PAUSE_S - (time.monotonic() - self._committed_at)
        if pause_s > 0 and len(batch) < SMALL_BATCH_MAX and not self.is_closing:
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
        """Commit a batch, and hand the results to the loop."""
        began_at = time.perf_counter()
        call_in_loop = self._loop.call_soon_threadsafe
        results: list[Committed | Exception]
        try:
            # None while tracing is off.
            links = [None if one.span is None else one.span.ref for one in batch]
            with traces.span("log.commit", links, appends=len(batch)):
                results = self._commit(batch)
            self._note_outage(None)
        except Exception as error:
            if isinstance(error, LogDiverged):
                call_in_loop(self._on_failure, error)
            elif isinstance(error, Unavailable):
                self._note_outage(error)
            else:
                logger.exception("append failed", error_type="internal_error")
            self._metrics.commit_failed()
            results = [error] * len(batch)
        self._committed_at = time.monotonic()
        call_in_loop(self._on_results, batch, results, began_at)

    def _commit(self, batch: Sequence[Append]) -> list[Committed | Exception]:
        """Commit a batch, and write the new head to the side file if that is due."""
        if self.is_broken:
            raise Unavailable
        results = self._commit_or_each(batch)
        now = time.monotonic()
        if now - self._side_file_at >= SIDE_FILE_INTERVAL_S:
            self._side_file_at = now
            self._note_head()
        return results

    def _note_outage(self, error: Unavailable | None) -> None:
        """Log the begin and the end of an outage once each, however many appends fail."""
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
        """Commit a batch in one transaction; if that raises, commit each append in its own."""
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
        """Write the side file; a failure is only logged, and stops neither commits nor `close`."""
        try:
            self._side_file.write(self._store.head)
        except OSError as error:
            logger.warning("side file not written", metadata={"reason": str(error)})
