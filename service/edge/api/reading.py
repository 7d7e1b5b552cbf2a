"""Parse and validate request parameters and bodies; pure."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import inspect

from service.edge.api.problems import BadBody, BadParameter
from service.edge.session import guard
from service.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from multidict import MultiMapping

Asked = TypeVar("Asked", bound=msgspec.Struct)

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?")

_PLACE = re.compile(r" - at `\$\.?(.*)`$", re.DOTALL)
_NAMED = re.compile(r"(?:unknown|required) field `(.*)`", re.DOTALL)


def read_parameters(asks: type[Asked], path: Mapping[str, str], query: MultiMapping[str]) -> Asked:
    """Read the parameters in the path and the query; raise `BadParameter`."""
    twice = next((name for name in query if len(query.getall(name)) > 1 or name in path), None)
    if twice is not None:
        raise BadParameter(f"`{twice}` is given more than once.", twice)
    numbers = _numbers(asks)
    raw: dict[str, Any] = dict(path)
    for name, text in query.items():
        number = numbers.get(name)
        is_number = number is not None and number[0].fullmatch(text)
        raw[name] = number[1](text) if number is not None and is_number else text
    try:
        return msgspec.convert(raw, asks)
    except msgspec.ValidationError as error:
        raise _bad(str(error), asks) from error


def read_body(asks: type[Asked], body: bytes) -> Asked:
    """Read a JSON object; raise `BadBody` or `BadParameter`."""
    try:
        text = body.decode()
        # Not strict, since to JSON Schema 7.0 is an integer.
        asked = msgspec.json.decode(text, type=asks, strict=False)
        guard.check_text(text)
        for name in asks.__struct_fields__:
            guard.check_any(getattr(asked, name))
    except msgspec.ValidationError as error:
        raise _bad(str(error), asks) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadBody from error
    except guard.BadValue as error:
        raise BadBody(error.message) from error
    return asked


@cache
def _numbers(asks: type[msgspec.Struct]) -> dict[str, tuple[re.Pattern[str], Any]]:
    """Say which parameters are numbers, and how these are read; all else is text."""
    found: dict[str, tuple[re.Pattern[str], Any]] = {}
    described = inspect.type_info(asks)
    for field in described.fields if isinstance(described, inspect.StructType) else ():
        kind = field.type
        kinds = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
        for one in kinds:
            plain = one.type if isinstance(one, inspect.Metadata) else one
            if isinstance(plain, inspect.IntType):
                found[field.encode_name] = (_INTEGER, int)
            elif isinstance(plain, inspect.FloatType):
                found[field.encode_name] = (_NUMBER, float)
    return found


@cache
def _names(asks: type[msgspec.Struct]) -> frozenset[str]:
    """Return the names of all fields, also of those within fields."""
    _, parts = msgspec.json.schema_components([asks])
    return frozenset(name for part in parts.values() for name in part.get("properties", ()))


def _bad(message: str, asks: type[msgspec.Struct]) -> BadParameter:
    """Make a sentence of what msgspec says, and name the field that it is about."""
    place = _PLACE.search(message)
    what = _PLACE.sub("", message)
    named = _NAMED.search(what)
    parts = [found[1] for found in (place, named) if found and (found is named or found[1])]
    field = ".".join(parts) if parts else None
    if named and "required" in what:
        return BadParameter(f"`{field}` is missing.", field)
    if named:
        hint = nearest(named[1], _names(asks))
        meant = "" if hint is None else f"; perhaps `{hint}` is meant"
        return BadParameter(f"`{field}` is not known here{meant}.", field)
    about = f"`{field}`: " if field else ""
    return BadParameter(f"{about}{what[0].lower()}{what[1:]}.", field)
