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

    from service.settings.sections.tokens import JwksTimes

_OK = 200

KeySet: TypeAlias = dict[tuple[str | None, str], list[jwt.PyJWK]]
"""Keys by (key id, algorithm); under (None, algorithm) all keys of it, for tokens without `kid`."""

logger = get_logger(__name__)


class Jwks:
    """Caches an issuer's keys; a key source for the authenticator.

    While a fetch fails, the cached keys stay in use.
    """

    def __init__(
        self, url: str, algorithms: Sequence[str], times: JwksTimes, *, clock: Callable[[], float]
    ) -> None:
        """Fetch the keys for these algorithms from `url`; `clock` is monotonic, in seconds."""
        self.url = url
        self._algorithms = algorithms
        self._times = times
        self._clock = clock
        self._schedule = PollSchedule(times.refresh_s, times.cooldown_s)
        self._keys: KeySet = {}
        self._fetching: asyncio.Task[None] | None = None
        self._cooldown_until = float("-inf")

    @property
    def count(self) -> int:
        """How many keys are known."""
        return sum(len(keys) for (kid, _), keys in self._keys.items() if kid is None)

    async def candidates(self, token: str) -> Sequence[jwt.PyJWK]:
        """Return the keys that the token's `kid` names; an unknown `kid` triggers a fetch.

        However many tokens name unknown keys, there is at most one fetch at a time, and none
        within the cooldown. Raises `jwt.InvalidAlgorithmError` for other algorithms.
        """
        known = self.known(token)
        if known is not None:
            return known
        await self.fetch()
        return self._keys.get(self._wanted(token), ())

    def known(self, token: str) -> Sequence[jwt.PyJWK] | None:
        """Return what `candidates` returns; None if that has to fetch first."""
        wanted = self._wanted(token)
        if wanted not in self._keys and (self._fetching or self._clock() >= self._cooldown_until):
            return None
        return self._keys.get(wanted, ())

    def _wanted(self, token: str) -> tuple[str | None, str]:
        """Return the `kid` and the algorithm of the key that a token names."""
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:
            raise jwt.InvalidAlgorithmError("not an accepted algorithm")
        return header.get("kid"), algorithm

    async def start(self) -> None:
        """Fetch for the first time; a failure does not keep the service from starting."""
        await self.fetch()

    async def run(self) -> None:
        """Fetch again and again until cancelled."""
        while True:
            await asyncio.sleep(self._schedule.wait_s())
            await self.fetch()

    async def fetch(self) -> None:
        """Fetch now, or wait for the fetch that is in progress (single flight)."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch(), name=f"fetch {self.url}")
            self._fetching.add_done_callback(self._on_fetched)
        # One waiter may be cancelled while others still need the result.
        await asyncio.shield(self._fetching)

    def _on_fetched(self, _task: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _fetch(self) -> None:
        self._cooldown_until = self._clock() + self._times.cooldown_s
        try:
            keys = await self._request_keys()
        except NoResponse as error:
            self._schedule.failed()
            logger.warning(
                "keys can't be fetched, the known ones stay",
                error_type="external_service_error",
                error_code="JWKS_READ_ERROR",
                metadata={"url": self.url, "reason": error.message, "known": len(self._keys)},
            )
            return
        if keys.keys() != self._keys.keys():
            ids = sorted({kid for kid, _ in keys if kid is not None})
            logger.info("keys fetched", metadata={"url": self.url, "ids": ids})
        self._schedule.succeeded()
        self._keys = keys

    async def _request_keys(self) -> KeySet:
        response = await request_json("GET", self.url, timeout_s=self._times.timeout_s)
        if response.status != _OK:
            raise NoResponse(f"HTTP {response.status}")
        return read_keys(response.body, self._algorithms)


class _Jwk(msgspec.Struct, omit_defaults=True):
    """A JSON Web Key (RFC 7517): its public fields, and `d` to notice a private key."""

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
        """Whether it may verify signatures; a published private key is never trusted."""
        return (
            self.use in {None, "sig"}
            and (self.key_ops is None or "verify" in self.key_ops)
            and self.d is None
        )


class _JwkSet(msgspec.Struct):
    keys: list[Any]


def read_keys(body: object, algorithms: Sequence[str]) -> KeySet:
    """Read a key set and skip keys that `algorithms` can't use; raise `NoResponse` if none is left.

    Symmetric keys are skipped, since no asymmetric algorithm accepts one.
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
    """Return (key id, key) for each algorithm that this key can be used with."""
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
            # This also checks that the curve is the algorithm's.
            key.Algorithm.prepare_key(key.key)
        except (jwt.PyJWTError, TypeError, ValueError):
            continue
        usable.append((jwk.kid, key))
    return usable
