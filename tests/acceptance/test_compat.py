"""The Python client of 0.1.0, as it was released, against this service."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.acceptance.service_process import (
    PATIENCE_S,
    Running,
    StartService,
    fresh_id,
    token,
)
from tests.proxy import Proxy

KEPT = Path(__file__).parents[1] / "compat" / "0.1.0" / "client"
NAME = "client_of_0_1_0"


@pytest.fixture(scope="module")
def client() -> Iterator[ModuleType]:
    """Load the kept package under a name of its own."""
    spec = importlib.util.spec_from_file_location(
        NAME, KEPT / "__init__.py", submodule_search_locations=[str(KEPT)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    yield module
    for name in [one for one in sys.modules if one.partition(".")[0] == NAME]:
        del sys.modules[name]


async def expect(one: Any, type_: str, **fields: object) -> dict[str, Any]:
    """Take messages up to one of this type with these fields."""
    async with asyncio.timeout(PATIENCE_S):
        async for message in one:
            if message["type"] == type_ and fields.items() <= message.items():
                found: dict[str, Any] = message
                return found
    raise AssertionError(type_)


async def test_the_0_1_0_client_gets_acks_errors_and_messages(
    client: ModuleType, service: Running
) -> None:
    ana, ben = fresh_id(), fresh_id()
    async with (
        client.connect(service.ws_url, token(ana, "Ana")) as first,
        client.connect(service.ws_url, token(ben, "Ben")) as second,
    ):
        assert first.welcome["user"] == {"id": ana, "name": "Ana"}
        assert (await first.command("invite", to=ben))["position"] > 0
        assert (await expect(second, "invite:received"))["from"]["id"] == ana
        assert await second.send("invite:declined", **{"from": ana})
        await expect(first, "invite:declined")
        with pytest.raises(client.Refused) as refused:
            await first.command("invite", to=ana)
        assert refused.value.code == "SELF_INVITE"
        assert (await first.command("ping"))["type"] == "pong"


async def test_the_0_1_0_client_keeps_its_match_over_disconnects_and_a_restart(
    client: ModuleType, start_service: StartService
) -> None:
    service = start_service(WS_CHAT_PER_S="1000", WS_CHAT_BURST="1000")
    async with Proxy(int(service.ws_url.rpartition(":")[2])) as proxy:
        url = f"ws://127.0.0.1:{proxy.port}"

        def connect(user: int) -> Any:
            return client.connect(url, token(user, f"U{user}"), jitter=lambda: 0.05)

        ana, ben = fresh_id(), fresh_id()
        async with connect(ana) as first, connect(ben) as second:
            made = await first.command("room:create", game="pong", options={"duration_s": 2})
            room = made["roomId"]
            await second.command("room:join", roomId=room)
            for one in (first, second):
                await one.command("room:ready", roomId=room)
            await expect(first, "game:update")
            for text in ("1", "2", "3"):
                saying = asyncio.create_task(first.command("chat:send", roomId=room, text=text))
                # The command is on its way, or even carried out, when its connection breaks.
                await asyncio.sleep(0)
                proxy.reset_all()
                await saying
            await asyncio.to_thread(service.restart)
            proxy.target = int(service.ws_url.rpartition(":")[2])
            heard = [(await expect(second, "chat:message"))["text"] for _ in range(3)]
            assert heard == ["1", "2", "3"]
            over = await expect(second, "game:over", roomId=room)
            assert over["reason"] == "timeup"
