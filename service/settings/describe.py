"""Describe settings as text: value, default, allowed values. Secrets are masked."""

import json
import re
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr

from service.settings.fields import Setting, settings_of, values_of
from service.settings.settings import Settings

MASK = "***"


@dataclass(frozen=True)
class SettingRow:
    """A row of the table of settings, as text; secrets are masked."""

    env: str
    value: str
    default: str
    unit: str
    allowed: str
    help: str


def describe(settings: Settings) -> list[SettingRow]:
    """Return a row for each setting, with its current value."""
    return [
        SettingRow(
            env=one.env,
            value=text(value),
            default=one.default_text or text(one.default),
            unit=one.unit,
            allowed=allowed(one),
            help=one.help,
        )
        for one, value in zip(settings_of(Settings), values_of(settings), strict=True)
    ]


def mask_url(url: str) -> str:
    """Mask the passwords in a URL: in the user part and in the query."""
    url = re.sub(r"(://[^:@/]*:).*@", rf"\1{MASK}@", url)
    return re.sub(r"([?&]\w*pass\w*=)[^&#]*", rf"\1{MASK}", url, flags=re.IGNORECASE)


def text(value: object) -> str:
    """Format a value as in its environment variable; secrets are masked."""
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, bool | float):
        return str(value).lower() if isinstance(value, bool) else f"{value:g}"
    if isinstance(value, tuple):
        return ",".join(mask_url(part) for part in value)
    if isinstance(value, dict):
        return json.dumps({key: one.model_dump(exclude_none=True) for key, one in value.items()})
    return mask_url(str(value))


def allowed(one: Setting) -> str:
    """Describe the values that a setting allows."""
    if one.allowed:
        return one.allowed
    kind = _bare(one.kind)
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        return f"{'a whole number' if kind is int else 'a number'} from {one.ge} to {one.le}"
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    if get_origin(kind) is tuple:
        return "some of " + ", ".join(get_args(get_args(kind)[0])) + ", separated by commas"
    return "a text"


def is_secret(one: Setting) -> bool:
    """Return whether the value must be masked."""
    return get_origin(one.kind) in {Union, UnionType} and SecretStr in get_args(one.kind)


def _bare(kind: Any) -> Any:
    """Return a type without its `Annotated` metadata."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind
