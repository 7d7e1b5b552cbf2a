"""Nodes decide on worlds that are behind the log, and append under conditions, in any order.

The log is a model of the one in the database: it refuses an append if an event that its node has
not folded carries one of its keys, and every append of a node that was lost.
"""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.commands.bots import AcceptBot, AddBot, ForfeitBot, MoveBot, OfferBot
from service.domain.commands.conditions import Keys, keys_of
from service.domain.commands.deadlines import pending, responsible_for
from service.domain.commands.hosting import CreateRoom, JoinRoom, KickFromRoom, RoomPlan
from service.domain.commands.invites import AcceptInvite, SendInvite
from service.domain.commands.matchmaking import JoinQueue, LeaveQueue
from service.domain.commands.moves import Move
from service.domain.commands.nodes import DrainNode, LoseNode, MoveRoom, StartNode
from service.domain.commands.outbox import Subscribe
from service.domain.commands.pauses import TakeOver
from service.domain.commands.presence import CloseSocket, OpenSocket, ReplaceSocket
from service.domain.commands.rooms import LosePlayer, ReleaseKeys
from service.domain.commands.seats import BeginMatch, LeaveRoom, SetReady, TakeSeat
from service.domain.errors import TooManySockets
from service.domain.events.matches import MatchEvent, MatchInput, MatchStarted, room_of
from service.domain.events.nodes import NodeDraining, NodeLost, NodeStarted
from service.domain.events.rooms import PlayerSeated, RoomCreated, RoomMoved
from service.domain.ids import Owner
from service.domain.projections.world import FoldFailed
from service.errors import ClientError, Unavailable
from service.settings.sections.play import Rules, Times
from tests.effort import effort
from tests.unit.domain.invariants import WorldInvariants
from tests.unit.domain.story import Story

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.commands.base import Command, MatchSnapshot
    from service.domain.events.base import Event, Position
    from service.domain.ids import UserId
    from service.domain.projections.world import World

USERS = range(1, 6)
GAMES = ("pong", "connect_four")
PLANS = {
    "connect_four": RoomPlan(game="connect_four"),
    "pong": RoomPlan(game="pong"),
    "relay": RoomPlan(game="relay", options={"seats": 3, "seats_min": 2}),
}
ROLES: tuple[Literal["player", "spectator"], ...] = ("player", "spectator")
SOCKETS_MAX = 2
STEPS = 1500
ATTEMPTS_MAX = 5


class Conflict(Exception):
    """An event that the node does not know carries one of the keys."""


class Lost(Exception):
    """The incarnation of the node is lost."""


class Log:
    """The log, and what the database checks before it appends."""

    def __init__(self, unchecked: str | None = None) -> None:
        """Do not check keys that begin with `unchecked`."""
        self.unchecked = unchecked
        self.events: list[tuple[Event, frozenset[str], Owner]] = []
        self.barrier = 0
        self.lost: set[Owner] = set()

    def append(self, node: Owner, seen: Position, keys: Keys, events: list[Event]) -> Position:
        """Append events that were decided at `seen`, and return the position of the last one."""
        if node in self.lost:
            raise Lost
        needs = {
            key
            for key in keys.needs
            if self.unchecked is None or not key.startswith(self.unchecked)
        }
        met = {key for _, marks, _ in self.events[seen:] for key in marks}
        if needs and (seen < self.barrier or met & needs):
            raise Conflict
        for event in events:
            self.events.append((event, keys.marks, node))
            if isinstance(event, NodeLost):
                self.lost.add(Owner(event.node, event.incarnation))
            if isinstance(event, NodeLost | NodeStarted):
                self.barrier = len(self.events)
        return len(self.events)


class Append(msgspec.Struct):
    """A command that was decided and is not folded yet."""

    command: Command
    streams: set[str]
    seen: Position
    events: list[Event]
    attempts: int = 1
    at: Position = 0
    """The position of its last event once it is in the log."""


