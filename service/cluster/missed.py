"""Ask again for what was lost on its way from the nodes that run matches.

The state of a live match is sent to another node once, and may be lost: while the bus is down, or
its sender may send nothing. In a match with ticks the next one follows. In a match that only moves
step none follows before the next move, for which its player has to see the state. But every node
knows the moves from the log. So a state that has not come some time after its move is asked for,
until it comes; and so is what a socket is to be shown when it joins a live match.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import msgspec

from service.domain.events.matches import MatchInput, MatchStarted, room_of
from service.domain.events.rooms import SeatTaken, SpectatorJoined
from service.domain.ids import node_of
from service.games.sight import SPECTATOR, seated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from service.domain.events.base import Event, Position
    from service.domain.ids import MatchId, Owner, RoomId, SocketId, UserId
    from service.domain.projections.matches import Match
    from service.domain.projections.room import Room
    from service.domain.projections.world import World

CHECK_S = 0.25
"""Time between two looks for what is missing."""

PATIENCE_S = 0.5
"""How long something may take to come before it is asked for."""

PAUSE_MAX_S = 8.0
"""The longest pause before it is asked for once more; it is doubled each time."""


class Owners(Protocol):
    """Asks the nodes that run matches, if they can be reached."""

    @property
    def can_send(self) -> bool:
        """Whether anything can be sent to other nodes now."""

    def ask_to_repeat(self, room: RoomId, seat: int | None, /) -> None:
        """Ask for the state of a live match, for the sockets of a seat, or of the spectators."""

    def ask_to_show(self, room: RoomId, user: UserId, socket: SocketId, /) -> None:
        """Ask for all that shows a live match to a socket that has joined its room."""


class Shows(Protocol):
    """Shows the live matches that this node runs; returns whether it runs the one of a room."""

    def show(self, room: Room, seat: int | None, socket: SocketId, /) -> bool:
        """Send the live match of a room to one socket."""

    def repeat(self, room: Room, seat: int | None, /) -> bool:
        """Send the state of the live match of a room again: to a seat, or to its spectators."""


class _Due(msgspec.Struct):
    """A state that has not come yet."""

    match: MatchId
    tick: int
    """Its tick, as its viewers are told it."""
    ask_at: float
    """When it is asked for, in seconds."""
    pause_s: float = PATIENCE_S


class _Joined(msgspec.Struct):
    """A socket that has not been shown the match of the room that it has joined."""

    match: MatchId
    user: UserId
    ask_at: float
    pause_s: float = PATIENCE_S


class MissedStates:
    """What the sockets of this node have not been shown yet of matches that other nodes run."""

    def __init__(
        self,
        world: World,
        node: Owner,
        owners: Owners,
        shows: Shows,
        clock: Callable[[], float],
    ) -> None:
        """Ask `owners` for what is missing at `node`, or have it shown by `shows`.

        The latter runs the matches that this node has taken over meanwhile. `clock` is monotonic,
        in seconds.
        """
        self._world = world
        self._node = node
        self._owners = owners
        self._shows = shows
        self._clock = clock
        self._states: dict[RoomId, dict[int | None, _Due]] = {}
        """By room, and by the seat of the viewers; spectators have none."""
        self._joined: dict[SocketId, _Joined] = {}

    async def run(self) -> None:
        """Ask for what is missing, for ever."""
        while True:
            await asyncio.sleep(CHECK_S)
            self.check()

    def observe(self, event: Event, _position: Position) -> None:
        """Take note of what sockets of this node are to be shown after an event."""
        if isinstance(event, MatchInput | MatchStarted):
            match = self._world.matches.live.get(event.match)
            if match is not None and match.pace == "turns" and self._is_run_elsewhere(match.id):
                self._expect_state(match, event)
        elif isinstance(event, SeatTaken | SpectatorJoined):
            self._expect_show(event)

    def _expect_state(self, match: Match, event: MatchInput | MatchStarted) -> None:
        """Expect the state after a move, or the first one, for all who see anything of it."""
        room = self._world.rooms.rooms[room_of(match.id)]
        tick, hidden_from = 0, list[str]()
        if isinstance(event, MatchInput):
            tick, hidden_from = event.tick + 1, event.hidden_from
        expected = self._states.get(room.id, {})
        for seat in self._seats_here(room):
            viewer = SPECTATOR if seat is None else seated(seat)
            if viewer.key not in hidden_from:
                due = expected.setdefault(seat, _Due(match.id, 0, self._clock() + PATIENCE_S))
                due.match, due.tick = match.id, match.tick_shown(viewer.key, tick)
        if expected:
            self._states[room.id] = expected

    def _expect_show(self, event: SeatTaken | SpectatorJoined) -> None:
        """Expect all that shows a live match, for a socket that joins its room."""
        match = self._world.rooms.rooms[event.room].match
        is_here = node_of(event.socket) == self._node
        if match is not None and is_here and self._is_run_elsewhere(match):
            ask_at = self._clock() + PATIENCE_S
            self._joined[event.socket] = _Joined(match, event.user, ask_at)

    def state_shown(
        self, match: MatchId, tick: int, seat: int | None, *, players: bool, spectators: bool
    ) -> None:
        """Take note of a state that came for one seat, or without it for all that are named."""
        room = room_of(match)
        expected = self._states.get(room)
        if expected is None:
            return
        for viewer, due in list(expected.items()):
            is_for = spectators if viewer is None else players and seat in {None, viewer}
            if is_for and (due.match != match or tick >= due.tick):
                del expected[viewer]
        if not expected:
            del self._states[room]

    def match_shown(self, sockets: Iterable[SocketId]) -> None:
        """Take note that sockets which have joined were shown the match."""
        for socket in sockets:
            self._joined.pop(socket, None)

    def check(self) -> None:
        """Ask for what has not come in time, as long as it is to be shown."""
        if not (self._states or self._joined) or not self._owners.can_send:
            return
        now = self._clock()
        for room_id, expected in list(self._states.items()):
            for seat, due in list(expected.items()):
                if self._is_state_settled(seat, due, now):
                    del expected[seat]
            if not expected:
                del self._states[room_id]
        for socket, joined in list(self._joined.items()):
            if self._is_show_settled(socket, joined, now):
                del self._joined[socket]

    def _is_state_settled(self, seat: int | None, due: _Due, now: float) -> bool:
        """Return whether a state need not be waited for, after asking for it if it is time."""
        room = self._room_of(due.match)
        if room is None or seat not in self._seats_here(room):
            return True
        if now < due.ask_at:
            return False
        due.ask_at, due.pause_s = _later(now, due.pause_s)
        return self._repeat(room, seat)

    def _is_show_settled(self, socket: SocketId, joined: _Joined, now: float) -> bool:
        """Return whether a socket need not be shown its match, after asking if it is time."""
        room = self._room_of(joined.match)
        if room is None or not room.has_joined(joined.user, socket):
            return True
        if now < joined.ask_at:
            return False
        joined.ask_at, joined.pause_s = _later(now, joined.pause_s)
        return self._show(room, joined.user, socket)

    def _repeat(self, room: Room, seat: int | None) -> bool:
        """Have a state sent again; return whether that is done."""
        if not self._world.nodes.is_elsewhere(room.id, self._node):
            return self._shows.repeat(room, seat)
        self._owners.ask_to_repeat(room.id, seat)
        return False

    def _show(self, room: Room, user: UserId, socket: SocketId) -> bool:
        """Have a match shown to a socket; return whether that is done."""
        if not self._world.nodes.is_elsewhere(room.id, self._node):
            return self._shows.show(room, room.seat_of(user), socket)
        self._owners.ask_to_show(room.id, user, socket)
        return False

    def _room_of(self, match: MatchId) -> Room | None:
        """Return the room of a match that is live."""
        if match not in self._world.matches.live:
            return None
        return self._world.rooms.rooms[room_of(match)]

    def _is_run_elsewhere(self, match: MatchId) -> bool:
        return self._world.nodes.is_elsewhere(room_of(match), self._node)

    def _seats_here(self, room: Room) -> Iterator[int | None]:
        """Yield the seats with sockets of this node, and None if it has any of spectators."""
        for index, seat in enumerate(room.seats):
            if self._has_any(seat.sockets):
                yield index
        if self._has_any(room.spectator_sockets):
            yield None

    def _has_any(self, sockets: Iterable[SocketId]) -> bool:
        return any(node_of(socket) == self._node for socket in sockets)


def _later(now: float, pause_s: float) -> tuple[float, float]:
    """Return when something is asked for again, and the pause after that."""
    return now + pause_s, min(2 * pause_s, PAUSE_MAX_S)
