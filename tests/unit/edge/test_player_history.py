"""How somebody has played, from the matches of the history."""

from typing import Any

import pytest

from service.edge.api.history import player_of, result_of
from service.eventstore.read_models.match_history import PlayedMatch
from service.protocol.classic import User

ANA = User(7, "Ana")


def match(winner: int | None, *users: str, reason: Any = "timeup", game: str = "pong") -> Any:
    names = {"7": "Ana", "8": "Ben", "9": "Cleo"}
    return PlayedMatch(
        id=f"r-{winner}",
        game=game,
        rules_version=1,
        players=[names[user] for user in users],
        users=list(users),
        position=1,
        started_at=1_000_000,
        ended_at=None if reason is None else 2_000_000,
        ticks=60,
        reason=reason,
        winner=winner,
        scores=[0, 0],
    )


WON, LOST = match(0, "7", "8"), match(0, "8", "7")
DRAWN = match(None, "7", "9", game="connect_four")
VOID, LIVE = match(None, "7", "8", reason="void"), match(None, "7", "8", reason=None)


@pytest.mark.parametrize(
    ("played", "result"),
    [(WON, "won"), (LOST, "lost"), (DRAWN, "drawn"), (VOID, None), (LIVE, None)],
)
def test_a_result_is_that_of_the_users_seat(played: PlayedMatch, result: str | None) -> None:
    assert result_of(played, 7) == result


def test_records_are_counted_for_all_games_and_opponents() -> None:
    player = player_of(ANA, [LIVE, WON, VOID, LOST, DRAWN, WON], status="lobby", is_all=True)
    assert (player.record.won, player.record.lost, player.record.drawn) == (2, 1, 1)
    assert player.last == ["won", "lost", "drawn", "won"]
    assert [(one.game, one.record.won) for one in player.games] == [
        ("pong", 2),
        ("connect_four", 0),
    ]
    assert [(one.user.name, one.record.lost) for one in player.opponents] == [
        ("Ben", 1),
        ("Cleo", 0),
    ]
    assert player.opponents_count == 2


@pytest.mark.parametrize(
    ("matches", "streak"),
    [
        ([WON, WON, LOST], 2),
        ([LOST, VOID, LOST, WON], -2),
        ([DRAWN, WON], 0),
        ([WON, DRAWN, WON], 1),
        ([], 0),
    ],
)
def test_a_streak_ends_at_another_result(matches: list[PlayedMatch], streak: int) -> None:
    assert player_of(ANA, matches, status=None, is_all=True).streak == streak
