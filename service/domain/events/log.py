"""Events of the log itself."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from service.domain.events.base import LOG_STREAM, Event, Position


class LogArchived(Event, frozen=True):
    """Events were moved out of the log into an archive, in the transaction of this event.

    Without them the world is the same. They are all those that are missing between two positions
    and that no other archive has.
    """

    type: ClassVar[str] = "log.archived"
    needs_level: ClassVar[int] = 2
    first: Position = msgspec.field(name="from")
    last: Position = msgspec.field(name="to")
    count: int
    digest: str
    """SHA-256 of all rows in the order of the log, as `service.eventstore.archive_file` says."""
    file: str
    """The name of the file, without its directory."""

    @property
    def stream(self) -> str:
        """The stream of all such events."""
        return LOG_STREAM
