"""The check of the archives: whether all that the log names can be read here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from service.cli.doctor.findings import Finding
from service.cli.doctor.log_rows import rows_of
from service.eventstore.archive_file import Archived, ArchiveFiles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.settings import Settings

CHECK = "archives"

NAMED_MAX = 3
"""How many archives that can't be read are named."""

_FILES = "SELECT file FROM archives ORDER BY position"

_MEANWHILE = "until then archived matches are answered ARCHIVED"


def check_archives(settings: Settings) -> Iterator[Finding]:
    """Check the directory of archives, and each file that the log has events in."""
    directory = settings.storage.archive_dir
    files = [file for (file,) in rows_of(settings, _FILES)]
    if directory is None:
        if files:
            found = f"the log has events in {len(files)} archives, and WS_ARCHIVE_DIR is not set"
            yield Finding(CHECK, "fail", found, f"set it to their directory; {_MEANWHILE}")
    elif not (directory.is_dir() and os.access(directory, os.R_OK | os.X_OK)):
        advice = f"mount it, or change its mode; {_MEANWHILE}"
        yield Finding(CHECK, "fail", f"WS_ARCHIVE_DIR={directory} can't be read", advice)
    else:
        yield _of_files(directory, files)


def _of_files(directory: Path, files: list[str]) -> Finding:
    archives, unreadable = ArchiveFiles(directory), list[str]()
    for file in files:
        try:
            # Opens it, and reads which format it has.
            archives.rows_between(file, 0, 0)
        except Archived:
            unreadable.append(file)
    if not unreadable:
        found = f"WS_ARCHIVE_DIR={directory} can be read, with all {len(files)} archives of the log"
        return Finding(CHECK, "ok", found)
    named = ", ".join(unreadable[:NAMED_MAX])
    more = f" and {len(unreadable) - NAMED_MAX} more" if len(unreadable) > NAMED_MAX else ""
    return Finding(
        CHECK,
        "fail",
        f"{named}{more} can't be read in WS_ARCHIVE_DIR={directory}",
        f"mount the disk that has them, or restore them from their backup; {_MEANWHILE}",
    )
