"""Prometheus metrics: counters and histograms, and gauges read at each scrape.

Parts call plain methods, once for a batch, a flush or a frame of a client, never once for each
socket. Every label takes few values: nothing that a client makes up becomes one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from service import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ResumeOutcome: TypeAlias = Literal["resumed", "too_old", "wrong_epoch", "from_the_future"]

INVALID = "invalid"
"""Stands for the type of a frame that could not be read."""

GAUGES = {
    "sockets_open": "Open sockets.",
    "users_online": "Users whom others see as online, also those in their grace.",
    "rooms_open": "Rooms, from their creation until they close.",
    "matches_live": "Matches that run or are paused.",
    "append_queue_length": "Appends that wait for the next commit.",
    "projection_lag_events": "Committed events that are not folded yet.",
    "snapshot_age_seconds": "Time since a snapshot was written, or since the start if none was.",
    "outbox_backlog": "Results that wait to be delivered to other services.",
    "outbox_lag_seconds": "Time since the end of the match that waits longest to be delivered.",
}
"""What is read at each scrape; a gauge that nobody reads stays 0."""

_SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.033, 0.066, 0.125, 0.25, 0.5, 1, 2, 5)
_FANOUT_SECONDS = (0.00005, 0.0001, 0.0002, 0.0005, *_SECONDS[1:11])
_EVENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


# They would double the series, and nobody here asks when a counter began.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """All metrics of one service."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.registry = registry = CollectorRegistry()
        self.labels: dict[str, str] = {}
        """The label of each metric that has one."""
        ProcessCollector(registry=registry)
        build = Info("ws_build", "Version of the service.", registry=registry)
        build.info({"version": __version__})
        self._gauges = {
            name: Gauge(f"ws_{name}", help_, registry=registry) for name, help_ in GAUGES.items()
        }
        self._received = self._tally(
            "messages_received",
            "type",
            "Frames of clients by the type of their message; `invalid` could not be read.",
        )
        self._refused = self._counters(
            "messages_refused", "code", "Messages answered with an error, by its code."
        )
        self._sent = self._tally(
            "messages_sent", "type", "Messages queued for sockets, one for each socket."
        )
        self._handshakes_refused = self._counters(
            "handshakes_refused",
            "error_code",
            "Connections that were not let in; Refused handshakes has the codes.",
        )
        self._disconnects = self._counters(
            "disconnects", "code", "Sockets that ended, by close code; `other` is a client's own."
        )
        self._resumes = self._counters(
            "resumes",
            "outcome",
            "Clients that came back: `resumed`, or why they had to begin anew by a `resync`.",
        )
        for outcome in get_args(ResumeOutcome):
            # There from the start, so that the first one is seen as a rise.
            self._resumes[outcome].inc(0)
        self._sent_bytes = self._total("sent_bytes", "Bytes handed to sockets, framed.")
        self._slow_clients = self._total(
            "slow_clients_dropped", "Sockets that were cut off because they did not read."
        )
        self._faults = self._counters(
            "faults", "part", "Exceptions that cost one message, event or match, by their part."
        )
        self._commits_failed = self._total(
            "commits_failed", "Batches of events that could not be committed."
        )
        self._deliveries_failed = self._total(
            "deliveries_failed",
            "Results sent to other services without an answer; they are sent again.",
        )
        self._deliveries_refused = self._total(
            "deliveries_refused", "Results that other services refused for good."
        )
        self._fanout = self._histogram(
            "fanout_duration_seconds",
            "Time to write out what waited for all sockets in one turn of the loop.",
            _FANOUT_SECONDS,
        )
        self._commit = self._histogram(
            "commit_duration_seconds",
            "Time to commit a batch of events, with the way to the writer's thread and back.",
            _SECONDS,
        )
        self._batch = self._histogram("commit_batch_events", "Events in one commit.", _EVENTS)
        self._tick = self._histogram(
            "tick_lateness_seconds",
            "How late the last match of those that were due at once was stepped.",
            _SECONDS,
        )

    def read(self, **readers: Callable[[], float]) -> None:
        """Let gauges, named as in `GAUGES`, be read by these functions at each scrape."""
        for name, reader in readers.items():
            self._gauges[name].set_function(reader)

    def received(self, type_: str) -> None:
        """Count a frame of a client; `type_` is one that the service knows, or `INVALID`."""
        self._received.counts[type_] += 1

    def refused(self, code: str) -> None:
        """Count a message that was answered with an error."""
        self._refused[code].inc()

    def sent(self, type_: str, sockets: int) -> None:
        """Count a message to so many sockets."""
        self._sent.counts[type_] += sockets

    def flushed(self, bytes_: int, duration_s: float) -> None:
        """Note how much was written to all sockets together, and how long that took."""
        self._sent_bytes.count += bytes_
        self._fanout.observe(duration_s)

    def handshake_refused(self, error_code: str) -> None:
        """Count a connection that was not let in."""
        self._handshakes_refused[error_code].inc()

    def disconnected(self, code: str) -> None:
        """Count the end of a socket; `code` is one of a bounded number."""
        self._disconnects[code].inc()

    def slow_client_dropped(self) -> None:
        """Count a socket that was cut off because it did not read."""
        self._slow_clients.count += 1

    def resumed(self, outcome: ResumeOutcome) -> None:
        """Count a client that came back."""
        self._resumes[outcome].inc()

    def committed(self, events: int, duration_s: float) -> None:
        """Note a batch that was committed."""
        self._batch.observe(events)
        self._commit.observe(duration_s)

    def commit_failed(self) -> None:
        """Count a batch that could not be committed."""
        self._commits_failed.count += 1

    def faulted(self, part: str) -> None:
        """Count an exception that was fenced; `part` is one of a bounded number."""
        self._faults[part].inc()

    def delivery_failed(self) -> None:
        """Count a result of which nobody knows whether it has arrived."""
        self._deliveries_failed.count += 1

    def delivery_refused(self) -> None:
        """Count a result that its consumer will never take."""
        self._deliveries_refused.count += 1

    def ticked(self, lateness_s: float) -> None:
        """Note how late the matches that were due have been stepped."""
        self._tick.observe(lateness_s)

    def _counters(self, name: str, label: str, help_: str) -> _Counters:
        self.labels[f"ws_{name}"] = label
        return _Counters(Counter(f"ws_{name}", help_, [label], registry=self.registry))

    def _tally(self, name: str, label: str, help_: str) -> _Tally:
        self.labels[f"ws_{name}"] = label
        tally = _Tally(f"ws_{name}", label, help_)
        self.registry.register(tally)
        return tally

    def _total(self, name: str, help_: str) -> _Total:
        total = _Total(f"ws_{name}", help_)
        self.registry.register(total)
        return total

    def _histogram(self, name: str, help_: str, buckets: tuple[float, ...]) -> _Histogram:
        histogram = _Histogram(f"ws_{name}", help_, buckets)
        self.registry.register(histogram)
        return histogram


