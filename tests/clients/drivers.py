"""One interface for both clients, so that one suite of scenarios runs against each."""

from __future__ import annotations

import asyncio
import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from service.client import Client, Closed, NoAnswer, Refused, connect, tokens
from service.client.clock import Clock
from tests.acceptance.test_js_client import find_node

Message: TypeAlias = dict[str, Any]

ROOT = Path(__file__).parents[2]
PATIENCE_S = 20.0


class Failed(Exception):
    """A command failed; the name of the client's error is the message."""


class Driven(ABC):
    """A driven client; `messages` has all that it delivered."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._news = asyncio.Event()

    @abstractmethod
    async def command(self, type_: str, timeout_s: float = 30, **fields: Any) -> Message:
        """Carry a command out, or raise `Failed`."""

    @abstractmethod
    async def frame_hz(self) -> int:
        """Return the frame rate that the client says is in effect."""

    @abstractmethod
    async def close(self) -> None:
        """Go for good."""

    def reported(self, message: Message) -> None:
        self.messages.append(message)
        self._news.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until it is so, which may change with any message."""
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    def of_type(self, type_: str) -> list[Message]:
        return [message for message in self.messages if message["type"] == type_]

    def texts(self) -> list[str]:
        return [message["text"] for message in self.of_type("chat:message")]

    async def hears(self, text: str) -> None:
        await self.until(lambda: text in self.texts())


class Driver(ABC):
    """Makes clients of one kind."""

    @abstractmethod
    async def open(self, url: str, *behaviours: str, frame_hz: int | None = None) -> Driven:
        """Make a client that connects; `behaviours` are tokens, `throw` and `hang`, one a time."""

    @abstractmethod
    async def jump(self, wall_s: float, steady_s: float = 0) -> None:
        """Let the clocks go on by so much at once."""

    @abstractmethod
    async def hurry(self) -> None:
        """Let no time limit for tokens be waited for."""

    @abstractmethod
    async def stop(self) -> None:
        """Close everything."""


class _TestClock(Clock):
    def __init__(self) -> None:
        self.wall_s = self.steady_s = 0.0

    def wall(self) -> float:
        return super().wall() + self.wall_s

    def steady(self) -> float:
        return super().steady() + self.steady_s


class _DrivenPython(Driven):
    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client
        self._is_open = asyncio.Event()
        self._end = asyncio.Event()
        self._living = asyncio.create_task(self._live())

    async def command(self, type_: str, timeout_s: float = 30, **fields: Any) -> Message:
        await self._is_open.wait()
        try:
            return await self._client.command(type_, timeout_s=timeout_s, **fields)
        except (NoAnswer, Closed, Refused, ValueError) as error:
            raise Failed(type(error).__name__) from error

    async def frame_hz(self) -> int:
        return self._client.frame_hz

    async def close(self) -> None:
        self._living.cancel()
        with suppress(asyncio.CancelledError):
            await self._living

    async def _live(self) -> None:
        async with self._client as client:
            self._is_open.set()
            async for message in client:
                self.reported(message)


class PythonDriver(Driver):
    """Clients of `service.client`, in this process."""

    def __init__(self) -> None:
        self._clock = _TestClock()
        self._clients: list[_DrivenPython] = []
        self._token_within_s = tokens.TOKEN_WITHIN_S

    async def open(self, url: str, *behaviours: str, frame_hz: int | None = None) -> Driven:
        left = list(behaviours)

        async def bring() -> str:
            behaviour = left.pop(0) if len(left) > 1 else left[0]
            if behaviour == "throw":
                raise ConnectionError("the auth service is away")
            if behaviour == "hang":
                await asyncio.Event().wait()
            return behaviour

        client = connect(url, bring, frame_hz=frame_hz, jitter=lambda: 0.0, clock=self._clock)
        driven = _DrivenPython(client)
        self._clients.append(driven)
        return driven

    async def jump(self, wall_s: float, steady_s: float = 0) -> None:
        self._clock.wall_s += wall_s
        self._clock.steady_s += steady_s

    async def hurry(self) -> None:
        tokens.TOKEN_WITHIN_S = 0.1

    async def stop(self) -> None:
        tokens.TOKEN_WITHIN_S = self._token_within_s
        await asyncio.gather(*(client.close() for client in self._clients))


class _DrivenJavaScript(Driven):
    def __init__(self, driver: JavaScriptDriver, key: int) -> None:
        super().__init__()
        self._driver = driver
        self._key = key

    async def command(self, type_: str, timeout_s: float = 30, **fields: Any) -> Message:
        return await self._driver.request(
            self._key, {"type": type_, **fields}, round(timeout_s * 1000)
        )

    async def frame_hz(self) -> int:
        return int((await self._driver.ask("frameHz", self._key))["answer"])

    async def close(self) -> None:
        self._driver.order("close", key=self._key)


class JavaScriptDriver(Driver):
    """Clients of client.js, in one process of Node."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._clients: dict[int, Driven] = {}
        self._asked: dict[int, asyncio.Future[Message]] = {}
        self._numbers = itertools.count()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls) -> JavaScriptDriver:
        process = await asyncio.create_subprocess_exec(
            find_node(),
            "tests/node/driver.js",
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=2**24,
        )
        return cls(process)

    def order(self, order: str, **fields: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"order": order, **fields}).encode() + b"\n")

    async def open(self, url: str, *behaviours: str, frame_hz: int | None = None) -> Driven:
        key = next(self._numbers)
        driven = self._clients[key] = _DrivenJavaScript(self, key)
        self.order("open", key=key, url=url, behaviours=behaviours, frameHz=frame_hz)
        return driven

    async def ask(self, order: str, key: int, **fields: object) -> Message:
        tag = next(self._numbers)
        asked = self._asked[tag] = asyncio.get_running_loop().create_future()
        self.order(order, key=key, tag=tag, **fields)
        answer: Message = await asked
        return answer

    async def request(self, key: int, command: Message, timeout_ms: int) -> Message:
        reported = await self.ask("request", key, command=command, timeoutMs=timeout_ms)
        if "error" in reported:
            raise Failed(reported["error"])
        return dict(reported["answer"])

    async def jump(self, wall_s: float, steady_s: float = 0) -> None:
        self.order("clocks", wall=wall_s * 1000, steady=steady_s * 1000)

    async def hurry(self) -> None:
        self.order("haste", factor=100)

    async def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            reported = json.loads(line)
            if "tag" in reported:
                asked = self._asked.pop(reported["tag"])
                if not asked.done():
                    asked.set_result(reported)
            elif "message" in reported:
                self._clients[reported["key"]].reported(reported["message"])


def in_order(part: Sequence[str], whole: Sequence[str]) -> bool:
    """Whether `part` is a subsequence of `whole`."""
    rest = iter(whole)
    return all(one in rest for one in part)
