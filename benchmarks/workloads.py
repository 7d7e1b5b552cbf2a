"""Workloads: plans of the generator, and the conversion of results to samples."""

from __future__ import annotations

import itertools
import socket
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from benchmarks import generator, measure
from benchmarks.contenders import SERVICE, V1_HEADER, Contender, token
from benchmarks.generator import Connection, Plan
from benchmarks.processes import START_TIMEOUT_S, BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.generator import Result
    from benchmarks.processes import Server

PAYLOAD_BYTES = 128
"""Of the frame that is delivered."""

FIRST_USER = 1_000_001
ROOM_SPECTATORS_MAX = 2000
SETTLE_S = 1.0
KEY_S = 0.5
"""Between a key's going down and its going up."""
START_DELAY_S = 1.5

MEGA = 1_000_000
TICK_HZ = 60


class Sample(msgspec.Struct, frozen=True):
    """One measurement: the figure's value, and what else is worth knowing."""

    value: float
    details: dict[str, float] = {}
    latencies_ms: dict[float, float] = {}
    """By percentile."""


class Span(NamedTuple):
    """How long is measured, and which part of the load is offered."""

    warmup_s: float
    window_s: float
    load: float = 1.0

    def at(self, load: float) -> Span:
        """Return the span for a part of the load: what compiles as it runs warms up by work."""
        longer = min(2.0, max(1.0, 0.5 / load))
        return self._replace(load=load, warmup_s=self.warmup_s * longer)


class Rooms(NamedTuple):
    """Rooms in which the first members send messages that all others get."""

    rooms: int
    members: int
    senders: int
    period_s: float
    """Between two messages of one sender."""
    burst: int = 1
    frame_ms: int | None = None
    logged: bool = False

    def scaled(self, load: float) -> Rooms:
        """Offer a part of the load: as often, so that as much comes together, but to fewer."""
        if self.rooms > 1:
            return self._replace(rooms=max(1, round(self.rooms * load)))
        return self._replace(members=max(self.senders + 1, round(self.members * load)))

    @property
    def deliveries_per_s(self) -> float:
        """What a server that keeps up delivers."""
        messages = self.rooms * self.senders * self.burst / self.period_s
        return messages * self.fanout

    @property
    def fanout(self) -> int:
        """How many get a message: all others, and all where it is a move of a match."""
        return self.members if self.logged else self.members - 1


def relay(contender: Contender, rooms: Rooms, span: Span) -> Sample:
    """Let messages be relayed in rooms; the value is CPU seconds for a million deliveries."""
    rooms = rooms.scaled(span.load)
    with contender.started() as server:
        result = generator.run(rooms_plan(contender, server, rooms, span))
    counts = result.counts
    expected = rooms.deliveries_per_s * counts.window_s
    return sample(result, counts.deliveries, kept_up=counts.deliveries / expected)


def round_trips(contender: Contender, clients: int, rate_per_s: float, span: Span) -> Sample:
    """Let every client ping so often; the value is CPU seconds for a million answers."""
    ping = contender.dialect.write({"type": "ping", "id": "t$T"})
    with contender.started() as server:
        plan = Plan(
            server.port,
            [
                _connection(contender, FIRST_USER + index, messages=[ping])
                for index in range(clients)
            ],
            pids=[server.pid],
            header=V1_HEADER,
            period_s=1 / (rate_per_s * span.load),
            warmup_s=span.warmup_s,
            window_s=span.window_s,
            fanout=1,
            stamp='"id":"t',
        )
        result = generator.run(plan)
    counts = result.counts
    expected = clients * rate_per_s * span.load * counts.window_s
    return sample(result, counts.deliveries, kept_up=counts.deliveries / expected)


def matches(contender: Contender, count: int, span: Span, frame_hz: int | None = None) -> Sample:
    """Play so many matches of Pong at once; the value is how late the ticks are, p99, in ms.

    A player presses or releases a key twice a second. With `frame_hz` the players speak protocol v1
    and ask for this frame rate; what is late is then a frame.
    """
    with contender.started() as server:
        plan = match_plan(contender, server, count, frame_hz=frame_hz)
        plan.warmup_s += span.warmup_s
        plan.window_s = span.window_s
        result = generator.run(plan)
    counts = result.counts
    lateness_ms = [
        late_us / 1000
        for arrivals in result.arrivals_us.values()
        for late_us in measure.tick_lateness_us(arrivals, MEGA / (frame_hz or TICK_HZ))
    ]
    if not lateness_ms:
        raise BenchmarkError("no frame was received")
    late = measure.percentiles(lateness_ms)
    return Sample(
        late[99.0],
        {
            "matches": count,
            "frames_per_s": counts.watched / counts.window_s / (2 * count),
            "cpu_ms_per_match_s": 1000 * counts.server_cpu_s / counts.window_s / count,
            "server_busy": counts.server_cpu_s / counts.window_s,
            "others_busy": result.others_busy,
            "generator_busy": counts.generator_busy,
            "gone": counts.gone,
        },
        late,
    )


