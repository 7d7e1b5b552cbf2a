"""Authenticate JWTs and extract the user's identity."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import jwt
import msgspec
from aiohttp import hdrs

from service.domain.ids import UserId
from service.domain.names import clean_name
from service.edge.claims import (
    BadTime,
    BadUser,
    Scope,
    TokenLifetime,
    has_user,
    read_times,
    read_user,
    texts,
)
from service.edge.close_codes import CloseCode
from service.edge.handshake import listed
from service.edge.hmac_tokens import HmacTokens
from service.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web

    from service.settings.sections.tokens import TokenSettings

BEARER_PROTOCOL = "bearer."


_INVALID = (jwt.PyJWTError, BadTime, ValueError, TypeError, OverflowError, RecursionError)
"""Exceptions of decoding a token, whose header and payload may be any JSON."""


class AuthenticationError(ServiceError):
    """Authentication failed; `reason` is for the close frame, `error_code` for the logs."""

    def __init__(
        self, reason: str, error_code: str, close_code: CloseCode = CloseCode.POLICY
    ) -> None:
        """Take the reason and the close code for the client, and the error code for the logs."""
        super().__init__(reason)
        self.error_code = error_code
        self.close_code = close_code


class Identity(msgspec.Struct, frozen=True):
    """A user, as authenticated by a token."""

    user: UserId
    name: str | None
    issued_at_s: float | None = None
    expires_at_s: float | None = None


class Caller(msgspec.Struct, frozen=True):
    """The caller of the HTTP API: a user, or another service with scopes."""

    identity: Identity | None
    scopes: frozenset[Scope]


class Keys(Protocol):
    """The source of the keys that verify the tokens of one issuer."""

    async def candidates(self, token: str) -> Sequence[Any]:
        """Return the keys that may have signed this token: usually one, or none.

        Raises `jwt.PyJWTError` for what is no token. Returns at once, unless a key must be
        fetched that was not known before.
        """

    def known(self, token: str) -> Sequence[Any] | None:
        """Return what `candidates` returns; None if that has to fetch a key first."""


class FixedKey:
    """One key that never changes: a secret, or a public key in PEM."""

    def __init__(self, key: str) -> None:
        """Verify every token with `key`."""
        self.key = key
        self._keys = (key,)

    async def candidates(self, _token: str) -> Sequence[str]:
        """Return the key."""
        return self._keys

    def known(self, _token: str) -> Sequence[str]:
        """Return the key."""
        return self._keys


class Issuer(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted issuer of tokens; `name` and `audience` are checked if they are set."""

    keys: Keys
    name: str | None = None
    audience: str | None = None


