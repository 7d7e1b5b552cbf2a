"""Decisions about invites: who may send one, and the effects of an answer."""

import pytest

from service.domain.commands.base import Command
from service.domain.commands.invites import (
    AcceptInvite,
    DeclineInvite,
    EndInviteCooldown,
    ExpireInvite,
    SendInvite,
)
from service.domain.errors import (
    AlreadyInRoom,
    AlreadyInvited,
    InviteNotFound,
    InviteNotWanted,
    SelfInvite,
    UnknownGame,
    UserBusy,
    UserNotInLobby,
    UserOffline,
)
from service.domain.events.base import Event
from service.domain.events.chat import UserMuted
from service.domain.events.invites import (
    InviteAccepted,
    InviteCooldownEnded,
    InviteDeclined,
    InviteExpired,
    InviteSent,
)
from service.domain.events.lobby import LobbyJoined
from service.domain.events.presence import UserStatusSet, UserWentOffline
from service.domain.events.rooms import RoomClosed, SeatLeft
from service.domain.projections.room import Phase
from service.domain.projections.world import World
from tests.unit.domain.decisions.histories import (
    ANA,
    BEN,
    CLEO,
    DAN,
    lost,
    new_room,
    online,
    pong_room,
    tab,
    world_after,
)
from tests.unit.domain.scenario import scenario

SEND = SendInvite(ANA, BEN, "pong")
SENT = InviteSent(inviter=ANA, invitee=BEN, game="pong")
DECLINED = InviteDeclined(inviter=ANA, invitee=BEN)
ONLINE = online(ANA, BEN)
INVITED = [*ONLINE, SENT]
SENT_AT = len(INVITED) + 1
"""The position of the invite; the start of the node is at 1."""


# SendInvite


def test_a_user_invites_another() -> None:
    scenario().given(*ONLINE).when(SEND).then(SENT)


def test_an_invite_is_for_the_game_that_was_asked_for() -> None:
    scenario().given(*ONLINE).when(SendInvite(ANA, BEN, "connect_four")).then(
        InviteSent(inviter=ANA, invitee=BEN, game="connect_four")
    )


def test_nobody_invites_themselves() -> None:
    scenario().given(*ONLINE).when(SendInvite(ANA, ANA, "pong")).then_refused(SelfInvite)


def test_nobody_invites_to_a_game_that_does_not_exist() -> None:
    scenario().given(*ONLINE).when(SendInvite(ANA, BEN, "chess")).then_refused(UnknownGame)


@pytest.mark.parametrize(
    "given",
    [
        online(ANA),
        [*ONLINE, *lost(BEN), UserWentOffline(user=BEN)],
        [*ONLINE, UserStatusSet(user=BEN, status="online", hidden=True)],
    ],
)
def test_a_user_who_is_seen_as_offline_is_not_invited(given: list[Event]) -> None:
    outcome = scenario().given(*given).when(SEND)
    outcome.then_refused(UserOffline)
    assert outcome.refused is not None
    assert outcome.refused.message == "That user is not online, so nobody would see the invite."


def test_a_user_who_is_in_their_grace_period_is_invited() -> None:
    scenario().given(*ONLINE, *lost(BEN)).when(SEND).then(SENT)


def test_a_user_who_is_not_in_the_lobby_is_not_invited_where_the_rules_say_so() -> None:
    here = LobbyJoined(user=ANA, socket=tab(ANA))
    scenario(invite_needs_lobby=True).given(*ONLINE, here).when(SEND).then_refused(UserNotInLobby)
    scenario(invite_needs_lobby=False).given(*ONLINE, here).when(SEND).then(SENT)


def test_a_user_who_is_in_the_lobby_is_invited_where_the_rules_say_so() -> None:
    joined = LobbyJoined(user=BEN, socket=tab(BEN))
    scenario(invite_needs_lobby=True).given(*ONLINE, joined).when(SEND).then(SENT)


@pytest.mark.parametrize("phase", ["gathering", "ready", "playing"])
@pytest.mark.parametrize(("busy", "error"), [(ANA, AlreadyInRoom), (BEN, UserBusy)])
def test_nobody_invites_or_is_invited_while_they_are_in_a_room(
    phase: Phase, busy: int, error: type[AlreadyInRoom | UserBusy]
) -> None:
    given = [*online(ANA, BEN, CLEO), *pong_room(busy, CLEO, phase=phase)]
    scenario().given(*given).when(SEND).then_refused(error)


