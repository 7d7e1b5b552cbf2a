from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from service.domain.events.matches import MatchRewound
from service.games.catalogue import GAMES
from service.games.connect_four import CONNECT_FOUR, Dropped
from service.games.options import set_up
from service.games.pong import PONG
from service.games.protocol import Game, GameEvent
from service.games.relay import RELAY, Relayed
from service.replay.columns import width_of
from service.replay.replay import Replay
from service.replay.terminal import REWOUND, draw, paint_view, plain
from tests.unit.replay.recordings import MATCH, an_input, checkpoint, raw, started

SEAT_0_BEGINS = 1
"""A seed of connect four."""

NAMES = ["Ana", "Ben"]


def recorded(game: Game, players: int, inputs: Sequence[tuple[int, GameEvent]]) -> Replay:
    return Replay(
        [
            started(game, SEAT_0_BEGINS, {}, players),
            *(an_input(tick, *one) for tick, one in enumerate(inputs)),
        ],
        GAMES,
    )


def dropped(columns: Sequence[int], *, timeout: bool = False) -> Replay:
    inputs: list[tuple[int, GameEvent]] = [
        (move % 2, Dropped(move % 2, column)) for move, column in enumerate(columns)
    ]
    if timeout:
        state = set_up(CONNECT_FOUR, SEAT_0_BEGINS, {}, 2)
        for _, event in inputs:
            CONNECT_FOUR.apply(state, event)
        inputs.append(CONNECT_FOUR.timeout(state))
    return recorded(CONNECT_FOUR, 2, inputs)


def relayed(*moves: tuple[int, dict[str, Any]], players: int = 2) -> Replay:
    return recorded(RELAY, players, [(seat, Relayed(seat, raw(move))) for seat, move in moves])


def drawn(replay: Replay, tick: int | None = None, width: int = 36, height: int = 12) -> list[str]:
    names = [*NAMES, "Cid"][: len(replay.started.players)]
    return draw(replay, replay.ticks if tick is None else tick, names, width, height).split("\n")


# Pong


def test_pong_is_drawn_with_its_score_and_the_time() -> None:
    start = started(PONG, 1, {"duration_s": 4}, 2)
    last = checkpoint(set_up(PONG, 1, {"duration_s": 4}, 2), 90)
    picture = drawn(Replay([start, last], GAMES), 30, width=40, height=14)
    assert picture[0].strip() == "Ana   0 : 0   Ben"
    assert picture[-1].strip() == "0.5 s   tick 30 of 90"
    assert len(picture) == 14
    assert {len(line) for line in picture[1:-1]} == {40}


@pytest.mark.parametrize(
    ("names", "title"),
    [
        (["A" * 64, "B" * 64], "AAAAAAAAAAAAA…   0 : 0   BBBBBBBBBBBBBB…"),
        (["あ" * 64, "Ben"], "ああああああああああああ…   0 : 0   Ben"),
        (["Ana", "B" * 64], "Ana   0 : 0   BBBBBBBBBBBBBBBBBBBBBBBBB…"),
    ],
)
def test_long_names_leave_the_score_in_its_place(names: list[str], title: str) -> None:
    start = started(PONG, 1, {"duration_s": 4}, 2)
    last = checkpoint(set_up(PONG, 1, {"duration_s": 4}, 2), 90)
    picture = draw(Replay([start, last], GAMES), 30, names, 40, 14).split("\n")
    assert picture[0].strip() == title
    assert all(width_of(line) <= 40 for line in picture)


@pytest.mark.parametrize(
    ("names", "scores", "title"),
    [
        (["Ana"], [7], "Ana 7"),
        (["Ana", "Ben", "Cid"], [1, 2, 3], "Ana 1, Ben 2, Cid 3"),
        (["Ana", "Ben", "Cid"], [], "Ana, Ben, Cid"),
        ([], [], ""),
    ],
)
def test_other_than_two_players_stand_side_by_side(
    names: list[str], scores: list[int], title: str
) -> None:
    class View(msgspec.Struct):
        here: int = 1

    assert plain(paint_view(View(), scores, names, 40, 14)[:1]).strip() == title


# Connect four


