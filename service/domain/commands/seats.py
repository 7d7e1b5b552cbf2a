"""Commands of seats: take, leave or forfeit one, and the effect on the match."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from service.domain.commands.boundaries import MemberCommand, SeatCommand
from service.domain.commands.clocks import clock_state
from service.domain.commands.ending import end_match
from service.domain.commands.moves import pace_of, release_keys
from service.domain.commands.pauses import resume_match_without
from service.domain.commands.room_options import default_options
from service.domain.commands.rooms import new_host, newest_socket, owner_of_new_room
from service.domain.commands.rules import as_logged
from service.domain.commands.secrets import secrets_of
from service.domain.errors import MatchAlreadyStarted, RoomNotReady, UnknownGame
from service.domain.events.base import Event, Position, room_stream, user_stream
from service.domain.events.matches import MatchStarted
from service.domain.events.rooms import (
    PlayerReadied,
    RoomBecameReady,
    RoomClosed,
    RoomCreated,
    SeatForfeited,
    SeatLeft,
    SeatTaken,
    SpectatorLeft,
)
from service.domain.ids import RoomId, SocketId, UserId, is_bot
from service.domain.projections.matches import Match
from service.domain.projections.room import Room
from service.games.options import read_options

if TYPE_CHECKING:
    from service.domain.commands.base import Context
    from service.domain.projections.world import World
    from service.games.protocol import Game


def check_game(name: str, context: Context) -> Game:
    """Return the game called `name`; raise `UnknownGame`."""
    game = context.games.get(name)
    if game is None:
        raise UnknownGame(f"There is no game {name[:40]!r}: {', '.join(context.games)}.")
    return game


def create_room_for(
    players: list[UserId], game: str, world: World, context: Context
) -> list[Event]:
    """Create a room for `players`, who leave the finished rooms where they still have seats."""
    room = context.new_room_id()
    created = RoomCreated(
        room=room,
        game=game,
        players=players,
        options=default_options(check_game(game, context), context),
        seats_min=len(players),
        seats_max=len(players),
        spectators_max=context.rules.spectators_max,
        owner=owner_of_new_room(room, game, newest_socket(players[0], world), world, context),
    )
    return [*leave_finished_rooms(players, world, context), created]


def leave_finished_rooms(users: list[UserId], world: World, context: Context) -> list[Event]:
    """Remove `users` from the rooms where they have seats, whose matches are over."""
    leaving: dict[RoomId, set[UserId]] = {}
    for user in users:
        if user in world.rooms.seated:
            leaving.setdefault(world.rooms.seated[user], set()).add(user)
    return [
        event
        for room, leavers in leaving.items()
        for event in leave_room(world.rooms.rooms[room], leavers, context)
    ]


def leave_room(room: Room, leavers: set[UserId], context: Context) -> list[Event]:
    """Remove `leavers` from a room without a running match; the last member closes it."""
    events: list[Event] = [
        SeatLeft(room=room.id, user=user) for user in room.players if user in leavers
    ]
    broken_off = not room.hosted and room.phase != "finished"
    if broken_off or set(room.members) <= leavers:
        return [*events, RoomClosed(room=room.id, reason="left")]
    return [*events, *new_host(room, leavers), *continue_without(room, leavers, context)]


def continue_without(room: Room, leavers: set[UserId], context: Context) -> list[Event]:
    """Make the room ready, or start the match, if nobody but `leavers` was missing."""
    seats = room.seats_without(leavers)
    if not all(seat.is_present for seat in seats):
        return []
    return [*become_ready(room, len(seats)), *_start_if_all_ready(room, leavers, context)]


class TakeSeat(msgspec.Struct, frozen=True):
    """Join a socket of a player to their room."""

    user: UserId
    socket: SocketId
    room: RoomId

    def streams(self, _world: World) -> set[str]:
        """The user and the room."""
        return {user_stream(self.user), room_stream(self.room)}

    def decide(self, world: World, context: Context) -> list[Event]:
        """Join it; the last player to come makes the room ready, or resumes a paused match."""
        room, index = world.rooms.seat_of(self.user, self.room)
        if self.socket in room.seats[index].sockets:
            return []
        world.presence.check_socket_open(self.user, self.socket)
        taken = SeatTaken(room=room.id, user=self.user, socket=self.socket)
        match = world.matches.live.get(room.match or "")
        if match is not None:
            return [taken, *_player_returned(room, match, index, context)]
        others = room.seats_without({self.user})
        if not all(other.is_present for other in others):
            return [taken]
        return [
            taken,
            *become_ready(room, len(others) + 1),
            *_start_if_all_ready(room, set(), context),
        ]


def _start_if_all_ready(room: Room, leavers: set[UserId], context: Context) -> list[Event]:
    """Start the match if all players except `leavers` are ready, and there are enough."""
    players = [user for user in room.players if user not in leavers]
    all_ready = len(players) >= room.seats_min and set(room.unready) <= leavers
    if not all_ready or all(map(is_bot, players)):
        return []
    try:
        return [start_match(room, players, context)]
    except Exception:  # noqa: BLE001 - rules may raise anything
        # Failed rules must not keep anybody from joining or leaving; `BeginMatch` reports them.
        return []


def become_ready(room: Room, players: int) -> list[Event]:
    """Make a gathering room ready, if so many connected players are enough."""
    if room.phase == "gathering" and players >= room.seats_min:
        return [RoomBecameReady(room=room.id)]
    return []


def _player_returned(room: Room, match: Match, index: int, context: Context) -> list[Event]:
    """Decide what follows for a running match when the player of a seat has joined it."""
    if len(room.staying) < _players_min(match, context):
        snapshot, winner = context.match_snapshot(match.id), room.staying[0]
        return [end_match(match, snapshot, context, reason="forfeit", winner=winner)]
    return resume_match_without(room, match, [index], context) if match.paused else []


def _players_min(match: Match, context: Context) -> int:
    """Return how many players a match needs to continue, which the game says, not the room."""
    game = context.games.rules(match.game, match.rules_version, match.id)
    return len(match.players) if game is None else game.seats.start


class BeginMatch(MemberCommand, frozen=True):
    """Start the match, or a rematch, at the request of a player."""

    def decide(self, world: World, context: Context) -> list[Event]:
        """Start it if everybody is connected; a rematch or a hosted match once all players ask."""
        room = _room_to_start(self.user, self.room, world)
        if not is_complete_with(room, 0):
            raise RoomNotReady
        if room.seat_of(self.user) is None:
            return [start_match(room, room.players, context)]
        if room.phase == "ready" and not room.hosted:
            return [start_match(room, room.players, context)]
        return mark_ready(room, self.user, context, ready=True)


class SetReady(MemberCommand, frozen=True):
    """Set or withdraw a player's readiness for the match."""

    ready: bool

    def decide(self, world: World, context: Context) -> list[Event]:
        """Record it; the last player to be ready starts the match."""
        room = _room_to_start(self.user, self.room, world)
        if room.seat_of(self.user) is None:
            return [start_match(room, room.players, context)] if self.ready else []
        return mark_ready(room, self.user, context, ready=self.ready)