class Node(Story):
    """A node: a world that follows the log, and the commands that it has decided."""

    def __init__(self, log: Log, name: str, numbers: itertools.count[int]) -> None:
        super().__init__(Rules(sockets_per_user_max=SOCKETS_MAX))
        self.log = log
        self.appends: list[Append] = []
        self.numbers = numbers
        self.identity = Owner(name, 1)
        self.context = msgspec.structs.replace(
            self.context, node=self.identity, new_room_id=lambda: f"room{next(numbers)}"
        )

    @property
    def is_live(self) -> bool:
        return self.identity not in self.log.lost

    @property
    def position(self) -> Position:
        return len(self.events)

    def match_snapshot(self, match: str) -> MatchSnapshot:
        if self.world.nodes.owner_of(room_of(match)) != self.identity:
            raise Unavailable
        return super().match_snapshot(match)

    def decide(self, command: Command, attempts: int = 1) -> None:
        """Decide a command on this world, if its streams are free; its append comes later."""
        streams = command.streams(self.world)
        if any(streams & one.streams for one in self.appends):
            return
        try:
            events = list(command.decide(self.world, self.context))
        except TooManySockets:
            raise
        except ClientError:
            return
        if events:
            self.appends.append(Append(command, streams, self.position, events, attempts))

    def append(self) -> None:
        """Append what was decided first; after a conflict, fold and decide again."""
        one = next((one for one in self.appends if not one.at), None)
        if one is None:
            return
        keys = keys_of(one.streams, one.events)
        try:
            one.at = self.log.append(self.identity, one.seen, keys, one.events)
        except Lost:
            self.appends.clear()
        except Conflict:
            self.appends.remove(one)
            self.follow()
            if one.attempts < ATTEMPTS_MAX:
                try:
                    self.decide(one.command, one.attempts + 1)
                except TooManySockets:
                    return

    def follow(self, until: Position | None = None) -> None:
        """Fold the log, and decide what follows for the matches of this node."""
        for event, _, _ in self.log.events[self.position : until]:
            self.fold(event)
        self.appends = [one for one in self.appends if not one.at or one.at > self.position]
        if self.is_live:
            self._follow_up()

    def _follow_up(self) -> None:
        for match in list(self.world.matches.live.values()):
            assert room_of(match.id) in self.world.rooms.rooms, "a match goes on without its room"
            room = self.world.rooms.rooms[room_of(match.id)]
            if self.world.nodes.owner_of(room.id) != self.identity:
                continue
            for seat in room.seats:
                if seat.user is not None and seat.away_since is not None:
                    self.decide(LosePlayer(match.id, seat.user, seat.away_since))

    def take_over(self) -> None:
        for match in list(self.world.matches.live):
            if self.world.nodes.owner_of(room_of(match)) == self.identity:
                self.decide(TakeOver(match))


