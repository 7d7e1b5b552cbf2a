"""The side file and the lock: damage is logged, contradictions are refused."""

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.eventstore.lock import LogInUse, LogLock
from service.eventstore.records import Head
from service.eventstore.side_file import DamagedSideFile, LostTail, SideFile

HEAD = Head(7, b"\x07" * 32, "epoch-of-this-log")


def written(tmp_path: Path) -> Path:
    path = tmp_path / "log.head"
    SideFile(path).write(HEAD)
    return path


def test_a_log_that_contains_the_remembered_head_is_accepted(tmp_path: Path) -> None:
    side = SideFile(written(tmp_path))
    side.check(HEAD, lambda _position: HEAD.hash)
    side.check(HEAD._replace(position=9), lambda _position: HEAD.hash)
    assert not list(tmp_path.glob("*.draft"))


def test_a_missing_side_file_is_accepted(tmp_path: Path) -> None:
    side = SideFile(tmp_path / "log.head")
    assert side.read() is None
    side.check(HEAD, lambda _position: None)


def damaged(whole: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "halved": whole[: len(whole) // 2],
        "garbage": b"\xde\xad\xbe\xef",
        "zeros": bytes(len(whole)),
        "another position": whole.replace(b'"position":7', b'"position":1'),
        "another epoch": whole.replace(b"epoch-of", b"EPOCH-OF"),
        "another hash": whole.replace(b"0707", b"0708", 1),
        "a position that no database takes": whole.replace(b":7,", b":99999999999999999999,"),
        "deeper than can be read": b"[" * 100_000,
        "a list": b"[1]",
    }


def test_a_damaged_side_file_is_logged_and_ignored(tmp_path: Path) -> None:
    path = written(tmp_path)
    for name, data in damaged(path.read_bytes()).items():
        path.write_bytes(data)
        with pytest.raises(DamagedSideFile):
            SideFile(path).read()
        with capture_logs() as logs:
            SideFile(path).check(HEAD, lambda _position: None)
        assert [line["error_code"] for line in logs] == ["SIDE_FILE_DAMAGED"], name


def test_a_version_1_side_file_without_checksum_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "log.head"
    path.write_text(f'{{"epoch":"{HEAD.epoch}","position":7,"hash":"{HEAD.hash.hex()}"}}')
    SideFile(path).check(HEAD, lambda _position: HEAD.hash)
    with pytest.raises(LostTail, match="ends at position 3, but it once had the event 7"):
        SideFile(path).check(HEAD._replace(position=3), lambda _position: None)


def test_a_side_file_of_another_log_is_refused(tmp_path: Path) -> None:
    side = SideFile(written(tmp_path))
    with pytest.raises(LostTail, match="belongs to another log"):
        side.check(HEAD._replace(epoch="another"), lambda _position: HEAD.hash)


def test_a_refused_lock_names_its_holder_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.lock"
    lock = LogLock(path)
    lock.mark()
    before = path.stat().st_mtime_ns, path.read_text()
    with pytest.raises(LogInUse, match=rf"log.lock \(process {os.getpid()}\); stop it"):
        LogLock(path)
    assert (path.stat().st_mtime_ns, path.read_text()) == before
    lock.release()
    LogLock(path).release()
    assert path.read_text() == before[1]


def test_a_side_file_that_names_an_archived_event_is_accepted(tmp_path: Path) -> None:
    """Of a node that was stopped for long, while others went on."""
    side = SideFile(tmp_path / "log.head")
    side.write(HEAD)
    later = HEAD._replace(position=HEAD.position + 1, hash=bytes(32))
    side.check(later, lambda _position: None, lambda position: position == HEAD.position)
    with pytest.raises(LostTail):
        side.check(later, lambda _position: None)
    with pytest.raises(LostTail):
        side.check(later._replace(epoch="other"), lambda _position: None, lambda _position: True)
    with pytest.raises(LostTail):
        # The head itself is never archived.
        side.check(HEAD, lambda _position: None, lambda _position: True)
