"""Keys by which the appends of several nodes are kept apart.

A command is decided on a world that may be behind the log. Its append is refused if the log has an
event since then that carries one of the keys which the decision depends on; it is decided again.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, NamedTuple

from service.domain.events.matches import MatchEvent, MatchStarted
from service.domain.events.rooms import RoomCreated, RoomMoved

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.domain.events.base import Event
    from service.domain.ids import RoomId


class Keys(NamedTuple):
    """The keys of an append."""

    needs: frozenset[str]
    """None of these may be carried by a later event than the decision knew."""
    marks: frozenset[str]
    """The events of the append carry these."""


def ownership(room: RoomId) -> str:
    """Return the key of the ownership of a room, which changes when the room is moved."""
    return f"own:{room}"


def keys_of(streams: AbstractSet[str], events: Iterable[Event]) -> Keys:
    """Return the keys of the events that a command with these `streams` has decided.

    What the owner of a live match records, such as inputs and outcomes, depends on the ownership of
    the room alone, and keeps nobody else from anything.
    """
    own: set[str] = set()
    changed: set[str] = set()
    for event in events:
        if isinstance(event, RoomMoved):
            changed.add(ownership(event.room))
        elif isinstance(event, RoomCreated):
            # Its id may have been chosen by the decision. Who has folded a part of these events
            # must not decide about the room before they know all of them.
            changed.add(event.stream)
        elif isinstance(event, MatchEvent) and not isinstance(event, MatchStarted):
            own.add(ownership(event.room))
    return Keys(frozenset(streams | own | changed), frozenset(streams | changed))
