"""Issuers whose tokens are accepted, with the source of the keys that check them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from service.edge.auth import FixedKey, Issuer
from service.integrations.jwks import Jwks
from service.integrations.vault import AppRole, Vault, VaultToken
from service.integrations.vault_secret import VaultSecret
from service.settings.checks import weaknesses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from service.edge.auth import Keys
    from service.settings import Settings
    from service.settings.sections.tokens import TokenSettings, VaultSettings

    Clock: TypeAlias = Callable[[], float]


def issuers_of(settings: Settings, secret: str, clock: Clock) -> list[Issuer]:
    """List the issuers; `clock` is monotonic, in seconds."""
    tokens = settings.tokens
    if tokens.issuers is not None:
        return [
            Issuer(
                keys=_published(tokens, one.jwks_url, clock),
                name=name,
                audience=one.audience or tokens.audience,
            )
            for name, one in tokens.issuers.items()
        ]
    keys: Keys
    if settings.secret_is_in_vault:
        keys = _in_vault(settings.vault, tokens, clock)
    elif tokens.jwks_url is not None:
        keys = _published(tokens, tokens.jwks_url, clock)
    else:
        keys = FixedKey(tokens.public_key_pem or secret)
    return [Issuer(keys=keys, name=tokens.issuer, audience=tokens.audience)]


def polled_keys(issuers: Iterable[Issuer]) -> list[VaultSecret | Jwks]:
    """List the sources of keys that change, and so have to be fetched and polled."""
    sources = [issuer.keys for issuer in issuers]
    return [source for source in sources if isinstance(source, VaultSecret | Jwks)]


def _published(tokens: TokenSettings, url: str, clock: Clock) -> Jwks:
    return Jwks(url, tokens.algorithms, tokens.jwks, clock=clock)


def _in_vault(settings: VaultSettings, tokens: TokenSettings, clock: Clock) -> VaultSecret:
    return VaultSecret(
        Vault(
            settings.address or "",
            _credentials(settings),
            timeout_s=settings.timeout_s,
            clock=clock,
        ),
        settings,
        weaknesses=partial(weaknesses, tokens.algorithms),
        clock=clock,
        now=lambda: datetime.now(UTC),
    )


def _credentials(settings: VaultSettings) -> VaultToken | AppRole:
    if settings.token is not None:
        return VaultToken(settings.token.get_secret_value())
    secret_id = settings.secret_id
    return AppRole(settings.role_id or "", secret_id.get_secret_value() if secret_id else "")
