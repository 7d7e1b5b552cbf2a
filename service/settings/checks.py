"""Cross-field validation of the settings, and warnings about insecure ones."""

import re
from typing import Final
from urllib.parse import urlsplit

import jwt

from service.errors import ConfigurationError
from service.settings.kinds import Algorithm
from service.settings.sections.tokens import TokenSettings, VaultSettings, pem
from service.settings.settings import Settings

_BUS_URL: Final = re.compile(
    r"(nats|tls)://([^\s,/@]+@)?([^\s,/@:\[\]]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?/?"
)


def check(settings: Settings) -> None:
    """Raise `ConfigurationError` for settings that are valid one by one but not together."""
    slow = settings.connections.slow
    if slow.bytes_newest_only > slow.bytes_max:
        raise ConfigurationError(
            f"WS_SLOW_BYTES={slow.bytes_newest_only} must not be above WS_SLOW_BYTES_MAX"
        )
    times = settings.times
    if times.bot_after_s >= times.matchmaking_timeout_s:
        raise ConfigurationError(
            f"WS_BOT_AFTER_S={times.bot_after_s:g} must be below WS_MATCHMAKING_TIMEOUT_S"
            f"={times.matchmaking_timeout_s:g}: by then the search is over"
        )
    if settings.webhooks.urls and settings.webhooks.secret is None:
        raise ConfigurationError(
            "WS_WEBHOOK_URLS needs WS_WEBHOOK_SECRET, which webhooks are signed with"
        )
    _check_bus(settings)
    _check_tokens(settings.tokens)
    if settings.secret_is_in_vault:
        _check_vault(settings.vault)


def _check_bus(settings: Settings) -> None:
    """Refuse a cluster without a database that nodes can share, and URLs that are none."""
    url = settings.bus.url
    if url is None:
        return
    found = [_BUS_URL.fullmatch(one) for one in url.get_secret_value().split(",")]
    if not all(found):
        raise ConfigurationError(
            "WS_BUS_URL must be URLs like nats://HOST:4222 or tls://USER:PASSWORD@HOST:4222, "
            "separated by commas; special characters of a password are written as %XX"
        )
    if len({one[2] for one in found if one is not None}) > 1:
        raise ConfigurationError("WS_BUS_URL must have the same user and password in each URL")
    if not settings.storage.database_url.startswith("postgresql"):
        raise ConfigurationError(
            "WS_BUS_URL is for a cluster, whose nodes share a database: set "
            "WS_DATABASE_URL=postgresql+psycopg://... as well"
        )
    if settings.bus.tls_ca is not None and not settings.bus.tls_ca.is_file():
        raise ConfigurationError(f"WS_BUS_TLS_CA={settings.bus.tls_ca} must be a file")
    if settings.cluster.secret is None and settings.tokens.secret is None:
        raise ConfigurationError(
            "WS_BUS_URL needs WS_CLUSTER_SECRET where there is no JWT_SECRET: 32 random bytes or "
            "more, the same for all nodes"
        )


def _check_tokens(tokens: TokenSettings) -> None:
    """Refuse algorithms and keys that do not fit each other."""
    algorithms = ",".join(tokens.algorithms)
    symmetric = {name.startswith("HS") for name in tokens.algorithms}
    if len(symmetric) > 1:
        # With both, a public key could be passed off as the secret of HS*.
        raise ConfigurationError(f"JWT_ALGORITHMS={algorithms} must not mix HS* with the others")
    sources = _sources_of_public_keys(tokens)
    if True in symmetric and sources:
        raise ConfigurationError(
            f"{sources[0]} checks tokens of RS*, ES* or EdDSA, but JWT_ALGORITHMS is "
            f"{algorithms}: set JWT_ALGORITHMS to what your tokens are signed with "
            f"(RS256, say), or unset {sources[0]} to check them with JWT_SECRET"
        )
    if False in symmetric:
        _check_sources(sources, algorithms)
    if tokens.public_key is not None:
        _check_public_key(tokens.public_key, tokens.algorithms)
    if tokens.issuers is not None and tokens.issuer is not None:
        raise ConfigurationError(
            "JWT_ISSUER can't be used together with JWT_ISSUERS: unset one of them"
        )


def _sources_of_public_keys(tokens: TokenSettings) -> list[str]:
    values = {
        "JWT_PUBLIC_KEY": tokens.public_key,
        "JWT_JWKS_URL": tokens.jwks_url,
        "JWT_ISSUERS": tokens.issuers,
    }
    return [env for env, value in values.items() if value is not None]


def _check_sources(sources: list[str], algorithms: str) -> None:
    """Refuse public keys unless they have exactly one source."""
    if not sources:
        raise ConfigurationError(
            f"JWT_ALGORITHMS={algorithms} needs JWT_PUBLIC_KEY, JWT_JWKS_URL or JWT_ISSUERS"
        )
    if len(sources) > 1:
        raise ConfigurationError(
            f"{' and '.join(sources)} can't be used together: unset all but one"
        )


def _check_public_key(key: str, algorithms: tuple[Algorithm, ...]) -> None:
    """Refuse a key that can't check tokens of these algorithms."""
    names = ",".join(algorithms)
    if "PRIVATE KEY" in key:
        raise ConfigurationError(
            "JWT_PUBLIC_KEY must be the public key in PEM; it holds a private key"
        )
    for name in algorithms:
        try:
            jwt.get_algorithm_by_name(name).prepare_key(pem(key))
        except (jwt.InvalidKeyError, TypeError, ValueError):
            raise ConfigurationError(
                f"JWT_PUBLIC_KEY must be a public key in PEM that fits JWT_ALGORITHMS={names}"
            ) from None


def _check_vault(vault: VaultSettings) -> None:
    """Refuse settings with which there is not exactly one way to sign in."""
    role = (vault.role_id, vault.secret_id)
    if (vault.token is None) == (role == (None, None)) or role.count(None) == 1:
        raise ConfigurationError(
            "VAULT_ADDR needs either VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID"
        )
    token = vault.token.get_secret_value() if vault.token else ""
    if not (token.isascii() and token.isprintable()):
        raise ConfigurationError("VAULT_TOKEN must be one line of plain characters")


def warnings(settings: Settings) -> list[str]:
    """Return warnings about settings that work but are insecure."""
    tokens = settings.tokens
    secret = tokens.secret.get_secret_value() if tokens.secret else None
    weak = weaknesses(tokens.algorithms, secret) if secret is not None else []
    return [*weak, *insecure_urls(settings)]


def insecure_urls(settings: Settings) -> list[str]:
    """Return a warning for each source of keys that is read over a network without TLS."""
    tokens = settings.tokens
    urls = [tokens.jwks_url, *(one.jwks_url for one in (tokens.issuers or {}).values())]
    if settings.secret_is_in_vault:
        urls.append(settings.vault.address)
    return [
        f"{url} is fetched without TLS, so others on the network can forge tokens: use https"
        for url in urls
        if url is not None and _is_open_to_others(url)
    ]


def weaknesses(algorithms: tuple[Algorithm, ...], secret: str) -> list[str]:
    """Return warnings about a weak secret, whether it is from the settings or from Vault."""
    # RFC 7518, 3.2: a key at least as long as the hash.
    bits = max((int(name[2:]) for name in algorithms if name.startswith("HS")), default=0)
    length = len(secret.encode())
    if length < bits // 8:
        names = ",".join(algorithms)
        return [f"JWT_SECRET has {length} bytes; {names} needs {bits // 8} or more"]
    return []


def _is_open_to_others(url: str) -> bool:
    """Return whether responses from `url` cross a network unencrypted."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}
