"""Invariants of the world after any sequence of commands: rooms, seats, queues, spectators."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Literal

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from service.domain.commands.bots import AcceptBot, AddBot, ForfeitBot, MoveBot, OfferBot
from service.domain.commands.deadlines import pending
from service.domain.commands.hosting import CreateRoom, JoinRoom, KickFromRoom, RoomPlan
from service.domain.commands.invites import AcceptInvite, DeclineInvite, SendInvite
from service.domain.commands.lobby import JoinLobby
from service.domain.commands.matchmaking import JoinQueue, LeaveQueue
from service.domain.commands.nodes import StartNode
from service.domain.commands.pauses import TakeOver
from service.domain.commands.presence import CloseSocket, OpenSocket, ReplaceSocket
from service.domain.commands.seats import BeginMatch, LeaveRoom, SetReady, TakeSeat
from service.domain.errors import TooManySockets
from service.errors import ClientError
from service.settings.sections.play import Rules, Times
from tests.effort import effort
from tests.unit.domain.invariants import WorldInvariants
from tests.unit.domain.story import Story

if TYPE_CHECKING:
    from service.domain.commands.base import Command
    from service.domain.ids import UserId

USERS = st.integers(1, 4)
INDEX = st.integers(0, 40)
GAMES = st.sampled_from(["pong", "connect_four"])
PLANS = {
    "connect_four": RoomPlan(game="connect_four"),
    "relay": RoomPlan(game="relay", options={"seats": 3, "seats_min": 2}),
}
ROLES: st.SearchStrategy[Literal["player", "spectator"]] = st.sampled_from(["player", "spectator"])
SOCKETS_MAX = 2


class WhoIsWhere(WorldInvariants, RuleBasedStateMachine):
    """A few users with a few sockets, who come, go, wait, invite and sit down."""

    sockets_max = SOCKETS_MAX

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.numbers = itertools.count(1)
        self.story.context = msgspec.structs.replace(
            self.story.context,
            rules=Rules(sockets_per_user_max=self.sockets_max),
            new_room_id=lambda: f"room{next(self.numbers)}",
        )
        self.world = self.story.world

    def do(self, command: Command) -> None:
        try:
            self.story.do(command)
        except TooManySockets:
            raise
        except ClientError:
            pass

    def socket(self, index: int) -> tuple[UserId, str] | None:
        sockets = self.world.presence.sockets
        of_all = [(user, socket) for user in sockets for socket in sorted(sockets[user])]
        return of_all[index % len(of_all)] if of_all else None

    def room(self, index: int) -> str:
        rooms = list(self.world.rooms.rooms)
        return rooms[index % len(rooms)] if rooms else "nowhere"

    # Coming and going

    @rule(user=USERS, silent=INDEX)
    def comes(self, user: int, silent: int) -> None:
        incarnation = self.world.nodes.incarnations["n1"]
        socket = f"n1.{incarnation}.{next(self.numbers)}"
        try:
            self.do(OpenSocket(user, socket))
        except TooManySockets:
            found = self.socket(silent)
            assert found is not None
            self.do(ReplaceSocket(user, socket, frozenset({found[1]}), 4504))
        assert socket in self.world.presence.sockets[user]

    @rule(index=INDEX, code=st.sampled_from([1000, 1001, 1005, 1006, 4504]))
    def goes(self, index: int, code: int) -> None:
        found = self.socket(index)
        if found is not None:
            self.do(CloseSocket(*found, code))

    @rule()
    def service_restarts(self) -> None:
        self.do(StartNode("n1"))
        for match in list(self.world.matches.live):
            self.do(TakeOver(match))

    @rule(index=INDEX)
    def time_is_over(self, index: int) -> None:
        deadlines = list(pending(self.world, Times()))
        if deadlines:
            self.do(deadlines[index % len(deadlines)].command)

    # Finding each other

    @rule(user=USERS, game=GAMES)
    def looks_for_an_opponent(self, user: int, game: str) -> None:
        self.do(JoinQueue(user, game))

    @rule(user=USERS, game=GAMES)
    def looks_no_longer(self, user: int, game: str) -> None:
        self.do(LeaveQueue(user, game))

    @rule(inviter=USERS, invitee=USERS, game=GAMES)
    def invites(self, inviter: int, invitee: int, game: str) -> None:
        self.do(SendInvite(inviter, invitee, game))

    @rule(inviter=USERS, invitee=USERS, accepts=st.booleans())
    def answers(self, inviter: int, invitee: int, *, accepts: bool) -> None:
        self.do((AcceptInvite if accepts else DeclineInvite)(inviter, invitee))

    # Rooms

    @rule(index=INDEX, game=st.sampled_from(sorted(PLANS)))
    def opens_a_room(self, index: int, game: str) -> None:
        found = self.socket(index)
        if found is not None:
            self.do(CreateRoom(*found, None, PLANS[game]))

    @rule(index=INDEX, room=INDEX, role=ROLES)
    def comes_in(self, index: int, room: int, role: Literal["player", "spectator"]) -> None:
        found = self.socket(index)
        if found is not None:
            self.do(JoinRoom(*found, self.room(room), role, None, None))

    @rule(index=INDEX)
    def takes_a_seat(self, index: int) -> None:
        found = self.socket(index)
        if found is not None:
            self.do(TakeSeat(*found, self.world.rooms.seated.get(found[0], "nowhere")))
            self.do(JoinLobby(*found))

    @rule(user=USERS, ready=st.booleans())
    def is_ready(self, user: int, *, ready: bool) -> None:
        self.do(SetReady(user, self.world.rooms.seated.get(user, "nowhere"), ready))

    @rule(user=USERS)
    def begins(self, user: int) -> None:
        self.do(BeginMatch(user, self.world.rooms.seated.get(user, "nowhere")))

    @rule(user=USERS, room=INDEX)
    def leaves(self, user: int, room: int) -> None:
        self.do(LeaveRoom(user, self.room(room)))

    @rule(user=USERS, room=INDEX, level=st.integers(1, 3))
    def adds_a_bot(self, user: int, room: int, level: int) -> None:
        self.do(AddBot(user, self.room(room), level))

    @rule(user=USERS, level=st.integers(1, 3))
    def plays_against_a_bot(self, user: int, level: int) -> None:
        since = self.story.world.matchmaking.waiting_since(user, "pong")
        if since is not None:
            self.do(OfferBot(user, "pong", since))
        self.do(AcceptBot(user, "pong", level))

    @rule(index=INDEX, forfeits=st.booleans())
    def bots_play(self, index: int, *, forfeits: bool) -> None:
        for match in list(self.story.world.matches.live.values()):
            seat = index % len(match.players)
            moves = [{"direction": "w", "action": "down"}] if match.game == "pong" else []
            self.do(MoveBot(match.id, seat, match.tick, moves))
            if forfeits:
                self.do(ForfeitBot(match.id, seat))

    @rule(user=USERS, index=INDEX, room=INDEX)
    def sends_a_bot_out(self, user: int, index: int, room: int) -> None:
        bots = [bot for one in self.story.world.rooms.rooms.values() for bot in one.bots]
        if bots:
            self.do(KickFromRoom(user, self.room(room), bots[index % len(bots)]))

    @rule(user=USERS, member=USERS, room=INDEX)
    def sends_out(self, user: int, member: int, room: int) -> None:
        self.do(KickFromRoom(user, self.room(room), member))


TestWhoIsWhere = WhoIsWhere.TestCase
TestWhoIsWhere.settings = effort(60, steps=50)
