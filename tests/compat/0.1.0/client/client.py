"""One connection that stays, for as long as its `async with` lasts."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Never, Self, TypeAlias

import aiohttp
import msgspec

from .errors import Closed, NoAnswer, Refused
from .inbox import Inbox
from .memory import Cursor, Joins, Message

Token: TypeAlias = str | Callable[[], Awaitable[str]]
"""A JWT; or what brings a fresh one, for each connection and before the present one ends."""

PROTOCOL = "ws-service.v1"

RETRY_FIRST_S = 0.5
RETRY_MAX_S = 15.0
STABLE_S = 5.0
"""Only a connection that held for so long proves that the service is well again."""

OPEN_WITHIN_S = 10.0
CLOSE_WITHIN_S = 1.0
HEARTBEATS_MISSED_MAX = 2.5
"""After so many heartbeats without a word the connection is dead, whatever the socket says."""

ANSWER_WITHIN_S = 30.0
ANSWER_WITHIN_S_MAX = 240.0
"""The service knows an id for five minutes; sent again later, a command could happen twice."""

CODE_NORMAL = 1000
CODE_ABNORMAL = 1006
CODE_TOKEN_EXPIRED = 4005
FINAL_CODES = frozenset({1008, 4503, 4504})
"""A bad token, sent away, too many sockets: coming back by itself would do harm."""

NOT_NOW = frozenset({"RATE_LIMITED", "UNAVAILABLE"})
"""Errors that pass: the same command may be carried out a little later."""


_jitter = random.SystemRandom().random


def connect(url: str, token: Token, *, jitter: Callable[[], float] = _jitter) -> Client:
    """Return a client for `async with`.

    `jitter` is a random number from 0 to 1, by which each wait before a try is multiplied.
    """
    return Client(url, token, jitter)


class Client:
    """A connection that comes back after every loss and goes on where it was.

    Iterate over it to get the messages, but for the answers to commands. A `welcome` after the
    first, and then `resumed` or `resync`, tells that it was away; rooms that were joined by
    `command` are joined again. While nobody takes the messages it stops reading at some
    thousands, so take them also where you only send.
    """

    def __init__(self, url: str, token: Token, jitter: Callable[[], float]) -> None:
        """Use `connect`."""
        self._url = url
        self._token = token
        self._jitter = jitter
        self._http: aiohttp.ClientSession
        self._ws: aiohttp.ClientWebSocketResponse
        self._staying: asyncio.Task[None]
        self._refreshing: asyncio.Task[None] | None = None
        self._is_online = False
        self._attempt = 0
        self._drain_s: float | None = None
        self._error: BaseException | None = None
        self._inbox = Inbox()
        self._cursor = Cursor()
        self._joins = Joins()
        self._pending: dict[str, _Pending] = {}
        # The ids of one client never meet those of another one of the same user.
        self._id_prefix = secrets.token_hex(12)
        self._id_count = 0
        self.welcome: Message = {}
        """What the service has said first on the present connection: `user`, `limits`, ..."""

    async def __aenter__(self) -> Self:
        """Connect; raise `Closed` when that is refused, and what aiohttp raises when it fails."""
        self._http = aiohttp.ClientSession()
        try:
            await self._open()
        except BaseException:
            await self._http.close()
            raise
        self._staying = asyncio.create_task(self._stay())
        self._staying.add_done_callback(self._ended)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Go for good: the service counts this client as gone at once."""
        tasks = [self._staying] if self._refreshing is None else [self._staying, self._refreshing]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await self._ws.close()
        await self._http.close()

    def __aiter__(self) -> Self:
        """Iterate over the messages."""
        return self

    async def __anext__(self) -> Message:
        """Return the next message; raise `Closed` when there will be none, for good."""
        message = await self._inbox.take()
        if message is not None:
            return message
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    async def send(self, type_: str, /, **fields: Any) -> bool:
        """Send a message once, for what is worth nothing later: keys, signals.

        Return whether it went out. Raise `ValueError` when it is longer than the service takes.
        """
        return await self._transmit(self._encode({"type": type_, **fields}))

    async def command(
        self, type_: str, /, *, timeout_s: float = ANSWER_WITHIN_S, **fields: Any
    ) -> Message:
        """Carry out a command once, and return its `ack` (the `pong` of a `ping`).

        It is sent again with the same id after each reconnect until it is answered. Raise
        `Refused` by the service, `NoAnswer` in time, `Closed` when there is no coming back, and
        `ValueError` when it is longer than the service takes.
        """
        if timeout_s > ANSWER_WITHIN_S_MAX:
            raise ValueError(f"timeout_s is at most {ANSWER_WITHIN_S_MAX}")
        self._id_count += 1
        id_ = f"{self._id_prefix}-{self._id_count}"
        command = {"type": type_, "id": id_, **fields}
        pending = self._pending[id_] = _Pending(command, self._encode(command))
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._answer_to(pending)
        except TimeoutError:
            raise NoAnswer(f"{type_} was not answered in {timeout_s} s") from None
        finally:
            del self._pending[id_]
        if answer["type"] == "error":
            raise Refused(answer["code"], answer["message"])
        return answer

    async def _answer_to(self, pending: _Pending) -> Message:
        """Send a command until it is answered by more than that it can't be done just now."""
        while True:
            if self._staying.done():
                raise self._error or Closed(CODE_NORMAL)
            await self._transmit(pending.frame)
            answer = await pending.answer
            if answer["type"] != "error" or answer["code"] not in NOT_NOW:
                return answer
            await asyncio.sleep(RETRY_FIRST_S * (1 + self._jitter()))
            pending.answer = asyncio.get_running_loop().create_future()

    def _encode(self, message: Message) -> str:
        """Write a message; one above the limit would cost the connection."""
        frame = msgspec.json.encode(message)
        limit = self.welcome["limits"]["messageBytesMax"]
        if len(frame) > limit:
            raise ValueError(f"{message['type']} has more than {limit} bytes")
        return frame.decode()

    async def _transmit(self, frame: str) -> bool:
        if not self._is_online:
            return False
        try:
            # A send that is cancelled while the pipe is full would spoil the next one.
            await asyncio.shield(self._ws.send_str(frame))
        except ConnectionError:
            return False
        return True

    # The connection

    async def _open(self) -> None:
        """Connect, and take the greeting in."""
        token = self._token if isinstance(self._token, str) else await self._token()
        async with asyncio.timeout(OPEN_WITHIN_S):
            self._ws = await self._http.ws_connect(
                self._url,
                params=self._cursor.query(),
                headers={"Authorization": f"Bearer {token}"},
                protocols=(PROTOCOL,),
                max_msg_size=0,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_WITHIN_S),
            )
            try:
                while not self._take(await self._receive()):
                    pass
            except BaseException:
                await self._ws.close()
                raise
        self._is_online = True
        unanswered = [one for one in self._pending.values() if not one.answer.done()]
        for join in self._joins.again([one.command for one in unanswered]):
            await self._transmit(self._encode(join))
        for one in unanswered:
            await self._transmit(one.frame)

    async def _stay(self) -> None:
        """Read until the connection is lost and come back, until there is no coming back."""
        now = asyncio.get_running_loop().time
        while True:
            opened_at = now()
            try:
                await self._read()
            except Closed as closed:
                self._raise_if_final(closed)
            except TimeoutError:
                # No socket tells of a link that is silently dead.
                await self._ws.close()
            finally:
                self._is_online = False
            if now() - opened_at > STABLE_S:
                self._attempt = 0
            await self._come_back()

    async def _read(self) -> Never:
        quiet_s = HEARTBEATS_MISSED_MAX * self.welcome["heartbeatMs"] / 1000
        while True:
            await self._inbox.space()
            self._take(await self._receive(quiet_s))

    async def _come_back(self) -> None:
        while True:
            await asyncio.sleep(self._jitter() * self._wait_s_max())
            try:
                await self._open()
            except Closed as closed:
                self._raise_if_final(closed)
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass
            else:
                return

    def _wait_s_max(self) -> float:
        """Return the most to wait before a try; the clients of a restarted service spread."""
        if self._drain_s is not None:
            drain_s, self._drain_s = self._drain_s, None
            return drain_s
        self._attempt += 1
        return min(RETRY_MAX_S, RETRY_FIRST_S * 2.0 ** (self._attempt - 1))

    def _raise_if_final(self, closed: Closed) -> None:
        expired = closed.code == CODE_TOKEN_EXPIRED and isinstance(self._token, str)
        if expired or closed.code in FINAL_CODES:
            raise closed

    def _ended(self, staying: asyncio.Task[None]) -> None:
        """Tell everybody who waits."""
        self._error = None if staying.cancelled() else staying.exception()
        for pending in self._pending.values():
            if not pending.answer.done():
                pending.answer.set_exception(self._error or Closed(CODE_NORMAL))
        self._inbox.end()

    # What comes

    async def _receive(self, within_s: float | None = None) -> Message:
        frame = await self._ws.receive(within_s)
        if frame.type is not aiohttp.WSMsgType.TEXT:
            reason = frame.extra if isinstance(frame.extra, str) else ""
            raise Closed(self._ws.close_code or CODE_ABNORMAL, reason)
        message: Message = msgspec.json.decode(frame.data)
        return message

    def _take(self, message: Message) -> bool:
        """Take a message in; tell whether it ends the greeting."""
        ends_greeting = self._cursor.take(message)
        match message:
            case {"type": "welcome"}:
                self.welcome = message
            case {"type": "server:draining", "retryMs": retry_ms}:
                self._drain_s = retry_ms / 1000
            case {"type": "token:expiring"} if not isinstance(self._token, str):
                self._refreshing = asyncio.create_task(self._refresh(self._token))
        self._joins.take(message, self.welcome["user"]["id"])
        if not self._answers(message):
            self._inbox.put(message)
        return ends_greeting

    def _answers(self, message: Message) -> bool:
        """Take what answers a command; one that nobody waits for any more is dropped."""
        if message["type"] not in {"ack", "pong", "error"}:
            return False
        pending = self._pending.get(message.get("id", ""))
        if pending is None or pending.answer.done():
            return bool(message["type"] == "ack")
        if message["type"] == "ack":
            self._joins.answered(pending.command, message)
        pending.answer.set_result(message)
        return True

    async def _refresh(self, new_token: Callable[[], Awaitable[str]]) -> None:
        """Bring a newer token; without one, the socket is closed, and the next one has it."""
        with suppress(Refused, NoAnswer, Closed):
            await self.command("auth:refresh", token=await new_token())


class _Pending:
    """A command that is not answered yet."""

    def __init__(self, command: Message, frame: str) -> None:
        self.command = command
        self.frame = frame
        self.answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
