"""Follow the signing secret in Vault, accepting the previous version for a grace period."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from service.errors import ConfigurationError
from service.integrations.backoff import PollSchedule, backoff
from service.integrations.vault import VaultError
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from service.integrations.vault import SecretVersion, Vault

RETRY_FIRST_S = 0.2
RETRY_LONGEST_S = 5.0

logger = get_logger(__name__)


class SecretRules(msgspec.Struct, frozen=True, kw_only=True):
    """Where the secret stands, and how it is followed."""

    path: str
    key: str
    length_min: int
    poll_s: float
    grace_s: float
    start_timeout_s: float


class VaultSecret:
    """Keeps the secret; a source of keys for the authenticator."""

    def __init__(
        self,
        vault: Vault,
        rules: SecretRules,
        *,
        weaknesses: Callable[[str], list[str]],
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        """Follow the secret by these rules, and warn of the weaknesses of each new one."""
        self._vault = vault
        self._rules = rules
        self._weaknesses = weaknesses
        self._clock = clock
        self._now = now
        self._pace = PollSchedule(rules.poll_s, RETRY_FIRST_S)
        self._current: tuple[str, ...] = ()
        self._former: list[tuple[str, float]] = []

    async def candidates(self, _token: str) -> tuple[str, ...]:
        """Return the secret, and those that were replaced a short time ago."""
        if not self._former:
            return self._current
        now = self._clock()
        self._former = [(secret, end) for secret, end in self._former if now < end]
        return (*self._current, *(secret for secret, _ in self._former))

    async def start(self) -> None:
        """Read the secret for the first time.

        Raises `ConfigurationError` when that was not possible for too long.
        """
        timeout_s = self._rules.start_timeout_s
        deadline = self._clock() + timeout_s
        for wait_s in backoff(RETRY_FIRST_S, RETRY_LONGEST_S):
            try:
                version = await self._read()
            except VaultError as error:
                left_s = deadline - self._clock()
                if left_s <= 0:
                    raise ConfigurationError(
                        f"Vault gave no secret within VAULT_START_TIMEOUT_S={timeout_s:g}:"
                        f" {error.message}"
                    ) from error
                _warn("no secret from Vault yet", error)
                await asyncio.sleep(min(wait_s, left_s))
            else:
                self._take(version.value)
                await self._take_former(version)
                return

    async def run(self) -> None:
        """Follow the secret for ever, and keep the token of Vault alive with it."""
        while True:
            await asyncio.sleep(min(self._pace.wait_s(), self._vault.renew_in_s))
            await self.follow()

    async def follow(self) -> None:
        """Read the secret again; while Vault is away, the last one stays."""
        try:
            version = await self._read()
        except VaultError as error:
            self._pace.failed()
            _warn("Vault can't be read, the last secret stays", error)
            return
        if self._pace.failing:
            logger.info("Vault can be read again")
        self._pace.worked()
        self._take(version.value)

    async def _read(self, number: int | None = None) -> SecretVersion:
        rules = self._rules
        version = await self._vault.read(rules.path, rules.key, number)
        if len(version.value) < rules.length_min:
            raise VaultError(
                f"{rules.key} at {rules.path} has less than {rules.length_min} characters"
            )
        return version

    def _take(self, secret: str) -> None:
        if self._current == (secret,):
            return
        for weakness in self._weaknesses(secret):
            logger.warning(weakness)
        if self._current:
            end = self._clock() + self._rules.grace_s
            self._former = [(self._current[0], end), *self._former]
            logger.info("secret rotated", metadata={"former_accepted_s": self._rules.grace_s})
        self._former = [(former, end) for former, end in self._former if former != secret]
        self._current = (secret,)

    async def _take_former(self, version: SecretVersion) -> None:
        """Accept the version before, if it was replaced a short time before this start."""
        age_s = (self._now() - version.created_at).total_seconds()
        left_s = self._rules.grace_s - max(age_s, 0)
        if left_s <= 0 or version.number == 1:
            return
        try:
            former = await self._read(version.number - 1)
        except VaultError:
            # Somebody has deleted it, or it held something else: nobody signs with it.
            return
        if former.value != version.value:
            self._former = [(former.value, self._clock() + left_s)]


def _warn(message: str, error: VaultError) -> None:
    logger.warning(
        message,
        error_type="external_service_error",
        error_code="VAULT_READ_ERROR",
        metadata={"reason": error.message},
    )
