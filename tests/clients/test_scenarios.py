"""One suite against both clients: neither loses, repeats or reorders messages of the log.

Each client speaks with the real service through a proxy that cuts, stalls, delays and trickles.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from service.client import Client, connect
from tests.acceptance.service_process import Running, fresh_id, make_token, token
from tests.clients.drivers import Driven, Driver, Failed, JavaScriptDriver, PythonDriver
from tests.proxy import Proxy, Way

pytestmark = pytest.mark.node

AT_ONCE = 50
"""How many clients are cut off together."""

STEP = int(os.environ.get("CUT_STEP", "23"))
"""After which bytes of a greeting it is cut: every one by `CUT_STEP=1`, as in `make torture`.

By default every 23rd, the first by chance, so that all are tried over the runs; and those around
the ends of messages always.
"""

HEARTBEAT_S = 1


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(
        tmp_path_factory.mktemp("service") / "data",
        {
            "WS_HEARTBEAT_S": str(HEARTBEAT_S),
            "WS_SOCKETS_PER_USER_MAX": "10000",
            "WS_CHAT_PER_S": "1000",
            "WS_CHAT_BURST": "10000",
            "WS_MESSAGES_PER_S": "1000",
            "WS_MESSAGES_BURST": "1000",
            "WS_PRESENCE_GRACE_S": "60",
            "WS_ROOM_EMPTY_S": "600",
            "WS_INVITE_TTL_S": "600",
            "WS_UNAUTHENTICATED_PER_IP_MAX": "0",
        },
        dev=False,
    )
    running.start()
    yield running
    running.stop()


@pytest.fixture(params=["python", "javascript"])
async def driver(request: pytest.FixtureRequest) -> AsyncIterator[Driver]:
    driver = PythonDriver() if request.param == "python" else await JavaScriptDriver.start()
    yield driver
    await driver.stop()


def port_of(service: Running) -> int:
    return int(service.url.rpartition(":")[2])


def said(service: Running, user: int) -> list[int]:
    """Return the positions of all that a user has said, as the log has them."""
    return [
        one.position
        for one in service.events()
        if one.type == "chat.said" and one.data["author"] == user
    ]


async def raw_greeting(service: Running, user: int) -> bytes:
    """Return all bytes of a first connection, up to the end of the greeting."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(service))
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        "GET / HTTP/1.1",
        f"Host: 127.0.0.1:{port_of(service)}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
        f"Sec-WebSocket-Protocol: ws-service.v1, bearer.{token(user)}",
    )
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    data = b""
    while b'"greeted","to"' not in data:
        data += await reader.read(65_536)
    writer.close()
    return data


@pytest.mark.timeout(300)
async def test_a_greeting_cut_after_any_byte_is_delivered_once(
    service: Running, driver: Driver
) -> None:
    ana, ben = fresh_id(), fresh_id()
    async with (
        connect(service.ws_url, token(ben)) as waiting,
        connect(service.ws_url, token(ana)) as inviter,
    ):
        await inviter.command("invite", to=ben)
        whole = await raw_greeting(service, ben)
        first = whole.index(b"\r\n\r\n") + 4
        # The header of a server's frame begins with 0x81, which no text of JSON holds.
        ends = [at for at in range(first, len(whole)) if whole[at] == 0x81]
        some = range(first + random.randrange(STEP), len(whole) + 1, STEP)  # noqa: S311 - no secret depends on it
        counts = sorted({*some, *(at + near for at in ends for near in (0, 1, 4))})
        for start in range(0, len(counts), AT_ONCE):
            await cut_after(counts[start : start + AT_ONCE], service, driver, ben, inviter)
        assert waiting.welcome


async def cut_after(
    counts: Sequence[int], service: Running, driver: Driver, user: int, inviter: Client
) -> None:
    """Cut first connections after so many bytes; each client must receive everything."""

    async def cut(count: int) -> Driven:
        proxy = await stack.enter_async_context(Proxy(port_of(service)))
        proxy.next_to_client = [Way(cut_after=count)]
        client = await driver.open(f"ws://127.0.0.1:{proxy.port}", token(user))
        stack.push_async_callback(client.close)
        await client.until(lambda: proxy.accepted > 1 and is_greeted(client))
        return client

    async with AsyncExitStack() as stack:
        clients = await asyncio.gather(*(cut(count) for count in counts))
        texts = [f"{counts[0]} and one", f"{counts[0]} and two"]
        for text in texts:
            await inviter.command("chat:send", to=user, text=text)
        for count, client in zip(counts, clients, strict=True):
            await client.hears(texts[-1])
            assert len(client.of_type("invite:received")) == 1, count
            assert client.texts() == texts, count


