"""Paths that are given on the command line."""

from __future__ import annotations

from pathlib import Path

import typer


def given_path(text: str) -> Path:
    """Return a path; refuse an empty one, as of a variable that is not set.

    It would be the current directory.
    """
    if not text:
        raise typer.BadParameter("it is empty: give a path, or . for the current directory")
    return Path(text)
