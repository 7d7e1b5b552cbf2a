"""Prometheus metrics: counters and histograms, and gauges read at each scrape.

Methods are called once per batch, flush or received frame, never once per socket. Labels have a
bounded number of values: no value of a client becomes one.
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
    from collections.abc import Callable, Iterator, Sequence

ResumeOutcome: TypeAlias = Literal["resumed", "too_old", "wrong_epoch", "from_the_future"]

INVALID = "invalid"
"""The type label of a frame that could not be decoded."""

GAUGES = {
    "sockets_open": "Open sockets.",
    "connections_waiting": "New connections that wait until the service is less busy.",
    "users_online": "Users that are online, including those in their grace period.",
    "rooms_open": "Open rooms.",
    "matches_live": "Live matches, running or paused.",
    "append_queue_length": "Appends without a result.",
    "projection_lag_events": "Committed events that are not folded yet.",
    "snapshot_age_seconds": "Time since the last snapshot, or since the start without one.",
    "bus_connected": "Whether the bus between the nodes is connected; 0 for a node without one.",
    "outbox_backlog": "Finished matches to be delivered to other services.",
    "outbox_lag_seconds": "Time since the end of the oldest match to be delivered.",
}
"""Gauges, which are read at each scrape; one without a reader stays 0."""

_SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.033, 0.066, 0.125, 0.25, 0.5, 1, 2, 5)
_FANOUT_SECONDS = (0.00005, 0.0001, 0.0002, 0.0005, *_SECONDS[1:11])
_EVENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


# `_created` series would double the number of series and are not used.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types for it


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
        self._wire = Info("ws_wire", "How frames reach the sockets.", registry=registry)
        self._node = Info("ws_node", "This incarnation of this node.", registry=registry)
        self._gauges = {
            name: Gauge(f"ws_{name}", help_, registry=registry) for name, help_ in GAUGES.items()
        }
        self._declare_messages()
        self._declare_sockets()
        self._declare_appends()
        self._declare_deliveries()
        self._bus_dropped = self._total(
            "bus_messages_dropped",
            "Messages between nodes that were not sent or not handled, for want of a connection "
            "or of room in a queue.",
        )

    def _declare_messages(self) -> None:
        self.received = self._tally(
            "messages_received",
            "type",
            "Received frames by message type; `invalid` could not be decoded.",
        )
        self._refused = self._counters(
            "messages_refused", "code", "Messages answered with an error, by its code."
        )
        self.sent = self._tally(
            "messages_sent", "type", "Messages queued for sockets, one for each socket."
        )
        self._faults = self._counters(
            "faults",
            "part",
            "Isolated exceptions, which affect one message, event or match, by part.",
        )
        self._fanout = self._histogram(
            "fanout_duration_seconds",
            "Time to write the queued frames of all sockets in one iteration of the event loop.",
            _FANOUT_SECONDS,
        )
        self.tick = self._histogram(
            "tick_lateness_seconds",
            "Lateness of the last match that was stepped in a tick.",
            _SECONDS,
        )

    def _declare_sockets(self) -> None:
        self._handshakes_refused = self._counters(
            "handshakes_refused",
            "error_code",
            "Handshakes that were refused; the section Refused handshakes lists the codes.",
        )
        self._admission = self._histogram(
            "admission_wait_seconds",
            "How long admitted connections have waited; 0 while the service is not busy.",
            _SECONDS,
        )
        self._disconnects = self._counters(
            "disconnects",
            "code",
            "Closed sockets by close code; `other` is a code that a client chose.",
        )
        self._resumes = self._counters(
            "resumes",
            "outcome",
            "Clients that reconnected: `resumed`, or the reason of a `resync`.",
        )
        for outcome in get_args(ResumeOutcome):
            # Present from the start, so that `rate` sees the first one.
            self._resumes[outcome].inc(0)
        self._sent_bytes = self._total("sent_bytes", "Bytes handed to sockets, framed.")
        self._slow_clients = self._total(
            "slow_clients_dropped",
            "Slow consumers: sockets that were aborted because they did not read.",
        )

    def _declare_appends(self) -> None:
        self._commits_failed = self._total(
            "commits_failed", "Batches of events that could not be committed."
        )
        self.commit = self._histogram(
            "commit_duration_seconds",
            "Time to commit a batch of events, including the hops to the writer thread and back.",
            _SECONDS,
        )
        self._batch = self._histogram("commit_batch_events", "Events in one commit.", _EVENTS)

    def _declare_deliveries(self) -> None:
        self._deliveries_failed = self._total(
            "deliveries_failed",
            "Deliveries to other services with an unknown outcome; they are repeated.",
        )
        self._deliveries_refused = self._total(
            "deliveries_refused", "Deliveries that other services rejected permanently."
        )

    def wire(self, kind: str, method: str) -> None:
        """Tell how frames reach the sockets: by which kind of wire, and many at once by what."""
        self._wire.info({"kind": kind, "method": method})

    def node(self, name: str, incarnation: int) -> None:
        """Tell which node this is, and how often it has been started."""
        self._node.info({"node": name, "incarnation": str(incarnation)})

    def read(self, **readers: Callable[[], float]) -> None:
        """Set the functions that are called at each scrape, by the names in `GAUGES`."""
        for name, reader in readers.items():
            self._gauges[name].set_function(reader)

    def refused(self, code: str) -> None:
        """Count a message that was answered with an error."""
        self._refused[code].inc()

    def flushed(self, bytes_: int, duration_s: float) -> None:
        """Record one flush: the bytes written to all sockets, and its duration."""
        self._sent_bytes.count += bytes_
        self._fanout.observe(duration_s)

    def handshake_refused(self, error_code: str) -> None:
        """Count a refused handshake."""
        self._handshakes_refused[error_code].inc()

    def admitted(self, waited_s: float) -> None:
        """Record how long a connection has waited until it was admitted."""
        self._admission.observe(waited_s)

    def disconnected(self, code: str) -> None:
        """Count a closed socket; `code` must have a bounded number of values."""
        self._disconnects[code].inc()

    def slow_client_dropped(self) -> None:
        """Count a slow consumer that was aborted."""
        self._slow_clients.count += 1

    @property
    def slow_clients(self) -> int:
        """How many slow consumers were aborted so far."""
        return self._slow_clients.count

    def resumed(self, outcome: ResumeOutcome) -> None:
        """Count a resume by its outcome."""
        self._resumes[outcome].inc()

    def committed(self, events: int, duration_s: float) -> None:
        """Record a committed batch."""
        self._batch.observe(events)
        self.commit.observe(duration_s)

    def commit_failed(self) -> None:
        """Count a batch that could not be committed."""
        self._commits_failed.count += 1

    def faulted(self, part: str) -> None:
        """Count an isolated fault; `part` must have a bounded number of values."""
        self._faults[part].inc()

    def delivery_failed(self) -> None:
        """Count a delivery with an unknown outcome."""
        self._deliveries_failed.count += 1

    def delivery_refused(self) -> None:
        """Count a delivery that its consumer rejected."""
        self._deliveries_refused.count += 1

    def bus_dropped(self) -> None:
        """Count a message between nodes that was lost."""
        self._bus_dropped.count += 1

    def ticked(self, lateness_s: float) -> None:
        """Record how late the last due match was stepped."""
        self.tick.observe(lateness_s)

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

    def _histogram(self, name: str, help_: str, buckets: tuple[float, ...]) -> Histogram:
        histogram = Histogram(f"ws_{name}", help_, buckets)
        self.registry.register(histogram)
        return histogram


class _Counters(dict[str, Counter]):
    """Counters by the value of a label; faster than `Counter.labels` of the library."""

    def __init__(self, parent: Counter) -> None:
        super().__init__()
        self._parent = parent

    def __missing__(self, value: str) -> Counter:
        counter = self[value] = self._parent.labels(value)
        return counter


# The library's classes lock, and search all buckets for each value; these calls are so frequent
# that it shows in profiles.


class _Total(Collector):
    """A counter without labels."""

    def __init__(self, name: str, help_: str) -> None:
        self.count = 0
        self._name = name
        self._help = help_

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the present value."""
        yield CounterMetricFamily(self._name, self._help, self.count)


