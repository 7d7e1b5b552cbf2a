from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.openbao import OpenBao


@pytest.fixture
def openbao() -> Iterator[OpenBao]:
    """A Vault of the test's own, empty."""
    server = OpenBao()
    server.start()
    yield server
    server.kill()
