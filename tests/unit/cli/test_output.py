"""Where commands write: a file is replaced when all is written, and kept otherwise."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from service.cli.common import CannotWrite, opened_output


def test_a_file_is_replaced_with_its_mode_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("before")
    path.chmod(0o640)
    with opened_output(path) as file:
        file.write(b"after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [*tmp_path.iterdir()] == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target = tmp_path / "target"
    path = tmp_path / "link"
    path.symlink_to(target)
    with opened_output(path) as file:
        file.write(b"new")
    assert path.is_symlink()
    assert target.read_text() == "new"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError])
def test_a_failure_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "out"
    path.write_text("before")
    with pytest.raises(CannotWrite if error is OSError else error):
        _write(path, error)
    assert path.read_text() == "before"
    assert [*tmp_path.iterdir()] == [path]


def _write(path: Path, error: type[BaseException] | None = None) -> None:
    with opened_output(path) as file:
        file.write(b"x" * 100_000)
        if error is not None:
            raise error


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/dev/full", "No space left on device"),
        ("none/out", "No such file or directory"),
        (".", "Is a directory"),
    ],
)
def test_what_can_not_be_written_is_named_with_the_reason(
    tmp_path: Path, path: str, reason: str
) -> None:
    whole = tmp_path / path
    with pytest.raises(CannotWrite) as refused:
        _write(whole)
    assert refused.value.message == f"{whole} can't be written: {reason}"
