"""What the nodes of a cluster have told of themselves, for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import text

from service.cluster.port import NodeReport

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from service.eventstore.reader import Reader

_NODES = text("""
    SELECT node, incarnation, level, report, head.position AS head,
        extract(epoch FROM clock_timestamp() - renewed_at)::float AS renewed_s,
        CASE WHEN lost THEN 'lost' WHEN expires_at <= clock_timestamp() THEN 'expired'
            ELSE 'valid' END AS lease
    FROM nodes CROSS JOIN (SELECT coalesce(max(position), 0) AS position FROM log_head) AS head
    ORDER BY node
""")


class NodeStatus(msgspec.Struct, frozen=True):
    """A node of the cluster, as of its last renewal."""

    node: str
    incarnation: int
    lease: str
    """`valid`; `expired`: it may be declared lost; or `lost`."""
    renewed_s: float
    """How long ago it renewed its lease, in seconds."""
    level: int
    """The highest level of events that it can read."""
    lag: int
    """How many events of the log it had not folded yet."""
    report: NodeReport


async def read_nodes(reader: Reader) -> list[NodeStatus]:
    """Return all nodes that ever joined; none on SQLite, or where a single process runs."""
    if reader.engine.dialect.name == "sqlite":
        return []
    async with reader.engine.connect() as connection:
        rows = (await connection.execute(_NODES)).mappings().all()
    return [_status(row) for row in rows]


def _status(row: RowMapping) -> NodeStatus:
    report = msgspec.convert(row["report"], NodeReport)
    return NodeStatus(
        node=row["node"],
        incarnation=row["incarnation"],
        lease=row["lease"],
        renewed_s=round(row["renewed_s"], 3),
        level=row["level"],
        lag=max(0, row["head"] - report.position),
        report=report,
    )
