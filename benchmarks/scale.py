"""How much is measured in a full run, and in a quick one."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.workloads import Span


class Scale(NamedTuple):
    """The extent of a run."""

    rounds: int
    span: Span
    match_span: Span
    idle: int
    joins: tuple[int, int]
    matches: int
    """Live matches at 60 frames a second."""
    thinned_matches: int
    """Live matches whose clients ask for 30."""
    compared_matches: int
    """Live matches whose CPU time is compared."""
    events: tuple[int, int]
    append_s: float
    all_peers: bool


QUICK = Scale(
    rounds=1,
    span=Span(0.2, 0.4),
    match_span=Span(0.2, 0.8),
    idle=500,
    joins=(100, 500),
    matches=50,
    thinned_matches=50,
    compared_matches=50,
    events=(10_000, 100_000),
    append_s=0.3,
    all_peers=False,
)
# Measured with Fastify on a busy machine: medians of windows of 1 s are within 3 % of those of 5 s,
# with a spread of 6 to 10 % instead of 5 %, which five rounds make up for. What matters more is the
# warm-up: after 0.7 s at an eighth of the load, a unit of work costs 8 % more.
FULL = Scale(
    rounds=5,
    span=Span(0.7, 1.0),
    match_span=Span(0.7, 2.0),
    idle=4000,
    joins=(500, 2000),
    matches=450,
    thinned_matches=700,
    compared_matches=100,
    events=(10_000, 1_000_000),
    append_s=1.2,
    all_peers=True,
)
