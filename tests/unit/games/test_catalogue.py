"""Games by name, and rules by version."""

from __future__ import annotations

from typing import Any

from service.games.catalogue import GAMES, Catalogue
from service.games.connect_four import ConnectFour


class Later(ConnectFour):
    """The same by a later version."""

    rules_version = 2


def test_a_game_name_means_the_current_rules_version() -> None:
    before: Any = ConnectFour()
    later: Any = Later()
    games = Catalogue([before, later])
    assert games["connect_four"] is later
    assert games.rules("connect_four", 2) is later
    assert games.rules("connect_four", 1) is before
    assert games.rules("connect_four", 3) is None
    assert games.rules("chess", 1) is None
    assert games.versions("connect_four") == [1, 2]
    assert list(games) == ["connect_four"]


def test_every_game_is_found_by_its_current_version() -> None:
    for name, game in GAMES.items():
        assert GAMES.rules(name, game.rules_version) is game
