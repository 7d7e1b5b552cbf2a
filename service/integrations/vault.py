"""Minimal Vault client: log in, renew the token, read a KV v2 secret."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

import msgspec

from service.errors import ServiceError
from service.integrations.http import NoResponse, request_json
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.integrations.http import JsonResponse

RENEW_AFTER = 2 / 3
"""The share of a token's lifetime after which it is renewed."""

RENEW_WAIT_S_MIN = 1.0
"""The least wait: as a token nears its maximum lifetime, Vault renews it for ever shorter times."""

RENEW_RETRY_S = 5.0
"""Wait before the next try after a renewal failed."""

REASON_LENGTH_MAX = 200

_OK = 200
_FORBIDDEN = 403
_NOT_FOUND = 404

logger = get_logger(__name__)


class VaultError(ServiceError):
    """The request to Vault failed."""


class VaultForbidden(VaultError):
    """Vault answered 403: the token is revoked or expired, or its policy does not allow this."""


class VaultToken(msgspec.Struct, frozen=True):
    """Log in with a token that was created elsewhere."""

    token: str

    def __repr__(self) -> str:
        """Leave secrets out."""
        return "VaultToken()"


class AppRole(msgspec.Struct, frozen=True):
    """Log in by the auth method AppRole, which issues a token."""

    role_id: str
    secret_id: str

    def __repr__(self) -> str:
        """Leave secrets out."""
        return f"AppRole({self.role_id!r})"


class SecretVersion(msgspec.Struct, frozen=True):
    """A version of a secret in a KV version 2 engine."""

    value: str
    number: int
    created_at: datetime


class Vault:
    """A client that renews its own token."""

    def __init__(
        self,
        address: str,
        credentials: VaultToken | AppRole,
        *,
        timeout_s: float,
        clock: Callable[[], float],
    ) -> None:
        """Send requests to `address`, each with a timeout; `clock` is monotonic, in seconds."""
        self._address = address.rstrip("/")
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._clock = clock
        self._token: str | None = None
        self._renew_at = math.inf

    @property
    def renew_in_s(self) -> float:
        """Seconds until the token has to be renewed; infinite if it does not expire."""
        return max(self._renew_at - self._clock(), 0)

    async def read(self, path: str, key: str, number: int | None = None) -> SecretVersion:
        """Return the newest version of a secret, or the version `number`.

        Raises `VaultError` when it can't be read. A token that was revoked, or that a restored
        Vault does not know, is replaced when an AppRole is configured.
        """
        if self._token is None:
            await self._log_in()
        elif not self.renew_in_s:
            await self._renew()
        query = "" if number is None else f"?version={number}"
        try:
            answer = await self._call("GET", path + query, self._token)
        except VaultForbidden:
            if isinstance(self._credentials, VaultToken):
                raise
            await self._log_in()
            answer = await self._call("GET", path + query, self._token)
        if answer.status == _NOT_FOUND:
            raise VaultError(f"there is no secret at {path}")
        try:
            return _version(answer.body, key)
        except msgspec.ValidationError as error:
            raise VaultError(f"{path} has no text under {key} (is it KV version 2?)") from error

    async def _log_in(self) -> None:
        match self._credentials:
            case VaultToken(token):
                await self._look_up(token)
                self._token = token
            case AppRole() as role:
                answer = await self._call("POST", "auth/approle/login", None, role)
                login = _read(answer, _Login).auth
                self._token = login.client_token
                self._schedule_renewal(login.lease_duration)
            case _:
                assert_never(self._credentials)

    async def _look_up(self, token: str) -> None:
        """Look up when the token expires; without permission to, it is used until it fails."""
        try:
            answer = await self._call("GET", "auth/token/lookup-self", token)
        except VaultForbidden:
            self._schedule_renewal(0)
            return
        found = _read(answer, _LookUp).data
        self._schedule_renewal(found.ttl if found.renewable else 0)

    async def _renew(self) -> None:
        """Renew the token, or log in again with an AppRole, which its maximum lifetime can't stop.

        On failure the current token is still valid for a while, so reads go on with it.
        """
        try:
            if isinstance(self._credentials, AppRole):
                await self._log_in()
                return
            answer = await self._call("POST", "auth/token/renew-self", self._token, {})
            self._schedule_renewal(_read(answer, _Login).auth.lease_duration)
        except VaultError as error:
            self._renew_at = self._clock() + RENEW_RETRY_S
            logger.warning(
                "the token of Vault can't be renewed",
                error_type="external_service_error",
                error_code="VAULT_READ_ERROR",
                metadata={"reason": error.message},
            )

    def _schedule_renewal(self, ttl_s: int) -> None:
        """Renew the token before it expires; a `ttl_s` of 0 means that it does not."""
        wait_s = max(ttl_s * RENEW_AFTER, RENEW_WAIT_S_MIN) if ttl_s else math.inf
        self._renew_at = self._clock() + wait_s

    async def _call(
        self, method: str, path: str, token: str | None, body: object = None
    ) -> JsonResponse:
        headers = {"X-Vault-Request": "true"} | ({} if token is None else {"X-Vault-Token": token})
        url = f"{self._address}/v1/{path}"
        try:
            answer = await request_json(
                method, url, timeout_s=self._timeout_s, headers=headers, body=body
            )
        except NoResponse as error:
            raise VaultError(error.message) from error
        if answer.status in {_OK, _NOT_FOUND}:
            return answer
        reason = f"HTTP {answer.status} at {path}: {_reason(answer)}"
        raise VaultForbidden(reason) if answer.status == _FORBIDDEN else VaultError(reason)


class _Metadata(msgspec.Struct):
    version: int
    created_time: datetime


class _Kv(msgspec.Struct):
    data: dict[str, Any]
    metadata: _Metadata


class _Read(msgspec.Struct):
    data: _Kv


class _Auth(msgspec.Struct):
    client_token: str
    lease_duration: int


class _Login(msgspec.Struct):
    auth: _Auth


class _Token(msgspec.Struct):
    ttl: int
    renewable: bool = False


class _LookUp(msgspec.Struct):
    data: _Token


class _Errors(msgspec.Struct):
    errors: list[str]


Body = TypeVar("Body")


def _read(answer: JsonResponse, type_: type[Body]) -> Body:
    """Convert the body of a response; raise `VaultError` if it has another form."""
    try:
        return msgspec.convert(answer.body, type_)
    except msgspec.ValidationError as error:
        raise VaultError(f"not a response of Vault: {error}") from error


def _version(body: Any, key: str) -> SecretVersion:
    kv = msgspec.convert(body, _Read).data
    value = msgspec.convert(kv.data.get(key), str)
    return SecretVersion(value, kv.metadata.version, kv.metadata.created_time)


def _reason(answer: JsonResponse) -> str:
    """Return the errors in a response of Vault as one line."""
    try:
        errors = msgspec.convert(answer.body, _Errors).errors
    except msgspec.ValidationError:
        errors = []
    return " ".join("; ".join(errors).split())[:REASON_LENGTH_MAX] or "no reason given"
