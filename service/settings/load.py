"""Read the settings from the environment, and check them."""

import functools
import os
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from service.errors import ConfigurationError, nearest
from service.settings.checks import check
from service.settings.describe import allowed, is_secret, text
from service.settings.fields import Setting, make, settings_of
from service.settings.settings import Settings

PREFIX = "WS_"
"""The prefix of the service's own settings; settings shared with other services have none."""

Section = TypeVar("Section")


def load_settings(given: Mapping[str, object] | None = None) -> Settings:
    """Read all settings from the environment, and check that they agree.

    Values in `given`, by variable, come before the environment. Raises `ConfigurationError` with
    one line that names each wrong variable, its value (unless it is secret) and what is allowed.
    """
    settings = read(Settings, given or {})
    check(settings)
    return settings


def read(section: type[Section], given: Mapping[str, object]) -> Section:
    """Read and validate a section with its subsections; an empty value counts as unset.

    Raises `ConfigurationError`.
    """
    known = {one.env: one for one in settings_of(section)}
    found = {env: os.environ.get(env) or None for env in known} | dict(given)
    raw = {env: value for env, value in found.items() if value is not None}
    try:
        values = dict(_model(cast("Any", section)).model_validate(raw))
    except ValidationError as error:
        # `from None`: the original holds the values, also secret ones.
        raise ConfigurationError("; ".join(_complaints(error, raw, known))) from None
    return make(section, values)


def is_set(env: str) -> bool:
    """Return whether the environment sets this variable."""
    return bool(os.environ.get(env))


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return a warning for each variable with the prefix that is unknown, with the nearest one."""
    known = [one.env for one in settings_of(Settings)]
    warnings = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            hint = nearest(name, known)
            meant = "" if hint is None else f": did you mean {hint}?"
            warnings.append(f"{name} is not a setting, and is ignored{meant}")
    return warnings


@functools.cache
def _model(section: type[Any]) -> type[BaseModel]:
    """Return a pydantic model with a field for each variable."""
    fields: dict[str, Any] = {
        one.env: (
            one.kind,
            Field(
                one.default,
                ge=one.ge,
                le=one.le,
                min_length=one.min_length,
                # The placeholder of a default that follows from other settings would be invalid.
                validate_default=one.default_text is None,
            ),
        )
        for one in settings_of(section)
    }
    config = ConfigDict(extra="forbid", allow_inf_nan=False)
    return create_model("Variables", __config__=config, **fields)


def _complaints(
    error: ValidationError, raw: Mapping[str, object], known: Mapping[str, Setting]
) -> list[str]:
    """Return a sentence for each invalid setting."""
    lines = {}
    for problem in error.errors():
        env = str(problem["loc"][0])
        one = known.get(env)
        if one is None:
            lines[env] = f"{env} is not a setting"
            continue
        shown = "" if is_secret(one) else "=" + text(raw.get(env, ""))
        where = _place_in(problem["loc"])
        lines[env] = f"{env}{shown} is not allowed{where}: it must be {allowed(one)}"
    return list(lines.values())


def _place_in(loc: tuple[int | str, ...]) -> str:
    """Return the location of the error within a value that has named parts, or an empty text."""
    return f" at {'.'.join(map(str, loc[1:]))}" if isinstance(loc[-1], str) and loc[1:] else ""
