"""Convert our statements, which have parameters like `:name`, to those of PostgreSQL's driver."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

LAST_VERSION: Final = """
    SELECT greatest(
        (SELECT max(version) FROM events WHERE stream = %s),
        (SELECT max(last_version) FROM archived_streams WHERE stream = %s))
"""
LAST_OF_GAP: Final = "SELECT last FROM archive_gaps WHERE first <= %s ORDER BY first DESC LIMIT 1"

_PARAMETER = re.compile(r"(?<!:):(\w+)")

_TYPES: Final = {
    "position": "bigint",
    "recorded_at": "bigint",
    "rules_version": "integer",
    "seat": "integer",
    "ticks": "bigint",
    "winner": "integer",
    "user_service_gets": "boolean",
}
"""Types of the read models' parameters; all others are texts."""


@functools.cache
def named_parameters(statement: str) -> str:
    """Return a statement for psycopg: `:name` becomes `%(name)s`."""
    return _PARAMETER.sub(r"%(\1)s", statement.replace("%", "%%"))


@functools.cache
def projection_statement(statement: str) -> str:
    """Return a statement for EXECUTE, with all parameters in one JSON object `$1`."""
    return _PARAMETER.sub(
        lambda found: f"($1 ->> '{found[1]}')::{_TYPES.get(found[1], 'text')}", statement
    )


def array_literal(texts: Iterable[str]) -> str:
    """Return an array of texts as PostgreSQL writes it."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in sorted(texts))
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"
