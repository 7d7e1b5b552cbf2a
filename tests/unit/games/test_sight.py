"""What viewers may see is decided in one place."""

from __future__ import annotations

import ast

import msgspec
import pytest

from service.games.catalogue import GAMES
from service.games.sight import (
    FULL,
    SPECTATOR,
    Viewer,
    Views,
    common_view,
    part_for,
    seated,
    views_of,
)
from tests.secret_games import HANDS
from tests.unit.service_code import sources

MAY_ASK_RULES = {
    "service/games/sight.py",
    # A bot gets the view of its own seat, and nothing else.
    "service/games/bots.py",
}
"""The files that may call `view` or `shown` of the rules."""

MAY_CHECK_RULES = "service/games/testing/", "service/games/check"
"""Tests and checks of games look at all views."""

WHOLE = msgspec.Raw(b'{"kind":"chosen","hand":"rock"}')


def asks_rules(text: str) -> bool:
    """Return whether code calls `view` or `shown` of something that is called a game."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and node.attr in {"view", "shown"}:
            owner = ast.unparse(node.value)
            if owner.rpartition(".")[2].strip("_").lower() in {"game", "rules"}:
                return True
    return False


def test_no_other_file_asks_the_rules_what_to_show() -> None:
    asking = {
        name
        for name, source in sources().items()
        if not name.startswith(MAY_CHECK_RULES) and asks_rules(source.text)
    }
    assert asking <= MAY_ASK_RULES


def test_the_search_finds_who_asks_the_rules() -> None:
    assert asks_rules("run.game.view(run.state, None)")
    assert asks_rules("view = self._game.view")
    assert not asks_rules("live.view(viewer)")


def test_all_share_one_view_of_a_game_without_secrets() -> None:
    pong = GAMES["pong"]
    state = pong.setup(1, pong.options_type(), 2)
    assert views_of(pong, 2) is None
    views = Views(pong, 2)
    assert views.view(state, seated(1)) == views.view(state, SPECTATOR) == common_view(pong, state)
    assert views.views(state, FULL) is None


def test_a_game_with_secrets_has_no_view_for_all() -> None:
    state = HANDS.setup(1, HANDS.options_type(), 2)
    with pytest.raises(AssertionError):
        common_view(HANDS, state)
    views = views_of(HANDS, 2)
    assert views is not None
    assert views.keys == {"0", "1", "spectators"}
    assert views.views(state, seated(0)) is None
    everything = views.views(state, FULL)
    assert everything is not None
    assert len(everything) == 2


@pytest.mark.parametrize(
    ("viewer", "part"),
    [
        (seated(0), WHOLE),
        (seated(1), None),
        (SPECTATOR, msgspec.Raw(b"{}")),
        (FULL, WHOLE),
        (Viewer(1, is_full=True), WHOLE),
    ],
)
def test_a_viewer_is_shown_what_is_recorded(viewer: Viewer, part: msgspec.Raw | None) -> None:
    shown = {"1": msgspec.Raw(b"null"), "spectators": msgspec.Raw(b"{}")}
    assert part_for(viewer, WHOLE, shown) == part


def test_nothing_is_shown_where_nothing_is_recorded() -> None:
    assert part_for(seated(0), WHOLE, msgspec.UNSET) is None
