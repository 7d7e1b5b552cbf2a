"""Rules whose states or outcomes grow without a bound cost their match alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from service.games import checking
from service.games.protocol import GameEvent
from tests.integration.test_secrets import MATCH, Run
from tests.integration.watched_parts import match_events_of
from tests.secret_games import DIGS, Bell, DigsState, Marked

LONG = "x" * 5000


def grow_at_once(state: DigsState) -> Sequence[GameEvent]:
    state.marks[0].append(LONG)
    return ()


def grow_with_outcomes(state: DigsState) -> Sequence[GameEvent]:
    state.marks[1] = [LONG]
    return [Bell()]


def grow_an_outcome(_state: DigsState) -> Sequence[GameEvent]:
    return [Marked(0, LONG)]


def outgrow_json(state: DigsState) -> Sequence[GameEvent]:
    """Leave something in the state that only a checkpoint comes upon."""
    state.ticks = object()  # type: ignore[assignment]  # that is what is wrong
    return [Bell()]


@pytest.mark.parametrize("step", [grow_at_once, grow_with_outcomes, grow_an_outcome, outgrow_json])
async def test_a_match_that_grows_too_large_has_failed_and_others_go_on(
    monkeypatch: pytest.MonkeyPatch, step: Callable[[DigsState], Sequence[GameEvent]]
) -> None:
    monkeypatch.setattr(checking, "IN_PLAY_BYTES_MAX", 4000)
    run = Run("digs")
    await run.begin()
    await run.do(("time", 70))
    live: Any = run.one.matches.get(MATCH)
    assert not live.failed
    if step is outgrow_json:
        monkeypatch.setattr(type(DIGS), "result", lambda *_: None)
    monkeypatch.setattr(type(DIGS), "step", lambda _self, state: step(state))
    await run.do(("time", 70))
    assert live.failed
    assert [one.match for one in run.one.matches.take_failed()] == [MATCH]
    logged = [msgspec.json.encode(event) for event in match_events_of(run.one, MATCH)]
    assert max(map(len, logged)) < len(LONG)