def test_players_of_a_finished_match_invite_and_are_invited() -> None:
    given = [*online(ANA, BEN), *pong_room(ANA, BEN, phase="finished")]
    scenario().given(*given).when(SEND).then(SENT)


def test_a_user_who_was_invited_is_not_invited_again() -> None:
    scenario().given(*INVITED).when(SEND).then_refused(AlreadyInvited)
    scenario().given(*INVITED).when(SendInvite(ANA, BEN, "relay")).then_refused(AlreadyInvited)


def test_invites_may_cross_and_a_user_may_invite_several() -> None:
    scenario().given(*INVITED).when(SendInvite(BEN, ANA, "pong")).then_types("invite.sent")
    scenario().given(*INVITED, *online(CLEO)).when(SendInvite(ANA, CLEO, "pong")).then_types(
        "invite.sent"
    )


def test_a_user_who_has_muted_the_inviter_is_not_invited() -> None:
    muted = UserMuted(user=BEN, target=ANA, muted=True)
    scenario().given(*ONLINE, muted).when(SEND).then_refused(InviteNotWanted)


def test_a_user_invites_whom_they_have_muted() -> None:
    muted = UserMuted(user=ANA, target=BEN, muted=True)
    scenario().given(*ONLINE, muted).when(SEND).then(SENT)


def test_a_user_who_has_declined_is_not_invited_until_the_cooldown_ends() -> None:
    declined = scenario().given(*INVITED, DECLINED)
    declined.when(SEND).then_refused(InviteNotWanted)
    declined.when(EndInviteCooldown(ANA, BEN, SENT_AT + 1)).then_types("invite.cooldown_ended")
    declined.when(SEND).then(SENT)


def test_a_user_who_has_declined_may_invite_and_others_may_invite_them() -> None:
    declined = [*INVITED, *online(CLEO), DECLINED]
    scenario().given(*declined).when(SendInvite(BEN, ANA, "pong")).then_types("invite.sent")
    scenario().given(*declined).when(SendInvite(CLEO, BEN, "pong")).then_types("invite.sent")


def test_a_user_who_let_an_invite_expire_is_invited_again() -> None:
    expired = InviteExpired(inviter=ANA, invitee=BEN)
    scenario().given(*INVITED, expired).when(SEND).then(SENT)


# AcceptInvite

ACCEPT = AcceptInvite(ANA, BEN)
ACCEPTED = InviteAccepted(inviter=ANA, invitee=BEN)


def test_an_accepted_invite_makes_a_room_with_the_inviter_first() -> None:
    scenario().given(*INVITED).when(ACCEPT).then(ACCEPTED, new_room("pong", ANA, BEN))


def test_the_room_is_for_the_game_of_the_invite() -> None:
    sent = InviteSent(inviter=BEN, invitee=ANA, game="connect_four")
    scenario().given(*INVITED, sent).when(AcceptInvite(BEN, ANA)).then(
        InviteAccepted(inviter=BEN, invitee=ANA), new_room("connect_four", BEN, ANA)
    )


@pytest.mark.parametrize(
    "given",
    [
        ONLINE,
        [*ONLINE, InviteSent(inviter=BEN, invitee=ANA, game="pong")],
        [*INVITED, DECLINED],
        [*INVITED, InviteExpired(inviter=ANA, invitee=BEN)],
        [*INVITED, *lost(BEN), UserWentOffline(user=BEN), *online(BEN)],
    ],
)
@pytest.mark.parametrize("command", [ACCEPT, DeclineInvite(ANA, BEN)], ids=["accept", "decline"])
def test_an_invite_that_does_not_wait_is_not_answered(given: list[Event], command: Command) -> None:
    scenario().given(*given).when(command).then_refused(InviteNotFound)


def occupied(*busy: int) -> list[Event]:
    """Let the invite wait while users play, as no log has it: seats withdraw invites."""
    return [*online(ANA, BEN, CLEO), *pong_room(*busy, phase="playing"), SENT]


def test_nobody_accepts_while_they_are_in_a_room() -> None:
    scenario().given(*occupied(BEN, CLEO)).when(ACCEPT).then_refused(AlreadyInRoom)


def test_no_invite_is_accepted_whose_inviter_is_in_a_room() -> None:
    scenario().given(*occupied(ANA, CLEO)).when(ACCEPT).then_refused(UserBusy)


