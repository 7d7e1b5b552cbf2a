"""The figures, their contenders, and their goals."""

from __future__ import annotations

import resource
import statistics
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import workloads
from benchmarks.contenders import (
    AIOHTTP,
    BUN,
    FASTIFY,
    FASTIFY_SILENT,
    FASTIFY_SYSTEM,
    SEND_LOOP,
    SERVICE,
    SOCKET_IO,
)
from benchmarks.workloads import Rooms, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.contenders import Contender
    from benchmarks.logs import Logs
    from benchmarks.workloads import Sample

SPARE_FILES = 200
"""Open files of a process beyond its connections."""

FRAME_MS = 16
FULL_HZ, LOW_HZ = 60, 30
"""Frame rates of the states of matches."""
ONE_BY_ONE = Rooms(rooms=1, members=1000, senders=1, period_s=1 / 200)
IN_EIGHTS = ONE_BY_ONE._replace(period_s=8 / 200, burst=8)
GAMES = Rooms(rooms=200, members=5, senders=5, period_s=1 / 30)
PING_CLIENTS, PINGS_PER_S = 100, 100.0


class Goal(NamedTuple):
    """A limit for the service's median, absolute or as a ratio to other contenders."""

    limit: float
    against: Sequence[tuple[str, str]] = ()
    """The (figure, contender) pairs to compare with; the best one counts."""
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Return whether a value or ratio meets the goal."""
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True)
class Figure:
    """A row of the table of figures."""

    key: str
    title: str
    unit: str
    measurements: Mapping[str, Callable[[], Sample]]
    """Measurements by contender, in the order of each round."""
    goal: Goal | None = None
    ours: str = SERVICE.name
    """The measurement that the goal applies to."""


@dataclass
class Measured:
    """The samples and failures of a figure."""

    figure: Figure
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def median(self, contender: str) -> float | None:
        """Return the median of all rounds."""
        samples = self.samples.get(contender)
        return statistics.median(one.value for one in samples) if samples else None

    def detail(self, contender: str, name: str) -> float | None:
        """Return the median of a detail."""
        samples = self.samples.get(contender, ())
        values = [one.details[name] for one in samples if name in one.details]
        return statistics.median(values) if values else None


class Scale(NamedTuple):
    """The extent of a run."""

    rounds: int
    span: Span
    idle: int
    joins: tuple[int, int]
    matches: Sequence[int]
    events: tuple[int, int]
    rebuilt: int
    append_s: float
    all_peers: bool


QUICK = Scale(
    rounds=1,
    span=Span(0.3, 1.2),
    idle=2000,
    joins=(500, 2000),
    matches=(100,),
    events=(10_000, 1_000_000),
    rebuilt=200_000,
    append_s=1.5,
    all_peers=False,
)
FULL = Scale(
    rounds=5,
    span=Span(1.0, 5.0),
    idle=20_000,
    joins=(500, 2000),
    matches=(100, 250, 500, 1000),
    events=(10_000, 10_000_000),
    rebuilt=1_000_000,
    append_s=5.0,
    all_peers=True,
)


def figures(scale: Scale, logs: Logs) -> list[Figure]:
    """Return all figures in the order of the table."""
    return [
        *_one_room(scale),
        *_many_rooms(scale),
        *_round_trips(scale),
        *_log(scale, logs),
        *_edge(scale),
        *_matches(scale),
    ]


def better_fastify(figure: str) -> list[tuple[str, str]]:
    """Compare with both builds of Node; the better one counts."""
    return [(figure, FASTIFY.name), (figure, FASTIFY_SYSTEM.name)]


DELIVERY_UNIT = "CPU s per million deliveries"


def _peers(scale: Scale) -> list[Contender]:
    """Return the contenders of all figures of fan-out, this service last."""
    fastify = [FASTIFY, FASTIFY_SYSTEM] if scale.all_peers else [FASTIFY]
    others = [SOCKET_IO, BUN, AIOHTTP] if scale.all_peers else []
    return [*fastify, *others, SERVICE]


def _floor(scale: Scale) -> list[Contender]:
    """Return the bare loop of sends: the lower bound of any server."""
    return [SEND_LOOP] if scale.all_peers else []


def _relays(
    scale: Scale, contenders: Sequence[Contender], rooms: Rooms
) -> dict[str, Callable[[], Sample]]:
    return {one.name: partial(workloads.relay, one, rooms, scale.span) for one in contenders}


def _one_room(scale: Scale) -> list[Figure]:
    peers = _peers(scale)
    return [
        Figure(
            "F1",
            "one room of 1000, a message at a time",
            DELIVERY_UNIT,
            _relays(scale, [*peers[:-1], *_floor(scale), SERVICE], ONE_BY_ONE),
            Goal(0.65, better_fastify("F1")),
        ),
        Figure(
            "F2",
            "the same, 8 messages at once",
            DELIVERY_UNIT,
            _relays(scale, peers, IN_EIGHTS),
            Goal(0.12, better_fastify("F2")),
        ),
        Figure(
            "F3",
            "as F1, in a room with a 16 ms frame tick",
            DELIVERY_UNIT,
            _relays(scale, [SERVICE], ONE_BY_ONE._replace(frame_ms=FRAME_MS)),
            Goal(0.30, better_fastify("F1")),
        ),
    ]


def _many_rooms(scale: Scale) -> list[Figure]:
    return [
        Figure(
            "G",
            "200 rooms x 5 players x 30 messages/s",
            DELIVERY_UNIT,
            _relays(scale, _peers(scale), GAMES),
            Goal(0.85, better_fastify("G")),
        ),
        Figure(
            "G tick",
            "as G, with the frame tick",
            DELIVERY_UNIT,
            _relays(scale, [SERVICE], GAMES._replace(frame_ms=FRAME_MS)),
            Goal(0.60, better_fastify("G")),
        ),
        Figure(
            "G logged",
            "as G, every message in the log first",
            DELIVERY_UNIT,
            _relays(scale, [SERVICE], GAMES._replace(logged=True)),
        ),
    ]


def _round_trips(scale: Scale) -> list[Figure]:
    return [
        Figure(
            "E",
            "round trips of 100 clients, 100 pings/s each",
            "CPU s per million round trips",
            {
                one.name: partial(workloads.round_trips, one, PING_CLIENTS, PINGS_PER_S, scale.span)
                for one in [*_peers(scale)[:-1], *_floor(scale), SERVICE]
            },
            Goal(0.80, better_fastify("E")),
        ),
    ]


def _log(scale: Scale, logs: Logs) -> list[Figure]:
    short, long = (f"{events:,} events" for events in scale.events)
    return [
        Figure(
            "A",
            "durable appends, 128 producers, FULL",
            "events/s",
            {
                SERVICE.name: partial(logs.appends, "service", scale.append_s),
                "raw sqlite3": partial(logs.appends, "raw", scale.append_s),
                "raw sqlite3, rows ready": partial(logs.appends, "ready", scale.append_s),
            },
            Goal(0.9, [("A", "raw sqlite3")], at_least=True),
        ),
        Figure(
            "R",
            f"rebuild of {scale.rebuilt:,} events",
            "events per CPU s",
            {SERVICE.name: partial(logs.rebuild, scale.rebuilt)},
            Goal(400_000, at_least=True),
        ),
        Figure(
            "S",
            "start until a client is welcomed",
            "s",
            {
                short: partial(logs.start, scale.events[0]),
                long: partial(logs.start, scale.events[1]),
            },
            Goal(1.25, [("S", short)]),
            ours=long,
        ),
    ]


def _edge(scale: Scale) -> list[Figure]:
    connections = min(scale.idle, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES)
    few, many = scale.joins
    return [
        Figure(
            "M",
            f"memory of {connections:,} idle connections",
            "KiB each",
            {
                one.name: partial(workloads.idle, one, connections)
                for one in [FASTIFY_SILENT, AIOHTTP, SERVICE]
            },
            Goal(22),
        ),
        Figure(
            "L",
            f"{many} users joining at once, and {few}",
            "CPU ms per join",
            {
                f"{SERVICE.name}, {few} users": partial(workloads.joins, SERVICE, few),
                f"{SERVICE.name}, {many} users": partial(workloads.joins, SERVICE, many),
                f"{FASTIFY.name}, {many} users": partial(workloads.joins, FASTIFY, many),
            },
            Goal(1.0, [("L", f"{FASTIFY.name}, {many} users")]),
            ours=f"{SERVICE.name}, {many} users",
        ),
    ]


def _matches(scale: Scale) -> list[Figure]:
    most = max(scale.matches)
    return [*_lateness(scale, most), _thinned(scale)]


def _thinned(scale: Scale) -> Figure:
    """Compare the CPU time of matches at a lower frame rate with that at 60."""
    count = min(scale.matches)
    return Figure(
        f"P {count}, {LOW_HZ} Hz",
        f"{count} live matches of Pong, whose v1 clients ask for {LOW_HZ} frames a second",
        "CPU ms per match-second",
        {
            FASTIFY.name: partial(workloads.match_cpu, FASTIFY, count, scale.span),
            f"{SERVICE.name}, 60 Hz": partial(
                workloads.match_cpu, SERVICE, count, scale.span, FULL_HZ
            ),
            SERVICE.name: partial(workloads.match_cpu, SERVICE, count, scale.span, LOW_HZ),
        },
        Goal(1.0, [(f"P {count}, {LOW_HZ} Hz", FASTIFY.name)]),
    )


def _lateness(scale: Scale, most: int) -> list[Figure]:
    return [
        Figure(
            f"P {count}",
            f"{count} live matches of Pong on one core",
            "ms that the p99 tick is late",
            {
                one.name: partial(workloads.matches, one, count, scale.span)
                for one in [FASTIFY, SERVICE]
            },
            Goal(8) if count == most else None,
        )
        for count in scale.matches
    ]
