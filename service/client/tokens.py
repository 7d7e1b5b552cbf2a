"""Fetch tokens from the application, and fetch again when one is refused."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from service.client.errors import Closed, NoToken

Token: TypeAlias = str | Callable[[], Awaitable[str]]
"""A JWT, or a callable that returns a fresh one for each connection and each renewal."""

TOKEN_WITHIN_S = 10.0
"""Timeout of the callable."""

REFUSED_TOKENS_MAX = 6
"""The client gives up after this many fresh tokens were refused in a row."""

CODE_BAD_TOKEN = 1008
CODE_TOKEN_EXPIRED = 4005
FINAL_CODES = frozenset({4503, 4504})
"""Kicked, or too many sockets: the client must not reconnect by itself."""

_JWT = re.compile(r"[\w.-]+", re.ASCII)

logger = logging.getLogger("service.client")


class TokenSource:
    """Returns tokens, and counts how many were refused in a row."""

    def __init__(self, token: Token) -> None:
        """Take a token, or the callable that returns one."""
        self._token = token
        self._refusals = 0
        self._latest = ""

    @property
    def is_fixed(self) -> bool:
        """Whether there is only one token, which can't be renewed."""
        return isinstance(self._token, str)

    async def ask(self) -> str:
        """Return a token; raise `NoToken`, or `Closed` for one that is not a JWT.

        A callable that exceeds the timeout is cancelled but not awaited.
        """
        if isinstance(self._token, str):
            return self._token
        asking = asyncio.ensure_future(self._call(self._token))
        try:
            done, _ = await asyncio.wait({asking}, timeout=TOKEN_WITHIN_S)
            if not done:
                raise NoToken(TimeoutError(f"no token after {TOKEN_WITHIN_S} s"))
            try:
                fetched: object = asking.result()
            except asyncio.CancelledError as error:
                # The callable was cancelled, not this client.
                raise NoToken(RuntimeError("the token was cancelled")) from error
            except Exception as error:
                raise NoToken(error) from error
        finally:
            asking.cancel()
        if not isinstance(fetched, str) or not _JWT.fullmatch(fetched):
            raise Closed(CODE_BAD_TOKEN, "the token is not a JWT")
        self._latest = fetched
        return fetched

    async def ask_for_another(self) -> str | None:
        """Return a token as `ask` does, or None for the one that was returned before."""
        before = self._latest
        token = await self.ask()
        return None if token == before else token

    def accepted(self) -> None:
        """Reset the count of refusals."""
        self._refusals = 0

    def raise_if_final(self, closed: Closed) -> None:
        """Raise `closed` if the client must not reconnect.

        A single refusal is not final, since the callable may return a valid token next time.
        """
        if closed.code in FINAL_CODES:
            raise closed
        if closed.code in {CODE_BAD_TOKEN, CODE_TOKEN_EXPIRED} and self.is_fixed:
            raise closed
        if closed.code == CODE_BAD_TOKEN:
            self._refusals += 1
            logger.warning("the token was refused: %s", closed.reason)
            if self._refusals >= REFUSED_TOKENS_MAX:
                raise closed

    @staticmethod
    async def _call(token: Callable[[], Awaitable[str]]) -> str:
        return await token()
