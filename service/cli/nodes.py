"""`ws-service nodes`: the nodes of the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from rich.table import Table

from service.cli.common import console, opened_log, run
from service.cluster.status import read_nodes

if TYPE_CHECKING:
    from service.cluster.status import NodeStatus


def nodes(*, as_json: bool) -> None:
    """Show the nodes of the cluster with their leases."""
    found = run(_read())
    if as_json:
        print(msgspec.json.encode(found).decode())
    elif not found:
        print("no node has joined: this log is used by one process at a time")
    else:
        console().print(_table(found))


async def _read() -> list[NodeStatus]:
    async with opened_log() as reader:
        return await read_nodes(reader)


def _table(found: list[NodeStatus]) -> Table:
    table = Table("node", "lease", "renewed", "incarnation", "sockets", "rooms", "lag", "bus")
    for column in table.columns[2:7]:
        column.justify = "right"
    for one in found:
        report = one.report
        table.add_row(
            one.node,
            f"{one.lease}, draining" if report.draining and one.lease == "valid" else one.lease,
            f"{one.renewed_s:.1f} s ago",
            str(one.incarnation),
            f"{report.sockets:,}",
            f"{report.rooms:,}",
            f"{one.lag:,}",
            "ok" if report.bus_ok else "not connected",
        )
    return table
