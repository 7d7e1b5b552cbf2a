"""`ws-service token`: a token as the auth service would make it, or one of another service."""

import re
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
import typer

from service.domain.ids import UserId, normalise
from service.edge.auth import Scope
from service.errors import ConfigurationError, ServiceError
from service.settings import Settings, load_settings, signing_secret

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_TTL = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_TTL_MAX = timedelta(days=3650)


class InvalidArgument(ServiceError):
    """An argument of the command makes no sense."""


def command(
    user: Annotated[str | None, typer.Option("--id", help="The user's id.")] = None,
    name: Annotated[str | None, typer.Option(help="The user's display name.")] = None,
    ttl: Annotated[str, typer.Option(help="How long it is valid: 30s, 15m, 1h, 7d.")] = "1h",
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="A token of a service that may do this, with or without an id."),
    ] = None,
) -> None:
    """Print a token for a user or a service, signed with the service's secret."""
    print(make_token(load_settings(), user, name, parse_ttl(ttl), scope or ()))


def make_token(
    settings: Settings,
    user: str | None,
    name: str | None,
    ttl: timedelta,
    scopes: Sequence[Scope] = (),
) -> str:
    """Sign a token for `user`, or for a service that may do what `scopes` say.

    Raises `InvalidArgument` for an id or a name that the service would not take, and
    `ConfigurationError` when there is no secret to sign with.
    """
    algorithm = settings.jwt_algorithms[0]
    if not algorithm.startswith("HS"):
        message = f"JWT_ALGORITHMS={algorithm} is signed with a private key, which is not here"
        raise ConfigurationError(message)
    now = datetime.now(UTC)
    claims: dict[str, object] = {"iat": now, "exp": now + ttl}
    if scopes:
        claims["scope"] = " ".join(scopes)
    if user is not None or not scopes:
        claims["id"] = _user_id(user)
    if name is not None or not scopes:
        claims["name"] = _name(name, settings.name_length_max)
    if settings.jwt_audience is not None:
        claims["aud"] = settings.jwt_audience
    if settings.jwt_issuer is not None:
        claims["iss"] = settings.jwt_issuer
    with warnings.catch_warnings():
        # That the secret is short is told where the service starts (`Settings.warnings`).
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        return jwt.encode(claims, signing_secret(settings), algorithm)


def _user_id(user: str | None) -> UserId:
    if user is None:
        raise InvalidArgument("--id is missing: whose token is it? (or --scope, of a service)")
    try:
        return normalise(user)
    except ValueError as error:
        message = f"--id is wrong: {error}"
        raise InvalidArgument(message) from error


def _name(name: str | None, length_max: int) -> str:
    if name is None or not 1 <= len(name) <= length_max:
        message = f"--name must have 1 to {length_max} characters"
        raise InvalidArgument(message)
    return name


def parse_ttl(text: str) -> timedelta:
    """Read a length of time like `15m`; raise `InvalidArgument` for anything else."""
    found = _TTL.fullmatch(text)
    ttl = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < ttl <= _TTL_MAX:
        message = f"--ttl {text} must be a number and s, m, h or d, at most 10 years: 30s, 15m, 7d"
        raise InvalidArgument(message)
    return ttl
