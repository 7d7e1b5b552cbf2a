"""Fetch and refresh an issuer's JSON Web Key Set (RFC 7517)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

import jwt
import msgspec

from service.integrations.backoff import PollSchedule
from service.integrations.http import NoResponse, request_json
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_OK = 200

KeySet: TypeAlias = dict[tuple[str | None, str], list[jwt.PyJWK]]
"""The keys by key id and algorithm; under None all of an algorithm, for tokens without an id."""

logger = get_logger(__name__)


class JwksTimes(msgspec.Struct, frozen=True, kw_only=True):
    """When to fetch."""

    refresh_s: float
    cooldown_s: float
    timeout_s: float


class Jwks:
    """Keeps the keys; a source of keys for the authenticator.

    While they can't be fetched, those that are known stay.
    """

    def __init__(
        self, url: str, algorithms: Sequence[str], times: JwksTimes, *, clock: Callable[[], float]
    ) -> None:
        """Fetch the keys for these algorithms from `url`."""
        self._url = url
        self._algorithms = algorithms
        self._times = times
        self._clock = clock
        self._pace = PollSchedule(times.refresh_s, times.cooldown_s)
        self._keys: KeySet = {}
        self._flight: asyncio.Task[None] | None = None
        self._cool_at = float("-inf")

    async def candidates(self, token: str) -> Sequence[jwt.PyJWK]:
        """Return the keys with the id that the token names; for an unknown one, fetch again.

        However many tokens name unknown keys, there is one fetch at a time, and none within the
        cooldown.
        """
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:
            raise jwt.InvalidAlgorithmError("not an accepted algorithm")
        wanted = (header.get("kid"), algorithm)
        if wanted not in self._keys and (self._flight or self._clock() >= self._cool_at):
            await self.fetch()
        return self._keys.get(wanted, ())

    async def start(self) -> None:
        """Fetch for the first time; a source that is down keeps nobody from starting."""
        await self.fetch()

    async def run(self) -> None:
        """Follow the keys for ever."""
        while True:
            await asyncio.sleep(self._pace.wait_s())
            await self.fetch()

    async def fetch(self) -> None:
        """Fetch now, or wait for the fetch that is under way."""
        if self._flight is None:
            self._flight = asyncio.create_task(self._fetch(), name=f"fetch {self._url}")
            self._flight.add_done_callback(self._landed)
        # Whoever waits may be cancelled; the others want the answer.
        await asyncio.shield(self._flight)

    def _landed(self, _flight: asyncio.Task[None]) -> None:
        self._flight = None

    async def _fetch(self) -> None:
        self._cool_at = self._clock() + self._times.cooldown_s
        try:
            keys = await self._published()
        except NoResponse as error:
            self._pace.failed()
            logger.warning(
                "keys can't be fetched, the known ones stay",
                error_type="external_service_error",
                error_code="JWKS_READ_ERROR",
                metadata={"url": self._url, "reason": error.message, "known": len(self._keys)},
            )
            return
        if keys.keys() != self._keys.keys():
            ids = sorted({kid for kid, _ in keys if kid is not None})
            logger.info("keys fetched", metadata={"url": self._url, "ids": ids})
        self._pace.worked()
        self._keys = keys

    async def _published(self) -> KeySet:
        answer = await request_json("GET", self._url, timeout_s=self._times.timeout_s)
        if answer.status != _OK:
            raise NoResponse(f"HTTP {answer.status}")
        return read_keys(answer.body, self._algorithms)


class _Jwk(msgspec.Struct, omit_defaults=True):
    """What is public of a key."""

    kty: str
    kid: str | None = None
    use: str | None = None
    key_ops: list[str] | None = None
    alg: str | None = None
    crv: str | None = None
    n: str | None = None
    e: str | None = None
    x: str | None = None
    y: str | None = None
    d: str | None = None

    @property
    def is_for_us(self) -> bool:
        """Whether it is meant for checking signatures; one whose private part is out is not."""
        return (
            self.use in {None, "sig"}
            and (self.key_ops is None or "verify" in self.key_ops)
            and self.d is None
        )


class _JwkSet(msgspec.Struct):
    keys: list[Any]


def read_keys(body: object, algorithms: Sequence[str]) -> KeySet:
    """Read a key set; skip keys that are not for `algorithms`, and raise `NoResponse` if all are.

    Symmetric keys are among those: no algorithm with a public key takes one.
    """
    try:
        published = msgspec.convert(body, _JwkSet).keys
    except msgspec.ValidationError as error:
        raise NoResponse(f"no key set: {error}") from error
    found: KeySet = {}
    for one in published:
        for kid, key in _usable(one, algorithms):
            for index in {(kid, key.algorithm_name), (None, key.algorithm_name)}:
                found.setdefault(index, []).append(key)
    if not found:
        raise NoResponse(f"no key for {','.join(algorithms)} among {len(published)}")
    return found


def _usable(one: object, algorithms: Sequence[str]) -> list[tuple[str | None, jwt.PyJWK]]:
    """Make the key of each algorithm that this one may be used with."""
    try:
        jwk = msgspec.convert(one, _Jwk)
    except msgspec.ValidationError:
        return []
    if not jwk.is_for_us:
        return []
    usable = []
    for algorithm in algorithms if jwk.alg is None else {jwk.alg} & {*algorithms}:
        try:
            key = jwt.PyJWK(msgspec.to_builtins(jwk), algorithm)
            # It also compares the curve with that of the algorithm.
            key.Algorithm.prepare_key(key.key)
        except (jwt.PyJWTError, TypeError, ValueError):
            continue
        usable.append((jwk.kid, key))
    return usable
