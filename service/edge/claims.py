"""Validate and normalise the claims of a verified token; pure."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from service.domain.ids import UserId, is_bot, parse_user_id
from service.errors import ServiceError

ID_CLAIMS = ("id", "userId", "userID", "sub")

TIME_MAX_S = 253_402_300_799.0
"""The end of the year 9999; later times are clamped to it."""

# Control characters, and lone surrogates, which JSON can express and UTF-8 cannot.
_UNFIT_FOR_IDS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Scope(StrEnum):
    """A permission of the token of an operator or of another service, in its claim `scope`."""

    ADMIN = "admin"
    """Everything that operators do; it includes what `observe` allows."""
    OBSERVE = "observe"
    """Everything that operators see."""
    PUBLISH = "publish"


def includes(scopes: Collection[Scope], wanted: Scope) -> bool:
    """Return whether a token with these scopes may do what `wanted` is for."""
    return wanted in scopes or (wanted is Scope.OBSERVE and Scope.ADMIN in scopes)


class BadTime(ServiceError):
    """A time is no finite number, or the token is expired or not valid yet."""


class BadUser(ServiceError):
    """No claim contains a valid user id."""


class TokenLifetime(msgspec.Struct, frozen=True):
    """When a token was issued and when it expires, in seconds since 1970."""

    issued_at_s: float | None
    expires_at_s: float | None


def read_times(claims: Mapping[str, Any], now_s: float, leeway_s: float) -> TokenLifetime:
    """Return `iat` and `exp`; raise `BadTime` unless the token is valid at `now_s`."""
    issued_at_s, not_before_s, expires_at_s = (
        _time(claims, name) for name in ("iat", "nbf", "exp")
    )
    if expires_at_s is not None and expires_at_s <= now_s - leeway_s:
        raise BadTime("it has expired")
    for begins_s in (issued_at_s, not_before_s):
        if begins_s is not None and begins_s > now_s + leeway_s:
            raise BadTime("it is not good yet")
    return TokenLifetime(issued_at_s, expires_at_s)


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    """Return a time, or None if the claim is absent; `null` is an error, not "never expires"."""
    if name not in claims:
        return None
    raw = claims[name]
    is_number = isinstance(raw, int | float) and not isinstance(raw, bool)
    if not is_number or (isinstance(raw, float) and not math.isfinite(raw)):
        raise BadTime(f"`{name}` is no number of seconds")
    # An integer may have more digits than a float can hold.
    return float(max(-TIME_MAX_S, min(TIME_MAX_S, raw)))


def has_user(claims: Mapping[str, Any]) -> bool:
    """Tell whether any claim contains a user id."""
    return any(claims.get(name) is not None for name in ID_CLAIMS)


def may_be_user_id(text: str) -> bool:
    """Return whether a token may name a user by this text: no bot of the service, for one."""
    return _UNFIT_FOR_IDS.search(text) is None and not is_bot(text)


def read_user(claims: Mapping[str, Any]) -> UserId:
    """Return the user id, from the first claim that has one; raise `BadUser`."""
    raw = next((claims[name] for name in ID_CLAIMS if claims.get(name) is not None), None)
    if isinstance(raw, str) and not may_be_user_id(raw):
        raise BadUser
    try:
        return parse_user_id(raw)
    except ValueError as error:
        raise BadUser from error


def texts(claims: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Return those of the named claims that are texts, in order."""
    return [claims[name] for name in names if isinstance(claims.get(name), str)]
