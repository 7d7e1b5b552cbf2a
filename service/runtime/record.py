"""The command that records events which were decided elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.events.matches import MatchEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.commands.base import Context
    from service.domain.events.base import Event
    from service.domain.projections.world import World


class Record(msgspec.Struct, frozen=True):
    """Record events as they are, such as the outcomes that a step of a live match has.

    It locks no stream. Commands on a room hold its lock while they wait for the outcomes of its
    match (`Gate.settled`): if those needed the lock, neither could proceed.
    """

    events: Sequence[Event] = ()

    def streams(self, _world: World) -> set[str]:
        """Return none."""
        return set()

    def decide(self, world: World, context: Context) -> Sequence[Event]:
        """Return the events, but none of a match that another node runs by now."""
        is_elsewhere, node = world.nodes.is_elsewhere, context.node
        return [
            event
            for event in self.events
            if not isinstance(event, MatchEvent) or not is_elsewhere(event.room, node)
        ]
