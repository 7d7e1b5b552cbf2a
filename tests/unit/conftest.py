"""The effort of tests that set none of their own, and less work for the garbage collector."""

import gc

import pytest
from hypothesis import settings

from tests.effort import effort

settings.register_profile("effort", effort())
settings.load_profile("effort")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Exclude what was imported and collected from garbage collection.

    It stays until the end, and to scan it again and again takes an eighth of the time.
    """
    gc.freeze()
