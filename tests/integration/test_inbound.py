"""Handling messages in the read callback, over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from service.edge import internals
from service.edge.flush import FlushScope
from service.edge.inbound import EagerResponse, NewReader
from service.edge.wire.choice import choose
from service.telemetry import Metrics
from tests.wire.kinds import missing

PATIENCE_S = 10


class Reads:
    """The scope of each read, which notes what was taken by its end."""

    def __init__(self, server: "Server") -> None:
        self.server = server

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.server.read.append(list(self.server.taken))


class Server:
    """Echoes what its task gets, and answers what is taken at once with `taken:`."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.waited: list[str] = []
        self.read: list[list[str]] = []
        """What was taken by the end of each callback that read something."""
        self.counted = 0
        """How many control frames there were."""
        self.counted_max = 1000
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.errors: list[object] = []
        self.responses: list[EagerResponse] = []

        self.heartbeat_s = 60.0
        self.new_reader: NewReader | None = None
        self.heard = asyncio.Semaphore(0)
        """Released by each control frame, and by each text that is taken at once."""

    async def handle(self, request: web.Request) -> EagerResponse:
        ws = EagerResponse(Reads(self), self.new_reader, heartbeat=self.heartbeat_s)
        self.responses.append(ws)
        await ws.prepare(request)
        ws.set_message_handler(self.take, self.count)
        async for text in ws.texts():
            assert text is not None
            self.waited.append(text)
            await self.may_go_on.wait()
            await ws.send_str(f"waited:{text}")
        self.errors.append(ws.exception())
        return ws

    def count(self) -> bool:
        self.counted += 1
        self.heard.release()
        return self.counted <= self.counted_max

    def take(self, text: str | None) -> bool:
        if text == "fail":
            raise ZeroDivisionError
        if text is None or text.startswith("slow"):
            return False
        self.taken.append(text)
        self.heard.release()
        return True


@asynccontextmanager
async def connected(
    server: Server, *, autoping: bool = True
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    app = web.Application()
    app.router.add_get("/", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"http://127.0.0.1:{port}/", autoping=autoping) as ws,
    ):
        yield ws
    await runner.cleanup()


def test_the_installed_aiohttp_has_the_required_private_parts() -> None:
    assert internals.MISSING == [], "aiohttp or uvloop has changed: see service/edge/internals.py"


async def test_messages_handled_in_the_callback_do_not_wake_the_task() -> None:
    server = Server()
    async with connected(server) as ws:
        for text in ("a", "b", "slow", "c"):
            await ws.send_str(text)
        assert await ws.receive_str() == "waited:slow"
    assert "slow" in server.waited
    assert server.taken[:2] == ["a", "b"]
    assert sorted(server.taken + server.waited) == ["a", "b", "c", "slow"]


async def test_a_function_can_run_at_the_end_of_the_read_callback() -> None:
    server = Server()
    async with connected(server) as ws:
        await ws.send_str("a")
        await ws.send_str("slow")
        assert await ws.receive_str() == "waited:slow"
    assert server.read[0][:1] == ["a"]


async def test_received_data_postpones_the_next_ping() -> None:
    server = Server()
    async with connected(server) as ws:
        await ws.send_str("slow")
        await ws.receive_str()
        (response,) = server.responses
        response._heartbeat_when = 0.0  # noqa: SLF001 - when aiohttp pings, if nothing is heard
        await ws.send_str("slow")
        await ws.receive_str()
        assert response._heartbeat_when > 0  # noqa: SLF001 - the same


@pytest.fixture(params=["python", "native"])
def either(request: pytest.FixtureRequest) -> Server:
    """Return a server whose texts are read by one kind of wire."""
    if request.param == "native" and "send" in missing():
        pytest.skip("the native wire is not built")
    server = Server()
    server.new_reader = FlushScope(choose(request.param), Metrics()).new_reader
    return server


async def test_a_client_that_answers_pings_is_pinged_again(either: Server) -> None:
    either.heartbeat_s = 0.02
    async with connected(either) as ws:
        receiving = asyncio.create_task(ws.receive())
        for _ in range(3):
            await either.heard.acquire()
        receiving.cancel()


async def test_texts_postpone_the_next_ping(either: Server) -> None:
    async with connected(either) as ws:
        await ws.send_str("a")
        await either.heard.acquire()
        (response,) = either.responses
        response._heartbeat_when = 0.0  # noqa: SLF001 - when aiohttp pings, if nothing is heard
        await ws.send_str("a")
        await either.heard.acquire()
        response._send_heartbeat()  # noqa: SLF001 - as the timer does
        assert response._heartbeat_when > 0  # noqa: SLF001 - the same
        assert response._pong_response_cb is None  # noqa: SLF001 - no pong is awaited


async def test_a_text_counts_as_an_answer_to_a_ping(either: Server) -> None:
    async with connected(either) as ws:
        await ws.send_str("a")
        await either.heard.acquire()
        (response,) = either.responses
        response._send_heartbeat()  # noqa: SLF001 - as the timer does
        response._heartbeat_when = 0.0  # noqa: SLF001 - it is due
        response._send_heartbeat()  # noqa: SLF001 - the same
        await ws.send_str("a")
        await either.heard.acquire()
        if response._pong_response_cb is not None:  # noqa: SLF001 - a pong is awaited
            response._pong_not_received()  # noqa: SLF001 - as the timer does
        await ws.send_str("slow")
        assert await ws.receive_str() == "waited:slow"


async def test_an_error_in_the_callback_closes_only_that_socket() -> None:
    server = Server()
    async with connected(server) as ws:
        await ws.send_str("fail")
        frame = await ws.receive()
        assert frame.type in {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING}
    assert isinstance(server.errors[0], ZeroDivisionError)


async def test_without_the_private_parts_all_messages_go_through_the_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(internals, "IS_EAGER", False)
    server = Server()
    async with connected(server) as ws:
        for text in ("a", "b"):
            await ws.send_str(text)
            assert await ws.receive_str() == f"waited:{text}"
    assert (server.taken, server.waited) == ([], ["a", "b"])


async def test_pings_beyond_the_limit_are_not_answered() -> None:
    server = Server()
    server.counted_max = 2
    async with connected(server, autoping=False) as ws:
        for _ in range(5):
            await ws.ping(b"p")
        await ws.send_str("slow")
        answers = [(await ws.receive()).type for _ in range(3)]
    assert answers == [WSMsgType.PONG, WSMsgType.PONG, WSMsgType.TEXT]
    assert server.counted == 5


async def test_reading_is_paused_while_too_much_is_kept_for_the_task() -> None:
    server = Server()
    texts = [f"slow{number}" + "x" * 10_000 for number in range(100)]
    async with connected(server) as ws:
        server.may_go_on.clear()
        sending = asyncio.create_task(send_all(ws, texts))
        async with asyncio.timeout(PATIENCE_S):
            while not any(is_paused(response) for response in server.responses):  # noqa: ASYNC110 - aiohttp notifies nobody
                await asyncio.sleep(0.001)
        assert len(server.waited) == 1
        server.may_go_on.set()
        answers = [await ws.receive_str() for _ in texts]
        await sending
    assert answers == [f"waited:{text}" for text in texts]


async def send_all(ws: aiohttp.ClientWebSocketResponse, texts: list[str]) -> None:
    for text in texts:
        await ws.send_str(text)


def is_paused(response: EagerResponse) -> bool:
    request = response._req  # noqa: SLF001 - there is no other way to its protocol
    return request is not None and bool(request.protocol._reading_paused)  # noqa: SLF001 - as above