class Authenticator:
    """Authenticates tokens, by the algorithms of the settings only."""

    def __init__(
        self,
        issuers: Sequence[Issuer],
        settings: TokenSettings,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Accept the tokens of `issuers`; if there are several, each must have a name."""
        self._issuers = {issuer.name: issuer for issuer in issuers}
        self._only = issuers[0] if len(issuers) == 1 else None
        self._algorithms = list(settings.algorithms)
        self._leeway_s = settings.leeway_s
        self._name_claims = settings.name_claims
        self._now = now
        self._name_length_max = settings.name_length_max
        self._hmac_tokens = HmacTokens()

    async def check(self, token: str | None) -> Identity:
        """Return the user of a token; raise `AuthenticationError`."""
        claims, times = await self._claims(token)
        return self._identity(claims, times)

    def check_at_once(self, token: str) -> Identity | None:
        """Return the user of a token; None if `check` has to refuse it, or to fetch a key first."""
        try:
            issuer = self._only or self._issuer_of(token)
            keys = issuer.keys.known(token)
            if not keys:
                return None
            claims = self._decode_by_any(token, keys, issuer)
            times = read_times(claims, self._now(), self._leeway_s)
            return self._identity(claims, times)
        except (*_INVALID, AuthenticationError):
            return None

    async def check_caller(self, token: str | None) -> Caller:
        """Return the caller of the HTTP API; raise `AuthenticationError`."""
        claims, times = await self._claims(token)
        scopes = _scopes(claims)
        is_nobody = scopes and not has_user(claims)
        return Caller(None if is_nobody else self._identity(claims, times), scopes)

    async def _claims(self, token: str | None) -> tuple[Mapping[str, Any], TokenLifetime]:
        if not token:
            raise AuthenticationError("Missing token", "MISSING_WEBSOCKET_TOKEN")
        try:
            claims = await self._verified(token)
            return claims, read_times(claims, self._now(), self._leeway_s)
        except _INVALID as error:
            raise AuthenticationError(
                "Invalid or expired token", "INVALID_WEBSOCKET_TOKEN"
            ) from error

    def _identity(self, claims: Mapping[str, Any], times: TokenLifetime) -> Identity:
        try:
            user = read_user(claims)
        except BadUser as error:
            raise AuthenticationError("Invalid token payload", "INVALID_TOKEN_PAYLOAD") from error
        return Identity(user, self._name(claims), times.issued_at_s, times.expires_at_s)

    async def _verified(self, token: str) -> dict[str, Any]:
        issuer = self._only or self._issuer_of(token)
        keys = await issuer.keys.candidates(token)
        if not keys:
            raise AuthenticationError("Invalid or expired token", "UNKNOWN_TOKEN_KEY")
        return self._decode_by_any(token, keys, issuer)

    def _decode_by_any(self, token: str, keys: Sequence[Any], issuer: Issuer) -> dict[str, Any]:
        """Return the claims of a token that one of these keys has signed."""
        for key in keys[:-1]:
            with contextlib.suppress(jwt.InvalidSignatureError):
                return self._decode(token, key, issuer)
        return self._decode(token, keys[-1], issuer)

    def _issuer_of(self, token: str) -> Issuer:
        """Return the issuer that the token claims; its keys then verify the token."""
        name = jwt.decode(token, options={"verify_signature": False}).get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None:
            raise jwt.InvalidIssuerError("no such issuer")
        return issuer

    def _decode(self, token: str, key: Any, issuer: Issuer) -> dict[str, Any]:
        claims = self._quickly_decoded(token, key, issuer)
        if claims is None:
            claims = self._decode_by_library(token, key, issuer)
            self._hmac_tokens.accepted(token, key)
        return claims

    def _quickly_decoded(self, token: str, key: Any, issuer: Issuer) -> dict[str, Any] | None:
        """Return the claims of a token that PyJWT would accept for certain; None for any other."""
        claims = self._hmac_tokens.claims(token, key) if isinstance(key, str) else None
        if claims is None:
            return None
        if issuer.name is not None and claims.get("iss") != issuer.name:
            return None
        # An audience may be a list as well.
        is_for_us = issuer.audience is None or claims.get("aud") == issuer.audience
        return claims if is_for_us else None

    def _decode_by_library(self, token: str, key: Any, issuer: Issuer) -> dict[str, Any]:
        with warnings.catch_warnings():
            # The start of the service warns of a short secret, once.
            warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
            return jwt.decode(
                token,
                key,
                algorithms=self._algorithms,
                audience=issuer.audience,
                issuer=issuer.name,
                # `claims` checks these: PyJWT raises any exception for values of the wrong type.
                options={
                    "verify_aud": issuer.audience is not None,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_jti": False,
                    "verify_nbf": False,
                    "verify_sub": False,
                },
            )

    def _name(self, claims: Mapping[str, Any]) -> str | None:
        """Return the display name; one that is too long is truncated."""
        names = (clean_name(raw) for raw in texts(claims, self._name_claims))
        return next((name[: self._name_length_max] for name in names if name), None)


def token_of(request: web.BaseRequest) -> str | None:
    """Return the token of a handshake: in the query, the Authorization header or a subprotocol."""
    if request.query.get("token"):
        return request.query["token"]
    bearer = bearer_of(request)
    if bearer is not None:
        return bearer
    for protocol in listed(request.headers, hdrs.SEC_WEBSOCKET_PROTOCOL):
        if protocol.startswith(BEARER_PROTOCOL):
            return protocol.removeprefix(BEARER_PROTOCOL)
    return None


def bearer_of(request: web.BaseRequest) -> str | None:
    """Return the token of the Authorization header."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token else None


def _scopes(claims: Mapping[str, Any]) -> frozenset[Scope]:
    """Return the known scopes; the claim is a text with spaces, or a list."""
    raw = claims.get("scope")
    named = raw.split() if isinstance(raw, str) else raw if isinstance(raw, list) else []
    return frozenset(scope for scope in Scope if scope in named)
