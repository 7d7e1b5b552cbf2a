"""Issue tokens for any name; for development only."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

import jwt
import msgspec
from aiohttp import web

from service.domain.names import clean_name
from service.edge.claims import Scope
from service.errors import ClientError

if TYPE_CHECKING:
    from service.settings.sections.tokens import TokenSettings

DEV_TOKEN_TTL_S = 7 * 24 * 3600


class BadName(ClientError):
    """A name has at least one visible character, and is not too long."""

    code = "BAD_NAME"


class BadScope(ClientError):
    """The scope of a token for development is `observe` or `admin`."""

    code = "BAD_SCOPE"


class DevTokens:
    """Issues a token for any name; the user's id is derived from the name."""

    def __init__(self, settings: TokenSettings, secret: str) -> None:
        """Sign with `secret`, with the audience and the issuer that the settings require."""
        self._secret = secret
        self._algorithm = settings.algorithms[0]
        self._name_length_max = settings.name_length_max
        required = {"aud": settings.audience, "iss": settings.issuer}
        self._claims = {claim: value for claim, value in required.items() if value is not None}

    def routes(self) -> list[web.AbstractRouteDef]:
        """List the routes."""
        return [web.post("/dev/token", self._issue)]

    async def _issue(self, request: web.Request) -> web.Response:
        """Answer `{name, scope?}` with `{token, user}`."""
        try:
            asked = _object(await request.read())
            name, scope = self._name(asked.get("name")), _scope(asked.get("scope"))
        except ClientError as error:
            raw = msgspec.json.encode({"code": error.code, "message": error.message})
            return web.Response(body=raw, status=400, content_type="application/json")
        user = 1 + int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        exp = int(time.time()) + DEV_TOKEN_TTL_S
        claims = {"id": user, "name": name, "exp": exp, **scope, **self._claims}
        token = jwt.encode(claims, self._secret, algorithm=self._algorithm)
        return web.json_response({"token": token, "user": {"id": user, "name": name}})

    def _name(self, raw: object) -> str:
        name = clean_name(raw) if isinstance(raw, str) else ""
        if not name:
            raise BadName("Send a JSON object with a `name` that has a visible character.")
        if len(name) > self._name_length_max:
            raise BadName(f"A name has at most {self._name_length_max} characters.")
        return name


def _object(body: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {}


def _scope(raw: object) -> dict[str, str]:
    """Return the claim of the scope; raise `BadScope`."""
    if raw is None:
        return {}
    if raw not in (Scope.OBSERVE, Scope.ADMIN):
        raise BadScope
    return {"scope": str(raw)}


def dev_token_routes(tokens: TokenSettings, secret: str) -> list[web.AbstractRouteDef]:
    """List the routes; none where tokens are not checked by a secret that is set."""
    return DevTokens(tokens, secret).routes() if tokens.checks_by_secret and secret else []