class Histogram(Collector):
    """A histogram without labels."""

    def __init__(self, name: str, help_: str, bounds: tuple[float, ...]) -> None:
        """Count in buckets with these upper bounds, and one above them."""
        self._name = name
        self._help = help_
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def counts(self) -> tuple[int, ...]:
        """Return how many values each bucket has so far."""
        return tuple(self._counts)

    def quantile_since(self, before: Sequence[int], quantile: float) -> float | None:
        """Return the upper bound of the bucket with this quantile of the values since `before`.

        None without any value; the highest bound for values above it.
        """
        counts = [now - then for now, then in zip(self._counts, before, strict=True)]
        if not any(counts):
            return None
        index = bisect_left(list(accumulate(counts)), quantile * sum(counts))
        return self._bounds[min(index, len(self._bounds) - 1)]

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the present value, with cumulative buckets."""
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._counts), strict=True))
        yield HistogramMetricFamily(self._name, self._help, buckets, self._sum)


class _Tally(Collector):
    """A counter with one label."""

    def __init__(self, name: str, label: str, help_: str) -> None:
        self.counts = defaultdict[str, int](int)
        self._name = name
        self._label = label
        self._help = help_

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the present value."""
        family = CounterMetricFamily(self._name, self._help, labels=[self._label])
        for value, count in self.counts.items():
            family.add_metric([value], count)
        yield family
