"""Kill the service repeatedly under load, and check that nothing shown to a client was lost.

    python -m tests.acceptance.crash --times 100 [--seed N]

In each round real clients connect, invite, queue, play, leave and reload until `kill -9` ends
the service at a random moment. Whatever durable thing a client was shown must be in the log, the
log's hash chain must be whole, every projection must equal a rebuild, and every finished match
must verify. Then the service is away for a random time (0 to 2 s, each tenth time 30 s), is
started again on the same data, and the next round begins. At the end the players come back and play
what is live to its end.

The moments and the deeds come from the seed; what they meet does not, since the machine's timing
is never the same twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeAlias

from websockets.exceptions import WebSocketException

from service.domain.events.base import Event, match_stream
from service.domain.projections.world import World
from service.eventstore.integrity import ChainCheck
from service.eventstore.postgres_schema import conninfo
from service.eventstore.reader import Reader, open_database
from service.eventstore.records import Row
from service.eventstore.writer import EventLog
from service.games.catalogue import GAMES
from service.replay.replay import Replay
from service.runtime.snapshots import restore_world
from tests.acceptance.service_process import PATIENCE_S, Client, Message, Running, fresh_id
from tests.acceptance.service_process import Event as LoggedEvent
from tests.scripts import run_script

SETTINGS = {
    # Snapshots matter only when they are made, and kills fall between them.
    "WS_SNAPSHOT_EVENTS": "50",
    "WS_MATCH_DURATION_S": "4",
    "WS_CHECKPOINT_S": "0.4",
    "WS_RECONNECT_GRACE_S": "8",
    # Seats wait for 8 s all the same; the rest is to expire under load as well.
    "WS_RESTART_GRACE_S": "1",
    "WS_PRESENCE_GRACE_S": "0.3",
    "WS_SEAT_TAKE_S": "2",
    "WS_ROOM_EMPTY_S": "1",
    "WS_INVITE_TTL_S": "2",
    "WS_MATCHMAKING_TIMEOUT_S": "2",
    "WS_USER_LIST_INTERVAL_MS": "50",
}

LOAD_S = (0.3, 2.2)
"""How long a service lives under load, at least and at most."""

LONG_OUTAGE_EVERY = 10

THINK_S = (0.01, 0.1)
PADDLE_START_Y = 37.5

NAMES = ("Ana", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ivo", "Jana")

Check: TypeAlias = Callable[[LoggedEvent], bool]


class Lost(AssertionError):
    """A client was shown what the log does not have."""


# The load


class Player:
    """A user who does this and that, one tab at a time."""

    def __init__(self, id_: int, name: str, seed: str) -> None:
        self.id = id_
        self.name = name
        self.random = Random(seed)  # noqa: S311 - a game of chance, not a secret
        self.tabs: list[Client] = []
        """The connections in the present life of the service, in their order."""
        self.errors: Counter[str] = Counter()
        self.messages = 0
        self.calm = False
        """Come back and play what is live, but begin nothing."""
        self.patient = False
        """Try again when a connection can't be opened, since the line is bad."""
        self._others: list[int] = []
        self._room: str | None = None
        self._phase = ""
        self._shown: set[tuple[str, int, int]] = set()

    async def play(self, service: Running, stopping: asyncio.Event) -> None:
        """Connect and play, again and again, until the service is killed."""
        while not stopping.is_set():
            try:
                tab = await service.connect(self.id, self.name, greeted=False)
            except (OSError, EOFError, WebSocketException):
                if stopping.is_set() or not service.is_alive:
                    return
                if not self.patient:
                    raise
                await asyncio.sleep(THINK_S[1])
                continue
            self.tabs.append(tab)
            self._room, self._phase = None, ""
            acting = asyncio.create_task(self._act(tab))
            try:
                while True:
                    await self._react(tab, await tab.next(), service)
            except (ConnectionError, WebSocketException):
                pass
            finally:
                acting.cancel()
                await asyncio.gather(acting, return_exceptions=True)

    async def _react(self, tab: Client, message: Message, service: Running) -> None:  # noqa: C901 - one a message
        self.messages += 1
        room = message.get("roomId")
        match message["type"]:
            case "user:list":
                ids = [user["id"] for user in message["users"]]
                self._others = [id_ for id_ in ids if id_ != self.id]
            case "invite:received" if not self.calm:
                said = "accepted" if self.random.random() < 0.7 else "declined"
                await tab.send(f"invite:{said}", **{"from": message["from"]["id"]})
            case "room:start":
                self._room, self._phase = room, "gathering"
                await tab.send("game:join", roomId=room)
            case "game:ready":
                self._phase = "ready"
                if self.random.random() < 0.8:
                    await tab.send("game:begin", roomId=room)
            case "game:start" | "game:resumed":
                self._phase = "playing"
            case "game:paused":
                self._phase = "paused"
            case "game:timeup" | "game:end":
                self._phase = "finished"
            case "game:update":
                self._look_at_once(message, service)
            case "error":
                self.errors[message["code"]] += 1
            case _:
                pass

    def _look_at_once(self, message: Message, service: Running) -> None:
        """A point is in the log before anyone sees it, not only before the next crash."""
        shown = (message["roomId"], message["state"]["s1"], message["state"]["s2"])
        if shown in self._shown or shown[1:] == (0, 0):
            return
        self._shown.add(shown)
        room, *scores = shown
        outcomes = service.database(
            "SELECT data FROM events WHERE stream >= ? AND stream < ? AND type = 'match.outcome'",
            match_stream(f"{room}-"),
            match_stream(f"{room}."),
        )
        if not any(json.loads(data)["outcome"].get("scores") == scores for (data,) in outcomes):
            raise Lost(f"{self.name} saw the score {scores} in {room} before it was in the log")

    async def _act(self, tab: Client) -> None:
        """Do something now and then, until the tab is closed."""
        try:
            while True:
                await asyncio.sleep(self.random.uniform(*THINK_S))
                await self._act_once(tab)
        except WebSocketException:
            pass

    async def _act_once(self, tab: Client) -> None:
        chance = self.random.random()
        if self._phase in {"playing", "paused"}:
            if chance < 0.85 or self.calm:
                direction = self.random.choice(["w", "s", "ArrowUp", "ArrowDown"])
                action = self.random.choice(["down", "down", "up"])
                await tab.send("game:move", roomId=self._room, direction=direction, action=action)
            elif chance < 0.87:
                await tab.send("game:leave", roomId=self._room)
            elif chance < 0.91:
                await self._go(tab)
        elif self.calm:
            return
        elif self._phase == "ready":
            await tab.send("game:begin", roomId=self._room)
        elif self._phase == "finished" and chance < 0.5:
            await tab.send(self.random.choice(["game:leave", "game:begin"]), roomId=self._room)
        else:
            await self._act_in_lobby(tab, chance)

    async def _act_in_lobby(self, tab: Client, chance: float) -> None:
        if chance < 0.30 and self._others:
            await tab.send("invite", to=self.random.choice(self._others))
        elif chance < 0.55:
            await tab.send("matchmaking:join")
        elif chance < 0.60:
            await tab.send("matchmaking:leave")
        elif chance < 0.80:
            await tab.send(self.random.choice(["lobby:join", "lobby:leave", "lobby:request"]))
        elif chance < 0.86:
            await self._go(tab)

    async def _go(self, tab: Client) -> None:
        """Go, in one of the ways in which a tab goes."""
        way = self.random.choice(["close", "reload", "break"])
        if way == "break":
            tab.connection.transport.abort()
        else:
            await tab.connection.close(1000 if way == "close" else 1001)


