"""Name what is wrong with a message that could not be decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from service.edge.session import guard
from service.edge.session.errors import BadInvite, BadJson, BadMessage, UnknownType
from service.errors import ClientError, UnknownField

if TYPE_CHECKING:
    from service.edge.dialect import Dialect


class _Head(msgspec.Struct):
    type: str
    id: Any = None


_head_decoder = msgspec.json.Decoder(_Head)
_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def explain(text: str, error: Exception, dialect: Dialect) -> ClientError:
    """Return the error to answer, for a text that the decoder of `dialect` refused by `error`."""
    if isinstance(error, ClientError):
        return error
    if isinstance(error, RecursionError):
        return BadJson(guard.TOO_DEEP)
    if not isinstance(error, msgspec.ValidationError):
        return BadJson()
    try:
        type_ = _head_decoder.decode(text).type
    except msgspec.ValidationError:
        return BadMessage("A message is a JSON object with a text `type`.")
    except (msgspec.DecodeError, RecursionError):
        return BadJson()
    return _explain_fields(text, type_, error, dialect)


def unknown_field(text: str, type_: str, dialect: Dialect) -> UnknownField | None:
    """Return the error for the first field that a message of this type does not have, if any."""
    known = dialect.fields[type_]
    for name in _fields_decoder.decode(text):
        if name not in known:
            return UnknownField(type_, name, known)
    return None


def _explain_fields(text: str, type_: str, error: Exception, dialect: Dialect) -> ClientError:
    if type_ not in dialect.fields:
        return UnknownType(
            f"There is no message of the type {type_[:40]!r}; the reference lists all types."
        )
    if dialect.is_strict and (unknown := unknown_field(text, type_, dialect)):
        return unknown
    if type_ in {"invite", "invite:send"}:
        return BadInvite(f"{error}.")
    return BadMessage(f"{type_}: {error}.")