def match_cpu(contender: Contender, count: int, span: Span, frame_hz: int | None = None) -> Sample:
    """Do as `matches`; the value is CPU ms per second of a match."""
    played = matches(contender, count, span, frame_hz)
    return msgspec.structs.replace(played, value=played.details["cpu_ms_per_match_s"])


def idle(contender: Contender, connections: int) -> Sample:
    """Open idle connections, each of a user of its own; the value is KiB of memory for each."""
    with contender.started() as server:
        # The first one pays for what is made once.
        with generator.Generator(_idle_plan(contender, server, FIRST_USER, 1)):
            before = measure.rss_kib(server.pid)
        plan = _idle_plan(contender, server, FIRST_USER + 1, connections)
        with generator.Generator(plan):
            time.sleep(SETTLE_S)
            after = measure.rss_kib(server.pid)
    return Sample((after - before) / connections, {"rss_mib": after / 1024})


def joins(contender: Contender, users: int) -> Sample:
    """Let users come as fast as they are let in; the value is CPU ms for each."""
    with contender.started() as server:
        before_s = measure.cpu_s(server.pid)
        opening = _idle_plan(contender, server, FIRST_USER, users)
        opening.concurrency = users
        opening.count = '"name":'
        opening.window_s = 2.0
        result = generator.run(opening)
        cpu_s = measure.cpu_s(server.pid) - before_s
    counts = result.counts
    # Each `welcome` has a name as well.
    entries = counts.counted - users
    return Sample(
        1000 * cpu_s / users,
        {
            "entries_per_join": entries / users,
            "mib_sent": counts.bytes / 1024**2,
            "connect_s": counts.connect_s,
        },
    )


def start(data_dir: Path, patience_s: float = START_TIMEOUT_S) -> Sample:
    """Start the service over a log; the value is the seconds until a client is welcomed."""
    began = time.monotonic()
    with SERVICE.started({"WS_DATA_DIR": str(data_dir)}, patience_s) as server:
        _await_welcome(server.port)
        took_s = time.monotonic() - began
        cpu_s = measure.cpu_s(server.pid)
    return Sample(took_s, {"cpu_s": cpu_s})


def _await_welcome(port: int) -> None:
    request = (
        f"GET /?token={token(FIRST_USER)} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Version: 13\r\n{V1_HEADER}\r\n\r\n"
    )
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request.encode())
        while b'"welcome"' not in received:
            some = connection.recv(65536)
            if not some:
                raise BenchmarkError(f"no welcome: {received!r}")
            received += some


def sample(result: Result, units: int, *, kept_up: float) -> Sample:
    """Return the CPU seconds of the servers for a million units of work."""
    counts = result.counts
    if not units:
        raise BenchmarkError("nothing was delivered")
    return Sample(
        counts.server_cpu_s / units * MEGA,
        {
            "units_per_s": units / counts.window_s,
            "kept_up": kept_up,
            "server_busy": counts.server_cpu_s / counts.window_s,
            "others_busy": result.others_busy,
            "generator_busy": counts.generator_busy,
            "generator_late_ms": counts.late_mean_us / 1000,
            "gone": counts.gone,
        },
        {point: value / 1000 for point, value in measure.percentiles(result.latencies_us).items()},
    )


def _connection(
    contender: Contender, user: int, script: Sequence[str] = (), messages: Sequence[str] = ()
) -> Connection:
    dialect = contender.dialect
    if contender.is_floor:
        return Connection("/", (), messages)
    return Connection(dialect.target(token(user)), [*dialect.greeting, *script], messages)


def rooms_plan(contender: Contender, server: Server, rooms: Rooms, span: Span) -> Plan:
    """Return the plan of a relay: all members come to one server."""
    connections = [
        _member(contender, rooms, member, room)
        for room, member in itertools.product(range(rooms.rooms), range(rooms.members))
    ]
    return Plan(
        server.port,
        connections,
        pids=[server.pid],
        header=V1_HEADER,
        # The one who sends makes the room; where all do, it may be any of them.
        leaders=rooms.senders if rooms.rooms == 1 else 0,
        period_s=rooms.period_s,
        burst=rooms.burst,
        warmup_s=span.warmup_s,
        window_s=span.window_s,
        fanout=rooms.fanout,
        stamp='"t":',
    )


