"""The outbox as a projection: what waits is what was finished and is not settled."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.commands.outbox import Delivered, Rejected, Requeue, Settle, Subscribe
from service.domain.events.base import Event
from service.domain.events.matches import EndReason, MatchEnded
from service.domain.events.outbox import (
    USER_SERVICE,
    ConsumerSubscribed,
    ConsumerUnsubscribed,
    ResultDelivered,
    ResultRejected,
)
from service.domain.projections.outbox import FOLD, reporting_seat
from service.domain.projections.world import World
from service.runtime.snapshots import dump, restore

CONTEXT: Any = None
"""No decision here needs one."""

consumers = st.sampled_from([USER_SERVICE, "webhook-a", "webhook-b"])
matches = st.sampled_from(["r-1", "r-2", "r-3", "r-4"])
commands = st.one_of(
    st.builds(Subscribe, st.frozensets(consumers)),
    st.builds(Settle, consumers, matches, st.sampled_from([Delivered(), Rejected(400, "")])),
    st.builds(Requeue, consumers, matches),
)


def ended(match: str, reason: EndReason = "timeup", scores: tuple[int, ...] = (2, 1)) -> MatchEnded:
    return MatchEnded(match=match, tick=9, reason=reason, winner=0, scores=list(scores), hash="")


class House:
    """The outbox of a world and its events; rooms and matches are of no concern here."""

    def __init__(self) -> None:
        self.world = World()
        self.events: list[Event] = []

    def fold(self, *events: Event) -> None:
        for event in events:
            self.events.append(event)
            fold: Any = FOLD[type(event)]
            fold(self.world.outbox, event, len(self.events))

    def execute(self, command: Subscribe | Settle | Requeue) -> list[Event]:
        events = command.decide(self.world, CONTEXT)
        self.fold(*events)
        return events

    @property
    def waiting(self) -> dict[str, set[str]]:
        return self.world.outbox.waiting


@pytest.mark.parametrize(
    ("players", "seat"),
    [
        ([7, 12], 1),
        ([12, 7], 0),
        ([9, "anna"], 1),
        (["anna", 2**53 - 1], 0),
        (["ben", "anna"], 0),
        (["007", "07"], 1),
    ],
)
def test_the_higher_id_is_the_larger_number_and_any_text_is_above_all_numbers(
    players: list[int | str], seat: int
) -> None:
    assert reporting_seat(players) == seat


ids = st.integers(1, 2**53 - 1) | st.text(min_size=1, max_size=8)


@given(ids, ids, ids)
def test_who_is_higher_is_one_order_whatever_the_seats(
    a: int | str, b: int | str, c: int | str
) -> None:
    def below(low: int | str, high: int | str) -> bool:
        return low != high and reporting_seat([low, high]) == 1

    if a != b:
        assert below(a, b) != below(b, a)
    if below(a, b) and below(b, c):
        assert below(a, c)


def test_each_consumer_of_that_moment_gets_a_finished_match() -> None:
    house = House()
    house.fold(ended("before-1"))
    house.execute(Subscribe(frozenset({USER_SERVICE, "webhook-a"})))
    house.fold(ended("r-1"))
    assert house.waiting == {USER_SERVICE: {"r-1"}, "webhook-a": {"r-1"}}


def test_an_abandoned_match_is_nobodys_and_forfeits_are_kept() -> None:
    house = House()
    house.execute(Subscribe(frozenset({USER_SERVICE})))
    house.fold(ended("r-1", "abandoned"), ended("r-2", "forfeit"), ended("r-3", "left"))
    assert house.waiting == {USER_SERVICE: {"r-2", "r-3"}}


def test_the_user_service_takes_one_against_one_only() -> None:
    house = House()
    house.execute(Subscribe(frozenset({USER_SERVICE, "webhook-a"})))
    house.fold(ended("r-1", scores=(3, 2, 1)))
    assert house.waiting == {"webhook-a": {"r-1"}}


def test_a_start_without_a_consumer_keeps_what_waits_for_it() -> None:
    house = House()
    house.execute(Subscribe(frozenset({USER_SERVICE})))
    house.fold(ended("r-1"))
    assert house.execute(Subscribe(frozenset())) == [ConsumerUnsubscribed(consumer=USER_SERVICE)]
    house.fold(ended("r-2"))
    assert house.execute(Subscribe(frozenset({USER_SERVICE}))) == [
        ConsumerSubscribed(consumer=USER_SERVICE)
    ]
    assert house.waiting == {USER_SERVICE: {"r-1"}}


def test_an_outcome_is_written_down_once_and_a_refused_match_may_wait_again() -> None:
    house = House()
    house.execute(Subscribe(frozenset({"webhook-a"})))
    house.fold(ended("r-1"))
    refused = Settle("webhook-a", "r-1", Rejected(410, "Gone"))
    assert house.execute(refused) == [ResultRejected(consumer="webhook-a", match="r-1", status=410)]
    assert house.execute(refused) == []
    assert house.waiting == {}
    house.execute(Requeue("webhook-a", "r-1"))
    assert house.execute(Requeue("webhook-a", "r-1")) == []
    assert house.execute(Settle("webhook-a", "r-1", Delivered())) == [
        ResultDelivered(consumer="webhook-a", match="r-1")
    ]
    assert (house.world.outbox.rejected, house.world.outbox.delivered) == (
        {"webhook-a": 1},
        {"webhook-a": 1},
    )


@given(st.lists(commands | st.builds(ended, matches), max_size=40))
def test_however_it_comes_a_match_is_delivered_at_most_once_for_each_time_it_waited(
    steps: list[Any],
) -> None:
    house = House()
    finished: set[str] = set()
    for step in steps:
        if not isinstance(step, MatchEnded):
            house.execute(step)
        elif step.match not in finished:
            finished.add(step.match)
            house.fold(step)
    world = restore(dump(house.world))
    assert world == house.world
    outbox = world.outbox
    for consumer in (USER_SERVICE, "webhook-a", "webhook-b"):
        began = sum(
            getattr(event, "consumer", None) == consumer and event.type == "result.requeued"
            for event in house.events
        )
        settled = outbox.delivered.get(consumer, 0) + outbox.rejected.get(consumer, 0)
        waiting = len(outbox.waiting.get(consumer, ()))
        assert settled + waiting <= len(finished) + began
