"""Gauges of several nodes: what all of them know is counted at one, so that sums are right."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from service.domain.events.matches import MatchEnded
from service.domain.events.outbox import ConsumerSubscribed
from service.domain.ids import Owner
from service.domain.projections.world import World
from service.gauges import expose_gauges
from service.telemetry import Metrics
from tests.unit.domain.decisions.histories import ANA, BEN, CLEO, lost, made, online, playing
from tests.unit.domain.decisions.histories import world_after as world_of
from tests.unit.domain.decisions.test_nodes import N1, N2, on, start

WORLD_GAUGES = ("users_online", "rooms_open", "matches_live", "outbox_backlog")


def gauges(world: World, node: Owner) -> dict[str, float | None]:
    """Return what a node exposes of its world."""
    metrics = Metrics()
    parts: Any = SimpleNamespace(
        metrics=metrics,
        world=world,
        node=node,
        membership=None,
        log=SimpleNamespace(position=world.position, waiting=0),
        hub=(),
        snapshots=SimpleNamespace(age_s=0),
        outbox=SimpleNamespace(lag_s={}),
    )
    http: Any = SimpleNamespace(admission_control=())
    expose_gauges(parts, http)
    value = metrics.registry.get_sample_value
    assert value("ws_node_info", {"node": node.node, "incarnation": str(node.incarnation)}) == 1
    return {name: value(f"ws_{name}") for name in WORLD_GAUGES}


def test_the_only_node_counts_everything() -> None:
    world = world_of(*playing(ANA, BEN), *online(CLEO), *lost(CLEO), *made(room="other"))
    assert gauges(world, N1) == {
        "users_online": 3,
        "rooms_open": 2,
        "matches_live": 1,
        "outbox_backlog": 0,
    }


def test_what_all_nodes_know_is_counted_once() -> None:
    consumers = [ConsumerSubscribed(consumer=f"webhook-{number}") for number in range(20)]
    ended = MatchEnded(match="room-1", tick=0, reason="timeup", winner=None, scores=[0, 0], hash="")
    world = world_of(
        start("n2"),
        *consumers,
        *playing(ANA, BEN, game="pong"),
        ended,
        *on("n2", CLEO, *range(10, 30)),
        *(event for user in range(30, 50) for event in online(user)),
        *lost(*range(30, 50)),
        *made(room="other", owner=N2),
    )
    one, two = gauges(world, N1), gauges(world, N2)
    both = {name: (one[name] or 0) + (two[name] or 0) for name in WORLD_GAUGES}
    assert both == {"users_online": 43, "rooms_open": 2, "matches_live": 0, "outbox_backlog": 20}
    assert min(one["users_online"] or 0, two["users_online"] or 0) > 2
    assert (one["rooms_open"], two["rooms_open"]) == (1, 1)
    assert min(one["outbox_backlog"] or 0, two["outbox_backlog"] or 0) > 0