# What was shown, against the log


class Log:
    """The events of the log, by type, to look up what a client was shown."""

    def __init__(self) -> None:
        self.events: list[LoggedEvent] = []
        self.of_type: dict[str, list[LoggedEvent]] = {}

    def extend(self, events: Sequence[LoggedEvent]) -> None:
        """Take the next events in."""
        self.events += events
        for event in events:
            self.of_type.setdefault(event.type, []).append(event)

    def first(self, type_: str, check: Check, after: int = 0) -> LoggedEvent | None:
        """Find the first event of a type after a position, or None."""
        found = self.of_type.get(type_, ())
        return next((one for one in found if one.position > after and check(one)), None)

    def users(self, type_: str) -> set[int | str]:
        """Every user of whom there is such an event."""
        return {event.data["user"] for event in self.of_type.get(type_, ())}


def _fields(**wanted: Any) -> Check:
    return lambda event: all(event.data.get(name) == value for name, value in wanted.items())


def _in_room(room: str) -> Check:
    return lambda event: event.data["match"].rpartition("-")[0] == room


class Evidence:
    """What one player was shown by one life of the service."""

    def __init__(self, player: Player, log: Log, born: int) -> None:
        """`born` is the position of the `node.started` of that life."""
        self._player = player
        self._log = log
        self._born = born

    def check(self) -> int:
        """Look every durable message up; return how many there were, or raise `Lost`."""
        opened = [
            event.position
            for event in self._log.of_type.get("socket.opened", ())
            if event.data["user"] == self._player.id and event.position > self._born
        ]
        welcomed = [
            tab for tab in self._player.tabs if tab.received and tab.received[0]["type"] != "error"
        ]
        if len(welcomed) > len(opened):
            raise Lost(f"{self._player.name} was welcomed {len(welcomed)} times: {opened}")
        return sum(
            self._check_tab(tab, position) for tab, position in zip(welcomed, opened, strict=False)
        )

    def _check_tab(self, tab: Client, opened: int) -> int:
        """News come in the order of the log; what a tab finds when it comes is older."""
        count, news = 0, opened - 1
        for message in tab.received:
            found = self._find(message, news)
            if found is None:
                continue
            count += 1
            if not found:
                raise Lost(
                    f"{self._player.name} ({self._player.id}) was shown {message}, "
                    f"which is not in the log after {news}"
                )
            if message["type"] in _NEWS:
                news = found[0].position
        return count

    def _find(self, message: Message, news: int) -> list[LoggedEvent] | None:
        """Return the event behind a message, nothing if there is none, None if none is needed."""
        after = news if message["type"] in _NEWS else 0
        wanted = list(self._wanted(message))
        if not wanted:
            return None
        missing = [one for one in wanted if self._log.first(*one, after) is None]
        if message["type"] == "game:end" and len(missing) < len(wanted):
            missing = []
        if missing:
            return []
        found = [self._log.first(*one, after) for one in wanted]
        return [one for one in found if one is not None]

    def _wanted(self, message: Message) -> Iterator[tuple[str, Check]]:  # noqa: C901, PLR0912 - one a message
        me, room = self._player.id, message.get("roomId", "")
        match message["type"]:
            case "welcome":
                yield "socket.opened", _fields(user=me)
            case "session:state" if message["inRoom"]:
                yield "room.created", _fields(room=room)
            case "session:kickIntro":
                yield "seat.forfeited", _fields(user=me)
            case "user:list" | "lobby:list":
                came = message["type"] == "user:list"
                type_ = "user.came_online" if came else "lobby.joined"
                known = self._log.users(type_)
                for user in message["users"]:
                    if user["id"] not in known:
                        yield type_, _fields(user=user["id"])
            case "user:online":
                yield "user.came_online", _fields(user=message["userId"])
            case "user:offline":
                yield "user.went_offline", _fields(user=message["userId"])
            case "invite:received":
                yield "invite.sent", _fields(inviter=message["from"]["id"], invitee=me)
            case "invite:declined":
                yield "invite.declined", _fields(inviter=me, invitee=message["from"])
            case "matchmaking:searching":
                yield "search.started", _fields(user=me)
            case "room:start":
                players = [player["id"] for player in message["players"]]
                yield "room.created", _fields(room=room, players=players)
            case "game:ready" | "room:players":
                yield "room.became_ready", _fields(room=room)
            case "game:start":
                yield "match.started", _in_room(room)
            case "game:paused":
                yield "match.paused", _in_room(room)
            case "game:resumed":
                yield "match.resumed", _in_room(room)
            case "game:update":
                yield from self._wanted_of_state(room, message["state"])
            case "game:timeup":
                yield "match.ended", self._ended(message, {"timeup"})
            case "game:end":
                yield "match.ended", self._ended(message, {"left", "forfeit"})
                if message["scores"] == {"s1": 0, "s2": 0}:
                    # A room whose match has not begun ends like this, too.
                    yield "room.closed", _fields(room=room)
            case _:
                pass

    def _wanted_of_state(self, room: str, state: Mapping[str, Any]) -> Iterator[tuple[str, Check]]:
        scores = [state["s1"], state["s2"]]
        if scores != [0, 0]:
            yield (
                "match.outcome",
                lambda event: (
                    _in_room(room)(event) and event.data["outcome"].get("scores") == scores
                ),
            )
        for seat, paddle in enumerate(("p1Y", "p2Y")):
            if state[paddle] != PADDLE_START_Y:
                yield (
                    "match.input",
                    lambda event, seat=seat: (  # type: ignore[misc]
                        _in_room(room)(event) and event.data["seat"] == seat
                    ),
                )

    def _ended(self, message: Message, reasons: set[str]) -> Check:
        room, scores = message["roomId"], [message["scores"]["s1"], message["scores"]["s2"]]
        created = self._log.first("room.created", _fields(room=room))
        me = created.data["players"].index(self._player.id) if created else -1

        def same(event: LoggedEvent) -> bool:
            data = event.data
            if not _in_room(room)(event) or data["scores"] != scores:
                return False
            if message["type"] == "game:timeup":
                names = {0: "p1", 1: "p2", None: "draw"}
                return data["reason"] in reasons and names[data["winner"]] == message["winner"]
            return data["reason"] in reasons and (
                message["winner"] == ("you" if data["winner"] == me else "opponent")
            )

        return same


