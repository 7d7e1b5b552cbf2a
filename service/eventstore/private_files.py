"""Restrict the permissions of files created by earlier versions."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from service.telemetry import get_logger

if TYPE_CHECKING:
    from pathlib import Path

FILE_MODE = 0o600

logger = get_logger(__name__)


def make_private(data_dir: Path, database: Path) -> None:
    """Let only their owner read and write the files in `data_dir`, and those of the database.

    New ones are made so; those of other owners are left alone, with a warning if others may read.
    """
    beside = [database.with_name(database.name + suffix) for suffix in ("", "-wal", "-shm")]
    within = data_dir.iterdir() if data_dir.is_dir() else ()
    for path in {*beside, *within}:
        if path.is_symlink() or not path.is_file():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if not mode & ~FILE_MODE:
            continue
        try:
            path.chmod(FILE_MODE)
        except OSError as error:
            logger.warning(
                "file is open to others",
                metadata={"file": str(path), "mode": f"{mode:o}", "reason": error.strerror},
            )
