"""Restrict the permissions of files that earlier versions created."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from service.telemetry import get_logger

if TYPE_CHECKING:
    from pathlib import Path

FILE_MODE = 0o600

logger = get_logger(__name__)


def make_private(data_dir: Path, database: Path) -> None:
    """Set mode 0600 on the files in `data_dir` and on those of the database.

    New files are created with that mode. A file of another owner is left as it is, with a warning
    if others can read it.
    """
    database_files = [database.with_name(database.name + suffix) for suffix in ("", "-wal", "-shm")]
    data_files = data_dir.iterdir() if data_dir.is_dir() else ()
    for path in {*database_files, *data_files}:
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
