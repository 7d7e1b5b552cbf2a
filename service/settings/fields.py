"""Sections of settings: frozen structs whose fields name their environment variables.

A section is the struct that its part of the service takes, and has the only default of each
setting. Its constructor validates nothing; `load_settings` does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, cast, dataclass_transform

Section = TypeVar("Section")

_KEY = "setting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting: its environment variable, and its description and validation."""

    env: str
    kind: Any
    """The type of its value."""
    default: Any
    help: str
    unit: str
    ge: float | None
    le: float | None
    min_length: int | None
    allowed: str | None
    """Describes the allowed values, as far as type and bounds don't."""
    default_text: str | None
    """Describes a default that follows from other settings."""


def setting(  # noqa: PLR0913 - one argument per property of a setting
    env: str,
    default: object,
    help_: str,
    *,
    unit: str = "",
    ge: float | None = None,
    le: float | None = None,
    min_length: int | None = None,
    allowed: str | None = None,
    default_text: str | None = None,
) -> Any:
    """Declare the field of a section that is set by the variable `env`.

    `allowed` describes the allowed values as far as type and bounds don't, `default_text` the
    meaning of an empty default.
    """
    about = {
        "env": env,
        "default": default,
        "help": help_,
        "unit": unit,
        "ge": ge,
        "le": le,
        "min_length": min_length,
        "allowed": allowed,
        "default_text": default_text,
    }
    return field(default=default, metadata={_KEY: about})


def part(section: type[Section]) -> Section:
    """Declare the field of a section that is a section itself."""
    return field(default_factory=section)


@dataclass_transform(kw_only_default=True, frozen_default=True)
def section(cls: type[Section]) -> type[Section]:
    """Make a class a section: frozen, with slots, its arguments given by name."""
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)


def settings_of(section: type[Any]) -> Iterator[Setting]:
    """List the settings of a section and of those in it, in their order."""
    for one in fields(section):
        if _KEY in one.metadata:
            yield Setting(kind=one.type, **one.metadata[_KEY])
        else:
            yield from settings_of(cast("type[Any]", one.type))


def values_of(section: Any) -> Iterator[object]:
    """List the values of the settings of a section, in the order of `settings_of`."""
    for one in fields(section):
        value = getattr(section, one.name)
        if _KEY in one.metadata:
            yield value
        else:
            yield from values_of(value)


def make(section: type[Section], values: Mapping[str, object]) -> Section:
    """Create a section from values by variable; missing ones have their default."""
    given = {}
    for one in fields(cast("Any", section)):
        if _KEY not in one.metadata:
            given[one.name] = make(cast("type[Any]", one.type), values)
        elif one.metadata[_KEY]["env"] in values:
            given[one.name] = values[one.metadata[_KEY]["env"]]
    return section(**given)
