"""A short outage; `outage.py` as a script takes the duration as an argument."""

from pathlib import Path

import pytest

from service.client import retry
from tests.acceptance.outage import outage

MATCHES = 16


async def test_an_outage_loses_no_match_even_without_a_grace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "RETRY_WITH_SEAT_MAX_S", 1.0)
    kept = await outage(tmp_path, {"WS_RESTART_GRACE_S": "15"}, matches=MATCHES, down_s=1)
    assert kept == MATCHES
