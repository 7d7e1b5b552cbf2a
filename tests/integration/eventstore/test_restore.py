"""An interrupted restore loses nothing and forgets no revocation."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from service.domain.events.access import SessionsRevoked
from service.eventstore.backup import BackupError, Restored, back_up, restore
from service.eventstore.inspection import LogFiles, LogMissing, inspect
from service.eventstore.read_models.rebuild import open_read_only
from service.eventstore.side_file import SideFile
from tests.integration.log_file import LogFile, append_of, joined

SECRET = "seal-secret"


class Broken(BaseException):
    """The process is gone."""


@pytest.fixture
def backup(log_file: LogFile, tmp_path: Path) -> Path:
    """A backup of a log with two events; after it one session was revoked."""
    secret = log_file.path.with_name(SECRET)
    secret.write_text("old")
    store = log_file.store()
    store.commit([append_of(joined(1), joined(2))])
    made = back_up(log_file.path, log_file.path.parent, tmp_path / "backups", lambda *_: None)
    store.commit([append_of(SessionsRevoked(user=7, until_s=9))])
    SideFile(LogFiles(log_file.path).side_file).write(store.head)
    store.close()
    secret.write_text("new")
    return made.folder


def restored(file: LogFile, backup: Path) -> Restored:
    return restore(backup, file.path, file.path.parent, lambda *_: None, replace=True)


def types(file: LogFile) -> list[str]:
    return [type_ for (type_,) in file.query("SELECT type FROM events ORDER BY position")]


@pytest.mark.parametrize("number", range(12))
def test_an_interrupted_restore_leaves_the_log_or_can_be_repeated(
    log_file: LogFile, backup: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    left = [number]

    def breaking(method: str) -> None:
        move = getattr(Path, method)

        def around(path: Path, target: Path) -> Path:
            left[0] -= 1
            if left[0] < 0:
                raise Broken
            moved: Path = move(path, target)
            return moved

        monkeypatch.setattr(Path, method, around)

    breaking("rename")
    breaking("replace")
    try:
        restored(log_file, backup)
    except Broken:
        monkeypatch.undo()
        if log_file.path.exists():
            # Either the whole old log, or the whole new one.
            revision = inspect(log_file.path, accept_lost_tail=False)
            assert revision is not None
            assert types(log_file)[-1] == "sessions.revoked"
        else:
            with pytest.raises(LogMissing):
                inspect(log_file.path, accept_lost_tail=False)
        again = restored(log_file, backup)
        assert again.revoked == [7]
    assert inspect(log_file.path, accept_lost_tail=False) is not None
    assert types(log_file) == ["lobby.joined", "lobby.joined", "sessions.revoked"]
    assert log_file.path.with_name(SECRET).read_text() == "old"
    assert not list(log_file.path.parent.glob(".restoring-*"))


def test_restore_keeps_a_secret_that_the_backup_lacks(log_file: LogFile, backup: Path) -> None:
    (backup / SECRET).unlink()
    restored(log_file, backup)
    assert log_file.path.with_name(SECRET).read_text() == "new"


def test_restore_does_not_replace_an_unreadable_log(
    log_file: LogFile, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the revocations in it would be forgotten."""

    def locked(path: Path) -> object:
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        if path == log_file.path:
            raise error
        return open_read_only(path)

    monkeypatch.setattr("service.eventstore.backup.open_read_only", locked)
    with pytest.raises(BackupError, match="database is locked"):
        restored(log_file, backup)
    assert types(log_file)[-1] == "sessions.revoked"
