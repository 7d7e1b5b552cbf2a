"""The checks of a torture notice what they are made for."""

from __future__ import annotations

from typing import Any

from tests.cluster.torture_log import (
    Row,
    changed,
    still_online,
    wrong_acks,
    wrong_matches,
    wrong_order,
)
from tests.cluster.torture_players import Acked


def row(position: int, type_: str = "chat.said", **fields: Any) -> Row:
    given = {"actor": "7", "command": None, "events": 1, "data": {}} | fields
    return Row(position, position.to_bytes(16, "big"), b"hash", type_, **given)


def test_gaps_and_repeated_event_ids_are_noticed() -> None:
    assert not wrong_order([row(1), row(2)])
    assert len(wrong_order([row(1), row(3)])) == 1
    assert len(wrong_order([row(1), row(2), row(2)])) == 2


def test_an_event_that_was_seen_and_is_another_one_or_none_is_noticed() -> None:
    seen = [row(1), row(2)]
    assert not changed(seen, [row(1), row(2), row(3)])
    assert len(changed(seen, [row(1), row(2, "room.closed")])) == 1
    assert len(changed(seen, [row(1)])) == 1


def test_an_acknowledged_command_has_its_events_once_up_to_its_position() -> None:
    acked = Acked("7", "a", "chat:send", 3)
    others = [row(1), row(4)]
    assert not wrong_acks([*others, row(2, command="a", events=2), row(3)], [acked])
    for found in (
        [],
        [row(2, command="a"), row(3)],
        [row(2), row(3, command="a", actor="8")],
        [row(2, command="a"), row(3, command="a")],
    ):
        assert wrong_acks([*others, *found], [acked]), found


def test_a_command_without_an_event_of_its_own_needs_none_but_the_log_has_its_position() -> None:
    assert not wrong_acks([row(1)], [Acked("7", "a", "room:ready", 1)])
    assert wrong_acks([row(1)], [Acked("7", "a", "room:ready", 2)])


def test_a_command_that_nobody_was_answered_is_not_carried_out_twice() -> None:
    assert wrong_acks([row(1, command="a"), row(2, command="a")], [])
    assert not wrong_acks([row(1, command="a"), row(2, command="a", actor="8")], [])


def test_users_are_in_one_match_and_each_match_ends_once() -> None:
    def started(position: int, match: str, *players: int) -> Row:
        return row(position, "match.started", data={"match": match, "players": players})

    def ended(position: int, match: str) -> Row:
        return row(position, "match.ended", data={"match": match})

    assert not wrong_matches(
        [started(1, "a", 7, 8), ended(2, "a"), started(3, "b", 7, 8), ended(4, "b")]
    )
    assert wrong_matches([started(1, "a", 7, 8)]) == ["match a has not ended"]
    twice = [started(1, "a", 7, 8), started(2, "b", 8, 9), ended(3, "a"), ended(4, "b")]
    assert wrong_matches(twice) == ["8 is in two matches"]
    assert wrong_matches([started(1, "a", 7, 8), ended(2, "a"), ended(3, "a")])


def test_who_is_online_by_the_log_is_told() -> None:
    came = row(1, "user.came_online", data={"user": 7})
    assert still_online([came]) == ["user 7 is online"]
    assert not still_online([came, row(2, "user.went_offline", data={"user": 7})])
