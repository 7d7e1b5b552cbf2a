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
    SEND_RING,
    SERVICE,
    SERVICE_IN_PYTHON,
    SOCKET_IO,
)
from benchmarks.workloads import Rooms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.contenders import Contender
    from benchmarks.logs import Logs
    from benchmarks.scale import Scale
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
    seconds: float = 4.0
    """How long a measurement takes on a quiet machine, about."""
    rounds_max: int | None = None
    """For what hardly differs from one round to the next, or takes long."""

    @property
    def compared(self) -> set[tuple[str, str]]:
        """The (figure, contender) pairs that the goal is about."""
        return {(self.key, self.ours), *self.goal.against} if self.goal is not None else set()


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


class Step(NamedTuple):
    """A measurement to take."""

    figure: Figure
    contender: str
    round: int


def schedule(chosen: Sequence[Figure], rounds: int) -> list[Step]:
    """Return the measurements of a run: the contenders of a figure take turns.

    What no goal is about is measured once.
    """
    compared = {pair for figure in chosen for pair in figure.compared}
    return [
        Step(figure, contender, round_)
        for figure in chosen
        for round_ in range(1, min(rounds, figure.rounds_max or rounds) + 1)
        for contender in figure.measurements
        if round_ == 1 or (figure.key, contender) in compared
    ]


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


def _relay_s(scale: Scale, users: int = 1000) -> float:
    """Return how long a measurement of F, G or E takes: it begins with letting the users in."""
    return sum(scale.span[:2]) + 0.9 + users / 1000


DELIVERY_UNIT = "CPU s per million deliveries"


def _contenders(scale: Scale, floors: Sequence[Contender] = ()) -> list[Contender]:
    """Return the contenders of a figure of fan-out, the service last."""
    if not scale.all_peers:
        return [FASTIFY, SERVICE]
    return [FASTIFY, FASTIFY_SYSTEM, SOCKET_IO, BUN, AIOHTTP, *floors, *_services(scale)]


def _services(scale: Scale) -> list[Contender]:
    return [SERVICE_IN_PYTHON, SERVICE] if scale.all_peers else [SERVICE]


def _relays(
    scale: Scale, contenders: Sequence[Contender], rooms: Rooms
) -> dict[str, Callable[[], Sample]]:
    return {one.name: partial(workloads.relay, one, rooms, scale.span) for one in contenders}


def _one_room(scale: Scale) -> list[Figure]:
    return [
        Figure(
            "F1",
            "one room of 1000, a message at a time",
            DELIVERY_UNIT,
            _relays(scale, _contenders(scale, [SEND_LOOP, SEND_RING]), ONE_BY_ONE),
            Goal(0.65, better_fastify("F1")),
            seconds=_relay_s(scale),
        ),
        Figure(
            "F2",
            "the same, 8 messages at once",
            DELIVERY_UNIT,
            _relays(scale, _contenders(scale), IN_EIGHTS),
            Goal(0.12, better_fastify("F2")),
            seconds=_relay_s(scale),
        ),
        Figure(
            "F3",
            "as F1, in a room with a 16 ms frame tick",
            DELIVERY_UNIT,
            _relays(scale, _services(scale), ONE_BY_ONE._replace(frame_ms=FRAME_MS)),
            Goal(0.30, better_fastify("F1")),
            seconds=_relay_s(scale),
        ),
    ]


def _many_rooms(scale: Scale) -> list[Figure]:
    return [
        Figure(
            "G",
            "200 rooms x 5 players x 30 messages/s",
            DELIVERY_UNIT,
            _relays(scale, _contenders(scale), GAMES),
            Goal(0.85, better_fastify("G")),
            seconds=_relay_s(scale),
        ),
        Figure(
            "G tick",
            "as G, with the frame tick",
            DELIVERY_UNIT,
            _relays(scale, _services(scale), GAMES._replace(frame_ms=FRAME_MS)),
            Goal(0.60, better_fastify("G")),
            seconds=_relay_s(scale),
        ),
        Figure(
            "G logged",
            "as G, every message in the log first",
            DELIVERY_UNIT,
            _relays(scale, [SERVICE], GAMES._replace(logged=True)),
            seconds=_relay_s(scale),
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
                for one in _contenders(scale, [SEND_LOOP])
            },
            Goal(0.80, better_fastify("E")),
            seconds=_relay_s(scale, PING_CLIENTS),
        ),
    ]


