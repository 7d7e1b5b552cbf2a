"""Value types of settings, with their validation."""

import json
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, Field

SECRET_LENGTH_MIN = 8

Algorithm: TypeAlias = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"
]

# Level names of the service that this one replaced, so that its deployments need no change.
_FORMER_LEVELS = {"trace": "debug", "warn": "warning", "fatal": "critical"}


def _level(value: object) -> object:
    return _FORMER_LEVELS.get(value.lower(), value.lower()) if isinstance(value, str) else value


def _json(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Level: TypeAlias = Annotated[
    Literal["debug", "info", "warning", "error", "critical"], BeforeValidator(_level)
]

HttpUrl: TypeAlias = Annotated[str, Field(pattern=r"^https?://[^/@\s?#]+(/[^\s#]*)?$")]
"""A URL without user and password, which would appear in logs."""

CollectorUrl: TypeAlias = Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")]

DATABASE_URL = r"^(sqlite\+aiosqlite:///|postgresql\+psycopg://)."

DatabaseUrl: TypeAlias = Annotated[str, Field(pattern=DATABASE_URL)]

Realm: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""A name that may be a part of a subject of the bus."""

NodeName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,63}$")]
"""A part of the ids of sockets, and of subjects of the bus."""

ServiceUrl: TypeAlias = Annotated[str, Field(pattern=r"^https?://[^/\s,]+[^\s,]*$")]

ServiceUrls: TypeAlias = Annotated[tuple[ServiceUrl, ...], BeforeValidator(_split)]

GameNames: TypeAlias = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")], ...], BeforeValidator(_split)
]

Origins: TypeAlias = Annotated[
    tuple[Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")], ...], BeforeValidator(_split)
]

VaultPath: TypeAlias = Annotated[str, Field(pattern=r"^[^/\s?#][^\s?#]*/data/[^\s?#]+$")]

Text: TypeAlias = Annotated[str, Field(min_length=1)]

Names: TypeAlias = Annotated[tuple[Text, ...], BeforeValidator(_split)]

Algorithms: TypeAlias = Annotated[tuple[Algorithm, ...], BeforeValidator(_split)]


class IssuerSettings(BaseModel, frozen=True, extra="forbid"):
    """One of several issuers: the URL of its keys, and the required audience of its tokens."""

    jwks_url: HttpUrl
    audience: str | None = None


# `null` in JSON counts as unset.
Issuers: TypeAlias = Annotated[dict[Text, IssuerSettings] | None, BeforeValidator(_json)]
