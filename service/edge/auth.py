"""Who is it? Checks a token and reads the user from it."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import jwt
import msgspec

from service.domain.ids import UserId, normalise
from service.edge.close_codes import CloseCode
from service.errors import ServiceError

if TYPE_CHECKING:
    from aiohttp import web

ID_CLAIMS = ("id", "userId", "userID", "sub")
NAME_CLAIMS = ("name", "username", "email")
BEARER_PROTOCOL = "bearer."


class Scope(StrEnum):
    """What the token of another service of the platform allows it, by the claim `scope`."""

    ADMIN = "admin"
    PUBLISH = "publish"


# Controls, what has no width, what turns the text around it, and halves of surrogate pairs,
# which JSON can write and nobody can encode.
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\u3164\ufeff\ud800-\udfff]"
)
# Spaces, and the joiners: those belong between characters, of Persian and of pictures for example.
_ENDS = "\u200c\u200d" + "".join(filter(str.isspace, map(chr, range(0x3001))))


class AuthenticationError(ServiceError):
    """The user is not known; `reason` closes the socket, `error_code` stands in the logs."""

    def __init__(
        self, reason: str, error_code: str, close_code: CloseCode = CloseCode.POLICY
    ) -> None:
        """Take the reason and the close code for the client, and the code for ELK."""
        super().__init__(reason)
        self.error_code = error_code
        self.close_code = close_code


class Identity(msgspec.Struct, frozen=True):
    """A user, as a token says."""

    user: UserId
    name: str | None
    issued_at_s: float | None = None
    expires_at_s: float | None = None


class Caller(msgspec.Struct, frozen=True):
    """Who asks over HTTP: a user, or another service, which has scopes and may be nobody."""

    identity: Identity | None
    scopes: frozenset[Scope]


def clean_name(raw: str) -> str:
    """Take out what can't be shown or turns the text around it, and the spaces at the ends."""
    return _UNSEEN.sub("", raw).strip(_ENDS)


class Keys(Protocol):
    """Where the keys come from that the tokens of one issuer are checked with."""

    async def candidates(self, token: str) -> Sequence[Any]:
        """Return the keys that may have signed this token: mostly one, or none.

        Raises `jwt.PyJWTError` for what is no token. Returns at once, unless a key must be
        fetched that was not known before.
        """


class FixedKey:
    """One key that never changes: a secret, or a public key in PEM."""

    def __init__(self, key: str) -> None:
        """Check every token with `key`."""
        self._keys = (key,)

    async def candidates(self, _token: str) -> Sequence[str]:
        """Return it."""
        return self._keys


class Issuer(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whose tokens are accepted; `name` and `audience` are checked when they are set."""

    keys: Keys
    name: str | None = None
    audience: str | None = None


class Authenticator:
    """Checks tokens by the algorithms of the settings, and no others."""

    def __init__(
        self,
        issuers: Sequence[Issuer],
        algorithms: Sequence[str],
        *,
        leeway_s: float,
        name_length_max: int,
    ) -> None:
        """Accept the tokens of `issuers`; of several, each has its name."""
        self._issuers = {issuer.name: issuer for issuer in issuers}
        self._only = issuers[0] if len(issuers) == 1 else None
        self._algorithms = list(algorithms)
        self._leeway_s = leeway_s
        self._name_length_max = name_length_max

    async def check(self, token: str | None) -> Identity:
        """Return whose token this is; raise `AuthenticationError`."""
        return self._identity(await self._claims(token))

    async def check_caller(self, token: str | None) -> Caller:
        """Return who asks over HTTP; raise `AuthenticationError` for a token of nobody."""
        claims = await self._claims(token)
        scopes = _scopes(claims)
        is_nobody = all(claims.get(name) is None for name in ID_CLAIMS)
        return Caller(None if scopes and is_nobody else self._identity(claims), scopes)

    async def _claims(self, token: str | None) -> dict[str, Any]:
        if not token:
            raise AuthenticationError("Missing token", "MISSING_WEBSOCKET_TOKEN")
        try:
            return await self._verified(token)
        except (jwt.PyJWTError, UnicodeEncodeError) as error:
            raise AuthenticationError(
                "Invalid or expired token", "INVALID_WEBSOCKET_TOKEN"
            ) from error

    def _identity(self, claims: dict[str, Any]) -> Identity:
        try:
            user = normalise(
                next(claims[name] for name in ID_CLAIMS if claims.get(name) is not None)
            )
            # Half a surrogate pair can't be written down; it raises a `ValueError`.
            str(user).encode()
        except (StopIteration, ValueError) as error:
            raise AuthenticationError("Invalid token payload", "INVALID_TOKEN_PAYLOAD") from error
        return Identity(user, self._name(claims), claims.get("iat"), claims.get("exp"))

    async def _verified(self, token: str) -> dict[str, Any]:
        issuer = self._only or self._issuer_of(token)
        keys = await issuer.keys.candidates(token)
        if not keys:
            raise AuthenticationError("Invalid or expired token", "UNKNOWN_TOKEN_KEY")
        for key in keys[:-1]:
            with contextlib.suppress(jwt.InvalidSignatureError):
                return self._decode(token, key, issuer)
        return self._decode(token, keys[-1], issuer)

    def _issuer_of(self, token: str) -> Issuer:
        """Find who says to have issued a token; the keys of that one will tell."""
        name = jwt.decode(token, options={"verify_signature": False}).get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None:
            raise jwt.InvalidIssuerError("no such issuer")
        return issuer

    def _decode(self, token: str, key: Any, issuer: Issuer) -> dict[str, Any]:
        with warnings.catch_warnings():
            # A short secret is warned of at start, once.
            warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
            return jwt.decode(
                token,
                key,
                algorithms=self._algorithms,
                audience=issuer.audience,
                issuer=issuer.name,
                leeway=self._leeway_s,
                options={"verify_aud": issuer.audience is not None, "verify_sub": False},
            )

    def _name(self, claims: dict[str, Any]) -> str | None:
        """Read the display name; a token's name that is too long is cut, not refused."""
        for claim in NAME_CLAIMS:
            raw = claims.get(claim)
            name = clean_name(raw) if isinstance(raw, str) else ""
            if name:
                return name[: self._name_length_max]
        return None


def token_of(request: web.Request) -> str | None:
    """Find the token of a handshake: in the query, the Authorization header or a subprotocol."""
    if request.query.get("token"):
        return request.query["token"]
    bearer = bearer_of(request)
    if bearer is not None:
        return bearer
    for protocol in request.headers.get("Sec-WebSocket-Protocol", "").split(","):
        if protocol.strip().startswith(BEARER_PROTOCOL):
            return protocol.strip().removeprefix(BEARER_PROTOCOL)
    return None


def bearer_of(request: web.Request) -> str | None:
    """Find the token of the Authorization header."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token else None


def _scopes(claims: dict[str, Any]) -> frozenset[Scope]:
    """Read the scopes, a text with spaces or a list; those of others are none of ours."""
    raw = claims.get("scope")
    named = raw.split() if isinstance(raw, str) else raw if isinstance(raw, list) else []
    return frozenset(scope for scope in Scope if scope in named)
