"""`ws-service erase` on both databases: names and texts go, and the log stays as it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from service.domain.commands.chat import digest_of
from service.domain.events.chat import ChatSaid
from service.domain.personal_data import PersonalData, Text
from service.eventstore import migrate
from service.eventstore.copying import copy_log
from service.eventstore.plan import Append
from service.eventstore.postgres_schema import conninfo
from service.eventstore.sqlite import SqliteStore
from tests.command_line import CommandLine
from tests.integration.log_file import BUSY_MS, NODE, proposed
from tests.postgres import Postgres

SAID = {"c1": 7, "c2": 8, "c3": 7}
"""Texts by their authors."""

Query = Callable[[str], list[str]]


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    """The command, on a log with three texts and two names."""
    file = tmp_path / "data" / "ws-service.db"
    migrate.upgrade(f"sqlite+aiosqlite:///{file}")
    store = SqliteStore(file, NODE, BUSY_MS)
    for chat, author in SAID.items():
        text = Text("salt", f"text of {chat}")
        event = ChatSaid(chat=chat, author=author, digest=digest_of(text.salt, text.text), room="r")
        data = PersonalData({str(author): f"user {author}"}, {chat: text})
        store.commit([Append(proposed(event), {}, data)])
    store.close()
    return CommandLine(file.parent)


def in_file(command: CommandLine) -> Query:
    def query(statement: str) -> list[str]:
        with closing(sqlite3.connect(command.data_dir / "ws-service.db")) as log:
            return sorted(row[0] for row in log.execute(statement))

    return query


def on_server(url: str) -> Query:
    def query(statement: str) -> list[str]:
        with psycopg.connect(conninfo(url)) as log:
            return sorted(row[0] for row in log.execute(statement.encode()).fetchall())

    return query


def check_erasure(command: CommandLine, query: Query, **settings: str) -> None:
    def run(*arguments: str) -> str:
        return command("erase", *arguments, **settings)

    assert run("--user", "7") == "erased: 1 name, 2 texts\n"
    assert query('SELECT "user" FROM profiles') == ["8"]
    assert query("SELECT chat FROM texts") == ["c2"]
    assert run("--user", "7") == "erased: 0 names, 0 texts\n"
    assert run("--texts-before", "1h") == "erased: 0 names, 0 texts\n"
    assert run("--texts-before", "2999-01-01") == "erased: 0 names, 1 text\n"
    assert query("SELECT chat FROM texts") == []
    assert query('SELECT "user" FROM profiles') == ["8"]
    assert command("log", "verify", **settings).startswith("ok: 3 events, 0 matches, 0 texts")


def test_names_and_texts_are_erased_from_a_file_and_overwritten(command: CommandLine) -> None:
    check_erasure(command, in_file(command))
    files = b"".join(file.read_bytes() for file in command.data_dir.glob("ws-service.db*"))
    assert b"text of" not in files
    assert b"user 7" not in files
    assert b"user 8" in files


@pytest.mark.postgres
def test_names_and_texts_are_erased_from_a_server(command: CommandLine, postgres: Postgres) -> None:
    url = postgres.create_database()
    copy_log(f"sqlite+aiosqlite:///{command.data_dir}/ws-service.db", url, lambda *_: None)
    check_erasure(command, on_server(url), WS_DATABASE_URL=url)


@pytest.mark.parametrize(
    "arguments",
    [(), ("--user", "7", "--texts-before", "1d"), ("--user", ""), ("--texts-before", "x")],
)
def test_what_to_erase_has_to_be_said(command: CommandLine, arguments: tuple[str, ...]) -> None:
    done = command.run("erase", *arguments)
    assert done.code == 2
    assert in_file(command)("SELECT chat FROM texts") == ["c1", "c2", "c3"]
