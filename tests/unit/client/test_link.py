"""When a silent link is declared dead."""

from __future__ import annotations

from typing import cast

import aiohttp
import pytest

from service.client.link import Link

HEARTBEAT = aiohttp.WSMessage(aiohttp.WSMsgType.TEXT, '{"type":"heartbeat","position":7}', None)


class FakeWebSocket:
    """Lets timeouts pass before it sends a message."""

    def __init__(self, limits_passed: int) -> None:
        self._limits_passed = limits_passed

    async def receive(self, _within_s: float) -> aiohttp.WSMessage:
        if self._limits_passed:
            self._limits_passed -= 1
            raise TimeoutError
        return HEARTBEAT


def link(limits_passed: int) -> Link:
    return Link(cast("aiohttp.ClientWebSocketResponse", FakeWebSocket(limits_passed)))


async def test_buffered_data_is_read_before_a_link_is_declared_dead() -> None:
    assert (await link(1).receive(25))["type"] == "heartbeat"


async def test_a_silent_link_is_declared_dead() -> None:
    with pytest.raises(TimeoutError):
        await link(2).receive(25)
