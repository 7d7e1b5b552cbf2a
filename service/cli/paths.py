"""Paths that are given on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer


def given_path(text: str) -> Path:
    """Return a path; refuse an empty one, as of a variable that is not set.

    It would be the current directory.
    """
    if not text:
        raise typer.BadParameter("it is empty: give a path, or . for the current directory")
    return Path(text)


def path_option(*names: str, text: str, metavar: str = "FILE") -> Any:
    """Return an option for a path, with its help text."""
    return typer.Option(*names, parser=given_path, metavar=metavar, help=text)
