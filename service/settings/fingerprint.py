"""The fingerprint of the settings that all nodes of a cluster must have in common.

Nodes publish it for each other, so it has digests only, and secrets can't be guessed from theirs.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import BaseModel, SecretStr

from service.settings.fields import settings_of, values_of
from service.settings.settings import Settings

SEAL = "the seal of players' tokens"
COMMANDS = "the key of command digests"

PER_NODE = frozenset(
    {
        "WS_HOST",
        "WS_PORT",
        "WS_WIRE",
        "WS_DATA_DIR",
        # The shared directory may be mounted elsewhere.
        "WS_ARCHIVE_DIR",
        # Nodes may reach the same database by different addresses; a join compares the log itself.
        "WS_DATABASE_URL",
        "WS_DATABASE_BUSY_MS",
        "WS_NODE",
        # The same servers may have other addresses; a join finds the other nodes by the bus.
        "WS_BUS_URL",
        "WS_BUS_TLS_CA",
        # What it is used for is compared: the seal and the key.
        "WS_CLUSTER_SECRET",
        "WS_MIGRATE_AT_START",
        "LOG_LEVEL",
        "WS_LOG_FORMAT",
        "WS_OTEL_ENDPOINT",
        "VAULT_ADDR",
        "VAULT_TOKEN",
        "VAULT_ROLE_ID",
        "VAULT_SECRET_ID",
        "WS_TRUSTED_HOPS",
    }
)
"""Settings that may differ between nodes, and are left out."""

REQUIRED = frozenset(
    {
        "JWT_SECRET",
        "JWT_ALGORITHMS",
        "JWT_PUBLIC_KEY",
        "JWT_JWKS_URL",
        "JWT_ISSUERS",
        "JWT_AUDIENCE",
        "JWT_ISSUER",
        "JWT_NAME_CLAIMS",
        "VAULT_PATH",
        "VAULT_KEY",
        "WS_REALM",
        SEAL,
        COMMANDS,
    }
)
"""Names without which a user would be somebody else, or nobody, at another node."""

# About 30 ms for each secret: nobody tries a list of words against a digest.
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**14, 8, 1
_DIGEST_BYTES = 12


class Differences(NamedTuple):
    """The names in which two fingerprints differ."""

    required: list[str]
    """Two nodes that differ in these must not be in one cluster."""
    advised: list[str]
    """Limits and times; they may differ while a change is rolled out, and not for longer."""


def fingerprint(settings: Settings, *, seal: str, commands: str) -> dict[str, str]:
    """Return a digest for each setting that nodes share, and for the two secrets, by name.

    `seal` encrypts players' tokens, `commands` is the key of the digests of commands.
    """
    found = {
        one.env: _digest(one.env, value)
        for one, value in zip(settings_of(Settings), values_of(settings), strict=True)
        if one.env not in PER_NODE
    }
    return found | {
        SEAL: _digest(SEAL, SecretStr(seal)),
        COMMANDS: _digest(COMMANDS, SecretStr(commands)),
    }


def differing(own: Mapping[str, str], other: Mapping[str, str]) -> Differences:
    """Compare two fingerprints; names that only one version of the service knows do not count."""
    names = sorted(name for name in own.keys() & other.keys() if own[name] != other[name])
    return Differences(
        [name for name in names if name in REQUIRED],
        [name for name in names if name not in REQUIRED],
    )


def _digest(name: str, value: object) -> str:
    is_secret = isinstance(value, SecretStr)
    text = value.get_secret_value() if isinstance(value, SecretStr) else _canonical(value)
    if is_secret or "://" in text:
        # A URL may hold a password.
        return hashlib.scrypt(
            text.encode(),
            salt=f"ws-service {name}".encode(),
            n=_SCRYPT_N,
            r=_SCRYPT_R,
            p=_SCRYPT_P,
            dklen=_DIGEST_BYTES,
        ).hex()
    return hashlib.sha256(f"{name}={text}".encode()).digest()[:_DIGEST_BYTES].hex()


def _canonical(value: object) -> str:
    """Return a text that is equal for equal values."""
    return json.dumps(value, default=_plain, sort_keys=True)


def _plain(value: object) -> object:
    return value.model_dump() if isinstance(value, BaseModel) else str(value)
