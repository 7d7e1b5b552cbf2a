"""Arrays in the binary format of PostgreSQL.

The driver takes up to a hundred times as long for each element of a list.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, ClassVar, Final

from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from psycopg import Connection

_INT4, _INT8, _TEXT, _BYTEA = 23, 20, 25, 17
"""The types of elements by their number in the catalogue, which never changes."""

_ARRAYS: Final = {_INT4: 1007, _INT8: 1016, _TEXT: 1009, _BYTEA: 1001}
"""The types of arrays by those of their elements."""

_NULL: Final = struct.pack(">i", -1)
_length = struct.Struct(">i").pack
_header = struct.Struct(">iiIii").pack
_int4 = struct.Struct(">ii").pack
_int8 = struct.Struct(">iq").pack


class _Array(bytes):
    """An array that is encoded already; each class is one type of the database."""

    __slots__ = ()


class Ints(_Array):
    """An `integer[]`."""


class BigInts(_Array):
    """A `bigint[]`."""


class Texts(_Array):
    """A `text[]`."""


class ByteStrings(_Array):
    """A `bytea[]`."""


def ints(values: Sequence[int]) -> Ints:
    """Encode an `integer[]`."""
    return Ints(_joined(_INT4, len(values), [_int4(4, value) for value in values]))


def big_ints(values: Sequence[int | None]) -> BigInts | None:
    """Encode a `bigint[]`; return None if all its elements are."""
    parts = [_NULL if value is None else _int8(8, value) for value in values]
    return BigInts(_joined(_INT8, len(values), parts)) if _has_value(values) else None


def texts(values: Sequence[str | None]) -> Texts | None:
    """Encode a `text[]`; return None if it has elements, and all are None."""
    encoded = [None if value is None else value.encode() for value in values]
    return Texts(_joined(_TEXT, len(values), _parts(encoded))) if _has_value(values) else None


def byte_strings(values: Sequence[bytes | None]) -> ByteStrings | None:
    """Encode a `bytea[]`; return None if it has elements, and all are None."""
    return ByteStrings(_joined(_BYTEA, len(values), _parts(values))) if _has_value(values) else None


def register(connection: Connection[object]) -> None:
    """Let a connection take these arrays as parameters."""
    for dumper in _DUMPERS:
        connection.adapters.register_dumper(dumper.array, dumper)


def _parts(values: Sequence[bytes | None]) -> list[bytes]:
    parts: list[bytes] = []
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts += (_length(len(value)), value)
    return parts


def _joined(element: int, count: int, parts: Iterable[bytes]) -> bytes:
    # Dimensions, whether an element is NULL, the type of elements, their number, the first index.
    # An empty array has no dimension, and ends before the number.
    if not count:
        return _header(0, 0, element, 0, 0)[:12]
    return b"".join((_header(1, 1, element, count, 1), *parts))


def _has_value(values: Sequence[object]) -> bool:
    return not values or any(value is not None for value in values)


class _ArrayDumper(Dumper):
    array: ClassVar[type[_Array]]
    format = Format.BINARY

    def dump(self, obj: Buffer) -> Buffer:
        """Return what is encoded already."""
        return obj


def _dumper(kind: type[_Array], element: int) -> type[_ArrayDumper]:
    return type(f"{kind.__name__}Dumper", (_ArrayDumper,), {"array": kind, "oid": _ARRAYS[element]})


_DUMPERS = (
    _dumper(Ints, _INT4),
    _dumper(BigInts, _INT8),
    _dumper(Texts, _TEXT),
    _dumper(ByteStrings, _BYTEA),
)
