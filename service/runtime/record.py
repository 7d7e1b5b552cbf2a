"""Command that records what was decided elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.commands.base import Context
    from service.domain.events.base import Event
    from service.domain.projections.world import World


class Record(msgspec.Struct, frozen=True):
    """Record events as they are: the rules of a live match brought them about by a step.

    It locks nothing. Commands on the room of a match wait, with their locks held, until what the
    match brought about is recorded (`Gate.settled`); if that wanted a lock, neither would go on.
    """

    events: Sequence[Event] = ()

    def streams(self, _world: World) -> set[str]:
        """Return none."""
        return set()

    def decide(self, _world: World, _context: Context) -> Sequence[Event]:
        """Return the events."""
        return self.events
