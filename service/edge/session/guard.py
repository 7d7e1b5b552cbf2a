"""Limit values from clients to what every later encoder accepts (depth, keys, int64, NUL).

The decoder accepts more than the log, a snapshot, a database or the parsers of other clients
support. Fields of any shape are checked once, when a message is decoded.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeAlias

import msgspec

from service.errors import ClientError

DEPTH_MAX = 32
"""Maximum nesting depth; the message itself is the first level."""

KEYS_MAX = 1024
"""Maximum number of keys of all objects in a message."""

INT_MIN, INT_MAX = -(2**63), 2**63 - 1

TOO_DEEP = f"A message is nested at most {DEPTH_MAX} levels deep."

_KEYS_BYTES_MIN = 4 * KEYS_MAX
"""A shorter text has at most `KEYS_MAX` keys: each takes two quotes, a colon and a value."""

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""An escaped NUL; the backslash is not itself escaped."""

_FIELD_LEVEL = 2
"""The depth of a field of the message."""

_Int: TypeAlias = Annotated[int, msgspec.Meta(ge=INT_MIN, le=INT_MAX)]
_Scalar: TypeAlias = bool | _Int | float | str | None
_Flat: TypeAlias = _Scalar | list[_Scalar] | dict[str, _Scalar]

_decode_flat = msgspec.json.Decoder(_Scalar | list[_Flat] | dict[str, _Flat]).decode
"""Validates flat values, as most are, in C."""

_decode_any = msgspec.json.Decoder().decode


class BadValue(ClientError):
    """A value is not allowed: it is too deep, has too many keys, a NUL, or is none of a list."""

    code = "BAD_VALUE"


def check_text(text: str) -> None:
    """Raise `BadValue` for a JSON text with a NUL, which databases and terminals don't support."""
    if "\\" in text and _NUL.search(text):
        raise BadValue("A text has no NUL character.")


def check_fields(fields: dict[str, Any]) -> None:
    """Raise `BadValue` for an object, itself a field of a message, beyond the limits."""
    for value in fields.values():
        kind = value.__class__
        if kind is int:
            if not INT_MIN <= value <= INT_MAX:
                raise _number()
        elif kind is dict or kind is list:
            _check_levels(fields)
            return
    if len(fields) > KEYS_MAX:
        raise _keys()


def check_any(value: object) -> None:
    """Raise `BadValue` for any value, itself a field of a message, beyond the limits."""
    if isinstance(value, dict | list):
        _check_levels(value)
    elif isinstance(value, int) and not INT_MIN <= value <= INT_MAX:
        raise _number()


def check_raw(raw: msgspec.Raw) -> None:
    """Do as `check_any` for a value that is relayed without being decoded."""
    try:
        if len(raw) <= _KEYS_BYTES_MIN:
            _decode_flat(raw)
            return
    except (msgspec.MsgspecError, RecursionError):
        pass
    try:
        check_any(_decode_any(raw))
    except RecursionError as error:
        raise BadValue(TOO_DEEP) from error
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise _number() from error


def _check_levels(value: dict[str, Any] | list[Any]) -> None:
    """Check breadth-first, so that what is nested too deep is never traversed."""
    keys, depth = 0, _FIELD_LEVEL
    level: list[Any] = [value]
    while level:
        if depth > DEPTH_MAX:
            raise BadValue(TOO_DEEP)
        below: list[Any] = []
        for one in level:
            if one.__class__ is dict:
                keys += len(one)
            for part in one.values() if one.__class__ is dict else one:
                kind = part.__class__
                if kind is int:
                    if not INT_MIN <= part <= INT_MAX:
                        raise _number()
                elif kind is dict or kind is list:
                    below.append(part)
        if keys > KEYS_MAX:
            raise _keys()
        level, depth = below, depth + 1


def _number() -> BadValue:
    return BadValue("A number is an integer of 64 bits, or a finite float.")


def _keys() -> BadValue:
    return BadValue(f"The objects in a message have at most {KEYS_MAX} keys.")
