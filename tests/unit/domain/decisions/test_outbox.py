"""Decisions about the outbox: which consumers get results, and outcomes of deliveries."""

import msgspec
import pytest

from service.domain.commands.outbox import Delivered, Rejected, Requeue, Settle, Subscribe
from service.domain.events.base import Event
from service.domain.events.matches import EndReason
from service.domain.events.outbox import (
    USER_SERVICE,
    ConsumerSubscribed,
    ConsumerUnsubscribed,
    ResultDelivered,
    ResultRejected,
    ResultRequeued,
)
from service.domain.ids import UserId
from service.domain.projections.outbox import reporting_seat
from service.domain.projections.world import World
from tests.unit.domain.decisions.histories import (
    ANA,
    BEN,
    ended,
    online,
    pong_room,
    world_after,
)
from tests.unit.domain.scenario import scenario

HOOK = "webhook-a"
OTHER_HOOK = "webhook-b"

PLAYING = [*online(ANA, BEN), *pong_room(ANA, BEN, phase="playing")]
ENDED = ended("old-1", 2, 1)
WAITING = [ConsumerSubscribed(consumer=HOOK), *PLAYING, ENDED]
"""One match has ended, and waits for the webhook."""


def subscribed(*consumers: str) -> list[Event]:
    return [ConsumerSubscribed(consumer=one) for one in consumers]


# Subscribe


MANY = [f"webhook-{letter}" for letter in "abcdef"]
"""So many that no set has them in their order by chance."""


def test_consumers_that_are_new_are_subscribed_in_the_order_of_their_names() -> None:
    scenario().when(Subscribe(frozenset({*MANY, USER_SERVICE}))).then(
        *subscribed(USER_SERVICE, *MANY)
    )


def test_consumers_that_are_subscribed_already_stay_so() -> None:
    scenario().given(*subscribed(HOOK)).when(Subscribe(frozenset({HOOK}))).then_nothing()
    scenario().when(Subscribe(frozenset())).then_nothing()


def test_consumers_that_are_configured_no_longer_are_unsubscribed_in_the_same_order() -> None:
    scenario().given(*subscribed(*reversed(MANY))).when(Subscribe(frozenset())).then(
        *(ConsumerUnsubscribed(consumer=one) for one in MANY)
    )


def test_consumers_are_unsubscribed_before_others_are_subscribed() -> None:
    scenario().given(*subscribed(OTHER_HOOK, HOOK)).when(
        Subscribe(frozenset({USER_SERVICE, OTHER_HOOK}))
    ).then(ConsumerUnsubscribed(consumer=HOOK), ConsumerSubscribed(consumer=USER_SERVICE))


def test_a_subscription_locks_the_consumers_of_before_and_of_now() -> None:
    world = world_after(*subscribed(HOOK))
    assert Subscribe(frozenset({USER_SERVICE})).streams(world) == {
        "outbox:webhook-a",
        "outbox:user-service",
    }


# Settle


def test_a_delivered_match_is_settled() -> None:
    scenario().given(*WAITING).when(Settle(HOOK, "old-1", Delivered())).then(
        ResultDelivered(consumer=HOOK, match="old-1")
    )


def test_a_rejected_match_is_settled_with_its_status() -> None:
    scenario().given(*WAITING).when(Settle(HOOK, "old-1", Rejected(410, "Gone"))).then(
        ResultRejected(consumer=HOOK, match="old-1", status=410)
    )


@pytest.mark.parametrize("outcome", [Delivered(), Rejected(410, "Gone")])
@pytest.mark.parametrize(
    ("consumer", "match"), [(HOOK, "old-2"), (OTHER_HOOK, "old-1"), (USER_SERVICE, "old-1")]
)
def test_a_match_that_does_not_wait_is_not_settled(
    consumer: str, match: str, outcome: Delivered | Rejected
) -> None:
    scenario().given(*WAITING).when(Settle(consumer, match, outcome)).then_nothing()


@pytest.mark.parametrize("outcome", [Delivered(), Rejected(410, "Gone")])
def test_a_match_is_settled_once(outcome: Delivered | Rejected) -> None:
    scenario().given(*WAITING, Settle(HOOK, "old-1", Delivered())).when(
        Settle(HOOK, "old-1", outcome)
    ).then_nothing()


def test_a_consumer_that_is_configured_no_longer_still_settles_what_waited() -> None:
    scenario().given(*WAITING, Subscribe(frozenset())).when(
        Settle(HOOK, "old-1", Delivered())
    ).then_types("result.delivered")


# Requeue


def test_a_rejected_match_is_requeued() -> None:
    scenario().given(*WAITING, Settle(HOOK, "old-1", Rejected(410, "Gone"))).when(
        Requeue(HOOK, "old-1")
    ).then(ResultRequeued(consumer=HOOK, match="old-1"))