def _member(contender: Contender, rooms: Rooms, member: int, room: int) -> Connection:
    room_id = f"bench-{room + 1}"
    sends = member < rooms.senders
    messages = [_written(contender, _message(room_id, rooms))] if sends else []
    write, ack = contender.dialect.write, f"await {contender.dialect.part('ack')}"
    script = [f"send {write(_join(room_id, rooms, plays=sends))}", ack]
    if rooms.logged:
        ready = write({"type": "room:ready", "roomId": room_id})
        # A match begins with those who sit when all of them are ready.
        script += ["barrier", f"send {ready}", f"await {contender.dialect.part('game:start')}"]
    return _connection(contender, FIRST_USER + room * rooms.members + member, script, messages)


def _join(room_id: str, rooms: Rooms, *, plays: bool) -> dict[str, Any]:
    options = {"seats": rooms.senders}
    if rooms.frame_ms is not None:
        options["frame_ms"] = rooms.frame_ms
    return {
        "type": "room:join",
        "id": "j1",
        "roomId": room_id,
        "role": "player" if plays else "spectator",
        "orCreate": True,
        "game": "relay",
        "options": options,
        "maxSpectators": ROOM_SPECTATORS_MAX,
    }


def _message(room_id: str, rooms: Rooms) -> dict[str, Any]:
    """Fill the data up until the frame that is delivered has the wanted length."""
    data = {"t": "$T", "pad": ""}
    delivered = {"type": "signal", "from": FIRST_USER, "roomId": room_id, "data": data}
    # The ten digits of the time replace `$T` with its quotes.
    length = len(generator.text(delivered)) - len('"$T"') + 10
    data["pad"] = "x" * max(0, PAYLOAD_BYTES - length)
    if rooms.logged:
        return {"type": "game:move", "roomId": room_id, "move": data}
    return {"type": "signal", "roomId": room_id, "data": data}


def _written(contender: Contender, message: dict[str, Any]) -> str:
    """Write a message whose due time is a number."""
    return contender.dialect.write(message).replace('"$T"', "$T")


def match_plan(
    contender: Contender,
    server: Server,
    count: int,
    first_user: int = FIRST_USER,
    frame_hz: int | None = None,
) -> Plan:
    """Let pairs of players find each other, and play; in protocol v1 if `frame_hz` is given."""
    players = range(first_user, first_user + 2 * count)
    return Plan(
        server.port,
        [_player(contender, user) for user in players]
        if frame_hz is None
        else [_player_at(frame_hz, user) for user in players],
        pids=[server.pid],
        header="" if frame_hz is None else V1_HEADER,
        concurrency=32,
        period_s=KEY_S,
        # The clock of the last match starts a second after it has begun.
        warmup_s=START_DELAY_S,
        drain_s=0,
        watch=contender.dialect.part("game:update"),
    )


def _player(contender: Contender, user: int) -> Connection:
    dialect = contender.dialect
    part, write = dialect.part, dialect.write
    begin = write({"type": "game:begin", "roomId": "$R"})
    script = [
        f"send {write({'type': 'matchmaking:join'})}",
        f"room {part('room:start')}",
        f"send {write({'type': 'game:join', 'roomId': '$R'})}",
        f"await {part('room:players')}",
        f'if "youIndex":0\t{begin}',
        f"await {part('game:start')}",
    ]
    return _connection(contender, user, script, _moves(contender))


def _player_at(frame_hz: int, user: int) -> Connection:
    """Return a player who speaks protocol v1, and asks for a frame rate."""
    part, write = SERVICE.dialect.part, SERVICE.dialect.write
    script = [
        f"await {part('welcome')}",
        f"send {write({'type': 'matchmaking:join'})}",
        f"room {part('room:start')}",
        f"send {write({'type': 'game:join', 'roomId': '$R'})}",
        f"send {write({'type': 'room:ready', 'roomId': '$R'})}",
        f"await {part('game:start')}",
    ]
    return Connection(f"/?token={token(user)}&frameHz={frame_hz}", script, _moves(SERVICE))


def _moves(contender: Contender) -> list[str]:
    return [
        contender.dialect.write(
            {"type": "game:move", "roomId": "$R", "direction": key, "action": action}
        )
        for key in ("w", "s")
        for action in ("down", "up")
    ]


def _idle_plan(contender: Contender, server: Server, first_user: int, count: int) -> Plan:
    return Plan(
        server.port,
        [_connection(contender, first_user + index) for index in range(count)],
        header=V1_HEADER,
        drain_s=0,
    )
