"""Expose the state of the parts as gauges of the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.app import Parts


def expose_gauges(parts: Parts) -> None:
    """Let the metrics read the state of `parts` whenever they are scraped."""
    parts.metrics.node(parts.node.node, parts.node.incarnation)
    log, world, member = parts.log, parts.world, parts.membership
    parts.metrics.read(
        sockets_open=lambda: len(parts.hub),
        connections_waiting=lambda: len(parts.admission_control),
        users_online=lambda: len(world.presence.sockets),
        rooms_open=lambda: len(world.rooms.rooms),
        matches_live=lambda: len(world.matches.live),
        append_queue_length=lambda: log.waiting,
        projection_lag_events=lambda: log.position - world.position,
        snapshot_age_seconds=lambda: parts.snapshots.age_s,
        bus_connected=lambda: member is not None and member.bus.is_connected,
        outbox_lag_seconds=lambda: max(parts.outbox.lag_s.values(), default=0),
        outbox_backlog=lambda: sum(map(len, world.outbox.waiting.values())),
    )
