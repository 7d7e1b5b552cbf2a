"""Arrays that are encoded here are read by the server as they were meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.string import StrDumper

from service.eventstore.postgres_arrays import big_ints, byte_strings, ints, register, texts
from tests.postgres import Postgres

pytestmark = pytest.mark.postgres


@pytest.fixture
def connection(postgres: Postgres) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection that takes the arrays."""
    with postgres.connect("postgres") as found:
        found.adapters.register_dumper(str, StrDumper)
        register(found)
        yield found


@pytest.mark.parametrize(
    ("array", "kind", "expected"),
    [
        (ints([]), "integer[]", []),
        (ints([0, 1, -1, 2**31 - 1]), "integer[]", [0, 1, -1, 2**31 - 1]),
        (big_ints([None, 2**40, -1]), "bigint[]", [None, 2**40, -1]),
        (texts([]), "text[]", []),
        (texts(["", None, "ünï ☃", '{"a,b\\'] * 2), "text[]", ["", None, "ünï ☃", '{"a,b\\'] * 2),
        (texts(["x" * 100_000]), "text[]", ["x" * 100_000]),
        (byte_strings([]), "bytea[]", []),
        (byte_strings([b"", None, bytes(range(256))]), "bytea[]", [b"", None, bytes(range(256))]),
    ],
)
def test_an_array_is_read_as_it_was_meant(
    connection: psycopg.Connection[tuple[Any, ...]], array: object, kind: str, expected: object
) -> None:
    row = connection.execute("SELECT %s, pg_typeof(%s)::text", (array, array)).fetchone()
    assert row == (expected, kind)


def test_a_column_without_values_is_none() -> None:
    assert (texts([None, None]), big_ints([None]), byte_strings([None])) == (None, None, None)
