"""`ws-service token`: sign a token of a user or of a service."""

import re
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt

from service.domain.ids import UserId, parse_user_id
from service.edge.claims import Scope
from service.errors import ConfigurationError, ServiceError
from service.settings import Settings, load_settings
from service.settings.secrets import signing_secret

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_TTL = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_TTL_MAX = timedelta(days=3650)


class InvalidArgument(ServiceError):
    """An argument of the command is invalid."""


def print_token(
    user: str | None, name: str | None, ttl: str, scopes: Sequence[Scope], key: Path | None
) -> None:
    """Print a token for a user or a service, signed with the service's secret or with `key`."""
    pem = None if key is None else key.read_text()
    print(make_token(load_settings(), user, name, parse_ttl(ttl), scopes, private_key=pem))


def make_token(  # noqa: PLR0913 - one argument for each option of the command
    settings: Settings,
    user: str | None,
    name: str | None,
    ttl: timedelta,
    scopes: Sequence[Scope] = (),
    *,
    private_key: str | None = None,
) -> str:
    """Sign a token for `user`, or for a service with `scopes`, by the first of JWT_ALGORITHMS.

    Raises `InvalidArgument` for an id, a name or a key that the service would not accept, and
    `ConfigurationError` without a secret or a key.
    """
    algorithm = settings.tokens.algorithms[0]
    if settings.tokens.checks_by_secret and private_key is not None:
        raise InvalidArgument(
            f"--key can't be used: JWT_ALGORITHMS={algorithm} signs with a secret"
        )
    if not settings.tokens.checks_by_secret and private_key is None:
        raise ConfigurationError(
            f"JWT_ALGORITHMS={algorithm} is signed with a private key: give its file by --key"
        )
    now = datetime.now(UTC)
    claims: dict[str, object] = {"iat": now, "exp": now + ttl}
    if scopes:
        claims["scope"] = " ".join(scopes)
    if user is not None or not scopes:
        claims["id"] = _user_id(user)
    if name is not None:
        claims["name"] = _name(name, settings.tokens.name_length_max)
    if settings.tokens.audience is not None:
        claims["aud"] = settings.tokens.audience
    if settings.tokens.issuer is not None:
        claims["iss"] = settings.tokens.issuer
    with warnings.catch_warnings():
        # `service.settings.checks` warns of a short secret when the service starts.
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        try:
            return jwt.encode(claims, private_key or signing_secret(settings), algorithm)
        except (jwt.InvalidKeyError, TypeError, ValueError) as error:
            raise InvalidArgument(f"--key is no private key for {algorithm}: {error}") from error


def _user_id(user: str | None) -> UserId:
    if user is None:
        raise InvalidArgument("--id is missing: give the id of the user, or --scope for a service")
    try:
        return parse_user_id(user)
    except ValueError as error:
        message = f"--id is wrong: {error}"
        raise InvalidArgument(message) from error


def _name(name: str, length_max: int) -> str:
    if not 1 <= len(name) <= length_max:
        message = f"--name must have 1 to {length_max} characters"
        raise InvalidArgument(message)
    return name


def parse_ttl(text: str) -> timedelta:
    """Parse a duration like `15m`; raise `InvalidArgument`."""
    found = _TTL.fullmatch(text)
    ttl = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < ttl <= _TTL_MAX:
        message = f"--ttl {text} must be a number and s, m, h or d, at most 10 years: 30s, 15m, 7d"
        raise InvalidArgument(message)
    return ttl
