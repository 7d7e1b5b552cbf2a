"""Paths on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from service.cli.paths import given_path


def test_an_empty_path_is_refused_since_it_would_be_the_current_directory() -> None:
    assert given_path("file") == Path("file")
    assert given_path(".") == Path()
    with pytest.raises(typer.BadParameter, match="it is empty"):
        given_path("")
