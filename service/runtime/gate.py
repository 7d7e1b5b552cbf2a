"""What the engine needs of the live matches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.events.base import Event
    from service.domain.events.matches import MatchEvent
    from service.domain.ids import MatchId


class Hold(Protocol):
    """Keeps a live match from stepping past an event that is not committed yet."""

    def release(self) -> None:
        """Let the match run on; the owner of the hold calls this exactly once."""


class Gate(Protocol):
    """The live matches, as far as commands wait for them."""

    def is_settled(self, streams: set[str], /) -> bool:
        """Return whether no match of these rooms waits for the commit of an outcome."""

    async def settled(self, streams: set[str]) -> None:
        """Wait until `is_settled`; raise `Unavailable` while the log can't be written."""

    def hold(self, event: MatchEvent) -> Hold | None:
        """Stop the match of `event` before its tick; return None if nothing has to be held."""

    def may_wait_s(self, events: Sequence[Event]) -> float:
        """Return in how many seconds the commit of events is needed; 0 for at once."""

    def move_failed(self, match: MatchId, seat: int) -> None:
        """Count a move over which the rules failed; too many in a row end the match."""
