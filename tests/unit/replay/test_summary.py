from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from service.domain.events.matches import (
    MatchEvent,
    MatchPaused,
    MatchResumed,
    MatchRewound,
    MatchStarted,
)
from service.games.catalogue import GAMES
from service.games.connect_four import CONNECT_FOUR, Dropped
from service.games.options import set_up
from service.games.pong import PONG, TICK_HZ, KeysHeld
from service.games.protocol import RulesFailed
from service.games.relay import RELAY, Relayed
from service.replay.replay import NotAMatch, Replay
from service.replay.run import outcomes_at
from service.replay.summary import RunOf, runs_of, summarise
from tests.unit.replay.recordings import MATCH, an_input, ended, raw, started

SECOND = 1_000_000
DURATION_S = 20


def pong(*more: MatchEvent) -> Replay:
    """Play a match in which seat 0 moves once and nobody else does anything."""
    options = {"duration_s": DURATION_S}
    state = set_up(PONG, 1, options, 2)
    events: list[MatchEvent] = [started(PONG, 1, options, 2)]
    events.append(an_input(10, 0, KeysHeld(0, up=True, down=False)))
    for tick in range(DURATION_S * TICK_HZ):
        if tick == 10:
            PONG.apply(state, KeysHeld(0, up=True, down=False))
        events += outcomes_at(MATCH, tick, PONG.step(state))
        events += [event for event in more if event.tick == tick]
    result = PONG.result(state)
    assert result is not None
    events.append(ended(PONG, state, DURATION_S * TICK_HZ, "timeup", result.winner))
    return Replay(events, GAMES, [SECOND * number for number in range(len(events))])


def connect_four(*thinking_s: int) -> Replay:
    """Play a match in which each move takes so long."""
    state = set_up(CONNECT_FOUR, 1, {}, 2)
    events: list[MatchEvent] = [started(CONNECT_FOUR, 1, {}, 2)]
    times = [5 * SECOND]
    for tick, took_s in enumerate(thinking_s):
        assert state.turn is not None
        move = Dropped(state.turn, tick % 2)
        events.append(an_input(tick, move.seat, move))
        times.append(times[-1] + took_s * SECOND)
        CONNECT_FOUR.apply(state, move)
    return Replay(events, GAMES, times)


def test_the_score_over_time_begins_at_zero_and_ends_with_the_result() -> None:
    replay = pong()
    scores = summarise(replay).scores
    assert (scores[0].tick, scores[0].scores) == (0, [0, 0])
    assert replay.ended is not None
    assert scores[-1].scores == replay.ended.scores
    for score in scores:
        assert replay.scores(replay.at(score.tick)) == score.scores
        assert score.at_s == round(score.tick / TICK_HZ, 3)
        if score.tick:
            assert replay.scores(replay.at(score.tick - 1)) != score.scores


def test_each_point_is_a_mark_with_its_seat_and_time() -> None:
    summary = summarise(pong())
    points = [mark for mark in summary.timeline if mark.kind == "point"]
    assert [mark.scores for mark in points] == [score.scores for score in summary.scores[1:]]
    before = [0, 0]
    for mark in points:
        assert mark.seat is not None
        assert mark.scores is not None
        assert mark.scores[mark.seat] == before[mark.seat] + 1
        before = mark.scores


def test_the_timeline_is_in_order_from_the_start_to_the_end() -> None:
    marks = summarise(pong()).timeline
    assert (marks[0].kind, marks[-1].kind) == ("started", "ended")
    assert [mark.tick for mark in marks] == sorted(mark.tick for mark in marks)
    assert (marks[-1].tick, marks[-1].at_s) == (DURATION_S * TICK_HZ, DURATION_S)


def test_a_pause_is_marked_with_how_long_it_lasted_and_a_rewind_with_its_tick() -> None:
    replay = pong(
        MatchPaused(match=MATCH, tick=200),
        MatchResumed(match=MATCH, tick=200, run=1),
        MatchRewound(match=MATCH, tick=400),
        MatchPaused(match=MATCH, tick=400),
        MatchResumed(match=MATCH, tick=400, run=2),
    )
    found = [
        (mark.kind, mark.tick, mark.lasted_s)
        for mark in summarise(replay).timeline
        if mark.kind in {"paused", "resumed", "rewound"}
    ]
    assert found == [
        ("paused", 200, 1.0),
        ("resumed", 200, None),
        ("rewound", 400, None),
        ("paused", 400, 1.0),
        ("resumed", 400, None),
    ]
    assert runs_of(replay) == [
        RunOf(0, 0, 200, rewound=False),
        RunOf(1, 200, 400, rewound=True),
        RunOf(2, 400, DURATION_S * TICK_HZ, rewound=False),
    ]


def test_inputs_are_counted_by_seat() -> None:
    first, second = summarise(pong()).inputs
    assert (first.seat, first.inputs, first.per_second) == (0, 1, round(1 / DURATION_S, 2))
    assert (second.seat, second.inputs, second.per_second) == (1, 0, 0.0)