def test_a_match_that_waits_is_not_requeued() -> None:
    scenario().given(*WAITING).when(Requeue(HOOK, "old-1")).then_nothing()


@pytest.mark.parametrize(("consumer", "match"), [(HOOK, "old-2"), (OTHER_HOOK, "old-1")])
def test_a_match_that_waits_hinders_no_other_requeue(consumer: str, match: str) -> None:
    scenario().given(*WAITING).when(Requeue(consumer, match)).then_types("result.requeued")


@pytest.mark.parametrize(
    "command", [Settle(HOOK, "old-1", Delivered()), Requeue(HOOK, "old-1")], ids=type
)
def test_settling_and_requeueing_lock_the_consumer(command: Settle | Requeue) -> None:
    assert command.streams(World()) == {"outbox:webhook-a"}


# The projection


def test_a_match_waits_for_the_consumers_that_are_subscribed_when_it_ends() -> None:
    world = world_after(
        *subscribed(USER_SERVICE, HOOK, OTHER_HOOK),
        ConsumerUnsubscribed(consumer=OTHER_HOOK),
        *PLAYING,
        ENDED,
        *subscribed("webhook-c"),
    )
    assert world.outbox.consumers == {USER_SERVICE, HOOK, "webhook-c"}
    assert world.outbox.waiting == {USER_SERVICE: {"old-1"}, HOOK: {"old-1"}}


@pytest.mark.parametrize(
    ("reason", "waits"),
    [
        ("timeup", True),
        ("finished", True),
        ("turn_timeout", True),
        ("left", True),
        ("forfeit", True),
        ("abandoned", False),
        ("void", False),
    ],
)
def test_a_match_waits_unless_it_ended_without_a_result(reason: EndReason, *, waits: bool) -> None:
    end = msgspec.structs.replace(ENDED, reason=reason)
    world = world_after(*subscribed(USER_SERVICE, HOOK), *PLAYING, end)
    assert set(world.outbox.waiting) == ({USER_SERVICE, HOOK} if waits else set())


@pytest.mark.parametrize(("scores", "is_taken"), [([1], False), ([1, 2], True), ([1, 2, 3], False)])
def test_the_user_service_gets_matches_of_two_players_and_webhooks_get_all(
    scores: list[int], *, is_taken: bool
) -> None:
    end = ended("old-1", *scores)
    waiting = world_after(*subscribed(USER_SERVICE, HOOK), *PLAYING, end).outbox.waiting
    assert (USER_SERVICE in waiting) == is_taken
    assert waiting[HOOK] == {"old-1"}


def test_a_settled_match_is_counted_and_waits_no_longer() -> None:
    both = [*subscribed(HOOK, OTHER_HOOK), *PLAYING, ENDED]
    outbox = world_after(*both, ResultDelivered(consumer=HOOK, match="old-1")).outbox
    assert outbox.waiting == {OTHER_HOOK: {"old-1"}}
    assert (outbox.delivered, outbox.rejected) == ({HOOK: 1}, {})
    rejected = ResultRejected(consumer=HOOK, match="old-1", status=410)
    outbox = world_after(*both, rejected).outbox
    assert outbox.waiting == {OTHER_HOOK: {"old-1"}}
    assert (outbox.delivered, outbox.rejected) == ({}, {HOOK: 1})


def test_a_consumer_with_a_settled_match_waits_for_the_others() -> None:
    events = [ResultRequeued(consumer=HOOK, match=match) for match in ("r-1", "r-2", "r-3")]
    outbox = world_after(
        *events,
        ResultDelivered(consumer=HOOK, match="r-1"),
        ResultDelivered(consumer=HOOK, match="r-2"),
    ).outbox
    assert outbox.waiting == {HOOK: {"r-3"}}
    assert outbox.delivered == {HOOK: 2}


def test_a_result_that_did_not_wait_is_counted_all_the_same() -> None:
    outbox = world_after(ResultDelivered(consumer=HOOK, match="r-1")).outbox
    assert (outbox.waiting, outbox.delivered) == ({}, {HOOK: 1})


def test_a_requeued_match_waits_besides_others() -> None:
    world = world_after(*WAITING, ResultRequeued(consumer=HOOK, match="r-1"))
    assert world.outbox.waiting == {HOOK: {"old-1", "r-1"}}


def test_an_unknown_consumer_may_be_unsubscribed() -> None:
    assert world_after(ConsumerUnsubscribed(consumer=HOOK)).outbox.consumers == set()


@pytest.mark.parametrize(
    ("players", "seat"),
    [
        ([7, 12], 1),
        ([12, 7], 0),
        ([9, "anna"], 1),
        (["anna", 2**53 - 1], 0),
        (["ben", "anna"], 0),
        (["007", "07"], 1),
        ([-1, 0], 1),
        ([3, 5, 4], 1),
    ],
)
def test_the_player_with_the_higher_id_reports_a_match(players: list[UserId], seat: int) -> None:
    assert reporting_seat(players) == seat
