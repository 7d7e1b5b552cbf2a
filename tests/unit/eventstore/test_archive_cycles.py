"""Which rows belong together, and which of them may leave the log."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from service.domain.events.base import Event
from service.domain.events.matches import MatchEnded, MatchInput, MatchStarted
from service.domain.events.presence import UserCameOnline
from service.domain.events.rooms import PlayerSeated, RoomClosed, RoomCreated
from service.eventstore.archive_cycles import Cycle, CycleFinder, Survey, oldest, unnamed
from service.eventstore.codec import encode
from service.eventstore.records import Row

END = 10**9


def created(room: str) -> RoomCreated:
    return RoomCreated(room=room, game="pong", players=[1, 2], options={}, seats_min=2, seats_max=2)


def started(room: str, number: int = 1) -> MatchStarted:
    return MatchStarted(
        match=f"{room}-{number}",
        tick=0,
        game="pong",
        rules_version=1,
        players=[1, 2],
        seed=1,
        options={},
        pace="ticks",
        turn_s=None,
    )


def ended(room: str, number: int = 1) -> MatchEnded:
    return MatchEnded(
        match=f"{room}-{number}", tick=9, reason="timeup", winner=0, scores=[1, 0], hash="h"
    )


def row(position: int, event: Event, at: int) -> Row:
    return Row(
        *(position, event.stream, 1, event.type, 1, b"", "", None, "n1", at),
        encode(event),
        None,
        b"",
    )


def survey(events: Sequence[Event], *, skipped: Sequence[int] = ()) -> Survey:
    """Survey events that are recorded at the times 1, 2, 3, ..."""
    found = Survey()
    for position, event in enumerate(events, 1):
        found.add(row(position, event, position), None if position in skipped else event)
    return found


def over(events: Sequence[Event], before: int = END, **options: Sequence[int]) -> list[Cycle]:
    return list(survey(events, **options).over(before, head=END).values())


A_WHOLE_ONE = [
    created("a"),
    started("a"),
    ended("a"),
    PlayerSeated("a", 3, 0),
    RoomClosed("a", "empty"),
]


def test_a_closed_room_with_its_matches_is_one_cycle() -> None:
    (cycle,) = over([UserCameOnline(1), *A_WHOLE_ONE, UserCameOnline(2)])
    assert (cycle.room, cycle.first, cycle.last, cycle.count) == ("a", 2, 6, 5)
    assert (cycle.matches, cycle.users) == ({"a-1"}, {1, 2, 3})
    assert cycle.visibility == "public"


@pytest.mark.parametrize(
    "events",
    [
        [created("a")],
        [created("a"), started("a"), ended("a")],
        # The match is live, by a fault of the service or a skipped event.
        [created("a"), started("a"), RoomClosed("a", "empty")],
        [created("a"), started("a"), ended("a"), started("a", 2), RoomClosed("a", "empty")],
    ],
)
def test_what_is_not_over_is_no_candidate(events: list[Event]) -> None:
    assert over(events) == []


def test_all_of_a_cycle_must_be_older_than_the_given_time() -> None:
    assert over(A_WHOLE_ONE, before=5) == []
    assert len(over(A_WHOLE_ONE, before=6)) == 1


def test_a_cycle_with_a_skipped_event_stays() -> None:
    assert over(A_WHOLE_ONE, skipped=[3]) == []


def test_a_cycle_that_reaches_the_head_stays() -> None:
    found = survey(A_WHOLE_ONE)
    assert (len(found.over(END, head=5)), len(found.over(END, head=6))) == (0, 1)


def test_rooms_of_the_same_name_are_cycles_of_their_own() -> None:
    again = [created("a"), started("a", 7), ended("a", 7), RoomClosed("a", "empty")]
    first, second = over([*A_WHOLE_ONE, *again])
    assert (first.first, first.last, first.matches) == (1, 5, {"a-1"})
    assert (second.first, second.last, second.matches) == (6, 9, {"a-7"})
    assert [cycle.first for cycle in over([*A_WHOLE_ONE, created("a")])] == [1]


def test_each_row_is_assigned_to_the_cycle_that_it_is_part_of() -> None:
    finder = CycleFinder()
    move = MatchInput(match="b-1", tick=0, seat=0, socket="s", input=b"{}")  # type: ignore[arg-type]  # raw JSON
    events = [move, created("a"), created("b"), move, UserCameOnline(1), RoomClosed("a", "empty")]
    found = [finder.first_of(row(at, event, at)) for at, event in enumerate(events, 1)]
    # The room of the first move was created before the log begins to be read.
    assert found == [None, 2, 3, 3, None, 2]


def cycle_of(room: str, first: int, count: int) -> Cycle:
    return Cycle(room, first, first + 9, 0, "public", count, matches={f"{room}-1"}, users={first})


def test_the_oldest_cycles_are_taken_up_to_a_number_of_rows_but_at_least_one() -> None:
    cycles = [cycle_of("c", 3, 5), cycle_of("a", 1, 5), cycle_of("b", 2, 5)]
    assert [one.room for one in oldest(cycles, 10)] == ["a", "b"]
    assert [one.room for one in oldest(cycles, 14)] == ["a", "b"]
    assert [one.room for one in oldest(cycles, 1)] == ["a"]
    assert oldest([], 10) == []


def test_cycles_whose_room_or_match_is_named_are_left_out() -> None:
    cycles = [cycle_of("a", 1, 5), cycle_of("b", 2, 5), cycle_of("c", 3, 5)]
    assert [one.room for one in unnamed(cycles, {"a", "b-1", 3})] == ["c"]
