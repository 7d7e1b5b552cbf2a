"""An invalid data directory is refused before anything is written to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from service.edge.http.bind import CannotListen, check_address
from service.errors import ConfigurationError
from service.eventstore import migrate
from service.eventstore.inspection import DataUnusable, LogMissing, NotOurDatabase, inspect
from service.eventstore.lock import LogInUse, LogLock
from service.eventstore.side_file import LostTail, SideFile
from tests.integration.log_file import LogFile, append_of, joined


def state(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return all that is in a directory, to compare; shared memory is no content."""
    return {
        path.name: (path.lstat().st_ino, path.lstat().st_mtime_ns, path.read_bytes())
        for path in sorted(directory.iterdir())
        if path.is_file() and not path.name.endswith("-shm")
    }


@pytest.fixture
async def used(log_file: LogFile) -> LogFile:
    """A log with events, left by kill -9: the newest ones are in the WAL alone."""
    copy = LogFile(log_file.path.parent / "data" / "log.db")
    copy.path.parent.mkdir()
    log = log_file.log()
    store = log_file.store()
    store.commit([append_of(joined(1), joined(2))])
    SideFile(log_file.path.with_suffix(".head")).write(store.head)
    for path in log_file.path.parent.glob("log.*"):
        (copy.path.parent / path.name).write_bytes(path.read_bytes())
    assert log.head.position == 0
    return copy


def gone(log: LogFile) -> None:
    log.path.unlink()


def emptied(log: LogFile) -> None:
    log.path.write_bytes(b"")


def replaced_by_one_without_tables(log: LogFile) -> None:
    gone(log)
    log.path.with_name(log.path.name + "-wal").unlink()
    with closing(log.connect()) as database:
        database.execute("CREATE TABLE one (id INTEGER)")
        database.execute("DROP TABLE one")
        database.commit()


def no_database(log: LogFile) -> None:
    log.path.write_text("not a database" * 100)


