"""Pauses and turns: remaining times continue, and pauses are charged."""

from __future__ import annotations

from typing import Any

import pytest

from service.domain.commands.deadlines import pending, started_by
from service.domain.commands.ending import FinishMatch
from service.domain.commands.moves import Move
from service.domain.commands.nodes import StartNode
from service.domain.commands.pauses import EndPause, TakeOver
from service.domain.commands.seats import ForfeitSeat, SetReady, TakeSeat
from service.domain.commands.turns import NoteTurn, TimeOutTurn
from service.domain.events.base import Event
from service.domain.events.matches import (
    MatchEnded,
    MatchInput,
    MatchPaused,
    MatchResumed,
    MatchRewound,
    MatchSuspended,
    MatchTurnNoted,
)
from service.domain.projections.matches import Match, pause_left_ms
from service.domain.projections.room import Room
from service.domain.projections.room_options import RoomOptions
from service.eventstore.codec import decode
from service.games.protocol import InvalidOptions
from service.settings.sections.play import Rules, Times
from tests.unit.domain.story import ROOM, Story


class Play:
    """A match of two, and what the service has measured of it."""

    def __init__(self, game: str = "connect_four", **options: Any) -> None:
        self.story = Story(Rules(pause_budget_s=10))
        self.match: Match = self.story.match(game, 1, 2, **options)
        self.sockets = {user: f"n1.1.{user}a" for user in (1, 2)}
        self.spent = [0, 0]

    @property
    def room(self) -> Room:
        return self.story.world.rooms.rooms[ROOM]

    def measured(self, turn_left_ms: int | None = None, spent: list[int] | None = None) -> None:
        self.spent = spent or self.spent
        self.story.measured = {
            "turn_left_ms": self.match.turn_left_ms if turn_left_ms is None else turn_left_ms,
            "spent_ms": self.spent,
        }

    def drop(self, user: int) -> list[Event]:
        return self.story.close(user, self.sockets[user])

    def back(self, user: int, tab: str = "b") -> list[Event]:
        self.sockets[user] = self.story.open(user, tab)
        return self.story.do(TakeSeat(user, self.sockets[user], ROOM))

    def forfeit(self, seat: int) -> ForfeitSeat:
        since = self.room.seats[seat].away_since
        assert since is not None
        return ForfeitSeat(seat + 1, ROOM, since)

    def deadlines(self) -> list[tuple[float, str]]:
        """Return what the last event has begun."""
        position = len(self.story.events)
        begun = started_by(self.story.events[-1], position, self.story.world, Times())
        return [(one.after_s, type(one.command).__name__) for one in begun]


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def test_a_turn_resumes_with_its_remaining_time() -> None:
    play = Play(turn_s=20)
    assert play.deadlines() == [(2.0, "NoteTurn"), (20.0, "TimeOutTurn")]
    play.measured(turn_left_ms=13_500)
    paused = play.drop(1)[-1]
    assert isinstance(paused, MatchPaused)
    assert paused.turn_left_ms == 13_500
    play.measured(spent=[100, 0])
    assert types(play.back(1)) == ["seat.taken", "match.resumed"]
    assert play.deadlines() == [(2.0, "NoteTurn"), (13.5, "TimeOutTurn")]
    turn = play.story.run_of(play.match).state.turn
    (socket,) = play.room.seats[turn].sockets
    play.story.do(Move(turn + 1, socket, ROOM, {"column": 3}))
    assert play.deadlines() == [(2.0, "NoteTurn"), (20.0, "TimeOutTurn")]


def test_the_remaining_turn_time_is_logged_and_survives_a_crash() -> None:
    play = Play(turn_s=20)
    play.measured(turn_left_ms=18_000)
    since = play.match.turn_noted
    (noted,) = play.story.do(NoteTurn(play.match.id, since))
    assert isinstance(noted, MatchTurnNoted)
    assert play.deadlines() == [(2.0, "NoteTurn")]
    assert play.story.do(NoteTurn(play.match.id, since)) == []
    play.story.measured = {}
    play.story.do(StartNode("n1"))
    (paused,) = play.story.do(TakeOver(play.match.id))
    assert isinstance(paused, MatchPaused)
    assert (paused.turn_left_ms, paused.spent_ms) == (18_000, [0, 0])


def test_logging_the_remaining_time_does_not_extend_the_turn() -> None:
    play = Play(turn_s=20)
    since = play.match.turn_since
    play.story.do(NoteTurn(play.match.id, play.match.turn_noted))
    assert types(play.story.do(TimeOutTurn(play.match.id, since))) == ["match.input"]
    (ended,) = play.story.do(FinishMatch(play.match.id))
    assert isinstance(ended, MatchEnded)
    assert ended.reason == "turn_timeout"


def test_the_turn_clock_stops_in_a_pause() -> None:
    play = Play(turn_s=20)
    since = play.match.turn_since
    play.measured(turn_left_ms=1)
    play.drop(1)
    assert play.story.do(TimeOutTurn(play.match.id, since)) == []
    assert play.story.do(NoteTurn(play.match.id, since)) == []


def test_pause_time_adds_up_per_player() -> None:
    play = Play(pause_budget_s=5)
    for number, spent in enumerate([[1000, 0], [3000, 0], [3000, 4000]]):
        user = 1 if number < 2 else 2
        play.drop(user)
        play.measured(spent=spent)
        resumed = play.back(user, "bcd"[number])[-1]
        assert isinstance(resumed, MatchResumed)
        assert resumed.spent_ms == spent
    assert play.match.spent_ms == [3000, 4000]
    assert [pause_left_ms(play.match, seat, play.match.spent_ms) for seat in (0, 1)] == [2000, 1000]


