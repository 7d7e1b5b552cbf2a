"""The checks of secrets: of their strength, their files, and the sources of keys."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from service.cli.doctor.findings import Finding
from service.edge.issuers import issuers_of, polled_keys
from service.errors import ConfigurationError
from service.integrations.jwks import Jwks
from service.settings.checks import weaknesses
from service.settings.secrets import (
    COMMAND_SECRET_FILE,
    DEV_SECRET_FILE,
    SEAL_SECRET_FILE,
    read_dev_secret,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.settings import Settings

SECRET, FILES, KEYS = "secret", "secret-files", "keys"

DISTINCT_CHARACTERS_MIN = 10
"""What 32 random bytes have in hexadecimal, or more."""

GUESSED = ("changeme", "change-me", "password", "secret123", "your-secret", "example", "default")
"""Parts of secrets that were copied from somewhere."""

KEYS_TIMEOUT_S = 10.0

RANDOM = "take what `openssl rand -hex 32` prints, also in your auth service"


def check_secrets(settings: Settings) -> Iterator[Finding]:
    """Check the secret that tokens are signed with, and where it comes from."""
    tokens = settings.tokens
    if not tokens.checks_by_secret:
        yield Finding(SECRET, "ok", f"tokens are signed with {', '.join(tokens.algorithms)}")
    elif settings.secret_is_in_vault:
        yield Finding(SECRET, "ok", "JWT_SECRET is read from Vault")
    elif tokens.secret is not None:
        yield from _strength("JWT_SECRET", tokens.secret.get_secret_value(), settings)
    elif read_dev_secret(settings.storage.data_dir) is not None:
        yield Finding(
            SECRET,
            "warn",
            "there is only the secret of `serve --dev`, with which anybody gets a token",
            "set JWT_SECRET, or VAULT_ADDR, before others can reach the service",
        )
    else:
        yield Finding(SECRET, "fail", "JWT_SECRET is not set", f"set it: {RANDOM}")
    shared = settings.cluster.secret
    if shared is not None:
        yield from _strength("WS_CLUSTER_SECRET", shared.get_secret_value(), None)
    if settings.webhooks.secret is not None:
        yield from _strength("WS_WEBHOOK_SECRET", settings.webhooks.secret.get_secret_value(), None)


def _strength(name: str, secret: str, settings: Settings | None) -> Iterator[Finding]:
    """Find a secret that is short or may be guessed; `settings` are those of JWT_SECRET."""
    lower = secret.lower()
    guessed = next((part for part in GUESSED if part in lower), None)
    if guessed is not None:
        yield Finding(SECRET, "fail", f"{name} contains {guessed!r}: it can be guessed", RANDOM)
    elif len(set(secret)) < DISTINCT_CHARACTERS_MIN:
        found = f"{name} has {len(set(secret))} different characters: it can be guessed"
        yield Finding(SECRET, "fail", found, RANDOM)
    elif settings is not None and (weak := weaknesses(settings.tokens.algorithms, secret)):
        yield Finding(SECRET, "warn", weak[0], RANDOM)
    else:
        yield Finding(SECRET, "ok", f"{name} has {len(secret.encode())} bytes")


def check_secret_files(settings: Settings) -> Iterator[Finding]:
    """Find secrets in the data directory that others on this machine may read."""
    directory = settings.storage.data_dir
    names = (SEAL_SECRET_FILE, COMMAND_SECRET_FILE, DEV_SECRET_FILE)
    paths = [path for path in (directory / name for name in names) if path.exists()]
    for path in paths:
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            found = f"{path} has mode {mode:04o}: others can read it"
            yield Finding(FILES, "fail", found, f"chmod 600 {path}")
    names_found = ", ".join(path.name for path in paths) or "none yet"
    yield Finding(FILES, "ok", f"secrets in {directory}: {names_found}")


async def check_keys(settings: Settings) -> list[Finding]:
    """Fetch the keys that tokens are checked with, from Vault or from where they are published."""
    # One attempt is enough.
    once = replace(settings, vault=replace(settings.vault, start_timeout_s=0))
    sources = polled_keys(issuers_of(once, "", time.monotonic))
    return [await _check_source(source) for source in sources]


async def _check_source(source: object) -> Finding:
    try:
        async with asyncio.timeout(KEYS_TIMEOUT_S):
            if isinstance(source, Jwks):
                await source.fetch()
                return _of_published(source)
            await source.start()  # type: ignore[attr-defined]  # the only other kind is VaultSecret
    except ConfigurationError as error:
        advice = "check VAULT_ADDR and its credentials; the service does not start without it"
        return Finding(KEYS, "fail", error.message, advice)
    except TimeoutError:
        return Finding(KEYS, "fail", f"no answer within {KEYS_TIMEOUT_S:g} s", "check the network")
    return Finding(KEYS, "ok", "Vault gives the secret")


def _of_published(source: Jwks) -> Finding:
    if not source.count:
        advice = "check the URL and the network; until then all its tokens are refused"
        return Finding(KEYS, "fail", f"{source.url} gives no usable key", advice)
    return Finding(KEYS, "ok", f"{source.url} gives {source.count} keys")
