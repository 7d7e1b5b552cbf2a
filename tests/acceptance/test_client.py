"""The Python client against the real service, with disconnects and `kill -9`."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import Any

import aiohttp
import pytest

from service.client import Client, Closed, Message, NoAnswer, Refused, connect
from tests.acceptance.service_process import (
    PATIENCE_S,
    Running,
    StartService,
    fresh_id,
    make_token,
    token,
)
from tests.proxy import Proxy, Way

CUTS = 20


class Network:
    """A TCP proxy with an address that stays: connections through it can be cut."""

    def __init__(self, service: Running) -> None:
        self.service = service
        self.is_deaf = False
        """Whether messages of the service are dropped."""
        self._server: asyncio.Server
        self._pipes: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        host, port = self._server.sockets[0].getsockname()
        return f"ws://{host}:{port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)

    def cut(self) -> None:
        """Break every connection."""
        for writer in self._pipes.values():
            writer.transport.abort()

    async def stop(self) -> None:
        self._server.close()
        self.cut()
        if self._pipes:
            await asyncio.wait([*self._pipes])

    async def _connected(
        self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        host, _, port = self.service.ws_url.removeprefix("ws://").partition(":")
        try:
            from_service, to_service = await asyncio.open_connection(host, int(port))
        except (OSError, ValueError):
            to_client.transport.abort()
            return
        self._pipe(self._pass_on(from_client, to_service), to_client)
        self._pipe(self._pass_on(from_service, to_client, to_client=True), to_service)

    def _pipe(self, work: Coroutine[Any, Any, None], writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(work)
        self._pipes[task] = writer
        task.add_done_callback(self._pipes.pop)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_client: bool = False
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                if not (to_client and self.is_deaf):
                    writer.write(data)
        writer.transport.abort()


@pytest.fixture
async def network(start_service: StartService) -> AsyncIterator[Network]:
    network = Network(start_service(WS_ROOM_EMPTY_S="600", WS_CHAT_PER_S="1000"))
    await network.start()
    yield network
    await network.stop()


def open_client(network: Network, user: int, name: str) -> Client:
    """Connect through the network, without long waits."""
    return connect(network.url, token(user, name), jitter=lambda: 0.05)


async def expect(client: Client, type_: str, **fields: object) -> Message:
    """Take messages up to one of this type with these fields."""
    async with asyncio.timeout(PATIENCE_S):
        async for message in client:
            if message["type"] == type_ and fields.items() <= message.items():
                return message
    raise AssertionError(type_)


async def test_a_command_is_answered_and_messages_are_iterated_over(service: Running) -> None:
    ana, ben = fresh_id(), fresh_id()
    async with (
        connect(service.ws_url, token(ana, "Ana")) as first,
        connect(service.ws_url, token(ben, "Ben")) as second,
    ):
        assert first.welcome["user"] == {"id": ana, "name": "Ana"}
        assert (await first.command("invite", to=ben))["position"] > 0
        assert (await expect(second, "invite:received"))["from"]["id"] == ana
        assert await second.send("invite:declined", **{"from": ana})
        await expect(first, "invite:declined")
        with pytest.raises(Refused) as refused:
            await first.command("invite", to=ana)
        assert refused.value.code == "SELF_INVITE"
        assert (await first.command("ping"))["type"] == "pong"
        with pytest.raises(ValueError, match="more than 65536 bytes"):
            await first.command("chat:send", to=ben, text="x" * 70_000)


async def test_chat_during_disconnects_and_kills_is_delivered_once(
    network: Network,
) -> None:
    ana, ben = fresh_id(), fresh_id()
    said = [f"line {number}" for number in range(CUTS)]

    async def talk(client: Client) -> None:
        for number, text in enumerate(said):
            saying = asyncio.create_task(client.command("chat:send", to=ben, text=text))
            # The command is on its way, or even carried out, when its connection breaks.
            await asyncio.sleep(0.001 * number)
            if number % 7 == 6:
                await asyncio.to_thread(network.service.restart)
            network.cut()
            await saying

    async def listen(client: Client) -> list[Message]:
        received = [await expect(client, "chat:message")]
        while received[-1]["text"] != said[-1]:
            received.append(await expect(client, "chat:message"))
        return received

    async with open_client(network, ana, "Ana") as first, open_client(network, ben, "Ben") as other:
        async with asyncio.TaskGroup() as group:
            group.create_task(talk(first))
            listening = [group.create_task(listen(client)) for client in (first, other)]
        logged = [one.position for one in network.service.events() if one.type == "chat.said"]
        for task in listening:
            assert [message["text"] for message in task.result()] == said
            assert [message["position"] for message in task.result()] == logged


async def test_players_and_spectators_rejoin_their_rooms(network: Network) -> None:
    ana, ben = fresh_id(), fresh_id()
    async with open_client(network, ana, "Ana") as first, open_client(network, ben, "Ben") as other:
        room = (await first.command("room:create", game="relay"))["roomId"]
        await other.command("room:join", roomId=room, role="spectator")
        for restart in (False, True):
            if restart:
                await asyncio.to_thread(network.service.restart)
            network.cut()
            await expect(first, "resumed")
            await expect(other, "resumed")
            await other.command("ping")
            await first.command("ping")
            # Only the sockets that have joined the room can send to it, and hear of it.
            assert await first.send("signal", roomId=room, data={"restart": restart})
            signal = await expect(other, "signal", roomId=room)
            assert signal["data"] == {"restart": restart}


async def test_a_match_of_bots_continues_after_kill_9(network: Network) -> None:
    ana, ben = fresh_id(), fresh_id()
    async with open_client(network, ana, "Ana") as first, open_client(network, ben, "Ben") as other:
        room = (await first.command("room:create", game="pong", options={"duration_s": 3}))[
            "roomId"
        ]
        await other.command("room:join", roomId=room)
        for bot in (first, other):
            await bot.command("room:ready", roomId=room)
        await expect(first, "game:update")
        await asyncio.to_thread(network.service.restart)
        await expect(first, "resumed")
        await expect(first, "game:resumed", roomId=room)
        over = await expect(other, "game:over", roomId=room)
        assert over["reason"] == "timeup"


async def test_a_command_whose_ack_is_lost_happens_once(network: Network) -> None:
    ana, ben = fresh_id(), fresh_id()
    await network.service.connect(ben, "Ben")
    async with open_client(network, ana, "Ana") as first:
        network.is_deaf = True
        inviting = asyncio.create_task(first.command("chat:send", to=ben, text="Are you there?"))
        await until(lambda: any(one.type == "chat.said" for one in network.service.events()))
        network.is_deaf = False
        network.cut()
        answer = await inviting
        (said,) = [one for one in network.service.events() if one.type == "chat.said"]
        assert answer["position"] == said.position
        assert (await expect(first, "chat:message"))["position"] == said.position


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await asyncio.to_thread(happened):
            pass


async def test_a_command_without_an_answer_in_time_raises_no_answer(network: Network) -> None:
    async with open_client(network, fresh_id(), "Ana") as client:
        network.is_deaf = True
        with pytest.raises(NoAnswer):
            await client.command("ping", timeout_s=0.2)
        network.is_deaf = False


async def test_a_retryable_error_resends_the_command(
    start_service: StartService,
) -> None:
    service = start_service(WS_CHAT_BURST="1", WS_CHAT_PER_S="2")
    ana = fresh_id()
    async with connect(service.ws_url, token(ana, "Ana"), jitter=lambda: 0.0) as client:
        for text in ("one", "two", "three"):
            await client.command("chat:send", to=ana, text=text)
        assert len([one for one in service.events() if one.type == "chat.said"]) == 3


async def test_a_draining_service_says_when_to_reconnect(network: Network) -> None:
    async with open_client(network, fresh_id(), "Ana") as client:
        assert await network.service.terminate() == 0
        assert (await expect(client, "server:draining"))["retryMs"] > 0
        await asyncio.to_thread(network.service.start)
        await expect(client, "resumed")


async def test_a_failed_first_connection_raises(service: Running, network: Network) -> None:
    with pytest.raises(Closed) as closed:
        async with connect(service.ws_url, make_token({"id": 7}, ttl_s=-60)):
            pass
    assert closed.value.code == 1008
    network.service.kill()
    with pytest.raises(aiohttp.ClientError):
        async with open_client(network, 7, "Ana"):
            pass


async def test_a_token_refused_on_reconnect_ends_the_client(network: Network) -> None:
    async with open_client(network, fresh_id(), "Ana") as client:
        network.service.restart(JWT_SECRET="another-secret-of-more-than-thirty-two-bytes")
        with pytest.raises(Closed) as closed:
            await expect(client, "resumed")
        assert closed.value.code == 1008
        with pytest.raises(Closed):
            await client.command("ping")


async def test_an_expiring_token_is_renewed_on_the_open_socket(start_service: StartService) -> None:
    service = start_service(WS_TOKEN_WARNING_S="1", WS_TOKEN_GRACE_S="0.1", JWT_LEEWAY_S="0")
    user = fresh_id()
    fetched: list[str] = []

    async def new_token() -> str:
        fetched.append(make_token({"id": user}, ttl_s=1.5 if not fetched else 600))
        return fetched[-1]

    started = time.time()
    async with connect(service.ws_url, new_token) as client:
        await expect(client, "token:expiring")
        await until(lambda: len(fetched) == 2)
        # The old token's end, and the grace after it, go by.
        await until(lambda: time.time() > started + 2.5)
        assert (await client.command("ping", timeout_s=1))["type"] == "pong"
        assert len(fetched) == 2


async def test_a_send_on_a_dead_link_returns_after_a_reconnect(
    start_service: StartService,
) -> None:
    service = start_service(WS_HEARTBEAT_S="1", WS_MESSAGES_BURST="100000")
    async with Proxy(int(service.url.rpartition(":")[2])) as proxy:
        dead = Way()
        proxy.to_server = dead
        url = f"ws://127.0.0.1:{proxy.port}"
        async with connect(url, token(fresh_id(), "Ana"), jitter=lambda: 0.0) as client:
            dead.flows.clear()
            proxy.to_server = Way()
            sending = [
                asyncio.create_task(client.send("chat:send", to=1, text="x" * 60_000))
                for _ in range(300)
            ]
            await asyncio.sleep(0)
            # Messages of the service are dropped as well, or the link would not be dead.
            proxy.to_client.flows.clear()
            proxy.to_client = Way()
            await expect(client, "resumed")
            async with asyncio.timeout(PATIENCE_S):
                sent = await asyncio.gather(*sending)
            assert not all(sent)
            assert (await client.command("ping"))["type"] == "pong"


async def test_a_token_of_another_user_resets_the_client(network: Network) -> None:
    ana, ben = fresh_id(), fresh_id()
    tokens = [token(ana, "Ana"), token(ben, "Ben")]

    async def bring() -> str:
        return tokens.pop(0) if len(tokens) > 1 else tokens[0]

    async with connect(network.url, bring, jitter=lambda: 0.0) as client:
        await client.command("room:create", game="relay", visibility="password", password="pw")
        network.cut()
        await expect(client, "welcome", user={"id": ben, "name": "Ben"})
        await expect(client, "greeted")
        await client.command("ping")
    joined = [one for one in network.service.events() if one.type == "room.member_joined"]
    assert ben not in [one.data.get("user") for one in joined]


async def test_a_client_is_usable_only_inside_its_context_manager(service: Running) -> None:
    client = connect(service.ws_url, token(fresh_id(), "Ana"))
    with pytest.raises(RuntimeError):
        await client.command("ping")
    with pytest.raises(RuntimeError):
        await anext(client)
    async with client:
        for timeout_s in (0, -1, float("nan"), 241):
            with pytest.raises(ValueError, match="timeout_s"):
                await client.command("ping", timeout_s=timeout_s)
    assert not await client.send("ping")
    with pytest.raises(Closed):
        await client.command("ping")
    assert [message["type"] async for message in client][-1] == "greeted"
    with pytest.raises(RuntimeError):
        await client.__aenter__()