def test_the_resume_countdown_counts_as_pause() -> None:
    play = Play("pong")
    play.drop(1)
    play.measured(spent=[120, 0])
    play.back(1)
    assert play.match.spent_ms == [1120, 0]


def test_an_exhausted_pause_budget_resumes_the_match_until_the_grace_ends() -> None:
    play = Play("pong", pause_budget_s=5, reconnect_grace_s=30)
    play.drop(1)
    assert play.deadlines() == [(5.02, "EndPause")]
    play.measured(spent=[4999, 0])
    assert play.story.do(EndPause(play.match.id)) == []
    play.measured(spent=[5000, 0])
    assert types(play.story.do(EndPause(play.match.id))) == ["match.resumed"]
    forfeits = [one.command for one in pending(play.story.world, Times())]
    assert play.forfeit(0) in forfeits
    assert types(play.back(1)) == ["seat.taken"]
    assert play.match.paused is False


def test_a_player_without_pause_budget_does_not_pause_the_match() -> None:
    play = Play("pong", pause_budget_s=5)
    play.drop(1)
    play.measured(spent=[5000, 0])
    play.back(1)
    move = {"direction": "w", "action": "down"}
    play.story.do(Move(1, play.sockets[1], ROOM, move))
    assert types(play.drop(1)) == ["socket.closed", "match.input"]
    assert play.match.pressing == {}
    gone = play.story.do(play.forfeit(0))
    assert types(gone)[0] == "seat.forfeited"
    assert [event.reason for event in gone if isinstance(event, MatchEnded)] == ["forfeit"]


def test_a_match_with_a_zero_pause_budget_never_pauses() -> None:
    play = Play(pause_budget_s=0)
    assert types(play.drop(1)) == ["socket.closed"]


def test_a_pause_lasts_while_an_away_player_has_budget() -> None:
    play = Play(pause_budget_s=5)
    play.drop(1)
    play.measured(spent=[3000, 0])
    assert types(play.drop(2)) == ["socket.closed", "match.paused"]
    assert sorted(play.deadlines()) == [(2.02, "EndPause"), (5.02, "EndPause")]
    play.measured(spent=[5000, 2000])
    assert play.story.do(EndPause(play.match.id)) == []
    assert types(play.back(2)) == ["seat.taken", "match.resumed"]


def test_downtime_of_the_service_is_charged_to_nobody() -> None:
    play = Play(pause_budget_s=5)
    play.drop(1)
    play.measured(spent=[5000, 0])
    play.story.do(EndPause(play.match.id))
    play.story.do(StartNode("n1"))
    play.story.do(TakeOver(play.match.id))
    assert play.deadlines() == []
    assert types(play.back(2)) == ["seat.taken"]
    assert types(play.back(1, "c")) == ["seat.taken", "match.resumed"]


def test_the_only_player_to_return_wins() -> None:
    play = Play("pong", pause_budget_s=0)
    play.drop(1)
    play.drop(2)
    play.story.do(play.forfeit(0))
    ended = play.back(2)[-1]
    assert isinstance(ended, MatchEnded)
    assert (ended.reason, ended.winner) == ("forfeit", 1)


def test_a_rematch_has_its_own_pause_budget() -> None:
    play = Play()
    play.match.spent_ms = [9000, 0]
    play.story.fold(
        MatchEnded(match=play.match.id, tick=0, reason="finished", winner=0, scores=[1, 0], hash="")
    )
    for user in (1, 2):
        play.story.do(SetReady(user, ROOM, ready=True))
    (rematch,) = play.story.world.matches.live.values()
    assert rematch.id != play.match.id
    assert rematch.spent_ms == [0, 0]


def test_a_match_from_an_old_log_pauses_without_a_limit() -> None:
    play = Play()
    play.match.options = RoomOptions.read({"duration_s": 30})
    paused = decode("match.paused", 1, b'{"match":"room-%d","tick":0}' % play.story.match_number)
    play.story.fold(paused)
    assert pause_left_ms(play.match, 0, play.match.spent_ms) is None
    assert play.match.turn_left_ms == 30_000
    assert play.match.spent_ms == [0, 0]


@pytest.mark.parametrize("budget", [-1, 3601, "5", True, None])
def test_an_invalid_pause_budget_is_refused(budget: object) -> None:
    with pytest.raises(InvalidOptions):
        Play(pause_budget_s=budget)


def test_only_a_running_match_with_ticks_is_rewound_by_a_crash() -> None:
    """A move of the other games is shown when it is committed."""
    play = Play("pong", duration_s=30)
    play.story.do(StartNode("n1"))
    events = play.story.do(TakeOver(play.match.id))
    assert [type(event) for event in events if not isinstance(event, MatchInput)] == [
        MatchRewound,
        MatchPaused,
    ]
    assert isinstance(events[0], MatchRewound)
    assert events[0].tick == play.match.tick
    assert play.story.do(TakeOver(play.match.id)) == []


def test_a_clean_shutdown_does_not_rewind_a_match() -> None:
    play = Play("pong", duration_s=30)
    play.story.fold(MatchSuspended(match=play.match.id, tick=7))
    play.story.do(StartNode("n1"))
    events = play.story.do(TakeOver(play.match.id))
    assert [type(event) for event in events if not isinstance(event, MatchInput)] == [MatchPaused]
    play.story.fold(MatchResumed(match=play.match.id, tick=7, run=1))
    crashed = play.story.do(TakeOver(play.match.id))
    assert any(isinstance(event, MatchRewound) for event in crashed)