_NEWS = {
    "user:online",
    "user:offline",
    "invite:declined",
    "matchmaking:searching",
    "game:resumed",
    "game:timeup",
    "game:end",
}
"""Messages that are sent once per event, when it happens; others are also part of a greeting."""


# The log, against itself


class Verifier:
    """Walks the log on, from where it was after the last crash, and checks all that follows."""

    def __init__(self, data_dir: Path, scratch: Path, url: str = "") -> None:
        """Verify the log in `data_dir`, or the one on PostgreSQL at `url`."""
        self._url = url
        self.log = Log()
        self.matches_verified = 0
        self.snapshots_used = 0
        self._data_dir = data_dir
        self._scratch = scratch
        self._chain = ChainCheck()
        self._world = World()
        self._matches: dict[str, list[Event]] = {}

    async def verify(self) -> None:
        """Check a copy of the data, so that the service itself finds what the crash has left."""
        shutil.rmtree(self._scratch, ignore_errors=True)
        shutil.copytree(self._data_dir, self._scratch)
        path = self._scratch / "ws-service.db"
        reader = Reader(open_database(self._url or f"sqlite+aiosqlite:///{path}"))
        # This also compares the side file with the log, as a start does.
        postgres = conninfo(self._url) if self._url.startswith("postgresql") else None
        log = EventLog(path, node="n1", busy_ms=2000, postgres=postgres)
        try:
            await self._walk(reader)
            self._chain.finish(await reader.head())
            restored = await restore_world(log, log.head.position)
            async for page in reader.read(restored.position):
                for recorded in page:
                    restored.fold(recorded.event, recorded.position)
            self._check_world(restored)
            await self._check_history(reader)
        finally:
            await log.close()
            await reader.close()

    async def _walk(self, reader: Reader) -> None:
        after = self._chain.position
        async for rows in reader.rows(after):
            self.log.extend([_logged(row) for row in rows])
            for row in rows:
                self._chain.check(row)
        ended: list[str] = []
        async for page in reader.read(after):
            for recorded in page:
                self._world.fold(recorded.event, recorded.position)
                match = getattr(recorded.event, "match", None)
                if match is not None:
                    self._matches.setdefault(match, []).append(recorded.event)
                    if recorded.event.type == "match.ended":
                        ended.append(match)
        for match in ended:
            difference = Replay(self._matches.pop(match), GAMES).verify()
            assert difference is None, f"match {match}: {difference}"
            self.matches_verified += 1
        # What is live must be right as far as it goes.
        for match, events in self._matches.items():
            difference = Replay(events, GAMES).verify()
            assert difference is None, f"live match {match}: {difference}"

    def _check_world(self, restored: World) -> None:
        assert restored == self._world, "the snapshot and its tail are not the fold of the log"
        assert _orders(restored) == _orders(self._world)

    async def _check_history(self, reader: Reader) -> None:
        """The table of matches is written with the events that it is derived from."""
        async with reader.engine.connect() as connection:
            rows = await connection.exec_driver_sql(
                "SELECT match, started_position, ticks, reason, winner, scores FROM matches"
            )
            found: dict[str, tuple[object, ...]] = {row[0]: tuple(row[1:]) for row in rows}
        wanted: dict[str, tuple[object, ...]] = {
            event.data["match"]: (event.position, None, None, None, None)
            for event in self.log.of_type.get("match.started", ())
        }
        for event in self.log.of_type.get("match.ended", ()):
            data = event.data
            wanted[data["match"]] = (
                wanted[data["match"]][0],
                data["tick"],
                data["reason"],
                data["winner"],
                json.dumps(data["scores"], separators=(",", ":")),
            )
        assert found == wanted, "the match history is not that of the log"

    @property
    def live(self) -> set[str]:
        """The matches that are not over."""
        return set(self._world.matches.live)

    @property
    def complete(self) -> set[str]:
        """The live matches that both players may come back to."""
        rooms = self._world.rooms.rooms.values()
        return {room.match for room in rooms if room.match and len(room.staying) == 2}