def _room_to_start(user: UserId, room_id: RoomId, world: World) -> Room:
    """Return the room where `user` has a seat, or is the host of bots alone.

    Raises `MatchAlreadyStarted` during a match.
    """
    room = world.rooms.get(room_id)
    if not _is_host_of_bots(user, room):
        world.rooms.seat_of(user, room_id)
    if room.phase == "playing":
        raise MatchAlreadyStarted
    return room


def _is_host_of_bots(user: UserId, room: Room) -> bool:
    """Return whether `user` watches a room, as its host, in which bots alone are to play."""
    if room.host != user or user not in room.spectators:
        return False
    return room.seats_min <= len(room.players) == len(room.bots)


def mark_ready(room: Room, user: UserId, context: Context, *, ready: bool) -> list[Event]:
    """Record whether a player is ready, and start the match once all are."""
    if (user in room.ready) == ready:
        return []
    noted = PlayerReadied(room=room.id, user=user, ready=ready)
    if ready and is_complete_with(room, 0) and set(room.unready) <= {user}:
        return [noted, start_match(room, room.players, context)]
    return [noted]


def is_complete_with(room: Room, more: int) -> bool:
    """Return whether nobody is missing for a match once `more` players are there."""
    seats = room.seats_without(())
    return len(seats) + more >= room.seats_min and all(seat.is_present for seat in seats)


