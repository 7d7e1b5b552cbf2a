"""Expose the state of the parts as gauges of the metrics.

What the world of each node has of all nodes is counted at one of them, so that sums are right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.events.base import user_stream
from service.domain.events.matches import room_of
from service.domain.events.outbox import outbox_stream
from service.domain.ids import node_of

if TYPE_CHECKING:
    from service.app import Parts
    from service.domain.ids import Owner
    from service.domain.projections.world import World
    from service.http_parts import HttpParts


def expose_gauges(parts: Parts, http: HttpParts) -> None:
    """Let the metrics read the state of the parts whenever they are scraped."""
    parts.metrics.node(parts.node.node, parts.node.incarnation)
    log, world, member, node = parts.log, parts.world, parts.membership, parts.node
    parts.metrics.read(
        sockets_open=lambda: len(parts.hub),
        connections_waiting=lambda: len(http.admission_control),
        users_online=lambda: _users_online(world, node),
        rooms_open=lambda: _rooms_open(world, node),
        matches_live=lambda: _matches_live(world, node),
        append_queue_length=lambda: log.waiting,
        projection_lag_events=lambda: log.position - world.position,
        snapshot_age_seconds=lambda: parts.snapshots.age_s,
        bus_connected=lambda: member is not None and member.bus.is_connected,
        outbox_lag_seconds=lambda: max(parts.outbox.lag_s.values(), default=0),
        outbox_backlog=lambda: _outbox_backlog(world, node),
    )


def _users_online(world: World, node: Owner) -> int:
    """Count the users of this node; one with sockets on several nodes is counted at one of them."""
    users, nodes = world.presence.sockets, world.nodes
    if len(nodes.live) <= 1:
        return len(users)
    return sum(
        node_of(min(sockets)) == node if sockets else nodes.is_home(node, user_stream(user))
        for user, sockets in users.items()
    )


def _rooms_open(world: World, node: Owner) -> int:
    return sum(not world.nodes.is_elsewhere(room, node) for room in world.rooms.rooms)


def _matches_live(world: World, node: Owner) -> int:
    return sum(not world.nodes.is_elsewhere(room_of(match), node) for match in world.matches.live)


def _outbox_backlog(world: World, node: Owner) -> int:
    return sum(
        len(waiting)
        for consumer, waiting in world.outbox.waiting.items()
        if world.nodes.is_home(node, outbox_stream(consumer))
    )