def test_the_figures_of_pong_are_the_longest_rally_and_the_fastest_ball() -> None:
    rally, ball = summarise(pong()).figures
    assert (rally.name, rally.unit, ball.name, ball.unit) == (
        "longestRally",
        "hits",
        "fastestBall",
        "fields/s",
    )
    replay = pong()
    # By the states: how often the ball turned around, and its greatest speed.
    hits = most = 0
    fastest = 0.0
    last: float | None = None
    for _, state in replay.frames():
        speed = None if state.ball is None else state.ball.speed_x
        if speed is None or last is None:
            hits = 0
        else:
            hits += last * speed < 0
        most, last = max(most, hits), speed
        fastest = max(fastest, abs(speed or 0) * TICK_HZ / 100)
    assert rally.value == most
    assert ball.value == pytest.approx(fastest, abs=0.02)


def test_the_figures_of_connect_four_are_the_longest_turns() -> None:
    replay = connect_four(1, 7, 3, 2)
    first = set_up(CONNECT_FOUR, 1, {}, 2).turn
    longest = {figure.seat: figure.value for figure in summarise(replay).figures}
    assert first is not None
    assert longest == {first: 3.0, 1 - first: 7.0}


def test_moves_of_a_turn_based_game_are_marked_by_when_they_were_made() -> None:
    summary = summarise(connect_four(1, 7, 3))
    moves = [mark for mark in summary.timeline if mark.kind == "move"]
    assert [(mark.tick, mark.at_s) for mark in moves] == [(1, 1.0), (2, 8.0), (3, 11.0)]
    assert summary.duration_s == 11.0
    assert msgspec.json.decode(moves[0].input or b"")["kind"] == "dropped"


def test_a_clock_that_was_set_back_never_makes_time_run_backwards() -> None:
    replay = connect_four(10, -8, 5)
    assert [replay.seconds_at(tick) for tick in range(4)] == [0.0, 10.0, 10.0, 10.0]


def test_a_match_without_times_counts_a_second_a_move() -> None:
    timed = connect_four(5, 5)
    replay = Replay(timed.events, GAMES)
    assert [replay.seconds_at(tick) for tick in range(3)] == [0, 1, 2]
    assert [mark.lasted_s for mark in summarise(replay).timeline] == [None] * 3


def test_times_have_to_be_those_of_all_events() -> None:
    timed = connect_four(5, 5)
    with pytest.raises(NotAMatch):
        Replay(timed.events, GAMES, timed.times[:-1])


def test_a_game_without_figures_has_none() -> None:
    events = [started(RELAY, 1, {}, 2), an_input(0, 1, Relayed(1, raw({"a": 1})))]
    summary = summarise(Replay(events, GAMES))
    assert summary.figures == []
    assert [mark.kind for mark in summary.timeline] == ["started", "move"]


def test_a_summary_is_json_with_names_as_on_the_wire() -> None:
    written: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(summarise(pong())))
    assert written.keys() == {
        "matchId",
        "game",
        "rulesVersion",
        "tickHz",
        "ticks",
        "durationS",
        "scores",
        "timeline",
        "runs",
        "inputs",
        "figures",
    }


def test_a_match_that_has_just_begun_has_no_inputs_a_second() -> None:
    events: list[MatchStarted] = [started(CONNECT_FOUR, 1, {}, 2)]
    summary = summarise(Replay(events, GAMES))
    assert (summary.duration_s, summary.inputs[0].per_second) == (0.0, None)


def test_in_a_turn_based_game_all_but_moves_have_the_times_at_which_they_were() -> None:
    played = connect_four(1, 7)
    state = played.at(played.ticks)
    events: list[MatchEvent] = [
        *played.events,
        MatchPaused(match=MATCH, tick=2),
        MatchResumed(match=MATCH, tick=2, run=1),
        ended(CONNECT_FOUR, state, 2, "turn_timeout", 0),
    ]
    times = [*played.times, *(5 * SECOND + at * SECOND for at in (10, 14, 44))]
    summary = summarise(Replay(events, GAMES, times))
    assert [(mark.kind, mark.at_s) for mark in summary.timeline] == [
        ("started", 0.0),
        ("move", 1.0),
        ("move", 8.0),
        ("paused", 10.0),
        ("resumed", 14.0),
        ("ended", 44.0),
    ]
    assert summary.duration_s == 44.0
    # The clock of the system was set back.
    assert summarise(Replay(events, GAMES, [*times[:-1], 0])).duration_s == 14.0


def raising(*_: object) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        ("figures", raising),
        ("figures", lambda *_: [7]),
        ("figures", lambda *_: None),
        ("scores", lambda *_: None),
        ("scores", lambda *_: [0.5, float("nan")]),
        ("view", lambda *_: {}),
        ("view", raising),
        ("legal_moves", lambda *_: [7]),
        ("result", raising),
    ],
)
def test_rules_that_answer_something_else_have_failed(
    monkeypatch: pytest.MonkeyPatch, rule: str, answer: Any
) -> None:
    replay = connect_four(3, 4)
    monkeypatch.setattr(CONNECT_FOUR, rule, answer, raising=False)
    state = replay.at(1)
    asks: dict[str, Callable[[], object]] = {
        "legal_moves": lambda: replay.legal_moves(state, 0),
        "result": lambda: replay.result(state),
    }
    ask = asks.get(rule, lambda: summarise(replay))
    with pytest.raises(RulesFailed, match=r"The rules of connect_four have failed: [A-Z]"):
        ask()
