"""The figures of clusters, beside a single node."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks import workloads
from benchmarks.figures import DELIVERY_UNIT, ONE_BY_ONE, Figure

if TYPE_CHECKING:
    from benchmarks.clusters import Clusters
    from benchmarks.scale import Scale

APPENDS, RELAY, MATCHES = "A nodes", "F1 nodes", "P nodes"
"""Keys."""

NODES = {1: "1 node", 2: "2 nodes", 3: "3 nodes"}
TOGETHER = "3 nodes, players of a match at one"

START_S = 4.0
"""How long the nodes of a cluster take to start, and to find each other."""


def cluster_figures(scale: Scale, clusters: Clusters) -> list[Figure]:
    """Return the figures of clusters in the order of the table; a quick run has none."""
    if not scale.all_peers:
        return []
    appends, relay, play = clusters.appends, clusters.relay, clusters.matches
    count, span = scale.compared_matches, scale.match_span
    alone = {"SQLite": "sqlite", "PostgreSQL, no cluster": "postgres"}
    return [
        Figure(
            APPENDS,
            "durable appends, 128 producers over all nodes, both cores",
            "events/s",
            {
                **{
                    f"1 node, {name}": partial(appends, 1, database=kind, seconds=scale.append_s)
                    for name, kind in alone.items()
                },
                **{
                    name: partial(appends, nodes, seconds=scale.append_s)
                    for nodes, name in NODES.items()
                },
            },
            seconds=scale.append_s + 2.5,
        ),
        Figure(
            RELAY,
            "as F1, the members of the room spread over the nodes of a cluster",
            DELIVERY_UNIT,
            {name: partial(relay, nodes, ONE_BY_ONE, scale.span) for nodes, name in NODES.items()},
            seconds=sum(scale.span[:2]) + START_S + 2,
        ),
        Figure(
            MATCHES,
            f"{count} live matches of Pong, the players of each at different nodes",
            "CPU ms per match-second",
            {
                **{name: partial(play, nodes, count, span) for nodes, name in NODES.items()},
                TOGETHER: partial(play, 3, count, span, are_apart=False),
            },
            seconds=sum(scale.match_span[:2]) + workloads.START_DELAY_S + START_S + count / 50,
        ),
    ]