def test_connect_four_is_drawn_with_its_discs_and_turn() -> None:
    assert drawn(dropped([3, 3, 2])) == [
        "       ● Ana   0 : 0   Ben ○",
        "               ▼",
        "         │ · · · · · · · │",
        "         │ · · · · · · · │",
        "         │ · · · · · · · │",
        "         │ · · · · · · · │",
        "         │ · · · ○ · · · │",
        "         │ · · ● ● · · · │",
        "         └───────────────┘",
        "           0 1 2 3 4 5 6",
        "            Ben to move",
        "            move 3 of 3",
    ]


def test_before_the_first_move_no_column_is_marked() -> None:
    picture = drawn(dropped([3, 3, 2]), 0)
    assert picture[1] == ""
    assert picture[-2:] == ["            Ana to move", "            move 0 of 3"]


def test_the_winning_discs_are_highlighted() -> None:
    picture = drawn(dropped([0, 0, 1, 1, 2, 2, 3]))
    assert picture[0].strip() == "● Ana   1 : 0   Ben ○"
    assert [line.strip() for line in picture[6:8]] == ["│ ○ ○ ○ · · · · │", "│ ◉ ◉ ◉ ◉ · · · │"]
    assert picture[-2].strip() == "Ana has won"


def test_winning_discs_of_the_second_player_are_highlighted() -> None:
    picture = drawn(dropped([0, 1, 0, 1, 0, 1, 6, 1]))
    assert [line.strip() for line in picture[4:8]] == [
        "│ · ◎ · · · · · │",
        "│ ● ◎ · · · · · │",
        "│ ● ◎ · · · · · │",
        "│ ● ◎ · · · · ● │",
    ]
    assert picture[-2].strip() == "Ben has won"


def test_a_draw_is_shown() -> None:
    columns = [int(column) for column in "330254564223355224331121550404466660106011"]
    assert drawn(dropped(columns))[-2].strip() == "a draw"


def test_a_turn_timeout_is_shown() -> None:
    picture = drawn(dropped([3], timeout=True))
    assert picture[-2].strip() == "Ana has won: Ben took too long"


# The relay


def test_the_relay_shows_the_last_move_and_the_move_count() -> None:
    replay = relayed((0, {"e4": 1}), (1, {"e5": [1, 2]}))
    assert [line.strip() for line in drawn(replay)] == [
        "Ana, Ben",
        'Ben: {"e5":[1,2]}',
        "move 2 of 2",
    ]
    assert [line.strip() for line in drawn(replay, 1)] == [
        "Ana, Ben",
        'Ana: {"e4":1}',
        "move 1 of 2",
    ]
    assert [line.strip() for line in drawn(replay, 0)] == [
        "Ana, Ben",
        "no moves yet",
        "move 0 of 2",
    ]


@pytest.mark.parametrize(("players", "title"), [(1, "Ana"), (3, "Ana, Ben, Cid")])
def test_the_relay_shows_all_its_players(players: int, title: str) -> None:
    assert drawn(relayed(players=players))[0].strip() == title


def test_a_long_move_is_cut_to_the_picture() -> None:
    picture = drawn(relayed((0, {"text": "x" * 5000})), width=40, height=12)
    assert len(picture) == 12
    assert {len(line) for line in picture[1:-1]} == {40}


def test_terminal_escape_sequences_in_a_move_are_neutralized() -> None:
    picture = "\n".join(drawn(relayed((0, {"text": "\x1b[2J\x9b2J\r\n\u202e"}))))
    assert all(character.isprintable() for character in picture.replace("\n", ""))


# Any other game


class Odd(msgspec.Struct):
    odd: int


def test_a_game_without_a_drawing_is_shown_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RELAY, "view", lambda _state, _viewer: Odd(3), raising=True)
    assert drawn(relayed((0, {})))[1:-1] == ["{", '  "odd": 3', "}"]


def test_a_rewound_match_shows_the_tick() -> None:
    rewound = Replay(
        [started(PONG, 1, {"duration_s": 30}, 2), MatchRewound(match=MATCH, tick=120)], GAMES
    )
    assert rewound.rewinds == [120]
    rewound.ticks = 300
    marked = [tick for tick in (0, 119, 120, 240, 241) if REWOUND in drawn(rewound, tick)[-1]]
    assert marked == [120, 240]
