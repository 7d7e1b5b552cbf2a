"""State of one room: seats, members, phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from service.domain.events.base import Position
from service.domain.events.rooms import Visibility
from service.domain.ids import MatchId, RoomId, SocketId, UserId, is_bot
from service.domain.projections.room_options import RoomOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


Phase = Literal["gathering", "ready", "playing", "finished"]


BANNED_MAX = 1000
"""Maximum number of banned users in a room; the ones banned first may come back."""


class Seat(msgspec.Struct):
    """A player's seat. It belongs to the user, whichever sockets they have."""

    user: UserId | None = None
    """None while the seat is free."""
    sockets: set[SocketId] = set()
    """The player's sockets that have joined the room."""
    away_since: Position | None = None
    """The position at which the last of these sockets was closed; None while one is open."""
    excused: bool = False
    """Away because of a restart of the service: it does not count against the pause budget."""
    gone: bool = False
    """Left or forfeited during a match. Seat numbers stay until its end, when the seat is freed.

    A gone seat has no sockets: a player who has left gets no further messages.
    """

    @property
    def is_bot(self) -> bool:
        """Whether a bot of the service has the seat."""
        return is_bot(self.user)

    @property
    def is_present(self) -> bool:
        """Whether the player has a socket in the room, or needs none."""
        return bool(self.sockets) or (is_bot(self.user) and not self.gone)


class Room(msgspec.Struct):
    """A room; its match, if any, is in `Matches`."""

    id: RoomId
    game: str
    options: RoomOptions
    seats: list[Seat]
    seats_min: int
    created_at: Position
    hosted: bool = False
    """Whether a host created it; else it was created for the players of a match."""
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
    """The number of the latest match; higher than in any earlier room with this id."""
    ready: set[UserId] = set()
    """The players who are ready for the next match."""
    changed_at: Position = 0
    """The latest event that changed the room state shown to clients."""
    empty_since: Position | None = None
    """The position since which no socket is in the room, while no person plays in it."""

    @property
    def players(self) -> list[UserId]:
        """The users of all taken seats in order, including seats that are `gone`."""
        return [user for user, _ in self._taken_seats()]

    @property
    def player_sockets(self) -> list[SocketId]:
        """All sockets of players in the room."""
        return [socket for seat in self.seats for socket in seat.sockets]

    @property
    def spectator_sockets(self) -> list[SocketId]:
        """All sockets of spectators in the room."""
        return [socket for sockets in self.spectators.values() for socket in sockets]

    @property
    def sockets(self) -> list[SocketId]:
        """All sockets in the room."""
        return self.player_sockets + self.spectator_sockets

    @property
    def staying(self) -> list[int]:
        """The numbers of the seats whose players have neither left nor forfeited."""
        return [
            index
            for index, seat in enumerate(self.seats)
            if seat.user is not None and not seat.gone
        ]

    @property
    def staying_players(self) -> list[UserId]:
        """The players who have neither left nor forfeited."""
        return [user for user, seat in self._taken_seats() if not seat.gone]

    @property
    def staying_people(self) -> list[UserId]:
        """Those of them who are no bots."""
        return [user for user in self.staying_players if not is_bot(user)]

    @property
    def bots(self) -> list[UserId]:
        """The bots of the service among the players."""
        return [user for user in self.players if is_bot(user)]

    @property
    def unready(self) -> list[UserId]:
        """The players who are not ready; a bot always is."""
        return [user for user in self.players if user not in self.ready and not is_bot(user)]

    def seats_without(self, leavers: Collection[UserId]) -> list[Seat]:
        """Return the seats of the staying players who are none of `leavers`."""
        return [seat for user, seat in self._taken_seats() if not seat.gone and user not in leavers]

    @property
    def members(self) -> list[UserId]:
        """The players who stay, and the spectators; no bots, which are sent nothing."""
        return [*self.staying_people, *self.spectators]

    @property
    def away(self) -> list[UserId]:
        """The players who have lost their last socket and may still come back."""
        return [user for user, seat in self._taken_seats() if seat.away_since is not None]

    @property
    def free_seat(self) -> int | None:
        """The number of the first free seat, or None."""
        return next((index for index, seat in enumerate(self.seats) if seat.user is None), None)

    def seat_of(self, user: UserId) -> int | None:
        """Return the seat number of `user`, or None if they have none or are gone."""
        for index, seat in enumerate(self.seats):
            if seat.user == user and not seat.gone:
                return index
        return None

    def has_member(self, user: UserId) -> bool:
        """Return whether `user` is a player or spectator here."""
        return user in self.spectators or self.seat_of(user) is not None

    def has_joined(self, user: UserId, socket: SocketId) -> bool:
        """Return whether `socket` of `user` has joined this room."""
        seat = self.seat_of(user)
        if seat is not None:
            return socket in self.seats[seat].sockets
        return socket in self.spectators.get(user, ())

    def index_of(self, user: UserId) -> int:
        """Return the seat number of `user`, even if they are gone from a running match."""
        return next(index for index, seat in enumerate(self.seats) if seat.user == user)

    def remove_player_sockets(self, seat: Seat, lost: set[SocketId], position: Position) -> None:
        """Remove sockets of a player; without any left, the player is away."""
        if seat.sockets & lost:
            seat.sockets -= lost
            if not seat.sockets:
                seat.away_since = position
                self.changed_at = position
                self.note_empty(position)

    def remove_spectator_sockets(
        self, user: UserId, lost: set[SocketId], position: Position
    ) -> None:
        """Remove sockets of a spectator; without any left, so is the spectator."""
        sockets = self.spectators[user]
        sockets -= lost
        if not sockets:
            del self.spectators[user]
            self.changed_at = position
            self.note_empty(position)

    def note_empty(self, position: Position) -> None:
        """Set `empty_since` if no socket is in the room, and nobody plays but bots."""
        is_kept = self.phase == "playing" and self.staying_people
        if not is_kept and self.empty_since is None and not self.sockets:
            self.empty_since = position

    def ban(self, user: UserId) -> None:
        """Ban `user`; beyond `BANNED_MAX`, the ban of the one banned first ends."""
        self.banned[user] = None
        if len(self.banned) > BANNED_MAX:
            del self.banned[next(iter(self.banned))]

    def _taken_seats(self) -> Iterator[tuple[UserId, Seat]]:
        for seat in self.seats:
            if seat.user is not None:
                yield seat.user, seat
