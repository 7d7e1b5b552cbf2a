"""Send the rooms and the clients of a node to other nodes before it stops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.domain.commands.nodes import DrainNode
from service.errors import ServiceError
from service.eventstore.records import Origin
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.app import Parts

CHECK_S = 0.05
"""How often it is checked whether there is still something to wait for."""

CLOSE_DELAY_S = 2.0
"""How long clients have to connect elsewhere after the longest delay that they choose."""

ORIGIN = Origin("drain")

logger = get_logger(__name__)


class Drain:
    """Empties this node of a cluster, while it goes on to serve."""

    def __init__(self, parts: Parts) -> None:
        """Take the parts of the service, which runs."""
        self._parts = parts

    async def run(self, wait_s: float) -> None:
        """Hand rooms over, wait for the balancer, and wait until clients have connected elsewhere.

        The node is not ready for `wait_s` before clients are told. Does nothing without another
        node that stays.
        """
        member, parts = self._parts.membership, self._parts
        if member is None or member.is_suspended() or not self._has_others():
            return
        began_at = asyncio.get_running_loop().time()
        member.is_draining = True
        logger.info("draining", metadata={"sockets": len(parts.hub), "wait_s": wait_s})
        try:
            await parts.engine.execute(DrainNode(parts.node.node, parts.node.incarnation), ORIGIN)
            kept = await parts.ownership.hand_over_all()
        except ServiceError as error:
            # The rooms are handed over when this node has left.
            logger.warning("rooms not handed over", metadata={"reason": error.message})
        else:
            logger.info("rooms handed over", metadata={"kept": kept})
        await self._wait(began_at + wait_s, self._has_others)
        delay_s = self._parts.settings.connections.drain_retry_ms / 1000 + CLOSE_DELAY_S
        if self._has_others():
            parts.endpoint.send_away(int(delay_s * 1000))
            until = asyncio.get_running_loop().time() + delay_s
            await self._wait(until, lambda: parts.endpoint.has_v1 and self._has_others())
        logger.info("drained", metadata={"sockets": len(parts.hub)})

    def _has_others(self) -> bool:
        """Return whether another node is live, and does not drain as well."""
        live, own = self._parts.world.nodes.live, self._parts.node.node
        return any(name != own and not node.draining for name, node in live.items())

    async def _wait(self, until: float, is_needed: Callable[[], bool]) -> None:
        """Wait until a time of the loop, but no longer than needed."""
        while is_needed() and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110 - by time
            await asyncio.sleep(CHECK_S)
