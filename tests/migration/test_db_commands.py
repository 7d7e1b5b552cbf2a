"""`ws-service db`, and a start that must not migrate."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.command_line import CommandLine

SECRET = {"JWT_SECRET": "a-secret-of-these-tests-of-more-than-32-bytes"}


@pytest.fixture
def ws_service(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "data")


def test_db_upgrade_current_and_check_work(ws_service: CommandLine) -> None:
    assert ws_service("db", "current") == "schema none, newest is 0008\n"
    check = ws_service.run("db", "check")
    assert check.code == 2
    assert check.complaint.startswith(f"error: there is no event log at {ws_service.data_dir}")
    assert "check WS_DATA_DIR" in check.complaint
    assert not ws_service.data_dir.exists()

    assert ws_service("db", "upgrade") == "schema none -> 0008\n"
    assert ws_service("db", "upgrade") == "schema 0008, as before\n"
    assert ws_service("db", "current") == "schema 0008, newest is 0008\n"
    assert ws_service("db", "check") == "the database has the newest schema\n"


def test_a_start_without_migration_says_how_to_migrate(ws_service: CommandLine) -> None:
    refused = ws_service.run_apart("serve", WS_MIGRATE_AT_START="false", WS_PORT="0", **SECRET)
    assert refused.code == 2
    assert "ws-service db upgrade" in refused.complaint
    assert not ws_service.data_dir.exists()


@pytest.mark.parametrize("command", [("db", "upgrade"), ("log", "stats"), ("serve",)])
def test_a_file_that_is_not_a_database_is_one_clear_line(
    ws_service: CommandLine, command: tuple[str, ...]
) -> None:
    ws_service.data_dir.mkdir()
    (ws_service.data_dir / "ws-service.db").write_text("no database at all " * 100)
    refused = ws_service.run_apart(*command, WS_PORT="0", **SECRET)
    assert refused.code == 2
    assert "not a database" in refused.complaint


def test_a_database_of_a_later_version_is_one_clear_line(ws_service: CommandLine) -> None:
    ws_service("db", "upgrade")
    with closing(sqlite3.connect(ws_service.data_dir / "ws-service.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    refused = ws_service.run_apart("serve", WS_PORT="0", **SECRET)
    assert (refused.code, "a later version" in refused.complaint) == (2, True)
