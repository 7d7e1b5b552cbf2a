"""Commands of nodes: start, loss, drain, and the handover of rooms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from service.domain.commands.boundaries import RoomCommand
from service.domain.events import LEVEL
from service.domain.events.base import Event, node_stream
from service.domain.events.nodes import NodeDraining, NodeLost, NodeStarted
from service.domain.events.rooms import RoomMoved
from service.domain.ids import Owner

if TYPE_CHECKING:
    from service.domain.commands.base import Context
    from service.domain.projections.world import World


class _NodeCommand(msgspec.Struct, frozen=True):
    node: str

    def streams(self, _world: World) -> set[str]:
        """The node."""
        return {node_stream(self.node)}


class StartNode(_NodeCommand, frozen=True):
    """Start an incarnation of a node, before it accepts its first socket."""

    incarnation: int | None = None
    """Its number, by the lease of the node; None for the one after the last in the log."""
    alive: frozenset[Owner] = frozenset()
    """The other nodes that hold a lease: all others of the log are lost."""

    def streams(self, world: World) -> set[str]:
        """All live nodes, and this one."""
        return {node_stream(name) for name in (self.node, *world.nodes.live)}

    def decide(self, world: World, context: Context) -> list[Event]:
        """Declare nodes without a lease lost, and start.

        The start itself ends the node's earlier incarnation; only where other nodes take over its
        rooms, its loss is an event of its own.
        """
        nodes = world.nodes
        live = nodes.live_owners()
        others = [one for one in live if one.node != self.node and one in self.alive]
        lost = [
            NodeLost(node=one.node, incarnation=one.incarnation)
            for one in live
            if one not in self.alive and (one.node != self.node or others)
        ]
        incarnation = nodes.incarnations.get(self.node, 0) + 1
        started = NodeStarted(
            node=self.node,
            incarnation=incarnation if self.incarnation is None else self.incarnation,
            level=LEVEL,
            rules=context.games.every_rules(),
            code=context.code,
            alone=not others,
        )
        return [*lost, started]


class LoseNode(_NodeCommand, frozen=True):
    """Declare an incarnation of a node lost, whose lease has expired."""

    incarnation: int

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Declare it lost, unless that has happened, or a later one has started."""
        if not world.nodes.is_live(Owner(self.node, self.incarnation)):
            return []
        return [NodeLost(node=self.node, incarnation=self.incarnation)]


class DrainNode(_NodeCommand, frozen=True):
    """Announce that an incarnation of a node is about to stop."""

    incarnation: int

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Announce it, once."""
        is_live = world.nodes.is_live(Owner(self.node, self.incarnation))
        if not is_live or world.nodes.live[self.node].draining:
            return []
        return [NodeDraining(node=self.node, incarnation=self.incarnation)]


class MoveRoom(RoomCommand, frozen=True):
    """Hand a room, with its live match, to another node."""

    to: Owner
    stand_still: Callable[[], Sequence[Event]] = tuple
    """Stops the live match, and returns the events from which the heir goes on."""

    def streams(self, _world: World) -> set[str]:
        """The room, and the node that is to own it."""
        return super().streams(_world) | {node_stream(self.to.node)}

    def decide(self, world: World, context: Context) -> list[Event]:
        """Move it, if this node owns it, and the other one lasts and runs its match's rules."""
        nodes = world.nodes
        if nodes.owner_of(self.room) != context.node or self.to == context.node:
            return []
        rules = nodes.playing.get(self.room)
        heir = nodes.live.get(self.to.node) if nodes.is_live(self.to) else None
        if heir is None or heir.draining or (rules is not None and rules not in heir.rules):
            return []
        moved = RoomMoved(room=self.room, to=self.to.node, to_incarnation=self.to.incarnation)
        return [*self.stand_still(), moved]
