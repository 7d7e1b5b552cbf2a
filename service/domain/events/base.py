"""Base class of events, and the names of their streams."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET

from service.domain.ids import MatchId, RoomId, UserId

Position: TypeAlias = int
"""Global position of an event in the log: 1, 2, 3, ... in commit order, without gaps."""


LOG_STREAM = "log"
"""The name of the stream of the log itself."""


class FormerVersion(NamedTuple):
    """A schema version of an event that lacks fields of the next one, and else is the same."""

    schema_version: int
    needs_level: int
    lacks: tuple[str, ...]
    """The fields, which are unset where an event can be recorded with this version."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """A fact, named in the past tense; it belongs to exactly one `stream`.

    The fields of an event never change their meaning. A new form gets a higher
    `schema_version` and a function in `service.eventstore.upcasts` that lifts the older one.
    """

    type: ClassVar[str]
    schema_version: ClassVar[int] = 1
    opens_stream: ClassVar[bool] = False
    """Whether this must be the first event of its stream."""
    needs_level: ClassVar[int] = 1
    """The level that a node needs to read this type in its present schema version.

    A new type or schema version gets the next level. It must not be written before all live nodes
    have reached it, by `world.nodes.level`: an older node stops at an event that it can't read.
    """

    former: ClassVar[FormerVersion | None] = None
    """The schema version before, where the present one has only added fields that may be unset."""

    @property
    def written_version(self) -> int:
        """The lowest schema version that has all of this event: it is recorded with that one."""
        former = self.former
        if former is None or any(getattr(self, name) is not UNSET for name in former.lacks):
            return self.schema_version
        return former.schema_version

    @property
    def written_level(self) -> int:
        """The level that a node needs to read this event as it is recorded."""
        former = self.former
        if former is None or self.written_version == self.schema_version:
            return self.needs_level
        return former.needs_level

    @property
    def stream(self) -> str:
        """The stream that this event is appended to."""
        raise NotImplementedError


def node_stream(node: str) -> str:
    """Return the name of the stream of a node's incarnations."""
    return f"node:{node}"


def user_stream(user: UserId) -> str:
    """Return the name of the stream of a user's presence, lobby, invites and searches."""
    return f"user:{user}"


def queue_stream(game: str) -> str:
    """Return the name of a stream that is only locked: pairing players of a game is serialised."""
    return f"queue:{game}"


def room_stream(room: RoomId) -> str:
    """Return the name of the stream of a room."""
    return f"room:{room}"


def room_of_stream(stream: str) -> RoomId:
    """Return the room whose stream this is, or an empty text for a stream of anything else."""
    kind, _, room = stream.partition(":")
    return room if kind == "room" else ""


def match_stream(match: MatchId) -> str:
    """Return the name of the stream of a match."""
    return f"match:{match}"
