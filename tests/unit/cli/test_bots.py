"""`ws-service bots`: what it refuses before it connects anybody."""

from __future__ import annotations

import pytest

from service.cli.bots import bots
from service.errors import ServiceError


@pytest.mark.parametrize("game", ["chess", "relay"])
def test_the_error_of_a_game_without_bots_lists_only_games_with_bots(game: str) -> None:
    with pytest.raises(ServiceError, match="choose one of: pong, connect_four") as caught:
        bots(2, game, 1, None, None, "guest-")
    assert "relay" not in str(caught.value).partition("choose")[2]
