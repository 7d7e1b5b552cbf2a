"""A further connection that takes over from one that is about to be closed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp

from service.client.errors import Closed, NoToken
from service.client.link import CODE_SILENT, Link, open_link
from service.client.retry import RETRY_FIRST_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from service.client.state import Cursor, Message

OPEN_WITHIN_S = 10.0
"""Timeout of each message of the greeting."""


class Successor:
    """A connection that has resumed, and what it has received so far."""

    def __init__(self, link: Link, messages: list[Message]) -> None:
        """Do not call this; use `open_successor`."""
        self.link = link
        self._messages = messages

    def after(self, cursor: Cursor) -> list[Message]:
        """Return the messages that the former connection, which came to `cursor`, has not had."""
        messages = [one for one in self._messages if not _is_older(one, cursor.shown)]
        if any(message["type"] == "resync" for message in messages):
            return messages
        return [one for one in messages if _is_after(one, cursor.position)]


async def open_successor(
    http: aiohttp.ClientSession, url: str, token: str, query: dict[str, str], user: int | str
) -> Successor:
    """Connect as `user`, and receive what resumes; raise aiohttp's errors, or `Closed`."""
    link = await open_link(http, url, token, query)
    messages: list[Message] = []
    try:
        while not _is_complete(messages):
            messages.append(await link.receive(OPEN_WITHIN_S))
            _check_user(messages[0], user)
    except BaseException:
        await link.drop(CODE_SILENT)
        raise
    return Successor(link, messages)


async def in_time(
    open_: Callable[[], Awaitable[Successor]], jitter: Callable[[], float], delay_s: float
) -> Successor:
    """Open a successor after a random part of a delay; try again until that succeeds."""
    while True:
        await asyncio.sleep(jitter() * delay_s)
        try:
            return await open_()
        except (NoToken, Closed, aiohttp.ClientError, OSError, TimeoutError):
            delay_s = RETRY_FIRST_S


def _check_user(welcome: Message, user: int | str) -> None:
    if welcome["type"] != "welcome" or welcome["user"]["id"] != user:
        raise Closed(CODE_SILENT, "the token is of another user")


def _is_complete(messages: list[Message]) -> bool:
    if not messages:
        return False
    types = {message["type"] for message in messages}
    if "resync" in types and "greeted" in messages[0].get("features", ()):
        return "greeted" in types
    return bool(types & {"resumed", "resync"})


def _is_older(message: Message, shown: dict[str, tuple[int, int]]) -> bool:
    """Return whether a state is older than that which was shown last."""
    if message["type"] != "game:update" or message["roomId"] not in shown:
        return False
    return (message["run"], message["tick"]) < shown[message["roomId"]]


def _is_after(message: Message, position: int) -> bool:
    is_of_log = "position" in message and message["type"] not in {"welcome", "ack"}
    return not is_of_log or bool(message["position"] > position)
