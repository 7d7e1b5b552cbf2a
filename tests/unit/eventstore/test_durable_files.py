"""What takes the place of something has its name on the disk before that is deleted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from service.eventstore.archive_file import ArchiveFiles, ArchiveWriter
from service.eventstore.durable_files import make_directory, move


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was synced, by its name, and what got another name."""
    done: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(descriptor: int) -> None:
        done.append(f"sync {Path(f'/proc/self/fd/{descriptor}').resolve().name}")
        fsync(descriptor)

    def noted_rename(self: Path, target: Path) -> Path:
        done.append(f"{self.name} -> {target.name}")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    return done


def test_the_new_name_of_a_file_is_synced_after_its_content(
    tmp_path: Path, steps: list[str]
) -> None:
    (tmp_path / "draft").write_text("content")
    move(tmp_path / "draft", tmp_path / "file")
    assert steps == ["sync draft", "draft -> file", f"sync {tmp_path.name}"]


def test_the_names_of_new_directories_are_synced(tmp_path: Path, steps: list[str]) -> None:
    make_directory(tmp_path / "one" / "two", 0o700)
    assert sorted(steps) == sorted(["sync one", f"sync {tmp_path.name}"])
    steps.clear()
    make_directory(tmp_path / "one" / "two", 0o700)
    assert steps == []


def test_an_archive_has_its_name_on_the_disk_before_rows_leave_the_log(
    tmp_path: Path, steps: list[str]
) -> None:
    writer = ArchiveWriter(tmp_path / "draft")
    writer.finish(tmp_path / "archive.db")
    writer.discard()
    assert steps[-3:] == ["sync draft", "draft -> archive.db", f"sync {tmp_path.name}"]
    assert ArchiveFiles(tmp_path).digest("archive.db").count == 0
