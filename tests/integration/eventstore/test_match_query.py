"""Filters and orders of the match history, on both databases."""

from collections.abc import Sequence
from typing import Any

import pytest

from service.domain.events.base import Event
from service.domain.events.matches import MatchEnded, MatchStarted
from service.domain.ids import UserId
from service.domain.personal_data import PersonalData
from service.eventstore.plan import Append
from service.eventstore.read_models.match_history import MatchQuery, find_matches
from tests.integration.eventstore.store_database import Database, committed
from tests.integration.log_file import proposed

ANA, BEN, CLEO = 7, "ben", 9
PERSONAL = PersonalData({str(ANA): "Ana", str(BEN): "Ben", str(CLEO): "Cleo"})


def played(  # noqa: PLR0913 - what a match is
    match: str,
    players: Sequence[UserId],
    winner: int | None,
    *,
    game: str = "pong",
    ticks: int = 600,
    reason: Any = "timeup",
) -> list[Event]:
    return [
        MatchStarted(
            match=match,
            tick=0,
            game=game,
            rules_version=1,
            players=list(players),
            seed=1,
            options={},
            pace="free",
            turn_s=None,
        ),
        MatchEnded(match=match, tick=ticks, reason=reason, winner=winner, scores=[1, 0], hash=""),
    ]


HISTORY = [
    *played("won", [ANA, BEN], 0),
    *played("lost", [BEN, ANA], 0, ticks=1200),
    *played("drawn", [ANA, CLEO], None, ticks=60, game="pong"),
    *played("void", [ANA, BEN], None, reason="void", ticks=6),
    *played("others", [BEN, CLEO], 1, ticks=3600),
    *played("live", [ANA, BEN], None)[:1],
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, "live others void drawn lost won"),
        ({"user": "Ana", "result": "won"}, "won"),
        ({"user_id": "7", "result": "lost"}, "lost"),
        ({"user_id": "7", "result": "drawn"}, "drawn"),
        ({"result": "drawn"}, "drawn"),
        ({"result": "won"}, "others lost won"),
        ({"user_id": "7", "opponent": "Ben"}, "live void lost won"),
        ({"user_id": "7", "opponent": "9"}, "drawn"),
        ({"user_id": "7", "opponent": "Ana"}, ""),
        ({"opponent": "Cleo"}, "others drawn"),
        ({"seconds_min": 10}, "others lost won"),
        ({"seconds_min": 10, "seconds_max": 20}, "lost won"),
        ({"until": 0}, ""),
        ({"until": 2**60}, "live others void drawn lost won"),
        ({"sort": "oldest", "limit": 2}, "won lost"),
        ({"sort": "oldest", "limit": 2, "offset": 2}, "drawn void"),
        ({"sort": "longest"}, "others lost won drawn void live"),
        ({"sort": "shortest", "limit": 3}, "void drawn won"),
    ],
)
def test_matches_are_found_by_filters(
    database: Database, wanted: dict[str, Any], found: str
) -> None:
    committed(database.opened(), Append(proposed(*HISTORY), {}, PERSONAL))
    query = MatchQuery(tick_hz={("pong", 2): 1, ("pong", 1): 60}, **wanted)
    matches = database.read(lambda reader: find_matches(reader, query))
    assert [match.id for match in matches] == found.split()
