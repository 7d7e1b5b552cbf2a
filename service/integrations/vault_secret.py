"""Follow the signing secret in Vault, accepting the previous version for a grace period."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.errors import ConfigurationError
from service.integrations.backoff import PollSchedule, backoff
from service.integrations.vault import VaultError
from service.settings.kinds import SECRET_LENGTH_MIN
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from service.integrations.vault import SecretVersion, Vault
    from service.settings.sections.tokens import VaultSettings

RETRY_FIRST_S = 0.2
RETRY_LONGEST_S = 5.0

logger = get_logger(__name__)


class VaultSecret:
    """Caches the secret; a key source for the authenticator."""

    def __init__(
        self,
        vault: Vault,
        settings: VaultSettings,
        *,
        weaknesses: Callable[[str], list[str]],
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        """Read the secret at its path, and log the weaknesses of each new one.

        `clock` is monotonic, in seconds; `now` is the wall clock.
        """
        self._vault = vault
        self._settings = settings
        self._weaknesses = weaknesses
        self._clock = clock
        self._now = now
        self._schedule = PollSchedule(settings.poll_s, RETRY_FIRST_S)
        self._current: tuple[str, ...] = ()
        self._former: list[tuple[str, float]] = []

    async def candidates(self, token: str) -> tuple[str, ...]:
        """Do as `known`: nothing is fetched for a token."""
        return self.known(token)

    def known(self, _token: str) -> tuple[str, ...]:
        """Return the current secret, and those that were replaced within the grace period."""
        if not self._former:
            return self._current
        now = self._clock()
        self._former = [(secret, end) for secret, end in self._former if now < end]
        return (*self._current, *(secret for secret, _ in self._former))

    async def start(self) -> None:
        """Read the secret for the first time, with retries.

        Raises `ConfigurationError` when it could not be read within `start_timeout_s`.
        """
        timeout_s = self._settings.start_timeout_s
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
        """Poll the secret until cancelled; this also renews the token of Vault in time."""
        while True:
            await asyncio.sleep(min(self._schedule.wait_s(), self._vault.renew_in_s))
            await self.follow()

    async def follow(self) -> None:
        """Read the secret again; while Vault is unavailable, the last one stays in use."""
        try:
            version = await self._read()
        except VaultError as error:
            self._schedule.failed()
            _warn("Vault can't be read, the last secret stays", error)
            return
        if self._schedule.failing:
            logger.info("Vault can be read again")
        self._schedule.succeeded()
        self._take(version.value)

    async def _read(self, number: int | None = None) -> SecretVersion:
        settings = self._settings
        version = await self._vault.read(settings.path, settings.key, number)
        if len(version.value) < SECRET_LENGTH_MIN:
            raise VaultError(
                f"{settings.key} at {settings.path} has less than {SECRET_LENGTH_MIN} characters"
            )
        return version

    def _take(self, secret: str) -> None:
        if self._current == (secret,):
            return
        for weakness in self._weaknesses(secret):
            logger.warning(weakness)
        if self._current:
            end = self._clock() + self._settings.grace_s
            self._former = [(self._current[0], end), *self._former]
            logger.info("secret rotated", metadata={"former_accepted_s": self._settings.grace_s})
        self._former = [(former, end) for former, end in self._former if former != secret]
        self._current = (secret,)

    async def _take_former(self, version: SecretVersion) -> None:
        """Accept the previous version if it was replaced less than the grace period ago."""
        age_s = (self._now() - version.created_at).total_seconds()
        left_s = self._settings.grace_s - max(age_s, 0)
        if left_s <= 0 or version.number == 1:
            return
        try:
            former = await self._read(version.number - 1)
        except VaultError:
            # It was deleted, or is no secret, so no token can be signed with it.
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
