"""The outbox as a projection: finished matches without an outcome are pending."""

from typing import Any

import msgspec
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


class OutboxHistory:
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
def test_ids_are_ordered_numbers_first_then_strings(players: list[int | str], seat: int) -> None:
    assert reporting_seat(players) == seat


ids = st.integers(1, 2**53 - 1) | st.text(min_size=1, max_size=8)


@given(ids, ids, ids)
def test_reporting_seat_does_not_depend_on_seat_order(
    a: int | str, b: int | str, c: int | str
) -> None:
    def below(low: int | str, high: int | str) -> bool:
        return low != high and reporting_seat([low, high]) == 1

    if a != b:
        assert below(a, b) != below(b, a)
    if below(a, b) and below(b, c):
        assert below(a, c)


def test_a_finished_match_is_queued_for_each_current_consumer() -> None:
    history = OutboxHistory()
    history.fold(ended("before-1"))
    history.execute(Subscribe(frozenset({USER_SERVICE, "webhook-a"})))
    history.fold(ended("r-1"))
    assert history.waiting == {USER_SERVICE: {"r-1"}, "webhook-a": {"r-1"}}


def test_abandoned_matches_are_not_delivered_and_forfeits_are() -> None:
    history = OutboxHistory()
    history.execute(Subscribe(frozenset({USER_SERVICE})))
    history.fold(ended("r-1", "abandoned"), ended("r-2", "forfeit"), ended("r-3", "left"))
    assert history.waiting == {USER_SERVICE: {"r-2", "r-3"}}


def test_the_user_service_gets_two_player_matches_only() -> None:
    history = OutboxHistory()
    history.execute(Subscribe(frozenset({USER_SERVICE, "webhook-a"})))
    history.fold(ended("r-1", scores=(3, 2, 1)))
    assert history.waiting == {"webhook-a": {"r-1"}}


def test_the_user_service_is_not_told_of_matches_against_bots() -> None:
    history = OutboxHistory()
    history.execute(Subscribe(frozenset({USER_SERVICE, "webhook-a"})))
    history.fold(msgspec.structs.replace(ended("r-1"), bots=[1]))
    assert history.waiting == {"webhook-a": {"r-1"}}


def test_pending_deliveries_are_kept_while_their_consumer_is_not_configured() -> None:
    history = OutboxHistory()
    history.execute(Subscribe(frozenset({USER_SERVICE})))
    history.fold(ended("r-1"))
    assert history.execute(Subscribe(frozenset())) == [ConsumerUnsubscribed(consumer=USER_SERVICE)]
    history.fold(ended("r-2"))
    assert history.execute(Subscribe(frozenset({USER_SERVICE}))) == [
        ConsumerSubscribed(consumer=USER_SERVICE)
    ]
    assert history.waiting == {USER_SERVICE: {"r-1"}}


def test_an_outcome_is_recorded_once_and_a_rejected_match_can_be_requeued() -> None:
    history = OutboxHistory()
    history.execute(Subscribe(frozenset({"webhook-a"})))
    history.fold(ended("r-1"))
    refused = Settle("webhook-a", "r-1", Rejected(410, "Gone"))
    assert history.execute(refused) == [
        ResultRejected(consumer="webhook-a", match="r-1", status=410)
    ]
    assert history.execute(refused) == []
    assert history.waiting == {}
    history.execute(Requeue("webhook-a", "r-1"))
    assert history.execute(Requeue("webhook-a", "r-1")) == []
    assert history.execute(Settle("webhook-a", "r-1", Delivered())) == [
        ResultDelivered(consumer="webhook-a", match="r-1")
    ]
    assert (history.world.outbox.rejected, history.world.outbox.delivered) == (
        {"webhook-a": 1},
        {"webhook-a": 1},
    )


@given(st.lists(commands | st.builds(ended, matches), max_size=40))
def test_a_match_is_settled_at_most_once_per_queueing(
    steps: list[Any],
) -> None:
    history = OutboxHistory()
    finished: set[str] = set()
    for step in steps:
        if not isinstance(step, MatchEnded):
            history.execute(step)
        elif step.match not in finished:
            finished.add(step.match)
            history.fold(step)
    world = restore(dump(history.world))
    assert world == history.world
    outbox = world.outbox
    for consumer in (USER_SERVICE, "webhook-a", "webhook-b"):
        began = sum(
            getattr(event, "consumer", None) == consumer and event.type == "result.requeued"
            for event in history.events
        )
        settled = outbox.delivered.get(consumer, 0) + outbox.rejected.get(consumer, 0)
        waiting = len(outbox.waiting.get(consumer, ()))
        assert settled + waiting <= len(finished) + began
