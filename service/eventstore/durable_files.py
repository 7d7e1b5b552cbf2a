"""Give files their names so that they still have them after a power failure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def sync(path: Path) -> None:
    """Sync a file, or the entries of a directory, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def move(draft: Path, target: Path) -> None:
    """Sync a file or directory, give it another name, and sync that name to the disk.

    Only then may be deleted what it takes the place of.
    """
    sync(draft)
    draft.rename(target)
    sync(target.parent)


def make_directory(path: Path, mode: int) -> None:
    """Make a directory with all above it that are missing, and sync their names to the disk."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    for one in missing:
        sync(one.parent)
