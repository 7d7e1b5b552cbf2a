"""No rules change under their version: hundreds of matches come out as when they were released."""

from __future__ import annotations

from typing import Any

import pytest

from service.games.catalogue import GAMES
from service.games.connect_four import CONNECT_FOUR, ConnectFour
from service.games.pong import PONG
from service.games.protocol import Game
from tests.unit.games.digests import digests_of, name_of, recorded


@pytest.mark.parametrize("game", GAMES.registered, ids=name_of)
def test_a_version_of_the_rules_is_as_it_was_released(game: Game) -> None:
    released = recorded()[name_of(game)]
    changed = [seed for seed, now in enumerate(digests_of(game)) if now != released[seed]]
    assert not changed, (
        f"the rules of {game.name} have changed, but their version is still {game.rules_version}: "
        "give them a new one and keep the old ones beside them, or matches of that version can't "
        "go on or be replayed"
    )


def test_every_recorded_version_is_still_here() -> None:
    assert sorted(recorded()) == sorted(map(name_of, GAMES.registered))


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("PADDLE_FRICTION", 0.9000001),
        ("BALL_SPEED_MAX", 2.999),
        ("SERVE_DELAY_TICKS", 44),
        ("WIRE_DECIMALS", 3),
    ],
)
def test_a_small_change_of_pong_is_noticed(
    name: str, changed: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"service.games.pong.{name}", changed)
    assert digests_of(PONG) != recorded()["pong-1"]


def test_another_result_of_a_timeout_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def scores(_rules: ConnectFour, state: Any) -> list[int]:
        return [int(seat == state.winner and state.timed_out is None) for seat in (0, 1)]

    monkeypatch.setattr(ConnectFour, "scores", scores)
    assert digests_of(CONNECT_FOUR) != recorded()["connect_four-1"]
