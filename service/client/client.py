"""Client of protocol v1 that reconnects and resumes until its `async with` block ends."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Never, Self

import aiohttp

from service.client.clock import Clock
from service.client.commands import Commands, PendingCommand
from service.client.errors import Closed, NoAnswer, NoToken, Refused
from service.client.inbox import Inbox
from service.client.link import CODE_NORMAL, CODE_SILENT, Link, encode, open_link
from service.client.rate_limit import BYTES_PER_UNIT, RateLimiter
from service.client.replies import REPLY_TYPES, CommandReplies
from service.client.retry import STABLE_S, Backoff
from service.client.state import Cursor, FrameRate, GreetingBuffer, JoinedRooms, Message
from service.client.successor import Successor, in_time, open_successor
from service.client.tokens import Token, TokenSource

OPEN_WITHIN_S = 10.0
"""Timeout of the handshake, and of each message of the greeting."""

HEARTBEATS_MISSED_MAX = 2.5
"""The connection is considered lost after this many heartbeat intervals without a message."""

ANSWER_WITHIN_S = 30.0
ANSWER_WITHIN_S_MAX = 240.0
"""The service keeps command ids for five minutes; after that a retry could run a command twice."""

logger = logging.getLogger("service.client")


class Client:
    """A connection that reconnects after every loss and resumes where it was.

    Iterate over it to get all messages but the replies to commands. A further `welcome` means that
    the client was disconnected. After `resumed` no message was missed; `resync`, or `greeted`
    without it, means that the state begins anew. Rooms that were joined by `command` are joined
    again. Reading stops while some thousands of messages are not consumed, so consume them even
    if you only send.
    """

    def __init__(
        self,
        url: str,
        token: Token,
        frame_rate: FrameRate,
        jitter: Callable[[], float],
        clock: Clock,
    ) -> None:
        """Do not call this; use `connect`."""
        self._url = url
        self._tokens = TokenSource(token)
        self._jitter = jitter
        self._http: aiohttp.ClientSession
        self._link: Link
        self._connection_task: asyncio.Task[None] | None = None
        self._sending: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._moving: asyncio.Task[None] | None = None
        self._is_online = False
        self._backoff = Backoff(jitter)
        self._error: BaseException | None = None
        self._inbox = Inbox()
        self._cursor = Cursor()
        self._greeting = GreetingBuffer(self._cursor)
        self._joins = JoinedRooms()
        self._rate_limiter = RateLimiter(clock)
        self._commands = Commands(clock, self._rate_limiter)
        self._frame_rate = frame_rate
        self._answers = CommandReplies(
            self._commands, self._joins, frame_rate, self._greeting, jitter
        )
        self._something_to_send = asyncio.Event()
        # Unique, since the service deduplicates command ids by user, not by client.
        self._id_prefix = secrets.token_hex(12)
        self._id_count = 0
        self.welcome: Message = {}
        """The first message of the current connection: `user`, `limits`, ..."""

    async def __aenter__(self) -> Self:
        """Connect; raise `Closed` if the service refuses, and aiohttp's errors if it fails.

        A connection that breaks during the greeting is retried. An exception of the callable for
        tokens is raised; after the first connection it is only logged.
        """
        if self._connection_task is not None:
            raise RuntimeError("a client connects once: make another one")
        self._http = aiohttp.ClientSession()
        try:
            await self._open_first()
        except BaseException:
            await self._http.close()
            raise
        self._connection_task = asyncio.create_task(self._keep_connected())
        self._connection_task.add_done_callback(self._ended)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close cleanly, so that the service counts this client as offline at once."""
        possible = self._connection_task, self._sending, self._refreshing, self._moving
        tasks = {task for task in possible if task is not None}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        self._is_online = False
        await self._link.drop(CODE_NORMAL)
        await self._http.close()

    @property
    def frame_hz(self) -> int:
        """The frame rate in effect: how many states of each live match are sent per second."""
        return self._frame_rate.hz

    def __aiter__(self) -> Self:
        """Iterate over the messages."""
        return self

    async def __anext__(self) -> Message:
        """Return the next message; raise `Closed` when the connection is closed for good."""
        self._check_started()
        message = await self._inbox.take()
        if message is not None:
            return message
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    async def send(self, type_: str, /, **fields: Any) -> bool:
        """Send a message once, without a reply; for keys and signals, which are of no use later.

        Returns whether it was sent: not while offline, nor above the rate limit. Raises
        `ValueError` if it is longer than the service accepts.
        """
        self._check_started()
        frame = self._encode({**fields, "type": type_})
        units = 1 + len(frame) // BYTES_PER_UNIT
        return self._is_online and self._rate_limiter.take(units) and await self._transmit(frame)

    async def command(
        self, type_: str, /, *, timeout_s: float = ANSWER_WITHIN_S, **fields: Any
    ) -> Message:
        """Carry out a command at most once, and return its `ack` (the `pong` of a `ping`).

        It is sent again with the same id after each reconnect, until it is answered or the service
        may have forgotten the id. Commands are sent within the rate limit of the service, those for
        one room in order. Raises `Refused`; `NoAnswer` after `timeout_s` by the wall clock or the
        monotonic one, or after many newer commands; `Closed` if the connection is closed for good;
        and `ValueError` if it is longer than the service accepts, or for an invalid `timeout_s`.
        """
        self._check_started()
        if not 0 < timeout_s <= ANSWER_WITHIN_S_MAX:
            raise ValueError(f"timeout_s is more than 0 and at most {ANSWER_WITHIN_S_MAX}")
        command = {**fields, "type": type_, "id": self._new_id()}
        pending = self._commands.add(command, self._encode(command), timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._answer_to(pending)
        except TimeoutError:
            raise NoAnswer(f"{type_} was not answered in {timeout_s} s") from None
        finally:
            self._commands.drop(pending)
            self._something_to_send.set()
        if answer["type"] == "error":
            raise Refused(answer["code"], answer["message"])
        return answer

    async def _answer_to(self, pending: PendingCommand) -> Message:
        if self._connection_task is None or self._connection_task.done():
            raise self._error or Closed(CODE_NORMAL)
        self._something_to_send.set()
        return await pending.answer

    def _check_started(self) -> None:
        if self._connection_task is None:
            raise RuntimeError("the client is not connected: use `async with`")

    def _new_id(self) -> str:
        self._id_count += 1
        return f"{self._id_prefix}-{self._id_count}"

    def _encode(self, message: Message) -> str:
        return encode(message, self.welcome["limits"]["messageBytesMax"])

    async def _transmit(self, frame: str) -> bool:
        if not self._is_online:
            return False
        try:
            # aiohttp breaks the next send if one is cancelled while the transport is paused.
            await asyncio.shield(self._link.send(frame))
        except (aiohttp.ClientError, OSError):
            return False
        return True

    # The connection

    async def _open_first(self) -> None:
        while True:
            try:
                await self._open()
            except NoToken as error:
                raise error.cause from None
            except Closed as closed:
                self._tokens.raise_if_final(closed)
                await asyncio.sleep(self._backoff.next_s(has_seat=self._joins.has_seat))
            else:
                return

    async def _open(self) -> None:
        """Connect and receive the greeting."""
        while not await self._open_as_user():
            pass
        self._begin_sending()

    def _begin_sending(self) -> None:
        """Join rooms again, and send what is pending, on a connection that is complete."""
        self._is_online = True
        rejoins = [
            join | {"id": self._new_id()} for join in self._joins.again(self._commands.unanswered)
        ]
        self._commands.connected([(join, self._encode(join)) for join in rejoins])
        self._sending = asyncio.create_task(self._send_pending())

    async def _open_as_user(self) -> bool:
        """Connect; return False if the token is of another user, whose state can't be resumed."""
        token = await self._tokens.ask()
        async with asyncio.timeout(OPEN_WITHIN_S):
            query = self._cursor.query() | self._frame_rate.query()
            self._link = await open_link(self._http, self._url, token, query)
        self._greeting.begin()
        try:
            while True:
                message = await self._link.receive(OPEN_WITHIN_S)
                if self._is_of_other_user(message) and self._change_user():
                    break
                if self._take_all(message):
                    return True
        except TimeoutError:
            await self._link.drop(CODE_SILENT)
            raise Closed(CODE_SILENT, "the greeting did not go on") from None
        except BaseException:
            await self._link.drop(CODE_SILENT)
            raise
        await self._link.drop(CODE_SILENT)
        return False

    async def _keep_connected(self) -> None:
        """Read and reconnect until the connection is closed for good."""
        now = asyncio.get_running_loop().time
        while True:
            opened_at = now()
            try:
                await self._read()
            except Closed as closed:
                self._tokens.raise_if_final(closed)
            except TimeoutError:
                # A dead link raises no error on the socket.
                pass
            finally:
                self._is_online = False
                self._end_sending()
                if self._moving is not None:
                    self._moving.cancel()
            await self._link.drop(CODE_SILENT)
            if now() - opened_at > STABLE_S:
                self._backoff.reset()
            await self._reconnect()

    async def _read(self) -> Never:
        quiet_s = HEARTBEATS_MISSED_MAX * self.welcome["heartbeatMs"] / 1000
        while True:
            await self._inbox.space()
            link = self._link
            try:
                message = await link.receive(quiet_s)
            except (Closed, TimeoutError):
                if link is self._link:
                    raise
                continue
            if link is self._link:
                self._take_all(message)

    def _end_sending(self) -> None:
        self._commands.disconnected()
        if self._sending is not None:
            self._sending.cancel()

    async def _move(self, delay_s: float) -> None:
        """Connect elsewhere, while the connection that is about to be closed goes on."""
        successor = await in_time(self._open_successor, self._jitter, delay_s)
        self._end_sending()
        former, self._link = self._link, successor.link
        self._greeting.begin()
        for message in successor.after(self._cursor):
            self._take_all(message)
        self._begin_sending()
        await former.drop(CODE_SILENT)

    async def _open_successor(self) -> Successor:
        token = await self._tokens.ask()
        query = self._cursor.query() | self._frame_rate.query()
        user = self.welcome["user"]["id"]
        return await open_successor(self._http, self._url, token, query, user)

    async def _reconnect(self) -> None:
        while True:
            await asyncio.sleep(self._backoff.next_s(has_seat=self._joins.has_seat))
            try:
                await self._open()
            except Closed as closed:
                self._tokens.raise_if_final(closed)
            except NoToken as error:
                logger.warning("the token could not be fetched: %r", error.cause)
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass
            else:
                return

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Fail pending commands and end the iteration."""
        self._error = None if task.cancelled() else task.exception()
        error = self._error if isinstance(self._error, Exception) else Closed(CODE_NORMAL)
        self._commands.fail_all(error)
        self._inbox.end()

    async def _send_pending(self) -> None:
        """Send pending commands within the limits, until the connection is lost."""
        while True:
            self._something_to_send.clear()
            following = self._commands.next()
            if isinstance(following, PendingCommand):
                await self._transmit(following.frame)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(following):
                    await self._something_to_send.wait()

    # Incoming messages

    def _is_of_other_user(self, message: Message) -> bool:
        if message["type"] != "welcome" or not self.welcome:
            return False
        return bool(message["user"]["id"] != self.welcome["user"]["id"])

    def _change_user(self) -> bool:
        """Drop the state of the former user; return whether this connection resumes it."""
        self._commands.fail_all(NoAnswer("the token is now that of another user"))
        self._joins.forget()
        self._cursor.forget()
        self.welcome = {}
        return self._cursor.is_resuming

    def _take_all(self, message: Message) -> bool:
        """Handle a message, or the greeting that it completes; return whether the greeting ends."""
        ends_greeting = False
        for one in self._greeting.take(message):
            ends_greeting |= self._take(one)
        return ends_greeting

    def _take(self, message: Message) -> bool:
        """Handle a message; return whether it ends the greeting."""
        ends_greeting = self._cursor.take(message)
        match message:
            case {"type": "welcome"}:
                self._take_welcome(message)
            case {"type": "server:draining", "retryMs": retry_ms, "closesInMs": _}:
                self._moving = asyncio.create_task(self._move(retry_ms / 1000))
            case {"type": "server:draining", "retryMs": retry_ms}:
                self._backoff.drain_s = retry_ms / 1000
            case {"type": "token:expiring"} if not self._tokens.is_fixed:
                self._refreshing = asyncio.create_task(self._refresh())
        self._joins.take(message, self.welcome["user"]["id"])
        if message["type"] in REPLY_TYPES:
            self._something_to_send.set()
        if not self._answers.take(message):
            self._inbox.put(message)
        return ends_greeting

    def _take_welcome(self, welcome: Message) -> None:
        self.welcome = welcome
        self._tokens.accepted()
        self._frame_rate.take_welcome(welcome)
        self._rate_limiter.limit(welcome["limits"])
        self._commands.fail_too_long(welcome["limits"]["messageBytesMax"])

    async def _refresh(self) -> None:
        """Send a newer token; on failure the service closes the socket, and the next gets one."""
        try:
            if token := await self._tokens.ask_for_another():
                await self.command("auth:refresh", token=token)
        except (NoToken, Refused, NoAnswer, Closed) as error:
            logger.warning("the token was not renewed: %s", error)