def start_match(room: Room, players: list[UserId], context: Context) -> MatchStarted:
    """Return the start of a match of `players`; raise what the rules raise."""
    game = check_game(room.game, context)
    seed, written = context.new_seed(), room.options.as_written
    options = read_options(game, written)
    state = game.setup(seed, options, len(players))
    clock = clock_state(game.clock(state, options), len(players))
    return as_logged(
        MatchStarted(
            match=f"{room.id}-{room.last_match + 1}",
            tick=0,
            game=room.game,
            rules_version=game.rules_version,
            players=players,
            seed=seed,
            options=written,
            pace=pace_of(game),
            turn_s=clock.ends_in_ms / 1000 if clock else None,
            clock=clock,
            secrets=secrets_of(game),
        )
    )


class LeaveRoom(SeatCommand, frozen=True):
    """Leave a room as a player or as a spectator."""

    def decide(self, world: World, context: Context) -> list[Event]:
        """Free the seat; in a match of two the other player wins at once."""
        room = world.rooms.rooms.get(self.room)
        if room is not None and self.user in room.spectators:
            return stop_spectating(room, self.user, "left")
        has_seat = world.rooms.seated.get(self.user) == self.room
        if not has_seat and world.rooms.left.get(self.user) == self.room:
            return []
        room, index = world.rooms.seat_of(self.user, self.room)
        match = world.matches.live.get(room.match or "")
        if match is None:
            return leave_room(room, {self.user}, context)
        left = SeatLeft(room=room.id, user=self.user)
        follows = play_on_without(room, match, index, "left", context)
        return [left, *new_host(room, {self.user}), *follows]


def stop_spectating(room: Room, user: UserId, reason: Literal["left", "kicked"]) -> list[Event]:
    """Remove a spectator; the last member closes the room, but not at once a match of bots."""
    gone = SpectatorLeft(room=room.id, user=user, reason=reason)
    if set(room.members) <= {user} and room.phase != "playing":
        return [gone, RoomClosed(room=room.id, reason="left")]
    return [gone, *new_host(room, {user})]


class ForfeitSeat(SeatCommand, frozen=True):
    """Take a seat away: its grace period, which began at `since`, has expired."""

    since: Position

    def decide(self, world: World, context: Context) -> list[Event]:
        """Free the seat, unless its player is back.

        In a match of two the other player wins: at once if connected, else when they come back.
        """
        room = world.rooms.rooms.get(self.room)
        index = room.seat_of(self.user) if room else None
        if room is None or index is None or room.seats[index].away_since != self.since:
            return []
        forfeited = SeatForfeited(room=room.id, user=self.user)
        match = world.matches.live.get(room.match or "")
        gone = [forfeited, *new_host(room, {self.user})]
        if match is None:
            if room.hosted:
                return [*gone, *continue_without(room, {self.user}, context)]
            return [*gone, RoomClosed(room=room.id, reason="forfeited")]
        others = room.seats_without({self.user})
        if others and not any(other.is_present for other in others):
            return gone
        return [*gone, *play_on_without(room, match, index, "forfeit", context)]


def play_on_without(
    room: Room, match: Match, gone: int, reason: Literal["left", "forfeit"], context: Context
) -> list[Event]:
    """Decide what follows for a match whose player in seat `gone` has left for good."""
    staying = [index for index in room.staying if index != gone]
    if len(staying) < _players_min(match, context):
        snapshot = context.match_snapshot(match.id)
        if staying:
            return [end_match(match, snapshot, context, reason=reason, winner=staying[0])]
        abandoned = end_match(match, snapshot, context, reason="abandoned", winner=None)
        if room.spectators:
            return [abandoned]
        return [abandoned, RoomClosed(room=room.id, reason="forfeited")]
    if match.paused:
        return resume_match_without(room, match, [gone], context)
    return release_keys(match, gone, context.match_snapshot(match.id), context)
