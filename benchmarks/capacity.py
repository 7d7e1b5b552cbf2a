"""Predict what a number of nodes can carry, from constants that were measured.

    python -m benchmarks.capacity --matches 3000 --nodes 3     predict one load
    python -m benchmarks.capacity --write                      write the tables of docs/scaling.md
    python -m benchmarks --json FILE "A nodes" "P nodes"       measure what the constants are from,
    python -m benchmarks.capacity --samples FILE --write       and take them

The constants, each with its source, and the runs that predictions are compared with are in
`capacity.json`. The model is linear in the number of matches, so the greatest load is that of the
scarcest resource.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import typer

FILE = Path(__file__).with_name("capacity.json")
PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"

_PART = re.compile(r"(<!-- capacity: begin -->\n).*?(<!-- capacity: end -->)", re.DOTALL)

CORE_SHARE_MAX = 0.7
"""How much of its core a node may use: above, frames are late."""

DATABASE_SHARE_MAX = 0.5
"""How much of one core the append function may use: it runs one call after the other."""

NODES = (1, 2, 3, 4, 6)

FRAME_HZ = 60
END_EVENTS_PER_S = 0.5
"""Events of a match and second besides inputs and checkpoints: serves, points, its end."""

SECONDS_A_DAY = 86400
NOTHING = 1e-9


class Constant(msgspec.Struct, frozen=True):
    """A cost, and where it is from."""

    value: float
    unit: str
    source: str


class Constants(msgspec.Struct, frozen=True):
    """All costs of the model; the units are in their names."""

    append_us: Constant
    batch_us: Constant
    batches_per_s: Constant
    commit_ms: Constant
    idle_share: Constant
    follow_us: Constant
    follow_batch_us: Constant
    match_ms: Constant
    frame_us: Constant
    join_ms: Constant
    connection_kib: Constant
    base_mib: Constant
    user_bytes: Constant
    room_bytes: Constant
    event_bytes: Constant


class Run(msgspec.Struct, frozen=True):
    """What was measured at a load."""

    date: str
    nodes: int
    matches: int
    node_share: float
    """The share of a core that the busiest node used."""
    database_share: float
    """The share of a core that PostgreSQL used."""
    commit_ms: float
    """The mean time of a commit, from the loop to the database and back."""


class Measured(msgspec.Struct, frozen=True):
    """The file."""

    constants: Constants
    runs: list[Run]


class Load(NamedTuple):
    """What a cluster has to carry: matches of Pong, and how their players behave."""

    matches: int
    keys_per_s: float = 2.0
    """Changes of keys of a player and second."""
    checkpoint_s: float = 1.0
    """WS_CHECKPOINT_S."""
    idle_share: float = 0.5
    """Users without a match, as a share of those in one."""
    joins_share: float = 1 / 600
    """Connections that join each second, as a share of all: each lasts ten minutes."""
    are_apart: bool = False
    """The players of each match are at different nodes; else they are by chance."""

    @property
    def events_per_s(self) -> float:
        """Events of all matches in a second."""
        return self.matches * (2 * self.keys_per_s + 1 / self.checkpoint_s + END_EVENTS_PER_S)

    @property
    def users(self) -> float:
        """Users who are online."""
        return 2 * self.matches * (1 + self.idle_share)


class Prediction(NamedTuple):
    """What a load costs with a number of nodes."""

    events_per_s: float
    node_share: float
    """The share of a core of each node."""
    database_share: float
    """The share of a core of the database, for appends alone."""
    commit_ms: float
    """The median time of an append: one commit of each node waits for those of all others."""
    node_mib: float
    """Memory of each node."""
    disk_gb_a_day: float
    """Growth of the database when the load lasts all day."""


def predict(constants: Constants, load: Load, nodes: int) -> Prediction:
    """Return what a load costs that is spread evenly over `nodes`."""
    events, others = load.events_per_s, 1 - 1 / nodes
    matches, users = load.matches / nodes, load.users / nodes
    # A room lives at the node of one of its players; the other one is elsewhere, maybe by chance.
    remote_frames = FRAME_HZ * matches * (float(nodes > 1) if load.are_apart else others)
    batches = min(events / nodes, constants.batches_per_s.value)
    return Prediction(
        events_per_s=events,
        node_share=constants.idle_share.value
        + matches * constants.match_ms.value / 1e3
        + (nodes - 1) * batches * constants.follow_batch_us.value / 1e6
        + events * others * constants.follow_us.value / 1e6
        # It sends as many as it gets.
        + 2 * remote_frames * constants.frame_us.value / 1e6
        + users * load.joins_share * constants.join_ms.value / 1e3,
        database_share=events * constants.append_us.value / 1e6
        + nodes * batches * constants.batch_us.value / 1e6,
        commit_ms=nodes * constants.commit_ms.value,
        node_mib=constants.base_mib.value
        + users * constants.connection_kib.value / 1024
        + load.users * constants.user_bytes.value / 1024**2
        + load.matches * constants.room_bytes.value / 1024**2,
        disk_gb_a_day=events * constants.event_bytes.value * SECONDS_A_DAY / 1e9,
    )


def greatest(constants: Constants, nodes: int, load: Load) -> tuple[int, str]:
    """Return how many matches `nodes` can carry, and what is used up then."""
    # Linear from here on: each node has as many batches a second as it can have.
    few, many = 1_000, 10_000
    low, high = (predict(constants, load._replace(matches=one), nodes) for one in (few, many))

    def most(at_few: float, at_many: float, limit: float) -> float:
        slope = (at_many - at_few) / (many - few)
        return few + (limit - at_few) / max(slope, NOTHING)

    limits = {
        "the nodes": most(low.node_share, high.node_share, CORE_SHARE_MAX),
        "the database": most(low.database_share, high.database_share, DATABASE_SHARE_MAX),
    }
    scarce = min(limits, key=limits.__getitem__)
    return max(0, int(limits[scarce])), scarce


def read() -> Measured:
    """Read the constants and the runs."""
    return msgspec.json.decode(FILE.read_bytes(), type=Measured)


def tables(measured: Measured) -> str:
    """Return the tables of the page."""
    return "\n".join([*_constants(measured), "", *_limits(measured), "", *_runs(measured), ""])


def _constants(measured: Measured) -> list[str]:
    constants = msgspec.structs.asdict(measured.constants)
    rows = [
        f"| `{name}` | {one.value:g} | {one.unit} | {one.source} |"
        for name, one in constants.items()
    ]
    return ["| constant | value | unit | source |", "|---|--:|---|---|", *rows]


def _limits(measured: Measured) -> list[str]:
    rows = []
    for nodes in NODES:
        often, scarce = greatest(measured.constants, nodes, Load(0))
        rare, scarce_then = greatest(measured.constants, nodes, Load(0, checkpoint_s=5))
        costs = predict(measured.constants, Load(often), nodes)
        rows.append(
            f"| {nodes} | {often:,} | {scarce} | {costs.node_share:.0%} | "
            f"{costs.database_share:.0%} | {costs.commit_ms:.0f} ms | {costs.node_mib:.0f} MiB | "
            f"{costs.disk_gb_a_day:.0f} GB | {rare:,} ({scarce_then}) |"
        )
    heads = (
        "| nodes | matches | used up first | a node's core | database's core | append | memory "
        "a node | disk a day | with `WS_CHECKPOINT_S=5` |"
    )
    return [
        heads,
        "|--:|--:|---|--:|--:|--:|--:|--:|--:|",
        *rows,
    ]


def _runs(measured: Measured) -> list[str]:
    if not measured.runs:
        return ["No run of a whole cluster is recorded yet: the table above is a prediction."]
    rows = []
    for run in measured.runs:
        # Of users who are all in a match, and stay.
        load = Load(run.matches, idle_share=0, joins_share=0, are_apart=True)
        costs = predict(measured.constants, load, run.nodes)
        rows.append(
            f"| {run.date} | {run.nodes} | {run.matches:,} | "
            f"{costs.node_share:.0%} / {run.node_share:.0%} | "
            f"{costs.database_share:.0%} / {run.database_share:.0%} | "
            f"{costs.commit_ms:.1f} / {run.commit_ms:.1f} ms |"
        )
    return [
        "| date | nodes | matches | a node's core (predicted / measured) | database | append |",
        "|---|--:|--:|--:|--:|--:|",
        *rows,
    ]


def page_with_tables(page: str, measured: Measured) -> str:
    """Return the page with these tables between its marks."""
    return _PART.sub(lambda found: f"{found[1]}{tables(measured)}{found[2]}", page)


def main(  # noqa: PLR0913 - each is an option of the command
    *,
    matches: Annotated[int, typer.Option(min=1, help="Live matches of Pong.")] = 1000,
    nodes: Annotated[int, typer.Option(min=1, max=100, help="Nodes.")] = 3,
    keys: Annotated[float, typer.Option(help="Changes of keys of a player and second.")] = 2.0,
    checkpoint: Annotated[float, typer.Option(min=0.1, help="WS_CHECKPOINT_S.")] = 1.0,
    samples: Annotated[
        list[Path] | None,
        typer.Option(help="Take the constants from what benchmarks --json wrote."),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write docs/scaling.md.")] = False,
) -> None:
    """Print what a load costs, and how much the nodes could carry."""
    measured = read()
    if samples:
        # Imported here, since a prediction needs nothing of the benchmarks.
        from benchmarks.calibration import calibrated, read_samples  # noqa: PLC0415 - see above

        today = dt.datetime.now(dt.UTC).date().isoformat()
        measured = calibrated(measured, read_samples(samples), today)
        FILE.write_bytes(msgspec.json.format(msgspec.json.encode(measured)) + b"\n")
    if write:
        PAGE.write_text(page_with_tables(PAGE.read_text(), measured))
        return
    load = Load(matches, keys_per_s=keys, checkpoint_s=checkpoint)
    for name, value in predict(measured.constants, load, nodes)._asdict().items():
        typer.echo(f"{name:>16} {value:,.2f}")
    most, scarce = greatest(measured.constants, nodes, load)
    typer.echo(f"{nodes} nodes carry {most:,} such matches; {scarce} are used up first")


if __name__ == "__main__":
    typer.run(main)
