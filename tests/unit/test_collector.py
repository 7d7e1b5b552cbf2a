"""A full garbage collection waits for a time without live matches."""

import asyncio
import gc
from collections.abc import Callable

import pytest

from service import lifecycle
from service.cli.serve import GC_THRESHOLDS

Matches = list[str]


async def collections_after(
    monkeypatch: pytest.MonkeyPatch, matches: Matches, *steps: Callable[[], None]
) -> int:
    """Let an hour pass after each step; return the number of collections."""
    collected: list[None] = []
    hours = iter(steps)

    async def sleep(seconds: float) -> None:
        assert seconds == lifecycle.COLLECT_INTERVAL_S
        step = next(hours, None)
        if step is None:
            raise asyncio.CancelledError
        step()

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "sleep", sleep)
        patch.setattr(gc, "collect", lambda: collected.append(None))
        with pytest.raises(asyncio.CancelledError):
            await lifecycle._collect_garbage(matches)  # noqa: SLF001 - nothing else runs it
    return len(collected)


async def test_a_service_without_matches_collects_once_an_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert await collections_after(monkeypatch, [], lambda: None, lambda: None) == 2


async def test_a_live_match_is_not_stopped_for_a_collection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    matches: Matches = ["m1"]
    assert await collections_after(monkeypatch, matches, lambda: None, matches.clear) == 1


def test_full_collections_do_not_run_by_themselves() -> None:
    young, middle, full = GC_THRESHOLDS
    assert young * (middle + 1) <= 20_000, "a collection looks at this many objects at once"
    assert full >= 1_000_000
