"""A process that holds a lease, to be killed or stopped: `python lease_holder.py CONNINFO NODE`."""

from __future__ import annotations

import asyncio
import sys

from service.cluster.lease import PostgresLease
from service.cluster.port import NodeReport


async def hold(conninfo: str, node: str) -> None:
    """Join, say so, and renew the lease until it is lost."""
    lease = PostgresLease(conninfo, node, fingerprint={}, level=1)
    await lease.claim()
    await lease.join()
    sys.stdout.write("joined\n")
    sys.stdout.flush()
    await lease.run(NodeReport, lambda _owner: None)


if __name__ == "__main__":
    asyncio.run(hold(*sys.argv[1:]))
