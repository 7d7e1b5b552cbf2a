"""Deliver finished matches by webhook, signed according to Standard Webhooks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Any

import msgspec

from service.domain.ids import UserId, bot_level
from service.integrations.http import iso_time, open_session, post

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.commands.outbox import Delivered, FinishedMatch, Indeterminate, Rejected
    from service.domain.events.outbox import Consumer

SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret in base64 begins with


def consumer_of(url: str) -> Consumer:
    """Return the consumer name of `url`: a hash, since a URL may hold a secret and is logged."""
    return f"webhook-{hashlib.sha256(url.encode()).hexdigest()[:12]}"


def sign(secret: str, id_: str, timestamp_s: int, body: bytes) -> str:
    """Return the signature header (Standard Webhooks, "Signature scheme")."""
    signed = f"{id_}.{timestamp_s}.".encode() + body
    digest = hmac.digest(_key(secret), signed, "sha256")
    return "v1," + base64.b64encode(digest).decode()


def _key(secret: str) -> bytes:
    """Decode a secret: base64 after `whsec_`, else the bytes of the text."""
    if secret.startswith(SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


class Webhook:
    """The webhook of one consumer."""

    def __init__(
        self,
        url: str,
        secret: str,
        timeout_s: float,
        concurrency: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Post to `url`; `clock` is in seconds since 1970 and part of the signature."""
        self._url = url
        self._secret = secret
        self._clock = clock
        self._session = open_session(timeout_s, concurrency)

    async def deliver(self, match: FinishedMatch) -> Delivered | Rejected | Indeterminate:
        """Post a finished match; repeated deliveries have the same `webhook-id`."""
        body = msgspec.json.encode(webhook_body(match))
        timestamp_s = int(self._clock())
        headers = {
            "webhook-id": match.id,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": sign(self._secret, match.id, timestamp_s, body),
        }
        return await post(self._session, self._url, body, headers)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


def _bot(user: UserId) -> dict[str, int]:
    """Return the level of a bot; nothing for anybody else."""
    level = bot_level(user)
    return {} if level is None else {"bot": level}


def webhook_body(match: FinishedMatch) -> dict[str, Any]:
    """Return the body for a match: ids only, since names are personal data."""
    winner = None if match.winner is None else match.players[match.winner]
    return {
        "type": "match.finished",
        "timestamp": iso_time(match.ended_at),
        "data": {
            "matchId": match.id,
            "game": match.game,
            "reason": match.reason,
            "winner": winner,
            "players": [
                {"id": user, "score": score} | _bot(user)
                for user, score in zip(match.players, match.scores, strict=False)
            ],
            "startedAt": iso_time(match.started_at),
            "endedAt": iso_time(match.ended_at),
        },
    }