def is_greeted(client: Driven) -> bool:
    """Whether the second connection has delivered everything."""
    return bool(client.of_type("resumed")) or (
        len(client.of_type("greeted")) == 1 == len(client.of_type("welcome"))
    )


async def test_a_resume_cut_after_any_byte_delivers_missed_events_once(
    service: Running, driver: Driver
) -> None:
    ana, ben = fresh_id(), fresh_id()
    step = max(4 * STEP, 40)
    counts = range(random.randrange(step), 2_400, step)  # noqa: S311 - all, over the runs

    async def come(stack: AsyncExitStack) -> tuple[Proxy, Driven]:
        proxy = await stack.enter_async_context(Proxy(port_of(service)))
        first = Way()
        proxy.next_to_client = [first]
        client = await driver.open(f"ws://127.0.0.1:{proxy.port}", token(ben))
        stack.push_async_callback(client.close)
        await client.command("ping")
        first.flows.clear()
        return proxy, client

    async with AsyncExitStack() as stack:
        talker = await stack.enter_async_context(connect(service.ws_url, token(ana)))
        tabs = await asyncio.gather(*(come(stack) for _ in counts))
        texts = [str(number) for number in range(6)]
        for text in texts[:3]:
            await talker.command("chat:send", to=ben, text=text)
        await talker.command("invite", to=ben)
        for text in texts[3:]:
            await talker.command("chat:send", to=ben, text=text)
        for (proxy, _), count in zip(tabs, counts, strict=True):
            proxy.next_to_client = [Way(cut_after=count), Way(cut_after=count + 7)]
            proxy.reset_all()
        for (_, client), count in zip(tabs, counts, strict=True):
            await client.hears(texts[-1])
            # It is followed by what would have been delivered twice.
            await client.command("ping")
            assert client.texts() == texts, count
            assert len(client.of_type("invite:received")) == 1, count


async def room_for(service: Running, stack: AsyncExitStack) -> tuple[Client, str]:
    """Let a user send messages in a room, without a proxy."""
    talker = await stack.enter_async_context(connect(service.ws_url, token(fresh_id())))
    made = await talker.command("room:create", game="relay")
    return talker, made["roomId"]


async def test_chat_over_bad_links_is_delivered_once_and_in_order(
    service: Running, driver: Driver
) -> None:
    user = fresh_id()
    chance = random.Random(9)  # noqa: S311 - repeatable faults
    async with AsyncExitStack() as stack:
        talker, room = await room_for(service, stack)
        proxy = await stack.enter_async_context(Proxy(port_of(service)))
        client = await driver.open(f"ws://127.0.0.1:{proxy.port}", token(user))
        await client.command("room:join", roomId=room)
        own = [f"own {number}" for number in range(60)]
        other = [f"other {number}" for number in range(60)]
        saying: list[asyncio.Task[dict[str, Any]]] = []
        for mine, theirs in zip(own, other, strict=True):
            saying.append(asyncio.create_task(client.command("chat:send", roomId=room, text=mine)))
            await talker.command("chat:send", roomId=room, text=theirs)
            if chance.random() < 0.3:
                proxy.to_client = chance.choice(
                    [
                        Way(),
                        Way(delay_s=0.005),
                        Way(trickle_bytes=300),
                        Way(cut_after=chance.randint(300, 2_500)),
                    ]
                )
                chance.choice([proxy.reset_all, proxy.close_all])()
        proxy.to_client = Way()
        proxy.reset_all()
        positions = [answer["position"] for answer in await asyncio.gather(*saying)]
        await client.hears(own[-1])
        await client.hears(other[-1])
        received = client.texts()
        assert [text for text in received if text.startswith("own")] == own
        assert [text for text in received if text.startswith("other")] == other
        assert positions == said(service, user)
        logged = sorted(positions + said(service, talker.welcome["user"]["id"]))
        assert [one["position"] for one in client.of_type("chat:message")] == logged


async def test_a_silently_stalled_link_is_replaced(service: Running, driver: Driver) -> None:
    user = fresh_id()
    async with AsyncExitStack() as stack:
        talker, room = await room_for(service, stack)
        proxy = await stack.enter_async_context(Proxy(port_of(service)))
        stalled = Way()
        proxy.next_to_client = [stalled]
        client = await driver.open(f"ws://127.0.0.1:{proxy.port}", token(user))
        await client.command("room:join", roomId=room)
        stalled.flows.clear()
        await talker.command("chat:send", roomId=room, text="1")
        await client.command("chat:send", roomId=room, text="2")
        await client.hears("2")
        assert client.texts() == ["1", "2"]
        assert proxy.accepted == 2


