"""Events of any command can be encoded, read, folded, delivered and counted, in any order.

The commands are all that the domain has, with any arguments; also of users who are not there, and
about rooms that are not. The rules of the games may raise at any time.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import random
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from service.domain import commands as domain
from service.domain.commands.base import Context, MatchSnapshot
from service.domain.commands.chat import Say
from service.domain.commands.deadlines import pending, started_by
from service.domain.commands.ending import FinishMatch, VoidMatch
from service.domain.commands.forks import ForkMatch
from service.domain.commands.hosting import CreateRoom, JoinRoom, RoomPlan
from service.domain.commands.moves import Move
from service.domain.commands.nodes import StartNode
from service.domain.commands.outbox import Delivered, Rejected
from service.domain.commands.pauses import TakeOver
from service.domain.commands.presence import CloseSocket, OpenSocket
from service.domain.commands.rules import MoveFailed
from service.domain.commands.seats import BeginMatch, LeaveRoom, SetReady, TakeSeat
from service.domain.events.base import Event
from service.domain.events.matches import MatchEnded, MatchInput, MatchStarted
from service.domain.events.nodes import NodeStarted
from service.domain.ids import Owner
from service.domain.projections.world import World
from service.errors import ClientError
from service.eventstore.codec import decode, encode
from service.eventstore.read_models.match_history import history_statements
from service.eventstore.read_models.outbox import outbox_statements
from service.eventstore.records import RecordedEvent
from service.fanout.profiles import Profiles
from service.fanout.rules import after_fold, before_fold
from service.games.catalogue import GAMES, Catalogue
from service.games.options import set_up
from service.replay.fork import fork
from service.replay.replay import Replay
from service.replay.run import Run, state_hash
from service.settings.sections.play import Rules, Times
from tests.effort import effort

RULES = (
    "setup", "decide", "key_in", "hold", "clock", "elapse", "timeout", "apply", "step", "result",
    "scores",
)  # fmt: skip

USERS: list[int | str] = [1, 2, 3, "ana"]
PLAYERS = 2
IN_MATCHES: list[type[msgspec.Struct]] = [
    Move,
    LeaveRoom,
    TakeSeat,
    FinishMatch,
    Say,
    TakeOver,
    BeginMatch,
]
"""What is done most often while a match runs."""

ROOMS = ["room1", "room2", "named", "nowhere"]


def commands() -> Iterator[type[msgspec.Struct]]:
    """Find every command of the domain: what has streams and can be decided."""
    for module in pkgutil.iter_modules(domain.__path__):
        parts = vars(importlib.import_module(f"{domain.__name__}.{module.name}"))
        for part in parts.values():
            is_ours = inspect.isclass(part) and part.__module__.endswith(f".{module.name}")
            if is_ours and issubclass(part, msgspec.Struct) and hasattr(part, "decide"):
                yield part


COMMANDS = sorted(
    set(commands()) - {OpenSocket, CloseSocket, StartNode}, key=lambda one: one.__name__
)
"""All but those that the service gives only once for each socket and life."""


FORKED = MatchStarted(
    match="other-1",
    tick=0,
    game="pong",
    rules_version=1,
    players=[1, 2],
    seed=1,
    options={},
    pace="ticks",
    turn_s=None,
)
FORK = tuple(fork(Replay([FORKED], GAMES), 0))


class Faulty:
    """The rules of a game, some of which raise."""

    def __init__(self, game: Any, machine: TotalMachine) -> None:
        self._game = game
        self._machine = machine

    def __getattr__(self, name: str) -> Any:
        """Return a part of the game, or what raises in its place."""
        if name in RULES and name in self._machine.raising:
            return self._raise
        return getattr(self._game, name)

    @staticmethod
    def _raise(*_: object) -> None:
        raise ZeroDivisionError


class TotalMachine(RuleBasedStateMachine):
    """Decides and folds whatever comes."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.rebuilt = World()
        self.profiles = Profiles()
        self.position = 0
        self.sockets = 0
        self.raising: set[str] = set()
        self.runs: dict[str, Run] = {}
        self.games: Any = Catalogue([Faulty(game, self) for game in GAMES.values()])
        self.context = Context(
            node=Owner("n1", 1),
            rules=Rules(),
            games=self.games,
            new_room_id=self._new_room_id,
            new_token=lambda: "token",
            new_seed=lambda: 7,
            match_snapshot=self._match_snapshot,
        )
        self._decide(StartNode("n1"))
        self._decide(StartNode("n2", 1, frozenset({Owner("n1", 1)})))

    def _new_room_id(self) -> str:
        free = [room for room in ROOMS if room not in self.world.rooms.rooms]
        return f"room{self.position}" if not free else free[0]

    def _match_snapshot(self, match: str) -> MatchSnapshot:
        run = self.runs[match]
        live = self.world.matches.live[match]
        return MatchSnapshot(
            tick=run.tick,
            input_tick=run.tick,
            state=run.state,
            pausing=False,
            state_hash=lambda: state_hash(run.state),
            spent_ms=tuple(live.spent_ms),
        )

    def _decide(self, command: Any) -> None:
        command.streams(self.world)
        try:
            events = command.decide(self.world, self.context)
        except (ClientError, MoveFailed):
            return
        except ZeroDivisionError:
            # What begins no match may fail; the engine answers it.
            assert self.raising & {"setup", "clock"}
            return
        for event in events:
            self._fold(event)

    def _fold(self, event: Event) -> None:
        self.position += 1
        read = decode(event.type, event.schema_version, encode(event))
        assert read == event
        recorded = RecordedEvent(self.position, 1, 1, read, None)
        told = [*before_fold(event, self.world, self.profiles)]
        self.world.fold(event, self.position)
        if isinstance(event, NodeStarted) and event.node == "n1":
            started = Owner(event.node, event.incarnation)
            self.context = msgspec.structs.replace(self.context, node=started)
        told += after_fold(event, self.world, self.profiles)
        for message in told:
            msgspec.json.encode(message)
        self.rebuilt.fold(read, self.position)
        list(history_statements(recorded))
        list(outbox_statements(recorded))
        started_by(event, self.position, self.world, Times())
        self._play(event)

    def _play(self, event: Event) -> None:
        """Do as the ticker does."""
        match event:
            case MatchStarted():
                game = GAMES[event.game]
                state = set_up(game, event.seed, event.options, len(event.players))
                self.runs[event.match] = Run(game, state)
            case MatchInput() if event.match in self.runs:
                run = self.runs[event.match]
                run.add_input(event)
                if not run.game.tick_hz:
                    run.step()
                    self._decide(FinishMatch(event.match))
            case MatchEnded():
                self.runs.pop(event.match, None)
            case _:
                pass

    @rule(user=st.sampled_from(USERS))
    def open_socket(self, user: Any) -> None:
        self.sockets += 1
        incarnation = self.world.nodes.incarnations["n1"]
        self._decide(OpenSocket(user, f"n1.{incarnation}.{self.sockets}"))

    @precondition(lambda self: self.world.presence.sockets)
    @rule(chance=st.randoms(use_true_random=False), code=st.sampled_from([1000, 1001, 1006]))
    def close_socket(self, chance: random.Random, code: int) -> None:
        sockets = self.world.presence.sockets
        user = chance.choice(sorted(sockets, key=str))
        if sockets[user]:
            self._decide(CloseSocket(user, min(sockets[user]), code))

    @rule(seed=st.integers(0, 2**32))
    def any_commands(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - no secret
        for _ in range(20):
            self._decide(self._made(chance.choice(COMMANDS), chance))

    @rule(game=st.sampled_from(sorted(GAMES)), seed=st.integers(0, 2**32))
    def begin_a_match(self, game: str, seed: int) -> None:
        """Let two who are online come together and play, and others do what they want."""
        chance = random.Random(seed)  # noqa: S311 - no secret
        free = [
            user
            for user in self.world.presence.sockets
            if not self.world.rooms.is_busy(user) and self.world.presence.sockets[user]
        ]
        while len(free) < PLAYERS and len(self.world.presence.sockets) < len(USERS):
            user = next(one for one in USERS if one not in self.world.presence.sockets)
            self.open_socket(user)
            free.append(user)
        players = [(user, min(self.world.presence.sockets[user])) for user in free[:PLAYERS]]
        if len(players) < PLAYERS:
            return
        room = self._new_room_id()
        plan = RoomPlan(game=game, options={"seats": PLAYERS} if game == "relay" else {})
        self._decide(CreateRoom(*players[0], room, plan))
        self._decide(JoinRoom(*players[1], room, "player", None, None))
        for user, _ in players:
            self._decide(SetReady(user, room, ready=True))
        for _ in range(10):
            self._decide(self._made(chance.choice(IN_MATCHES), chance))

    @rule(chance=st.randoms(use_true_random=False))
    def time_is_over(self, chance: random.Random) -> None:
        deadlines = list(pending(self.world, Times()))
        if deadlines:
            self._decide(chance.choice(deadlines).command)

    @rule(ticks=st.integers(1, 70))
    def step(self, ticks: int) -> None:
        for match, run in list(self.runs.items()):
            if run.game.tick_hz:
                for _ in range(ticks):
                    run.step()
            self._decide(FinishMatch(match))

    @rule(raising=st.sets(st.sampled_from(RULES), max_size=2))
    def break_rules(self, raising: set[str]) -> None:
        self.raising = raising

    @rule()
    def mend_rules(self) -> None:
        self.raising = set()

    @rule(seldom=st.integers(0, 9))
    def restart(self, seldom: int) -> None:
        if seldom:
            return
        self._decide(StartNode("n1"))
        for match in list(self.world.matches.live):
            self._decide(VoidMatch(match, 0))

    @rule()
    def the_log_says_the_same(self) -> None:
        assert self.rebuilt == self.world

    # Arguments

    def _made(self, command: type[msgspec.Struct], chance: random.Random) -> Any:
        if command is ForkMatch:
            return ForkMatch(FORKED.match, chance.sample(USERS, PLAYERS), FORK)
        hints: dict[str, object] = {}
        for part in reversed(command.__mro__):
            hints |= inspect.get_annotations(part)
        fields = {
            name: self._argument(name, str(hints[name]), chance)
            for name in command.__struct_fields__
        }
        socket = fields.get("socket")
        if socket is not None:
            # One that is closed already; no other user ever had it.
            socket = fields["socket"] = f"n1.1.{900 + USERS.index(fields['user'])}"
        if socket is not None and fields.get("user") in self.world.presence.sockets:
            fields["socket"] = min(self.world.presence.sockets[fields["user"]], default=socket)
        return command(**fields)

    def _argument(self, name: str, hint: str, chance: random.Random) -> Any:
        users = {"user", "inviter", "invitee", "target", "to", "author", "muted", "by"}
        games = [*GAMES, "chess"]
        if hint == "Owner":
            return Owner(chance.choice(["n1", "n2", "n3"]), 1)
        made: dict[str, Any] = {
            "node": "n2",
            "stand_still": tuple,
            "room": chance.choice(list(self.world.rooms.rooms) or ROOMS),
            "match": chance.choice([*self.world.matches.live, "room1-1"]),
            "socket": "n1.1.999",
            "game": chance.choice(games),
            "move": chance.choice(
                [
                    {"column": chance.randrange(8)},
                    {"direction": "w", "action": "down"},
                    {"result": {"winner": 0, "scores": [1, 0]}},
                    {},
                ]
            ),
            "plan": RoomPlan(
                game=chance.choice(games),
                options=chance.choice([{}, {"seats": 2}, {"turn_s": 1}, {"duration_s": 1}]),
            ),
            "since": chance.choice([self.position, 1]),
            "role": chance.choice(["player", "spectator"]),
            "outcome": chance.choice([Delivered(), Rejected(400, "no")]),
            "consumers": frozenset(chance.sample(["user-service", "webhook-a"], 1)),
            "consumer": "user-service",
            "action": "message",
            "tick": 0,
        }
        if name in users:
            return chance.choice([*self.world.presence.sockets, *USERS])
        if name in made:
            return made[name]
        options = re.findall(r'"(\w+)"', hint)
        if options:
            return chance.choice(options)
        simple = {"bool": chance.random() < 0.5, "int": 1, "str": "text", "float": 1.0}
        return simple.get(hint.split(" | ", maxsplit=1)[0])


TestTotal = TotalMachine.TestCase
TestTotal.settings = effort(25, steps=25)


def test_every_command_decides_foldable_events() -> None:
    machine = TotalMachine()
    made = [machine._made(command, random.Random(1)) for command in COMMANDS]  # noqa: SLF001, S311 - our own, and no secret
    assert {CreateRoom, JoinRoom, FinishMatch, VoidMatch} <= {type(one) for one in made}