def _logged(row: Row) -> LoggedEvent:
    return LoggedEvent(row.position, row.stream, row.type, row.data)


def _orders(world: World) -> list[list[Any]]:
    """Equal dictionaries may differ in their order, which is significant here."""
    return [
        list(world.presence.sockets),
        list(world.lobby.members),
        list(world.rooms.rooms),
        *(list(queue) for queue in world.matchmaking.queues.values()),
        *(list(invites) for invites in world.invites.pending.values()),
    ]


# For the other tests that break something


class Seated(NamedTuple):
    """A match of two that has begun, and the tabs of its players."""

    room: str
    left: Client
    right: Client

    @property
    def match(self) -> str:
        """The first match of the room."""
        return f"{self.room}-1"

    async def serve(self, *, points: int = 0) -> Message:
        """Wait until so many points are made and the ball is in play again, and fresh."""
        return await self.left.expect(
            "game:update",
            where=lambda one: (
                one["state"]["s1"] + one["state"]["s2"] >= points
                and 40 < one["state"].get("ballX", 0) < 56
            ),
        )


async def begin_match(service: Running) -> Seated:
    """Let two new users invite, accept, sit down and begin."""
    left, right = await service.connect(fresh_id(), "Ana"), await service.connect(fresh_id(), "Ben")
    return await begin_match_of(left, right)