async def test_a_command_whose_ack_is_lost_before_a_long_sleep_happens_once(
    service: Running, driver: Driver
) -> None:
    user = fresh_id()
    async with Proxy(port_of(service)) as proxy:
        way = Way()
        proxy.next_to_client = [way]
        client = await driver.open(f"ws://127.0.0.1:{proxy.port}", token(user))
        await client.command("ping")
        way.flows.clear()
        saying = asyncio.create_task(client.command("chat:send", to=user, text="once"))
        while not said(service, user):  # noqa: ASYNC110 - the log of another process has no event
            await asyncio.sleep(0.01)
        await driver.jump(wall_s=320)
        proxy.reset_all()
        with pytest.raises(Failed, match="NoAnswer"):
            await saying
        await client.hears("once")
        await client.command("ping")
        assert len(said(service, user)) == 1
        assert client.texts() == ["once"]


async def test_a_clock_jump_loses_no_link_and_no_command(service: Running, driver: Driver) -> None:
    user = fresh_id()
    async with Proxy(port_of(service)) as proxy:
        client = await driver.open(f"ws://127.0.0.1:{proxy.port}", token(user))
        for number, wall_s in enumerate((3600, -7200, 3600)):
            await client.command("chat:send", to=user, text=str(number))
            await driver.jump(wall_s=wall_s)
        beats = len(client.of_type("heartbeat"))
        await client.until(lambda: len(client.of_type("heartbeat")) > beats + 1)
        await client.command("chat:send", to=user, text="end")
        await client.hears("end")
        assert client.texts() == ["0", "1", "2", "end"]
        assert proxy.accepted == 1


async def test_a_frame_rate_is_kept_over_reconnects(service: Running, driver: Driver) -> None:
    async with Proxy(port_of(service)) as proxy:

        async def reconnected() -> list[int]:
            welcomes = len(client.of_type("welcome"))
            proxy.reset_all()
            await client.until(lambda: len(client.of_type("welcome")) > welcomes)
            await client.command("ping")
            return [client.of_type("welcome")[-1]["frameHz"], await client.frame_hz()]

        url = f"ws://127.0.0.1:{proxy.port}"
        client = await driver.open(url, token(fresh_id()), frame_hz=30)
        await client.command("ping")
        assert [client.of_type("welcome")[0]["frameHz"], await client.frame_hz()] == [30, 30]
        assert await reconnected() == [30, 30]
        await client.command("frames:set", frameHz=20)
        assert await client.frame_hz() == 20
        assert await reconnected() == [20, 20]
        with pytest.raises(Failed, match="Refused"):
            await client.command("frames:set", frameHz=25)
        assert await reconnected() == [20, 20]


async def test_failing_hanging_or_stale_token_callables_are_retried(
    service: Running, driver: Driver
) -> None:
    user = fresh_id()
    good, stale = token(user), make_token({"id": user}, ttl_s=-60)
    await driver.hurry()
    async with AsyncExitStack() as stack:
        talker, room = await room_for(service, stack)
        proxy = await stack.enter_async_context(Proxy(port_of(service)))
        behaviours = (good, "throw", stale, "hang", stale, stale, "throw", stale, good)
        client = await driver.open(f"ws://127.0.0.1:{proxy.port}", *behaviours)
        await client.command("room:join", roomId=room)
        await talker.command("chat:send", roomId=room, text="1")
        await client.hears("1")
        service_port, proxy.target = proxy.target, 1
        proxy.reset_all()
        await talker.command("chat:send", roomId=room, text="2")
        proxy.target = service_port
        await client.hears("2")
        await client.command("chat:send", roomId=room, text="3")
        assert client.texts()[:2] == ["1", "2"]


async def test_many_commands_given_offline_are_executed_once_and_in_order(
    service: Running, driver: Driver
) -> None:
    user = fresh_id()
    given = list(range(250))
    async with AsyncExitStack() as stack:
        talker, room = await room_for(service, stack)
        proxy = await stack.enter_async_context(Proxy(port_of(service)))
        client = await driver.open(f"ws://127.0.0.1:{proxy.port}", token(user))
        await client.command("room:join", roomId=room)
        service_port, proxy.target = proxy.target, 1
        proxy.reset_all()
        texts = [str(number) for number in given]
        saying = [
            asyncio.create_task(client.command("chat:send", roomId=room, text=text))
            for text in texts
        ]
        proxy.target = service_port
        await asyncio.gather(*saying)
        await client.hears(texts[-1])
        assert client.texts() == texts
        assert len(said(service, user)) == len(texts)
        assert talker.welcome
