"""Which events an archive takes: those of rooms that are closed, with the matches played in them.

A room may be created again under the same id, so its events are told apart by *cycles*, each from
one `room.created` to the next. Nothing here decides that the world is the same without a cycle;
that is proved by folding (`archive_proof`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.events.matches import MatchEnded, MatchStarted, room_of
from service.domain.events.rooms import RoomClosed, RoomCreated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.domain.events.base import Event, Position
    from service.domain.ids import MatchId, RoomId, UserId
    from service.eventstore.records import Row


class Cycle(msgspec.Struct):
    """The events of a room from its creation on, with those of its matches."""

    room: RoomId
    first: Position
    last: Position
    recorded_at: int
    """When the latest of them was recorded, in microseconds since 1970."""
    visibility: str
    count: int = 0
    is_closed: bool = False
    is_whole: bool = True
    """Whether all of its events can be read and are folded."""
    live: set[MatchId] = msgspec.field(default_factory=set)
    matches: set[MatchId] = msgspec.field(default_factory=set)
    users: set[UserId] = msgspec.field(default_factory=set)
    """The users whom its events name."""

    def is_over(self, before_us: int) -> bool:
        """Return whether it ended, with all of its matches, before a time."""
        return self.is_closed and self.is_whole and not self.live and self.recorded_at < before_us


class CycleFinder:
    """Assigns rows to cycles; each pass through the log takes a new one."""

    def __init__(self) -> None:
        """Begin before the first event."""
        self._of_rooms: dict[RoomId, Position] = {}

    def first_of(self, row: Row) -> Position | None:
        """Return the first position of the row's cycle; None for a row of anything else."""
        kind, _, name = row.stream.partition(":")
        if kind == "room":
            if row.type == RoomCreated.type:
                self._of_rooms[name] = row.position
            return self._of_rooms.get(name)
        return self._of_rooms.get(room_of(name)) if kind == "match" else None


class Survey:
    """Collects all cycles of a log."""

    def __init__(self) -> None:
        """Begin before the first event."""
        self.cycles: dict[Position, Cycle] = {}
        self._finder = CycleFinder()

    def add(self, row: Row, event: Event | None) -> None:
        """Add the next row; without its event it is one that was skipped."""
        first = self._finder.first_of(row)
        if first is None:
            return
        cycle = self.cycles.get(first)
        if cycle is None:
            visibility = event.visibility if isinstance(event, RoomCreated) else ""
            room = row.stream.partition(":")[2]
            cycle = Cycle(room, first, first, row.recorded_at, visibility)
            self.cycles[first] = cycle
        cycle.last = row.position
        cycle.count += 1
        cycle.recorded_at = max(cycle.recorded_at, row.recorded_at)
        if event is None:
            cycle.is_whole = False
            return
        if isinstance(event, RoomClosed):
            cycle.is_closed = True
        elif isinstance(event, MatchStarted):
            cycle.live.add(event.match)
            cycle.matches.add(event.match)
        elif isinstance(event, MatchEnded):
            cycle.live.discard(event.match)
        cycle.users.update(_users_in(event))

    def over(self, before_us: int, *, head: Position) -> dict[Position, Cycle]:
        """Return the cycles that ended before a time, and do not reach to the head."""
        return {
            first: cycle
            for first, cycle in self.cycles.items()
            if cycle.is_over(before_us) and cycle.last < head
        }


def oldest(cycles: Iterable[Cycle], rows_max: int) -> list[Cycle]:
    """Return the oldest cycles, with at most `rows_max` rows together but at least one cycle."""
    taken: list[Cycle] = []
    count = 0
    for cycle in sorted(cycles, key=lambda one: one.first):
        count += cycle.count
        if taken and count > rows_max:
            break
        taken.append(cycle)
    return taken


def unnamed(cycles: Iterable[Cycle], names: set[int | str]) -> list[Cycle]:
    """Return the cycles whose room and matches are not among `names`."""
    return [one for one in cycles if one.room not in names and not one.matches & names]


def _users_in(event: Event) -> Iterable[int | str]:
    user = getattr(event, "user", None)
    if user is not None:
        yield user
    yield from getattr(event, "players", ())
