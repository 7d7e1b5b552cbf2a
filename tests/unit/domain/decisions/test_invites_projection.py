"""The projection of invites: pending invites, and cooldowns."""

import msgspec
import pytest

from service.domain.events.base import Event
from service.domain.events.invites import (
    InviteAccepted,
    InviteCooldownEnded,
    InviteDeclined,
    InviteExpired,
    InviteSent,
)
from service.domain.events.nodes import NodeStarted
from service.domain.events.presence import UserWentOffline
from service.domain.events.rooms import PlayerSeated, RoomCreated
from service.domain.projections.invites import Invite
from service.domain.projections.world import World
from tests.unit.domain.decisions.histories import (
    ANA,
    BEN,
    CLEO,
    DAN,
    lost,
    new_room,
    online,
    world_after,
)
from tests.unit.domain.story import ROOM

SENT = InviteSent(inviter=ANA, invitee=BEN, game="pong")
DECLINED = InviteDeclined(inviter=ANA, invitee=BEN)
INVITED = [*online(ANA, BEN), SENT]
SENT_AT = len(INVITED) + 1
"""The position of the invite; the start of the node is at 1."""


def sent(inviter: int, invitee: int) -> InviteSent:
    return InviteSent(inviter=inviter, invitee=invitee, game="pong")


EVERYBODY = online(ANA, BEN, CLEO, DAN)
WAITING = [*EVERYBODY, sent(ANA, BEN), sent(ANA, CLEO), sent(CLEO, ANA), sent(DAN, ANA)]
AT = len(EVERYBODY) + 2
"""The position of the first of these invites."""


def pairs(world: World) -> set[tuple[object, object]]:
    pending = world.invites.pending
    assert all(pending.values())
    return {(inviter, invitee) for inviter, asked in pending.items() for invitee in asked}


def test_an_invite_waits_with_its_game_since_its_event() -> None:
    invites = world_after(*WAITING).invites
    assert invites.find(ANA, BEN) == Invite(AT, "pong")
    assert invites.find(ANA, CLEO) == Invite(AT + 1, "pong")
    assert invites.find(BEN, ANA) is None
    assert invites.find(ANA, DAN) is None
    assert pairs(world_after(*WAITING)) == {(ANA, BEN), (ANA, CLEO), (CLEO, ANA), (DAN, ANA)}


def test_the_invites_that_a_user_has_received_are_found_in_the_order_of_their_inviters() -> None:
    invites = world_after(*WAITING).invites
    assert invites.received_by(ANA) == [CLEO, DAN]
    assert invites.received_by(BEN) == [ANA]
    assert invites.received_by(DAN) == []


@pytest.mark.parametrize(
    "answer",
    [
        InviteAccepted(inviter=ANA, invitee=BEN),
        InviteDeclined(inviter=ANA, invitee=BEN),
        InviteExpired(inviter=ANA, invitee=BEN),
    ],
    ids=lambda answer: answer.type,
)
def test_an_answered_invite_waits_no_longer_and_others_do(answer: Event) -> None:
    assert pairs(world_after(*WAITING, answer)) == {(ANA, CLEO), (CLEO, ANA), (DAN, ANA)}
    assert world_after(*INVITED, answer).invites.pending == {}
    assert world_after(answer).invites.pending == {}
    assert pairs(world_after(*INVITED, type(answer)(inviter=ANA, invitee=CLEO))) == {(ANA, BEN)}


def test_a_declined_invite_starts_a_cooldown_and_no_other_answer_does() -> None:
    invites = world_after(*WAITING, DECLINED).invites
    assert invites.declined == {ANA: {BEN: AT + 4}}
    assert invites.declined_since(ANA, BEN) == AT + 4
    assert invites.declined_since(ANA, CLEO) is None
    assert invites.declined_since(BEN, ANA) is None
    assert world_after(*INVITED, InviteExpired(inviter=ANA, invitee=BEN)).invites.declined == {}


def test_a_cooldown_that_ended_is_forgotten_and_others_go_on() -> None:
    over = InviteCooldownEnded(inviter=ANA, invitee=BEN)
    both = [DECLINED, InviteDeclined(inviter=ANA, invitee=CLEO)]
    assert world_after(*WAITING, *both, over).invites.declined == {ANA: {CLEO: AT + 5}}
    assert world_after(*WAITING, DECLINED, over).invites.declined == {}
    assert world_after(over).invites.declined == {}
    other = InviteCooldownEnded(inviter=ANA, invitee=CLEO)
    assert world_after(*WAITING, DECLINED, other).invites.declined == {ANA: {BEN: AT + 4}}


def test_a_start_of_the_service_ends_all_cooldowns_and_no_invites() -> None:
    started = NodeStarted(node="n1", incarnation=2)
    world = world_after(*INVITED, DECLINED, SENT, started)
    assert world.invites.declined == {}
    assert pairs(world) == {(ANA, BEN)}


CREATED = RoomCreated(
    room=ROOM, game="pong", players=[], options={}, seats_min=2, seats_max=2, host=ANA
)
NEEDED = [
    [*lost(ANA), UserWentOffline(user=ANA)],
    [CREATED, PlayerSeated(room=ROOM, user=ANA, seat=0)],
]


@pytest.mark.parametrize("needed", NEEDED, ids=["gone", "seated"])
def test_invites_from_and_to_a_user_who_goes_or_takes_a_seat_are_withdrawn(
    needed: list[Event],
) -> None:
    other = sent(CLEO, DAN)
    assert pairs(world_after(*WAITING, other, *needed)) == {(CLEO, DAN)}


def test_invites_of_all_who_get_a_room_are_withdrawn() -> None:
    world = world_after(*WAITING, sent(CLEO, DAN), new_room("pong", BEN, ANA))
    assert pairs(world) == {(CLEO, DAN)}
    world = world_after(*WAITING, sent(CLEO, DAN), new_room("pong", ANA, CLEO))
    assert pairs(world) == set()


def test_a_host_who_only_opens_a_room_keeps_their_invites() -> None:
    assert len(pairs(world_after(*WAITING, CREATED))) == 4


def test_cooldowns_outlast_going_offline() -> None:
    gone = [*lost(ANA), UserWentOffline(user=ANA)]
    assert world_after(*INVITED, DECLINED, *gone).invites.declined == {ANA: {BEN: SENT_AT + 1}}


def test_an_invite_sent_again_waits_since_then() -> None:
    again = msgspec.structs.replace(SENT, game="relay")
    assert world_after(*INVITED, again).invites.pending == {
        ANA: {BEN: Invite(SENT_AT + 1, "relay")}
    }
