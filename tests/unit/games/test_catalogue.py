"""Games by name, and rules by version."""

from __future__ import annotations

from typing import Any

from service.edge.api.shapes import match_of
from service.eventstore.read_models.match_history import PlayedMatch
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


class TickingLater(ConnectFour):
    """A later version that has ticks."""

    rules_version = 2
    tick_hz = 20


def test_what_is_told_of_a_match_is_by_the_version_of_its_rules() -> None:
    before: Any = ConnectFour()
    later: Any = TickingLater()
    games = Catalogue([before, later], offered=[])
    assert games.tick_rates() == {("connect_four", 2): 20}

    def told(version: int) -> int | None:
        played = PlayedMatch(
            id="r-1",
            game="connect_four",
            rules_version=version,
            players=[],
            users=[],
            position=1,
            started_at=1,
            ended_at=2,
            ticks=40,
            reason="finished",
            winner=0,
            scores=[1, 0],
        )
        return match_of(played, games).tick_hz

    assert [told(version) for version in (1, 2, 3)] == [0, 20, None]
