"""Rules with invalid results: all decided events stay readable."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest

from service.domain.commands.ending import FinishMatch
from service.domain.commands.moves import Move
from service.domain.commands.rules import MoveFailed
from service.domain.commands.seats import LeaveRoom
from service.domain.commands.turns import TimeOutTurn
from service.domain.events.base import Event
from service.domain.events.matches import MatchEnded
from service.eventstore.codec import decode, encode
from service.games.connect_four import ConnectFour, Dropped
from service.games.pong import Pong
from service.games.protocol import Key, Result, RulesFailed
from tests.unit.domain.story import ROOM, Story


def says(patch: pytest.MonkeyPatch, game: type, rule: str, answer: Any) -> None:
    """Let a rule of a game answer this, from now on."""
    patch.setattr(game, rule, lambda *_: answer)


def readable(events: list[Event]) -> list[Event]:
    """Check that the log gives these events back as they were folded."""
    for event in events:
        assert decode(event.type, event.schema_version, encode(event)) == event
    return events


ODD: list[tuple[str, Any]] = [
    ("result", Result(True)),  # noqa: FBT003 - that is what is odd
    ("result", Result("x")),  # type: ignore[arg-type]  # as above
    ("result", Result([])),  # type: ignore[arg-type]  # as above
    ("result", Result(7)),
    ("result", Result(0, "because")),  # type: ignore[arg-type]  # as above
    ("result", 0.5),
    ("scores", [True, False]),
    ("scores", "ab"),
    ("scores", [None, None]),
    ("scores", None),
    ("scores", [float("nan"), 0]),
]


@pytest.mark.parametrize(("rule", "answer"), ODD)
def test_an_invalid_result_from_the_rules_voids_the_match(
    monkeypatch: pytest.MonkeyPatch, rule: str, answer: Any
) -> None:
    story = Story()
    match = story.match("connect_four", 7, 8)
    if rule == "scores":
        says(monkeypatch, ConnectFour, "result", Result(0))
    says(monkeypatch, ConnectFour, rule, answer)
    (ended,) = readable(story.do(FinishMatch(match.id)))
    assert isinstance(ended, MatchEnded)
    assert ended.reason == "void"


@pytest.mark.parametrize(("rule", "answer"), ODD)
def test_a_match_with_odd_rules_can_be_left(
    monkeypatch: pytest.MonkeyPatch, rule: str, answer: Any
) -> None:
    story = Story()
    story.match("connect_four", 7, 8)
    says(monkeypatch, ConnectFour, rule, answer)
    ended = readable(story.do(LeaveRoom(7, ROOM)))[-1]
    assert isinstance(ended, MatchEnded)
    assert ended.reason == "void"


@pytest.mark.parametrize("answer", [("x", Dropped(0, 0)), (9, Dropped(0, 0)), (None, None), 3])
def test_a_turn_timeout_without_a_seat_voids_the_match(
    monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    story = Story()
    match = story.match("connect_four", 7, 8)
    says(monkeypatch, ConnectFour, "timeout", answer)
    (ended,) = readable(story.do(TimeOutTurn(match.id, match.turn_since)))
    assert isinstance(ended, MatchEnded)
    assert ended.reason == "void"


@pytest.mark.parametrize("key", [Key(3, down=True), Key(None, down=True)])  # type: ignore[arg-type]  # that is what is odd
def test_an_invalid_key_from_the_rules_fails_the_move(
    monkeypatch: pytest.MonkeyPatch, key: Key
) -> None:
    story = Story()
    story.match("pong", 7, 8)
    says(monkeypatch, Pong, "key_in", key)
    says(monkeypatch, Pong, "hold", Dropped(0, 0))
    with pytest.raises(MoveFailed):
        story.do(Move(7, "n1.1.7a", ROOM, {}))


@pytest.mark.parametrize("answer", [float("nan"), float("inf"), "x", True, -1.0, 0])
def test_an_invalid_turn_length_from_the_rules_prevents_the_match(
    monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    story = Story()
    says(monkeypatch, ConnectFour, "turn_s", answer)
    # The engine answers it, as any fault of the rules.
    with suppress(msgspec.ValidationError, RulesFailed, OverflowError, TypeError, ValueError):
        story.match("connect_four", 7, 8)
    readable(story.events)