def halved(log: LogFile) -> None:
    for suffix in ("-wal", "-shm"):
        log.path.with_name(log.path.name + suffix).unlink(missing_ok=True)
    log.path.write_bytes(log.path.read_bytes()[: log.path.stat().st_size // 2])


def of_another_application(log: LogFile) -> None:
    gone(log)
    log.path.with_name(log.path.name + "-wal").unlink()
    with closing(log.connect()) as database:
        database.execute("CREATE TABLE users (id INTEGER)")


def of_another_alembic_application(log: LogFile) -> None:
    of_another_application(log)
    with closing(log.connect()) as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('0001')")
        database.commit()


def of_a_later_version(log: LogFile) -> None:
    with closing(log.connect()) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()


def a_directory(log: LogFile) -> None:
    gone(log)
    log.path.mkdir()


def a_link_to_nowhere(log: LogFile) -> None:
    log.path.rename(log.path.with_suffix(".away"))
    log.path.symlink_to(log.path.parent / "not-mounted" / "log.db")


def without_its_tail(log: LogFile) -> None:
    """As from an old backup: the side file knows of more."""
    for suffix in ("-wal", "-shm"):
        log.path.with_name(log.path.name + suffix).unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (gone, LogMissing),
        (emptied, LogMissing),
        (replaced_by_one_without_tables, ConfigurationError),
        (no_database, DataUnusable),
        (halved, ConfigurationError),
        (of_another_application, NotOurDatabase),
        (of_another_alembic_application, NotOurDatabase),
        (of_a_later_version, migrate.WrongSchema),
        (a_directory, DataUnusable),
        (a_link_to_nowhere, LogMissing),
        (without_its_tail, LostTail),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("migrates", [True, False])
async def test_a_refused_start_changes_nothing(
    used: LogFile,
    damage: Callable[[LogFile], None],
    error: type[ConfigurationError],
    *,
    migrates: bool,
) -> None:
    damage(used)
    before = state(used.path.parent)
    with pytest.raises(error) as refused:
        migrate.claim(used.url, used.path, migrates=migrates, accept_lost_tail=False)
    assert state(used.path.parent) == before
    # The name is a path, and the lock is free.
    assert refused.value.message
    LogLock(used.path.with_suffix(".lock")).release()


@pytest.mark.parametrize("trace", ["log.head", "log.db-wal", "log.lock", "seal-secret"])
def test_no_empty_log_is_created_beside_traces_of_an_old_one(tmp_path: Path, trace: str) -> None:
    path = tmp_path / "log.db"
    (tmp_path / trace).write_bytes(b"something")
    with pytest.raises(LogMissing, match=f"is missing, but .*{trace} belong"):
        inspect(path)
    path.touch()
    with pytest.raises(LogMissing, match=f"is empty, but .*{trace} belong"):
        inspect(path)
    (tmp_path / trace).unlink()
    assert inspect(path) is None


async def test_an_empty_database_in_place_of_a_log_is_not_upgraded(used: LogFile) -> None:
    replaced_by_one_without_tables(used)
    before = state(used.path.parent)
    with pytest.raises(LogMissing, match="is empty, but"):
        migrate.upgrade(used.url)
    assert state(used.path.parent) == before


def test_a_killed_first_start_can_be_repeated(tmp_path: Path) -> None:
    """The lock is made before the database, and is empty until a log was opened."""
    LogLock(tmp_path / "log.lock").release()
    assert inspect(tmp_path / "log.db") is None
    (tmp_path / "log.db").touch()
    (tmp_path / "log.db-journal").write_bytes(b"of the first transaction")
    assert inspect(tmp_path / "log.db") is None


async def test_inspection_reads_the_wal_without_changing_it(used: LogFile) -> None:
    before = state(used.path.parent)
    for _ in range(2):
        assert inspect(used.path, accept_lost_tail=False) == migrate.newest()
    assert state(used.path.parent) == before


async def test_inspecting_a_closed_log_creates_no_file(log_file: LogFile) -> None:
    store = log_file.store()
    store.commit([append_of(joined(1))])
    await log_file.close()
    before = sorted(path.name for path in log_file.path.parent.iterdir())
    assert inspect(log_file.path, accept_lost_tail=False) == migrate.newest()
    assert sorted(path.name for path in log_file.path.parent.iterdir()) == before


async def test_a_second_process_changes_nothing_while_the_first_runs(log_file: LogFile) -> None:
    """Also when it wants another schema; nor do `db upgrade` and alembic by hand."""
    log_file.log()
    log_file.change("UPDATE alembic_version SET version_num = '0001'", "DROP TABLE bearers")
    before = log_file.query("SELECT name, sql FROM sqlite_master ORDER BY name")
    for second in (
        lambda: migrate.claim(log_file.url, log_file.path, migrates=True, accept_lost_tail=True),
        lambda: migrate.upgrade(log_file.url),
    ):
        with pytest.raises(LogInUse):
            second()
    assert log_file.query("SELECT name, sql FROM sqlite_master ORDER BY name") == before
    assert log_file.query("SELECT version_num FROM alembic_version") == [("0001",)]


async def test_a_symbolic_link_shares_the_lock_of_its_log(
    log_file: LogFile, tmp_path: Path
) -> None:
    log_file.log()
    link = tmp_path / "elsewhere" / "log.db"
    link.parent.mkdir()
    link.symlink_to(log_file.path)
    with pytest.raises(LogInUse):
        LogFile(link).log()


async def test_files_of_another_user_are_named(
    used: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a restore by root. The tests may run as root, who has all permissions."""
    wal = used.path.with_name("log.db-wal")
    monkeypatch.setattr("os.access", lambda path, _mode: path != wal)
    with pytest.raises(DataUnusable, match=r"log\.db-wal belongs to user \d+ and can't be read"):
        inspect(used.path)


def test_an_unwritable_directory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    with pytest.raises(DataUnusable, match=f"{tmp_path} is not writable"):
        inspect(tmp_path / "not" / "there" / "log.db")
    assert not list(tmp_path.iterdir())


def test_an_interrupted_rollback_journal_transaction_is_rolled_back(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    migrate.upgrade(f"sqlite+aiosqlite:///{path}")
    copy = tmp_path / "copy" / "log.db"
    copy.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA cache_size = 1")
        database.execute("PRAGMA cache_spill = 1")
        database.execute("BEGIN IMMEDIATE")
        database.execute("DROP TABLE matches")
        database.execute("CREATE TABLE other AS SELECT randomblob(100000)")
        for file in tmp_path.glob("log.db*"):
            (copy.parent / file.name).write_bytes(file.read_bytes())
    assert (copy.parent / "log.db-journal").stat().st_size
    assert inspect(copy) == migrate.newest()


def test_an_address_in_use_is_detected_without_listening() -> None:
    import socket  # noqa: PLC0415 - here alone

    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"'127.0.0.1', {port}\): address already in use"):
            check_address("127.0.0.1", port)
    check_address("127.0.0.1", port)
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1"):
        check_address("192.0.2.1", 0)
