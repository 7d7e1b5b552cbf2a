"""`ws-service token`: a token as the auth service would make it."""

import re
import warnings
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
import typer

from service.domain.ids import normalise
from service.errors import ConfigurationError, ServiceError
from service.settings import Settings, load_settings, signing_secret

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_TTL = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_TTL_MAX = timedelta(days=3650)


class InvalidArgument(ServiceError):
    """An argument of the command makes no sense."""


def command(
    user: Annotated[str, typer.Option("--id", help="The user's id.")],
    name: Annotated[str, typer.Option(help="The user's display name.")],
    ttl: Annotated[str, typer.Option(help="How long it is valid: 30s, 15m, 1h, 7d.")] = "1h",
) -> None:
    """Print a token for a user, signed with the service's secret."""
    print(make_token(load_settings(), user, name, parse_ttl(ttl)))


def make_token(settings: Settings, user: str, name: str, ttl: timedelta) -> str:
    """Sign a token for `user`.

    Raises `InvalidArgument` for an id or a name that the service would not take, and
    `ConfigurationError` when there is no secret to sign with.
    """
    algorithm = settings.jwt_algorithms[0]
    if not algorithm.startswith("HS"):
        message = f"JWT_ALGORITHMS={algorithm} is signed with a private key, which is not here"
        raise ConfigurationError(message)
    if not 1 <= len(name) <= settings.name_length_max:
        message = f"--name must have 1 to {settings.name_length_max} characters"
        raise InvalidArgument(message)
    try:
        user_id = normalise(user)
    except ValueError as error:
        message = f"--id is wrong: {error}"
        raise InvalidArgument(message) from error
    now = datetime.now(UTC)
    claims: dict[str, object] = {"id": user_id, "name": name, "iat": now, "exp": now + ttl}
    if settings.jwt_audience is not None:
        claims["aud"] = settings.jwt_audience
    if settings.jwt_issuer is not None:
        claims["iss"] = settings.jwt_issuer
    with warnings.catch_warnings():
        # That the secret is short is told where the service starts (`Settings.warnings`).
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        return jwt.encode(claims, signing_secret(settings), algorithm)


def parse_ttl(text: str) -> timedelta:
    """Read a length of time like `15m`; raise `InvalidArgument` for anything else."""
    found = _TTL.fullmatch(text)
    ttl = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < ttl <= _TTL_MAX:
        message = f"--ttl {text} must be a number and s, m, h or d, at most 10 years: 30s, 15m, 7d"
        raise InvalidArgument(message)
    return ttl
