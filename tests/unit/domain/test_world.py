"""The world is the same however it is rebuilt."""

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from service.domain.commands.base import Command, Context, MatchSnapshot
from service.domain.commands.chat import Mute, Say
from service.domain.commands.deadlines import pending
from service.domain.commands.ending import FinishMatch
from service.domain.commands.hosting import CreateRoom, JoinRoom, KickFromRoom, LockRoom, RoomPlan
from service.domain.commands.invites import AcceptInvite, DeclineInvite, SendInvite
from service.domain.commands.lobby import JoinLobby, LeaveLobby
from service.domain.commands.matchmaking import JoinQueue, LeaveQueue
from service.domain.commands.moves import Move
from service.domain.commands.nodes import StartNode
from service.domain.commands.operators import RevokeSessions
from service.domain.commands.outbox import Delivered, Rejected, Settle, Subscribe
from service.domain.commands.pauses import TakeOver
from service.domain.commands.presence import CloseSocket, OpenSocket, SetStatus
from service.domain.commands.seats import BeginMatch, LeaveRoom, SetReady, TakeSeat
from service.domain.events.base import Event
from service.domain.events.matches import MatchCheckpoint, MatchInput
from service.domain.events.nodes import NodeStarted
from service.domain.ids import Owner
from service.domain.projections.matches import Match
from service.domain.projections.world import World
from service.errors import ClientError
from service.eventstore.codec import decode, encode
from service.games.catalogue import GAMES
from service.games.options import set_up
from service.replay.run import Run, encode_state, state_hash
from service.runtime.snapshots import dump, restore
from service.settings.sections.play import Rules, Times
from tests.effort import effort

USERS = st.sampled_from([1, 2, 3, "ana"])
SOCKETS = st.integers(1, 12)
GAME_NAMES = st.sampled_from(sorted(GAMES))
MOVES = {"pong": {"direction": "w", "action": "down"}, "relay": {"any": "thing"}}


