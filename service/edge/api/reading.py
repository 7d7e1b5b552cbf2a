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

Params = TypeVar("Params", bound=msgspec.Struct)

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})")
# Two digits of an exponent keep it finite.
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2}|[eE]-[0-9]{3})?")

_PLACE = re.compile(r" - at `\$\.?(.*)`$", re.DOTALL)
_NAMED = re.compile(r"(?:unknown|required) field `(.*)`", re.DOTALL)


def read_parameters(
    params_type: type[Params], path: Mapping[str, str], query: MultiMapping[str]
) -> Params:
    """Decode the parameters in path and query; raise `BadParameter`."""
    twice = next((name for name in query if len(query.getall(name)) > 1 or name in path), None)
    if twice is not None:
        raise BadParameter(f"`{twice}` is given more than once.", twice)
    numbers = _numbers(params_type)
    raw: dict[str, Any] = dict(path)
    for name, text in query.items():
        number = numbers.get(name)
        is_number = number is not None and number[0].fullmatch(text)
        raw[name] = number[1](text) if number is not None and is_number else text
    try:
        return msgspec.convert(raw, params_type)
    except msgspec.ValidationError as error:
        raise _bad(str(error), params_type) from error


def read_body(params_type: type[Params], body: bytes) -> Params:
    """Decode a JSON body; raise `BadBody` or `BadParameter`."""
    try:
        text = body.decode()
        # Not strict, since 7.0 is an integer in JSON Schema.
        params = msgspec.json.decode(text, type=params_type, strict=False)
        guard.check_text(text)
        for name in params_type.__struct_fields__:
            guard.check_any(getattr(params, name))
    except msgspec.ValidationError as error:
        raise _bad(str(error), params_type) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadBody from error
    except guard.BadValue as error:
        raise BadBody(error.message) from error
    return params


@cache
def _numbers(params_type: type[msgspec.Struct]) -> dict[str, tuple[re.Pattern[str], Any]]:
    """Return the pattern and the type of each parameter that is a number; all others are text."""
    found: dict[str, tuple[re.Pattern[str], Any]] = {}
    described = inspect.type_info(params_type)
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
def _names(params_type: type[msgspec.Struct]) -> frozenset[str]:
    """Return the names of all fields, nested ones included."""
    _, parts = msgspec.json.schema_components([params_type])
    return frozenset(name for part in parts.values() for name in part.get("properties", ()))


def _bad(message: str, params_type: type[msgspec.Struct]) -> BadParameter:
    """Convert a message of msgspec to an error that names the field."""
    place = _PLACE.search(message)
    what = _PLACE.sub("", message)
    named = _NAMED.search(what)
    parts = [found[1] for found in (place, named) if found and (found is named or found[1])]
    field = ".".join(parts) if parts else None
    if named and "required" in what:
        return BadParameter(f"`{field}` is missing.", field)
    if named:
        hint = nearest(named[1], _names(params_type))
        meant = "" if hint is None else f"; perhaps `{hint}` is meant"
        return BadParameter(f"`{field}` is not known here{meant}.", field)
    about = f"`{field}`: " if field else ""
    return BadParameter(f"{about}{what[0].lower()}{what[1:]}.", field)
