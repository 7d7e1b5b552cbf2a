"""Statements with parameters like `:name` become those of PostgreSQL's driver and functions."""

from __future__ import annotations

import pytest

from service.eventstore.postgres_schema import conninfo, driver_url, name_of
from service.eventstore.postgres_sql import named_parameters, projection_statement

URL = "postgresql+psycopg://ws:hidden@db.example:5433/log?connect_timeout=3"


@pytest.mark.parametrize(
    ("statement", "converted"),
    [
        (
            "SELECT a FROM t WHERE b = :b AND c > :c",
            "SELECT a FROM t WHERE b = %(b)s AND c > %(c)s",
        ),
        ("SELECT :a::bigint", "SELECT %(a)s::bigint"),
        ("SELECT x::text, 7 % 2", "SELECT x::text, 7 %% 2"),
    ],
)
def test_named_parameters_are_converted_and_casts_are_not(statement: str, converted: str) -> None:
    assert named_parameters(statement) == converted


def test_parameters_of_projections_are_typed_fields_of_one_object() -> None:
    assert (
        projection_statement("SELECT :match, :position WHERE :user_service_gets")
        == "SELECT ($1 ->> 'match')::text, ($1 ->> 'position')::bigint"
        " WHERE ($1 ->> 'user_service_gets')::boolean"
    )


def test_the_driver_gets_the_password_and_messages_do_not() -> None:
    assert conninfo(URL) == "postgresql://ws:hidden@db.example:5433/log?connect_timeout=3"
    assert driver_url(URL) == conninfo(URL)
    assert driver_url("sqlite+aiosqlite:///data/log.db") is None
    assert name_of(URL) == "postgresql+psycopg://ws:***@db.example:5433/log"