class WorldMachine(RuleBasedStateMachine):
    """Carries out random commands, purely: decide, then fold."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.events: list[Event] = []
        self.runs: dict[str, Run] = {}
        self.rooms_made = 0
        self.spent_ms = 0
        self.sockets_made = 0
        self.open: list[tuple[int | str, str]] = []
        self.context = Context(
            node=Owner("n1", 1),
            rules=Rules(sockets_per_user_max=3, match_duration_s=1, reconnect_grace_s=1),
            games=GAMES,
            new_room_id=self.new_room_id,
            new_token=lambda: "salt",
            new_seed=lambda: 7,
            match_snapshot=self.match_snapshot,
        )
        self.execute(StartNode("n1"))

    def new_room_id(self) -> str:
        self.rooms_made += 1
        return f"room{self.rooms_made}"

    def match_snapshot(self, match: str) -> MatchSnapshot:
        run = self.run_of(self.world.matches.live[match])
        return MatchSnapshot(
            tick=run.tick,
            input_tick=run.tick,
            state=run.state,
            pausing=False,
            state_hash=lambda: state_hash(run.state),
            turn_left_ms=self.world.matches.live[match].turn_left_ms,
            spent_ms=[spent + self.spent_ms for spent in self.world.matches.live[match].spent_ms],
            held=self.world.matches.live[match].pressing,
        )

    def run_of(self, match: Match) -> Run:
        if match.id not in self.runs:
            game = GAMES[match.game]
            state = set_up(game, match.seed, match.options.as_written, len(match.players))
            self.runs[match.id] = Run(game, state)
        return self.runs[match.id]

    def execute(self, command: Command) -> None:
        try:
            decided = command.decide(self.world, self.context)
        except ClientError:
            return
        for event in decided:
            self.fold(event)

    def fold(self, event: Event) -> None:
        self.events.append(event)
        self.world.fold(event, len(self.events))
        if isinstance(event, NodeStarted):
            started = Owner(event.node, event.incarnation)
            self.context = msgspec.structs.replace(self.context, node=started)
        match = self.world.matches.live.get(getattr(event, "match", ""))
        if isinstance(event, MatchInput) and match is not None and match.pace != "ticks":
            run = self.run_of(match)
            run.add_input(event)
            run.step()
            self.execute(FinishMatch(match.id))

    def with_socket(self, index: int, make: Callable[[Any, str], Command]) -> None:
        if self.open:
            self.execute(make(*self.open[index % len(self.open)]))

    def a_room(self, index: int) -> str:
        rooms = list(self.world.rooms.rooms)
        return rooms[index % len(rooms)] if rooms else "nowhere"

    @rule(user=USERS)
    def open_socket(self, user: int | str) -> None:
        self.sockets_made += 1
        incarnation = self.world.nodes.incarnations["n1"]
        socket = f"n1.{incarnation}.{self.sockets_made}"
        before = len(self.events)
        self.execute(OpenSocket(user, socket))
        if len(self.events) > before:
            self.open.append((user, socket))

    @precondition(lambda self: self.open)
    @rule(index=SOCKETS, code=st.sampled_from([1000, 1001, 1006]))
    def close_socket(self, index: int, code: int) -> None:
        user, socket = self.open.pop(index % len(self.open))
        self.execute(CloseSocket(user, socket, code))

    @rule(spent_ms=st.sampled_from([0, 1, 20_000]))
    def time_goes_by(self, spent_ms: int) -> None:
        """Let the next pauses cost so much."""
        self.spent_ms = spent_ms

    @rule()
    def restart(self) -> None:
        self.open.clear()
        self.execute(StartNode("n1"))
        for match in list(self.world.matches.live):
            self.execute(TakeOver(match))

    @rule(index=SOCKETS, joins=st.booleans())
    def lobby(self, index: int, *, joins: bool) -> None:
        self.with_socket(index, JoinLobby if joins else LeaveLobby)

    @rule(inviter=USERS, invitee=USERS, game=GAME_NAMES | st.none())
    def invite(self, inviter: int | str, invitee: int | str, game: str | None) -> None:
        """Invite to a game, or accept."""
        if inviter in self.world.presence.sockets and invitee in self.world.presence.sockets:
            self.execute(
                AcceptInvite(inviter, invitee)
                if game is None
                else SendInvite(inviter, invitee, game)
            )

    @rule(inviter=USERS, invitee=USERS)
    def decline(self, inviter: int | str, invitee: int | str) -> None:
        self.execute(DeclineInvite(inviter, invitee))

    @rule(index=SOCKETS, joins=st.booleans(), game=GAME_NAMES)
    def queue(self, index: int, game: str, *, joins: bool) -> None:
        kind = JoinQueue if joins else LeaveQueue
        self.with_socket(index, lambda user, _: kind(user, game))

    @rule(index=SOCKETS, game=GAME_NAMES, visibility=st.sampled_from(["public", "password"]))
    def create_room(self, index: int, game: str, visibility: Any) -> None:
        plan = RoomPlan(game=game, visibility=visibility, password="open", spectators_max=2)
        self.with_socket(index, lambda user, socket: CreateRoom(user, socket, None, plan))

    @rule(
        index=SOCKETS,
        room=SOCKETS,
        role=st.sampled_from(["player", "spectator"]),
        password=st.sampled_from(["open", "wrong"]),
    )
    def join_room(self, index: int, room: int, role: Any, password: str) -> None:
        self.with_socket(
            index,
            lambda user, socket: JoinRoom(user, socket, self.a_room(room), role, password, None),
        )

    @rule(index=SOCKETS, room=SOCKETS, ready=st.booleans())
    def set_ready(self, index: int, room: int, *, ready: bool) -> None:
        self.with_socket(index, lambda user, _: SetReady(user, self.a_room(room), ready))

    @rule(room=SOCKETS)
    def everybody_is_ready(self, room: int) -> None:
        found = self.world.rooms.rooms.get(self.a_room(room))
        for user in found.players if found else ():
            self.execute(SetReady(user, self.a_room(room), ready=True))

    @rule(index=SOCKETS, room=SOCKETS, whom=USERS)
    def kick(self, index: int, room: int, whom: int | str) -> None:
        self.with_socket(index, lambda user, _: KickFromRoom(user, self.a_room(room), whom))

    @rule(index=SOCKETS, room=SOCKETS, locked=st.booleans())
    def lock(self, index: int, room: int, *, locked: bool) -> None:
        self.with_socket(index, lambda user, _: LockRoom(user, self.a_room(room), locked))

    @rule(index=SOCKETS, room=SOCKETS, to=USERS | st.none())
    def say(self, index: int, room: int, to: int | str | None) -> None:
        chat = f"chat{len(self.events)}"
        where = self.a_room(room) if to is None else None
        self.with_socket(index, lambda user, _: Say(user, chat, "digest", where, to))

    @rule(user=USERS, whom=USERS, muted=st.booleans())
    def mute(self, user: int | str, whom: int | str, *, muted: bool) -> None:
        self.execute(Mute(user, whom, muted))

    @rule(
        index=SOCKETS,
        status=st.sampled_from(["online", "away", None]),
        hidden=st.sampled_from([True, False, None]),
    )
    def set_status(self, index: int, status: Any, *, hidden: bool | None) -> None:
        self.with_socket(index, lambda user, _: SetStatus(user, status, hidden))

    @rule(user=USERS, now_s=st.integers(1, 3))
    def revoke(self, user: int | str, now_s: int) -> None:
        self.execute(RevokeSessions(user, now_s))

    @rule(index=SOCKETS, room=SOCKETS)
    def take_seat(self, index: int, room: int) -> None:
        self.with_socket(index, lambda user, socket: TakeSeat(user, socket, self.a_room(room)))

    @rule(index=SOCKETS, room=SOCKETS)
    def begin(self, index: int, room: int) -> None:
        self.with_socket(index, lambda user, _: BeginMatch(user, self.a_room(room)))

    @rule(index=SOCKETS, room=SOCKETS)
    def leave(self, index: int, room: int) -> None:
        self.with_socket(index, lambda user, _: LeaveRoom(user, self.a_room(room)))

    @rule(index=SOCKETS, room=SOCKETS, column=st.integers(0, 7))
    def move(self, index: int, room: int, column: int) -> None:
        found = self.world.rooms.rooms.get(self.a_room(room))
        move = MOVES.get(found.game if found else "", {"column": column})
        self.with_socket(index, lambda user, socket: Move(user, socket, self.a_room(room), move))

    @rule(consumers=st.frozensets(st.sampled_from(["user-service", "webhook-a"])))
    def subscribe(self, consumers: frozenset[str]) -> None:
        self.execute(Subscribe(consumers))

    @rule(outcome=st.sampled_from([Delivered(), Rejected(400, "no")]))
    def settle(self, outcome: Delivered | Rejected) -> None:
        for consumer, matches in sorted(self.world.outbox.waiting.items()):
            self.execute(Settle(consumer, min(matches), outcome))

    @rule(ticks=st.integers(1, 70))
    def play(self, ticks: int) -> None:
        for match in list(self.world.matches.live.values()):
            run = self.run_of(match)
            if match.paused:
                continue
            if match.pace == "ticks":
                for _ in range(ticks):
                    run.game.step(run.state)
                    run.tick += 1
            checkpoint = MatchCheckpoint(
                match=match.id,
                tick=run.tick,
                state=encode_state(run.state),
                hash=state_hash(run.state),
            )
            self.fold(checkpoint)
            self.execute(FinishMatch(match.id))

    @precondition(lambda self: any(pending(self.world, Times())))
    @rule(index=SOCKETS)
    def time_is_over(self, index: int) -> None:
        deadlines = list(pending(self.world, Times()))
        self.execute(deadlines[index % len(deadlines)].command)

    @rule()
    def rebuild(self) -> None:
        rebuilt = World()
        for position, event in enumerate(self.events, 1):
            recorded = decode(event.type, event.schema_version, encode(event))
            rebuilt.fold(recorded, position)
        assert rebuilt == self.world

    @rule(part=st.floats(0, 1))
    def restore_and_go_on(self, part: float) -> None:
        at = round(part * len(self.events))
        before = World()
        for position, event in enumerate(self.events[:at], 1):
            before.fold(event, position)
        restored = restore(dump(before))
        assert restored == before
        for position, event in enumerate(self.events[at:], at + 1):
            restored.fold(event, position)
        assert restored == self.world

    @invariant()
    def open_sockets_are_those_that_count(self) -> None:
        counted = {
            (user, socket)
            for user, sockets in self.world.presence.sockets.items()
            for socket in sockets
        }
        assert counted == set(self.open)

    @invariant()
    def nobody_is_where_he_cannot_be(self) -> None:
        world = self.world
        online = set(world.presence.sockets)
        sockets = {socket for _, socket in self.open}
        for tabs in world.lobby.members.values():
            assert tabs
            assert tabs <= sockets
        for inviter, asked in world.invites.pending.items():
            assert {inviter, *asked} <= online
        for queue in world.matchmaking.queues.values():
            assert set(queue) <= online
            assert not any(world.rooms.is_busy(user) for user in queue)
        assert set(world.presence.statuses) <= online

    @invariant()
    def a_seat_belongs_to_one_user_and_a_user_has_one_seat(self) -> None:
        rooms = self.world.rooms
        seated = {
            room.seats[index].user: room.id
            for room in rooms.rooms.values()
            for index in room.staying
        }
        assert seated == rooms.seated
        for room in rooms.rooms.values():
            assert set(room.sockets) <= {socket for _, socket in self.open}
            assert (room.phase == "playing") == (room.match in self.world.matches.live)

    @invariant()
    def who_watches_is_known_by_room_and_by_socket(self) -> None:
        by_socket: dict[str, set[str]] = {}
        for room in self.world.rooms.rooms.values():
            assert not set(room.spectators) & {room.seats[index].user for index in room.staying}
            assert len(room.spectators) <= room.spectators_max
            for tabs in room.spectators.values():
                assert tabs
                for socket in tabs:
                    by_socket.setdefault(socket, set()).add(room.id)
        assert by_socket == self.world.rooms.watching

    @invariant()
    def a_room_without_anybody_is_about_to_close(self) -> None:
        deadlines = {getattr(one.command, "room", None) for one in pending(self.world, Times())}
        for room in self.world.rooms.rooms.values():
            if not room.sockets:
                assert room.id in deadlines

    @invariant()
    def only_finished_matches_wait_to_be_delivered(self) -> None:
        for matches in self.world.outbox.waiting.values():
            assert matches
            assert not matches & self.world.matches.live.keys()

    @invariant()
    def a_match_with_somebody_away_stands_still(self) -> None:
        for room in self.world.rooms.rooms.values():
            match = self.world.matches.live.get(room.match or "")
            assert match is None or match.pace == "free" or match.paused or not room.away


TestWorld = WorldMachine.TestCase
TestWorld.settings = effort(60, steps=60)


def test_an_empty_world_survives_a_snapshot() -> None:
    assert restore(dump(World())) == World()