async def begin_match_of(left: Client, right: Client) -> Seated:
    """Let two who are here do so."""
    await left.send("invite", to=right.id)
    await right.expect("invite:received")
    await right.send("invite:accepted", **{"from": left.id})
    room = (await left.expect("room:start"))["roomId"]
    for tab in (left, right):
        await tab.send("game:join", roomId=room)
    await left.expect("game:ready")
    await left.send("game:begin", roomId=room)
    await right.expect("game:start")
    return Seated(room, left, right)


async def logged(service: Running, type_: str, **fields: Any) -> LoggedEvent:
    """Wait until the log has such an event."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            log = Log()
            log.extend(service.events())
            found = log.first(type_, _fields(**fields))
            if found is not None:
                return found
            await asyncio.sleep(0.05)


async def check_data(service: Running) -> Log:
    """Check what a service that is dead has left: the log, all that is made of it, all matches."""
    url = service.settings.get("WS_DATABASE_URL", "")
    verifier = Verifier(service.data_dir, service.data_dir.with_name("copy"), url)
    await verifier.verify()
    return verifier.log


# Round after round


class Outages(NamedTuple):
    """How long the service is away after a kill."""

    s_max: float = 2
    """Each is of a random length up to this."""
    long_s: float = 30
    """So long is each tenth."""

    def after(self, number: int, random: Random) -> float:
        """Return the length of the outage after the kill with this number."""
        return self.long_s if number % LONG_OUTAGE_EVERY == 0 else random.uniform(0, self.s_max)


class Summary(NamedTuple):
    """What a run has seen."""

    rounds: int
    events: int
    messages: int
    shown: int
    matches: int
    recovered: int
    errors: Counter[str]

    def __str__(self) -> str:
        errors = ", ".join(f"{code} {count}" for code, count in self.errors.most_common())
        return (
            f"{self.rounds} kills, {self.events} events, {self.messages} messages; "
            f"{self.shown} durable things shown, none lost; {self.matches} matches verified, "
            f"{self.recovered} times a live one came back; refusals: {errors or 'none'}"
        )


class Crashes:
    """A service, its players, and a seed."""

    def __init__(
        self, directory: Path, seed: int, players: int = 8, outages: Outages | None = None
    ) -> None:
        self._outages = outages or Outages()
        self._random = Random(seed)  # noqa: S311 - a moment to kill at, not a secret
        self._service = Running(directory / "data", SETTINGS, dev=False)
        url = self._service.settings.get("WS_DATABASE_URL", "")
        self._verifier = Verifier(directory / "data", directory / "copy", url)
        self._players = [
            Player(index + 1, NAMES[index], f"{seed} {index}") for index in range(players)
        ]
        self._rounds = self._shown = self._recovered = 0

    async def run(self, times: int, report: Callable[[str], None]) -> Summary:
        """Kill the service so many times; raise `AssertionError` for what does not hold."""
        self._service.start()
        try:
            for number in range(1, times + 1):
                load_s = self._random.uniform(*LOAD_S)
                away_s = self._outages.after(number, self._random)
                await self._round(load_s)
                report(
                    f"{number}/{times}: {self._describe(load_s)}, away for {away_s:.2f} s, "
                    f"{len(self._verifier.log.events)} events, {self._shown} shown, "
                    f"{len(self._verifier.live)} live matches, all whole"
                )
                await asyncio.sleep(away_s)
                await asyncio.to_thread(self._service.restart)
            await self._finish()
        finally:
            await asyncio.to_thread(self._service.stop)
        self._check_logs()
        errors: Counter[str] = sum((one.errors for one in self._players), Counter())
        return Summary(
            self._rounds,
            len(self._verifier.log.events),
            sum(player.messages for player in self._players),
            self._shown,
            self._verifier.matches_verified,
            self._recovered,
            errors,
        )

    def _describe(self, load_s: float) -> str:
        return f"killed after {load_s:.2f} s"

    async def _round(self, load_s: float) -> None:
        async with self._playing(calm=False) as tasks:
            await self._meet(tasks, load_s)
        await self._check()
        self._rounds += 1
        self._recovered += len(self._verifier.live)

    async def _meet(self, tasks: list[asyncio.Task[None]], load_s: float) -> None:
        """Let the service live under load for a while."""
        await self._until(time.monotonic() + load_s, tasks)

    async def _finish(self) -> None:
        """Everybody comes back, and what is live is played to its end."""
        live, complete = self._verifier.live, self._verifier.complete
        async with self._playing(calm=True) as tasks:
            until = time.monotonic() + PATIENCE_S
            while live - self._ended():
                await self._until(min(until, time.monotonic() + 0.1), tasks)
                assert time.monotonic() < until, f"never ended: {live - self._ended()}"
        await self._check()
        reasons = {
            event.data["match"]: event.data["reason"]
            for event in self._verifier.log.of_type.get("match.ended", ())
        }
        cut = {match: reasons[match] for match in complete if reasons[match] != "timeup"}
        assert not cut, f"both players came back, but not to the end: {cut}"
        await asyncio.to_thread(self._service.restart)

    @asynccontextmanager
    async def _playing(self, *, calm: bool) -> AsyncIterator[list[asyncio.Task[None]]]:
        """Let the players play, and kill the service at the end."""
        stopping = asyncio.Event()
        for player in self._players:
            player.tabs = []
            player.calm = calm
        tasks = [
            asyncio.create_task(player.play(self._service, stopping)) for player in self._players
        ]
        try:
            yield tasks
        finally:
            stopping.set()
            self._service.kill()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end

    async def _until(self, deadline: float, tasks: list[asyncio.Task[None]]) -> None:
        """Let the players play; one who ends early has found something."""
        wait_s = max(0.0, deadline - time.monotonic())
        done, _ = await asyncio.wait(tasks, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def _check(self) -> None:
        await self._verifier.verify()
        log = self._verifier.log
        born = log.of_type["node.started"][-1].position
        self._shown += sum(Evidence(player, log, born).check() for player in self._players)

    def _ended(self) -> set[str]:
        rows = self._service.database("SELECT match FROM matches WHERE ended_at IS NOT NULL")
        return {row[0] for row in rows}

    def _check_logs(self) -> None:
        bad = {"error", "critical"}
        wrong = [line for line in self._service.logs if line.get("log.level") in bad]
        assert not wrong, f"the service complains: {wrong[:3]}"
        assert not self._service.errors, f"it writes to standard error: {self._service.errors}"


def main() -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--times", type=int, default=100, help="how often to kill (100)")
    parser.add_argument("--seed", type=int, default=None, help="to repeat a run")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else time.time_ns() % 1_000_000

    def report(line: str) -> None:
        print(line, flush=True)  # noqa: T201 - the output of the script

    report(f"seed {seed}")
    with tempfile.TemporaryDirectory() as directory:
        try:
            summary = asyncio.run(Crashes(Path(directory), seed).run(arguments.times, report))
        except AssertionError as error:
            kept = Path(tempfile.mkdtemp(prefix="crash-"))
            shutil.copytree(directory, kept, dirs_exist_ok=True)
            report(f"FAILED (seed {seed}, data kept in {kept}): {error}")
            return 1
    report(str(summary))
    return 0


if __name__ == "__main__":
    run_script(main)
