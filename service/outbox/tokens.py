"""Store users' tokens for requests to the user service.

A token is kept in memory while its user is online. The token of a match's reporting player is also
stored in the database, encrypted and outside the log, from the start of the match until it is
saved: the player may be offline when it ends, and the process may have been restarted.
"""

from __future__ import annotations

import asyncio
import base64
import math
import time
from typing import TYPE_CHECKING

import jwt
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from service.domain.events.matches import MatchStarted
from service.domain.events.outbox import USER_SERVICE
from service.domain.events.presence import UserWentOffline
from service.domain.projections.outbox import reporting_seat
from service.errors import Unavailable
from service.eventstore.read_models.outbox import sealed_token, waiting_for_user
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any

    from service.domain.events.base import Event, Position
    from service.domain.ids import MatchId, UserId
    from service.domain.projections.world import World
    from service.eventstore.read_models.outbox_notes import OutboxNotes
    from service.eventstore.reader import Reader

EXPIRY_MARGIN_S = 5
"""Tokens that expire sooner are not used."""

RETRY_S = 1.0
"""Wait before the next try after a token could not be stored."""

logger = get_logger(__name__)


def token_cipher(secret: str) -> Fernet:
    """Return the cipher of stored tokens; tokens sealed by another secret are ignored."""
    key = HKDF(SHA256(), 32, salt=None, info=b"ws-service bearer tokens").derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(key))


def expires_at(token: str) -> float:
    """Return when a token expires, in seconds since 1970; its signature is not checked here."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False, "verify_exp": False})
        return float(claims.get("exp", "inf"))
    except (jwt.PyJWTError, TypeError, ValueError):
        return 0
    except OverflowError:
        # An integer above the range of a float.
        return math.inf


class UserTokens:
    """Tokens of online users, and stored tokens of reporting players."""

    def __init__(
        self,
        world: World,
        notes: OutboxNotes,
        reader: Reader,
        cipher: Fernet,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Store tokens by `notes`, encrypted by `cipher`; `clock` is in seconds since 1970."""
        self._world = world
        self._notes = notes
        self._reader = reader
        self._cipher = cipher
        self._clock = clock
        self._online: dict[UserId, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def connected(self, user: UserId, token: str) -> None:
        """Keep the token of a new socket; deliveries that wait for it become due."""
        self._online[user] = token
        room = self._world.rooms.rooms.get(self._world.rooms.seated.get(user, ""))
        live = self._world.matches.live.get(room.match or "") if room else None
        if live is not None:
            self._store_for(live.id, live.players)
        if self._world.outbox.waiting.get(USER_SERVICE):
            self._spawn(self._store_for_pending(user, token))

    def observe(self, event: Event, _position: Position) -> None:
        """Store the reporting player's token when a match starts; drop those of offline users."""
        if isinstance(event, MatchStarted):
            self._store_for(event.match, event.players)
        elif isinstance(event, UserWentOffline):
            self._online.pop(event.user, None)

    def of(self, user: UserId) -> str | None:
        """Return the token of an online user while it is valid, else None."""
        return self._fresh(self._online.get(user))

    async def for_match(self, match: MatchId, user: UserId) -> str | None:
        """Return a valid token of `user`, also if they are offline; None without one."""
        token = self.of(user)
        if token is not None:
            return token
        sealed = await sealed_token(self._reader, match, user)
        if sealed is None:
            return None
        token = self._fresh(self._unseal(sealed))
        if token is None:
            await self._notes.forget_token(match, sealed)
        return token

    async def discard(self, match: MatchId, user: UserId, token: str) -> None:
        """Forget a token that the user service does not accept."""
        if self._online.get(user) == token:
            del self._online[user]
        sealed = await sealed_token(self._reader, match, user)
        if sealed is not None and self._unseal(sealed) == token:
            await self._notes.forget_token(match, sealed)

    async def stop(self) -> None:
        """Cancel all writes that are under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _unseal(self, sealed: bytes) -> str | None:
        try:
            return self._cipher.decrypt(sealed).decode()
        except InvalidToken:
            return None

    def _fresh(self, token: str | None) -> str | None:
        if token is None or expires_at(token) < self._clock() + EXPIRY_MARGIN_S:
            return None
        return token

    def _store_for(self, match: MatchId, players: Sequence[UserId]) -> None:
        user = players[reporting_seat(players)]
        token = self._online.get(user)
        if token is not None:
            self._spawn(self._store(match, user, token))

    async def _store_for_pending(self, user: UserId, token: str) -> None:
        for match, players in await waiting_for_user(self._reader, user):
            if players[reporting_seat(players)] == user:
                await self._store(match, user, token)
                await self._notes.mark_due(USER_SERVICE, match)

    async def _store(self, match: MatchId, user: UserId, token: str) -> None:
        """Store a token, however long that takes; the statement stores none for a saved match."""
        sealed = self._cipher.encrypt(token.encode())
        while True:
            try:
                await self._notes.keep_token(match, user, sealed)
            except Unavailable:
                await asyncio.sleep(RETRY_S)
            else:
                return

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, Unavailable):
            # The delivery then waits for the player's next token.
            logger.warning("token not kept", metadata={"reason": error.message})
        elif error is not None:
            logger.error("token not kept", error_type="internal_error", exc_info=error)