class Cluster(WorldInvariants):
    """Three nodes, whose users meet each other; `chance` decides what happens when."""

    sockets_max = SOCKETS_MAX

    def __init__(self, chance: random.Random, unchecked: str | None = None) -> None:
        self.chance = chance
        self.numbers = itertools.count(1)
        self.log = Log(unchecked)
        self.judge = Story()
        self.log.append(Owner("n1", 1), 0, keys_of(set(), ()), list(self.judge.events))
        self.nodes = [Node(self.log, name, self.numbers) for name in ("n1", "n2", "n3")]
        self.start(self.nodes[1])
        self.start(self.nodes[2])
        self.steps: dict[Callable[[Node], None], int] = {
            Node.append: 100,
            self.follow: 60,
            self.catch_up: 20,
            self.come: 20,
            self.go: 5,
            self.time_is_over: 2,
            self.look_for_an_opponent: 25,
            self.look_no_longer: 3,
            self.invite: 6,
            self.accept: 6,
            self.open_a_room: 6,
            self.come_in: 15,
            self.take_a_seat: 60,
            self.move: 15,
            self.begin: 40,
            self.leave: 3,
            self.send_out: 2,
            self.add_a_bot: 8,
            self.move_a_bot: 4,
            self.play_against_a_bot: 4,
            self.move_a_room: 5,
            self.subscribe: 2,
            self.lose_another: 1,
            self.drain: 1,
        }

    @property
    def world(self) -> World:  # type: ignore[override]  # of the whole log
        return self.judge.world

    def run(self, steps: int) -> None:
        """Let so much happen; at the end the nodes have the same world."""
        happens = self.chance.choices(list(self.steps), list(self.steps.values()), k=steps)
        for step in happens:
            for node in self.nodes:
                if not node.is_live:
                    self.start(node)
            step(self.chance.choice(self.nodes))
            self.check()
        for node in self.nodes * 12:
            node.append()
            node.follow()
        self.check()
        for node in self.nodes:
            node.follow()
            assert not node.is_live or node.world == self.world

    def check(self) -> None:
        """Fold what is new in the log, and check it and the world after it."""
        new = self.log.events[len(self.judge.events) :]
        for event, _, author in new:
            self._check_event(event, author)
            self.judge.fold(event)
        if new:
            for name, part in vars(WorldInvariants).items():
                if callable(part) and not name.startswith("_"):
                    part(self)

    def _check_event(self, event: Event, author: Owner) -> None:
        rooms, nodes = self.world.rooms, self.world.nodes
        if isinstance(event, RoomCreated):
            assert not any(map(rooms.is_busy, event.players)), "paired twice"
            assert event.room not in rooms.rooms
            assert nodes.is_live(event.owner)
        if isinstance(event, PlayerSeated):
            assert not rooms.is_busy(event.user), "seated twice"
            assert rooms.rooms[event.room].seats[event.seat].user is None
        if isinstance(event, NodeLost | NodeDraining):
            assert nodes.is_live(Owner(event.node, event.incarnation))
            assert isinstance(event, NodeLost) or not nodes.live[event.node].draining
        if isinstance(event, RoomMoved):
            assert nodes.is_live(event.owner)
            assert not nodes.live[event.to].draining
        if isinstance(event, MatchEvent) and not isinstance(event, MatchStarted):
            # An input may be on its way when its match ends, and has no effect then.
            is_over = event.match not in self.world.matches.live
            assert not is_over or isinstance(event, MatchInput)
            assert is_over or nodes.owner_of(event.room) == author, "not by the owner"

    def socket(self, node: Node) -> tuple[UserId, str] | None:
        """Choose a socket of this node, which gets the commands of its sockets alone."""
        own = f"{node.identity.node}.{node.identity.incarnation}."
        found = [
            (user, socket)
            for user, sockets in node.world.presence.sockets.items()
            for socket in sorted(sockets)
            if socket.startswith(own)
        ]
        return self.chance.choice(found) if found else None

    def user(self, node: Node) -> UserId:
        """Choose a user of this node, or anybody."""
        found = self.socket(node)
        return found[0] if found is not None else self.chance.choice(USERS)

    def other(self, node: Node) -> Node:
        return self.chance.choice([one for one in self.nodes if one is not node])

    def room(self, node: Node) -> str:
        return self.chance.choice(list(node.world.rooms.rooms) or ["nowhere"])

    # The log and its followers

    def follow(self, node: Node) -> None:
        node.follow(node.position + self.chance.randint(1, 4))

    def catch_up(self, node: Node) -> None:
        node.append()
        node.follow()

    # Nodes

    def start(self, node: Node) -> None:
        """Start a node beside the other one, or alone."""
        node.appends.clear()
        node.follow()
        others = frozenset(one.identity for one in self.nodes if one is not node and one.is_live)
        number = node.world.nodes.incarnations.get(node.identity.node, 0) + 1
        node.identity = Owner(node.identity.node, number)
        node.context = msgspec.structs.replace(node.context, node=node.identity)
        start = StartNode(node.identity.node, number, others)
        events = start.decide(node.world, node.context)
        keys = keys_of(start.streams(node.world), events)
        self.log.append(node.identity, node.position, keys, events)
        node.follow()
        node.take_over()

    def lose_another(self, node: Node) -> None:
        other = self.other(node)
        node.decide(LoseNode(other.identity.node, other.identity.incarnation))
        while node.is_live and other.is_live and node.appends:
            node.append()
            node.follow()
        for one in self.nodes:
            if not other.is_live and one.is_live:
                one.take_over()

    def drain(self, node: Node) -> None:
        node.decide(DrainNode(node.identity.node, node.identity.incarnation))

    def move_a_room(self, node: Node) -> None:
        other = self.other(node)
        node.decide(MoveRoom(self.room(node), other.identity))

    def subscribe(self, node: Node) -> None:
        consumers = self.chance.sample("abc", self.chance.randint(0, 2))
        node.decide(Subscribe(frozenset(consumers)))

    # Coming and going

    def come(self, node: Node) -> None:
        user = self.chance.choice(USERS)
        socket = f"{node.identity.node}.{node.identity.incarnation}.{next(self.numbers)}"
        try:
            node.decide(OpenSocket(user, socket))
        except TooManySockets:
            silent = frozenset({self.chance.choice(sorted(node.world.presence.sockets[user]))})
            node.decide(ReplaceSocket(user, socket, silent, 4504))

    def go(self, node: Node) -> None:
        found = self.socket(node)
        if found is not None:
            node.decide(CloseSocket(*found, self.chance.choice([1000, 1006])))

    def time_is_over(self, node: Node) -> None:
        ours = [
            one.command
            for one in pending(node.world, Times())
            if responsible_for(one.command, node.world) == node.identity
        ]
        if ours:
            node.decide(self.chance.choice(ours))

    # Finding each other

    def look_for_an_opponent(self, node: Node) -> None:
        node.decide(JoinQueue(self.user(node), self.chance.choice(GAMES)))

    def look_no_longer(self, node: Node) -> None:
        node.decide(LeaveQueue(self.user(node), self.chance.choice(GAMES)))

    def invite(self, node: Node) -> None:
        node.decide(SendInvite(self.user(node), self.chance.choice(USERS), "pong"))

    def accept(self, node: Node) -> None:
        invitee = self.user(node)
        for inviter in node.world.invites.received_by(invitee)[:1]:
            node.decide(AcceptInvite(inviter, invitee))

    # Rooms: commands come to any node, also to one that does not own the room

    def open_a_room(self, node: Node) -> None:
        found = self.socket(node)
        if found is not None:
            name = self.chance.choice([None, "named"])
            node.decide(CreateRoom(*found, name, PLANS[self.chance.choice(list(PLANS))]))

    def come_in(self, node: Node) -> None:
        found = self.socket(node)
        if found is not None:
            role = self.chance.choice(ROLES)
            node.decide(JoinRoom(*found, self.room(node), role, None, None))

    def take_a_seat(self, node: Node) -> None:
        found = self.socket(node)
        if found is not None:
            node.decide(TakeSeat(*found, node.world.rooms.seated.get(found[0], "nowhere")))

    def move(self, node: Node) -> None:
        """Press a key, or drop a disc; release the keys of some other tab."""
        found = self.socket(node)
        room = node.world.rooms.rooms.get(
            node.world.rooms.seated.get(found[0], "") if found else ""
        )
        if found is None or room is None:
            return
        node.decide(Move(*found, room.id, {"direction": "w", "action": "down"}))
        node.decide(Move(*found, room.id, {"column": self.chance.randrange(7)}))
        match = node.world.matches.live.get(room.match or "")
        if match is not None:
            for tab in match.pressing.get(room.index_of(found[0]), {}):
                node.decide(ReleaseKeys(match.id, found[0], tab))

    def begin(self, node: Node) -> None:
        user = self.user(node)
        room = node.world.rooms.seated.get(user, "nowhere")
        ready = self.chance.random() < 0.9
        if self.chance.random() < 0.5:
            node.decide(BeginMatch(user, room))
        else:
            node.decide(SetReady(user, room, ready))

    def leave(self, node: Node) -> None:
        node.decide(LeaveRoom(self.user(node), self.room(node)))

    def send_out(self, node: Node) -> None:
        bots = [bot for room in node.world.rooms.rooms.values() for bot in room.bots]
        target = self.chance.choice([*USERS, *bots])
        node.decide(KickFromRoom(self.user(node), self.room(node), target))

    # Bots

    def add_a_bot(self, node: Node) -> None:
        node.decide(AddBot(self.user(node), self.room(node), self.chance.randint(1, 3)))

    def move_a_bot(self, node: Node) -> None:
        for match in list(node.world.matches.live.values()):
            seat = self.chance.randrange(len(match.players))
            moves = [{"direction": "w", "action": "down"}] if match.game == "pong" else []
            node.decide(MoveBot(match.id, seat, match.tick, moves))
            if self.chance.random() < 0.2:
                node.decide(ForfeitBot(match.id, seat))

    def play_against_a_bot(self, node: Node) -> None:
        user = self.user(node)
        since = node.world.matchmaking.waiting_since(user, "pong")
        if since is not None:
            node.decide(OfferBot(user, "pong", since))
        node.decide(AcceptBot(user, "pong", 1))


@given(seed=st.integers(0, 2**32))
@effort(30)
def test_no_invariant_is_broken_by_nodes_that_lag_behind(seed: int) -> None:
    Cluster(random.Random(seed)).run(STEPS)  # noqa: S311 - no secret


def run_many(unchecked: str) -> None:
    for seed in range(100):
        Cluster(random.Random(seed), unchecked).run(STEPS)  # noqa: S311 - no secret


@pytest.mark.parametrize("unchecked", ["", "user:", "room:", "queue:"])
def test_each_kind_of_key_is_needed(unchecked: str) -> None:
    with pytest.raises((AssertionError, FoldFailed)):
        run_many(unchecked)