class _Counters(dict[str, Counter]):
    """A counter for each value of a label; the library's own look-up costs more."""

    def __init__(self, parent: Counter) -> None:
        super().__init__()
        self._parent = parent

    def __missing__(self, value: str) -> Counter:
        counter = self[value] = self._parent.labels(value)
        return counter


# The library's own locks and looks through all buckets for each value; this is done so often that
# it would be seen in the profile.


class _Total(Collector):
    """Counts without a label."""

    def __init__(self, name: str, help_: str) -> None:
        self.count = 0
        self._name = name
        self._help = help_

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Tell what was counted until now."""
        yield CounterMetricFamily(self._name, self._help, self.count)


class _Histogram(Collector):
    """Counts values by the bucket that they fall into."""

    def __init__(self, name: str, help_: str, bounds: tuple[float, ...]) -> None:
        self._name = name
        self._help = help_
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Tell what was counted until now; each bucket has those of the smaller ones, too."""
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._counts), strict=True))
        yield HistogramMetricFamily(self._name, self._help, buckets, self._sum)


class _Tally(Collector):
    """Counts by the value of a label."""

    def __init__(self, name: str, label: str, help_: str) -> None:
        self.counts = defaultdict[str, int](int)
        self._name = name
        self._label = label
        self._help = help_

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Tell what was counted until now."""
        family = CounterMetricFamily(self._name, self._help, labels=[self._label])
        for value, count in self.counts.items():
            family.add_metric([value], count)
        yield family
