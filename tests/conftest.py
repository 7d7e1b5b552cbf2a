"""Fixtures of all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.process_state import process_kept


@pytest.fixture(autouse=True)
def _process_kept() -> Iterator[None]:
    """Let no command that a test runs in this process change it for the tests behind it."""
    with process_kept():
        yield
