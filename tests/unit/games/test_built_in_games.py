"""Every version of every built-in game passes what the kit demands of games by others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.games.catalogue import GAMES
from service.games.chance import Chance
from service.games.connect_four import CONNECT_FOUR
from service.games.connect_four_2 import CONNECT_FOUR_2
from service.games.pong import PONG
from service.games.relay import RELAY
from service.games.testing import GameTests

CLAIM_AFTER = 5
"""After how many moves the players of the relay claim a result."""


class TestPong(GameTests):
    game = PONG


class TestConnectFour1(GameTests):
    game = CONNECT_FOUR


class TestConnectFour2(GameTests):
    game = CONNECT_FOUR_2


class TestRelay(GameTests):
    game = RELAY
    lists_all_moves = False

    def pick(self, state: Any, seat: int, chance: Chance) -> Mapping[str, Any] | None:
        if state.moves < CLAIM_AFTER:
            return {"card": chance.next_64_bits() % 52, "seat": seat}
        return {"result": {"winner": 0, "scores": [1] * state.players}}


def test_every_version_of_every_game_is_tested() -> None:
    tested = [
        (kit.game.name, kit.game.rules_version)
        for kit in (TestPong, TestConnectFour1, TestConnectFour2, TestRelay)
    ]
    assert sorted(tested) == GAMES.every_rules()
