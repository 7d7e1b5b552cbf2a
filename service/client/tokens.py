"""Fetch tokens from the application, and fetch again when one is refused."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from service.client.errors import Closed, NoToken

Token: TypeAlias = str | Callable[[], Awaitable[str]]
"""A JWT; or what brings a fresh one, for each connection and before the present one ends."""

TOKEN_WITHIN_S = 10.0
"""How long the callable may take to bring a token."""

REFUSED_TOKENS_MAX = 6
"""After so many refusals in a row, each of a token just brought, another won't help."""

CODE_BAD_TOKEN = 1008
CODE_TOKEN_EXPIRED = 4005
FINAL_CODES = frozenset({4503, 4504})
"""Sent away, too many sockets: coming back by itself would do harm."""

_JWT = re.compile(r"[\w.-]+", re.ASCII)

logger = logging.getLogger("service.client")


class TokenSource:
    """Where the tokens come from, and how often they were refused."""

    def __init__(self, token: Token) -> None:
        """Take the one token, or what brings one."""
        self._token = token
        self._refusals = 0

    @property
    def is_fixed(self) -> bool:
        """Whether there is no other token than this one."""
        return isinstance(self._token, str)

    async def ask(self) -> str:
        """Return a token; raise `NoToken`, or `Closed` for one that the service would refuse.

        A callable that does not return is left alone.
        """
        if isinstance(self._token, str):
            return self._token
        asking = asyncio.ensure_future(self._bring(self._token))
        try:
            done, _ = await asyncio.wait({asking}, timeout=TOKEN_WITHIN_S)
            if not done:
                raise NoToken(TimeoutError(f"no token came in {TOKEN_WITHIN_S} s"))
            try:
                brought: object = asking.result()
            except asyncio.CancelledError as error:
                # What the callable waited for was cancelled, not this client.
                raise NoToken(RuntimeError("the token was cancelled")) from error
            except Exception as error:
                raise NoToken(error) from error
        finally:
            asking.cancel()
        if not isinstance(brought, str) or not _JWT.fullmatch(brought):
            raise Closed(CODE_BAD_TOKEN, "the token is not a JWT")
        return brought

    def accepted(self) -> None:
        """Begin to count refusals anew."""
        self._refusals = 0

    def raise_if_final(self, closed: Closed) -> None:
        """Raise `closed` when there is no coming back from it.

        Every token was brought for its connection, so each refusal counts; but a stale one may be
        followed by a good one.
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
    async def _bring(token: Callable[[], Awaitable[str]]) -> str:
        return await token()
