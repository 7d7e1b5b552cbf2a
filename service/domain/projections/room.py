"""One room: its seats, its members, and how it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from service.domain.events.base import Position
from service.domain.events.rooms import Visibility
from service.domain.ids import MatchId, RoomId, SocketId, UserId
from service.domain.projections.room_options import RoomOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


Phase = Literal["gathering", "ready", "playing", "finished"]


BANNED_MAX = 1000
"""How many users a host may have sent out of one room; the oldest may come back."""


class Seat(msgspec.Struct):
    """One player's place; it belongs to the user, not to a tab."""

    user: UserId | None = None
    """None while the seat is free."""
    sockets: set[SocketId] = set()
    """The tabs that show the game."""
    away_since: Position | None = None
    """The event that took the last of these tabs."""
    excused: bool = False
    """Away since the service itself was: that is no pause of this player's."""
    gone: bool = False
    """Left or forfeited in a match, whose numbers of seats stay; the seat is free at its end.

    It has no sockets any more: nobody who has left hears of what follows.
    """


class Room(msgspec.Struct):
    """One room."""

    id: RoomId
    game: str
    options: RoomOptions
    seats: list[Seat]
    seats_min: int
    created_at: Position
    hosted: bool = False
    """Whether it was opened by a host, and not made for certain users."""
    host: UserId | None = None
    visibility: Visibility = "public"
    password: str | None = None
    metadata: dict[str, Any] = {}
    locked: bool = False
    banned: dict[UserId, None] = {}
    spectators: dict[UserId, set[SocketId]] = {}
    spectators_max: int = 0
    phase: Phase = "gathering"
    match: MatchId | None = None
    last_match: int = 0
    """The number of the last match, which no match of an earlier room of this id has."""
    ready: set[UserId] = set()
    """Who wants the next match to start."""
    changed_at: Position = 0
    """The last event that changed what members and lists show of the room."""
    empty_since: Position | None = None
    """The event since which nobody looks at it, while nothing is played."""

    @property
    def players(self) -> list[UserId]:
        """The users of all seats that are not free, in their order."""
        return [user for user, _ in self._taken_seats()]

    @property
    def player_sockets(self) -> list[SocketId]:
        """Every tab of a player that shows the game."""
        return [socket for seat in self.seats for socket in seat.sockets]

    @property
    def spectator_sockets(self) -> list[SocketId]:
        """Every tab of a spectator."""
        return [socket for sockets in self.spectators.values() for socket in sockets]

    @property
    def sockets(self) -> list[SocketId]:
        """Every tab that shows the game."""
        return self.player_sockets + self.spectator_sockets

    @property
    def staying(self) -> list[int]:
        """The seats whose players have neither left nor forfeited."""
        return [
            index
            for index, seat in enumerate(self.seats)
            if seat.user is not None and not seat.gone
        ]

    @property
    def staying_players(self) -> list[UserId]:
        """The users of the seats whose players have neither left nor forfeited."""
        return [user for user, seat in self._taken_seats() if not seat.gone]

    def seats_without(self, leavers: Collection[UserId]) -> list[Seat]:
        """Return the seats of the staying players who are none of `leavers`."""
        return [seat for user, seat in self._taken_seats() if not seat.gone and user not in leavers]

    @property
    def members(self) -> list[UserId]:
        """Those who sit, and those who watch."""
        return [*self.staying_players, *self.spectators]

    @property
    def away(self) -> list[UserId]:
        """The players who have no tab open any more and may come back."""
        return [user for user, seat in self._taken_seats() if seat.away_since is not None]

    @property
    def free_seat(self) -> int | None:
        """The first seat that is free, or None."""
        return next((index for index, seat in enumerate(self.seats) if seat.user is None), None)

    def seat_of(self, user: UserId) -> int | None:
        """Return where `user` sits, or None when they have no seat here, or no longer."""
        for index, seat in enumerate(self.seats):
            if seat.user == user and not seat.gone:
                return index
        return None

    def has_member(self, user: UserId) -> bool:
        """Tell whether `user` sits or watches here."""
        return user in self.spectators or self.seat_of(user) is not None

    def shows(self, user: UserId, socket: SocketId) -> bool:
        """Tell whether `socket` of `user` shows this room."""
        seat = self.seat_of(user)
        if seat is not None:
            return socket in self.seats[seat].sockets
        return socket in self.spectators.get(user, ())

    def index_of(self, user: UserId) -> int:
        """Return the number of the seat of `user`, also when they have left it during a match."""
        return next(index for index, seat in enumerate(self.seats) if seat.user == user)

    def lose_tabs(self, seat: Seat, lost: set[SocketId], position: Position) -> None:
        """Take tabs of a player away; without any, the player is away."""
        if seat.sockets & lost:
            seat.sockets -= lost
            if not seat.sockets:
                seat.away_since = position
                self.changed_at = position
                self.note_empty(position)

    def lose_spectator_tabs(self, user: UserId, lost: set[SocketId], position: Position) -> None:
        """Take tabs of a spectator away; without any, they watch no longer."""
        sockets = self.spectators[user]
        sockets -= lost
        if not sockets:
            del self.spectators[user]
            self.changed_at = position
            self.note_empty(position)

    def note_empty(self, position: Position) -> None:
        """Record since when no tab shows the room, if none does and nothing is played."""
        if self.phase != "playing" and self.empty_since is None and not self.sockets:
            self.empty_since = position

    def ban(self, user: UserId) -> None:
        """Let `user` in no more; beyond `BANNED_MAX`, the one banned first may come back."""
        self.banned[user] = None
        if len(self.banned) > BANNED_MAX:
            del self.banned[next(iter(self.banned))]

    def _taken_seats(self) -> Iterator[tuple[UserId, Seat]]:
        for seat in self.seats:
            if seat.user is not None:
                yield seat.user, seat