@pytest.mark.parametrize("away", [ANA, BEN])
def test_no_invite_is_accepted_while_one_of_the_two_is_in_their_grace_period(away: int) -> None:
    waiting = scenario().given(*INVITED, *lost(away))
    waiting.when(ACCEPT).then_refused(UserOffline)
    assert waiting.story.world.invites.find(ANA, BEN) is not None


def test_a_user_who_accepts_leaves_a_finished_room_and_the_inviter_too() -> None:
    given = [
        *online(ANA, BEN, CLEO, DAN),
        *pong_room(ANA, CLEO, phase="finished", room="one"),
        *pong_room(DAN, BEN, phase="finished", room="two"),
        SENT,
    ]
    scenario().given(*given).when(ACCEPT).then(
        ACCEPTED,
        SeatLeft(room="one", user=ANA),
        SeatLeft(room="two", user=BEN),
        new_room("pong", ANA, BEN),
    )


def test_two_who_leave_their_finished_room_close_it() -> None:
    given = [*online(ANA, BEN), *pong_room(ANA, BEN, phase="finished"), SENT]
    scenario().given(*given).when(ACCEPT).then(
        ACCEPTED,
        SeatLeft(room="old", user=ANA),
        SeatLeft(room="old", user=BEN),
        RoomClosed(room="old", reason="left"),
        new_room("pong", ANA, BEN),
    )


# DeclineInvite, ExpireInvite, EndInviteCooldown


def test_an_invite_is_declined() -> None:
    scenario().given(*INVITED).when(DeclineInvite(ANA, BEN)).then(DECLINED)


def test_an_invite_is_declined_by_a_user_who_is_in_a_room() -> None:
    scenario().given(*occupied(BEN, CLEO)).when(DeclineInvite(ANA, BEN)).then(DECLINED)


def test_an_invite_without_an_answer_expires() -> None:
    scenario().given(*INVITED).when(ExpireInvite(ANA, BEN, SENT_AT)).then(
        InviteExpired(inviter=ANA, invitee=BEN)
    )


@pytest.mark.parametrize("since", [SENT_AT - 1, SENT_AT + 1])
def test_another_invite_of_the_same_two_does_not_expire(since: int) -> None:
    scenario().given(*INVITED).when(ExpireInvite(ANA, BEN, since)).then_nothing()


def test_an_invite_that_was_answered_does_not_expire() -> None:
    scenario().given(*INVITED, DECLINED).when(ExpireInvite(ANA, BEN, SENT_AT)).then_nothing()
    scenario().given(*INVITED).when(ExpireInvite(BEN, ANA, SENT_AT)).then_nothing()


def test_a_cooldown_ends() -> None:
    scenario().given(*INVITED, DECLINED).when(EndInviteCooldown(ANA, BEN, SENT_AT + 1)).then(
        InviteCooldownEnded(inviter=ANA, invitee=BEN)
    )


@pytest.mark.parametrize("since", [SENT_AT, SENT_AT + 2])
def test_another_cooldown_of_the_same_two_does_not_end(since: int) -> None:
    scenario().given(*INVITED, DECLINED).when(EndInviteCooldown(ANA, BEN, since)).then_nothing()


def test_a_cooldown_that_has_ended_does_not_end_again() -> None:
    scenario().given(*INVITED, DECLINED, InviteCooldownEnded(inviter=ANA, invitee=BEN)).when(
        EndInviteCooldown(ANA, BEN, SENT_AT + 1)
    ).then_nothing()


# Locks


@pytest.mark.parametrize(
    "command",
    [
        SEND,
        ACCEPT,
        DeclineInvite(ANA, BEN),
        ExpireInvite(ANA, BEN, SENT_AT),
        EndInviteCooldown(ANA, BEN, SENT_AT),
    ],
    ids=lambda command: type(command).__name__,
)
def test_every_command_about_an_invite_locks_both_users(command: Command) -> None:
    assert command.streams(World()) == {"user:1", "user:2"}


def test_an_acceptance_locks_the_rooms_that_both_leave_as_well() -> None:
    world = world_after(
        *online(ANA, BEN, CLEO, DAN),
        *pong_room(ANA, CLEO, phase="finished", room="one"),
        *pong_room(DAN, BEN, phase="finished", room="two"),
    )
    assert ACCEPT.streams(world) == {"user:1", "user:2", "room:one", "room:two"}
    assert SEND.streams(world) == {"user:1", "user:2"}