def _log(scale: Scale, logs: Logs) -> list[Figure]:
    short, long = (f"{events:,} events" for events in scale.events)
    appends = {SERVICE.name: "service", "raw sqlite3": "raw"}
    if scale.all_peers:
        appends["raw sqlite3, rows ready"] = "ready"
    return [
        Figure(
            "A",
            "durable appends, 128 producers, FULL",
            "events/s",
            {name: partial(logs.appends, mode, scale.append_s) for name, mode in appends.items()},
            Goal(0.9, [("A", "raw sqlite3")], at_least=True),
            seconds=scale.append_s + 1,
            rounds_max=3,
        ),
        Figure(
            "R",
            f"rebuild of {scale.events[1]:,} events",
            "events per CPU s",
            {SERVICE.name: partial(logs.rebuild, scale.events[1])},
            Goal(400_000, at_least=True),
            # In the first of three rounds the log is written.
            seconds=3 + scale.events[1] / 600_000,
            rounds_max=3,
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
            seconds=1.5,
            rounds_max=3,
        ),
    ]


def _edge(scale: Scale) -> list[Figure]:
    connections = min(scale.idle, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES)
    few, many = scale.joins
    peers = [AIOHTTP] if scale.all_peers else []
    counts = [few, many] if scale.all_peers else [many]
    return [
        Figure(
            "M",
            f"memory of {connections:,} idle connections",
            "KiB each",
            {
                one.name: partial(workloads.idle, one, connections)
                for one in [FASTIFY_SILENT, *peers, SERVICE]
            },
            Goal(22),
            seconds=2 + connections / 1000,
            rounds_max=2,
        ),
        Figure(
            "L",
            f"{' or '.join(map(str, counts))} users joining at once",
            "CPU ms per join",
            {
                **{
                    f"{SERVICE.name}, {count} users": partial(workloads.joins, SERVICE, count)
                    for count in counts
                },
                f"{FASTIFY.name}, {many} users": partial(workloads.joins, FASTIFY, many),
            },
            Goal(1.0, [("L", f"{FASTIFY.name}, {many} users")]),
            ours=f"{SERVICE.name}, {many} users",
            seconds=3 + many / 1000,
            rounds_max=2,
        ),
    ]


def _matches(scale: Scale) -> list[Figure]:
    low = [
        _lateness(scale, scale.thinned_matches, LOW_HZ),
        _match_cpu(scale, scale.compared_matches),
    ]
    return [_lateness(scale, scale.matches, FULL_HZ), *(low if scale.all_peers else ())]


def _lateness(scale: Scale, count: int, frame_hz: int) -> Figure:
    """Measure how late the frames of so many matches are; at a low rate of v1 clients alone."""
    is_thinned = frame_hz != FULL_HZ
    play, span = workloads.matches, scale.match_span
    return Figure(
        f"P {count}, {frame_hz} Hz" if is_thinned else f"P {count}",
        f"{count} live matches of Pong on one core" + (f", {frame_hz} Hz" if is_thinned else ""),
        "ms that the p99 frame is late",
        {
            FASTIFY.name: partial(play, FASTIFY, count, span),
            SERVICE.name: partial(play, SERVICE, count, span, frame_hz if is_thinned else None),
        },
        Goal(8),
        seconds=_match_s(scale, count),
        rounds_max=2,
    )


def _match_cpu(scale: Scale, count: int) -> Figure:
    """Compare the CPU time of matches at a lower frame rate with that at 60."""
    play, span = workloads.match_cpu, scale.match_span
    key = f"P {count}, CPU"
    return Figure(
        key,
        f"{count} live matches of Pong, whose v1 clients ask for {LOW_HZ} frames a second",
        "CPU ms per match-second",
        {
            FASTIFY.name: partial(play, FASTIFY, count, span),
            f"{SERVICE.name}, {FULL_HZ} Hz": partial(play, SERVICE, count, span, FULL_HZ),
            SERVICE.name: partial(play, SERVICE, count, span, LOW_HZ),
        },
        Goal(1.0, [(key, FASTIFY.name)]),
        seconds=_match_s(scale, count),
        rounds_max=2,
    )


def _match_s(scale: Scale, count: int) -> float:
    """Return how long so many matches are played, and let in before."""
    return sum(scale.match_span[:2]) + workloads.START_DELAY_S + 0.6 + count / 150
