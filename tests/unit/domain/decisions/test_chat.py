"""Decisions about chat: messages and mutes."""

import hashlib

import pytest

from service.domain.commands.chat import Mute, Say, digest_of
from service.domain.errors import (
    NodesTooOld,
    NotInLobby,
    NotInRoom,
    RoomNotFound,
    TooManyMuted,
    UserOffline,
)
from service.domain.events.base import Event
from service.domain.events.chat import ChatSaid, UserMuted
from service.domain.events.lobby import LobbyJoined
from service.domain.events.nodes import NodeStarted
from service.domain.events.presence import UserStatusSet, UserWentOffline
from service.domain.events.rooms import RoomClosed, SeatLeft, SpectatorLeft
from service.domain.ids import UserId
from service.domain.projections.chat import ChatLine
from service.domain.projections.world import World
from tests.unit.domain.decisions.histories import (
    ANA,
    BEN,
    CLEO,
    DAN,
    lost,
    online,
    pong_room,
    watched_room,
    world_after,
)
from tests.unit.domain.scenario import scenario

IN_ROOM = [*online(ANA, BEN), *pong_room(ANA, BEN, phase="playing")]
TO_ROOM = Say(ANA, "c1", "d1", "old", None)
TO_BEN = Say(ANA, "c1", "d1", None, BEN)


def said(number: int, room: str | None = "old") -> ChatSaid:
    return ChatSaid(chat=f"c{number}", author=ANA, digest="", room=room)


# Say


def test_a_player_sends_a_message_to_their_room() -> None:
    scenario().given(*IN_ROOM).when(TO_ROOM).then(
        ChatSaid(chat="c1", author=ANA, digest="d1", room="old")
    )


def test_a_spectator_sends_a_message_to_the_room_that_they_watch() -> None:
    scenario().given(*online(ANA), *watched_room(ANA)).when(
        Say(ANA, "c1", "d1", "watched", None)
    ).then_types("chat.said")


@pytest.mark.parametrize(
    "given",
    [
        [*online(ANA, BEN, CLEO), *pong_room(BEN, CLEO, phase="ready")],
        [*IN_ROOM, SeatLeft(room="old", user=ANA)],
        [
            *online(ANA, BEN),
            *watched_room(ANA, BEN, room="old"),
            SpectatorLeft(room="old", user=ANA, reason="left"),
        ],
    ],
)
def test_a_user_who_is_not_in_a_room_sends_no_message_there(given: list[Event]) -> None:
    outcome = scenario().given(*given).when(TO_ROOM)
    outcome.then_refused(NotInRoom)
    assert outcome.refused is not None
    assert outcome.refused.message == "You are not in this room; join it first."


def test_nobody_sends_a_message_to_a_room_that_is_not_there() -> None:
    scenario().given(*online(ANA)).when(TO_ROOM).then_refused(RoomNotFound)


def test_a_user_sends_a_message_to_a_user_who_is_online() -> None:
    scenario().given(*online(BEN)).when(TO_BEN).then(
        ChatSaid(chat="c1", author=ANA, digest="d1", to=BEN)
    )


def test_a_user_sends_a_message_to_a_user_in_their_grace_period() -> None:
    scenario().given(*online(BEN), *lost(BEN)).when(TO_BEN).then_types("chat.said")


@pytest.mark.parametrize(
    "given",
    [
        online(ANA),
        [*online(BEN), *lost(BEN), UserWentOffline(user=BEN)],
        [*online(BEN), UserStatusSet(user=BEN, status="online", hidden=True)],
    ],
)
def test_no_message_is_sent_to_a_user_who_is_seen_as_offline(given: list[Event]) -> None:
    outcome = scenario().given(*given).when(TO_BEN)
    outcome.then_refused(UserOffline)
    assert outcome.refused is not None
    assert outcome.refused.message == "That user is not online at the moment; try again later."


def test_a_message_to_a_room_locks_it_and_a_direct_message_locks_nothing() -> None:
    assert TO_ROOM.streams(World()) == {"room:old"}
    assert TO_BEN.streams(World()) == set()


def test_a_digest_is_the_hash_of_salt_and_text() -> None:
    assert digest_of("salt", "häh?") == hashlib.sha256("salthäh?".encode()).hexdigest()


IN_LOBBY = [*online(ANA), LobbyJoined(user=ANA, socket="n1.1.7")]
TO_LOBBY = Say(ANA, "c1", "d1", None, None)


def test_a_user_in_the_lobby_says_something_there() -> None:
    scenario().given(*IN_LOBBY).when(TO_LOBBY).then(ChatSaid(chat="c1", author=ANA, digest="d1"))


def test_a_user_who_is_not_in_the_lobby_says_nothing_there() -> None:
    scenario().given(*online(ANA)).when(TO_LOBBY).then_refused(NotInLobby)


def test_nothing_is_said_in_the_lobby_while_a_node_takes_it_for_a_direct_message() -> None:
    older = NodeStarted(node="n2", incarnation=1, level=2)
    scenario().given(*IN_LOBBY, older).when(TO_LOBBY).then_refused(NodesTooOld)


def test_the_lobby_keeps_what_was_said_there_last_and_no_direct_messages() -> None:
    world = world_after(*(said(number, None) for number in range(60)))
    world.fold(ChatSaid(chat="direct", author=ANA, digest="", to=BEN), 100)
    assert [line.chat for line in world.chat.lobby] == [f"c{number}" for number in range(10, 60)]
    assert world.chat.rooms == {}


# Mute


def test_a_user_mutes_another() -> None:
    scenario().when(Mute(ANA, BEN, muted=True)).then(UserMuted(user=ANA, target=BEN, muted=True))


def test_a_user_unmutes_another() -> None:
    scenario().given(Mute(ANA, BEN, muted=True)).when(Mute(ANA, BEN, muted=False)).then(
        UserMuted(user=ANA, target=BEN, muted=False)
    )


def test_a_muted_user_is_not_muted_again() -> None:
    scenario().given(Mute(ANA, BEN, muted=True)).when(Mute(ANA, BEN, muted=True)).then_nothing()


def test_a_user_who_is_not_muted_is_not_unmuted() -> None:
    scenario().given(Mute(ANA, CLEO, muted=True), Mute(BEN, ANA, muted=True)).when(
        Mute(ANA, BEN, muted=False)
    ).then_nothing()


def muted(user: int, how_many: int) -> list[Event]:
    return [UserMuted(user=user, target=1000 + one, muted=True) for one in range(how_many)]


def test_the_five_hundredth_user_may_still_be_muted() -> None:
    scenario().given(*muted(ANA, 499)).when(Mute(ANA, BEN, muted=True)).then_types("user.muted")


@pytest.mark.parametrize("how_many", [500, 501])
def test_nobody_is_muted_beyond_five_hundred(how_many: int) -> None:
    scenario().given(*muted(ANA, how_many)).when(Mute(ANA, BEN, muted=True)).then_refused(
        TooManyMuted
    )


def test_a_full_list_of_muted_users_does_not_prevent_an_unmute() -> None:
    full = scenario().given(*muted(ANA, 500))
    full.when(Mute(ANA, 1000, muted=True)).then_nothing()
    full.when(Mute(ANA, BEN, muted=False)).then_nothing()
    full.when(Mute(ANA, 1000, muted=False)).then_types("user.muted")
    full.when(Mute(ANA, BEN, muted=True)).then_types("user.muted")


def test_what_others_have_muted_does_not_count() -> None:
    scenario().given(*muted(BEN, 500)).when(Mute(ANA, BEN, muted=True)).then_types("user.muted")


def test_muting_locks_the_user_who_mutes() -> None:
    assert Mute(ANA, BEN, muted=True).streams(World()) == {"user:1"}


# The projection


def test_a_room_keeps_its_messages_in_order() -> None:
    world = world_after(*IN_ROOM, said(1), said(2))
    assert world.chat.rooms == {"old": [ChatLine("c1", ANA), ChatLine("c2", ANA)]}


@pytest.mark.parametrize(("how_many", "first"), [(49, "c0"), (50, "c0"), (51, "c1"), (60, "c10")])
def test_a_room_keeps_its_last_fifty_messages(how_many: int, first: str) -> None:
    world = world_after(*IN_ROOM, *(said(number) for number in range(how_many)))
    lines = world.chat.rooms["old"]
    assert len(lines) == min(how_many, 50)
    assert (lines[0].chat, lines[-1].chat) == (first, f"c{how_many - 1}")


def test_a_direct_message_is_not_kept_in_a_history() -> None:
    assert world_after(*online(BEN), TO_BEN).chat.rooms == {}


def test_a_closed_room_drops_its_history() -> None:
    others = [*online(CLEO, DAN), *pong_room(CLEO, DAN, phase="ready", room="other")]
    world = world_after(
        *IN_ROOM, *others, said(1), said(2, "other"), RoomClosed(room="old", reason="left")
    )
    assert world.chat.rooms == {"other": [ChatLine("c2", ANA)]}


def test_a_room_closes_without_a_history() -> None:
    assert world_after(*IN_ROOM, RoomClosed(room="old", reason="left")).chat.rooms == {}


def test_a_user_hears_everybody_except_those_they_muted() -> None:
    chat = world_after(Mute(ANA, BEN, muted=True)).chat
    assert not chat.hears(ANA, BEN)
    assert chat.hears(ANA, CLEO)
    assert chat.hears(BEN, ANA)


def test_the_muters_of_an_author_are_found_among_users() -> None:
    muted_by = [Mute(user, DAN, muted=True) for user in (CLEO, ANA, BEN)]
    assert world_after(*muted_by).chat.muters_of(DAN, [BEN, DAN, CLEO]) == [BEN, CLEO]


def test_muted_users_are_kept_by_the_user_who_muted_them() -> None:
    muting = [Mute(ANA, BEN, muted=True), Mute(ANA, CLEO, muted=True)]
    world = world_after(*muting)
    assert world.chat.muted == {ANA: {BEN: None, CLEO: None}}
    world = world_after(*muting, Mute(ANA, BEN, muted=False))
    assert world.chat.muted == {ANA: {CLEO: None}}


def test_a_user_without_mutes_is_not_kept() -> None:
    muted_once = [Mute(ANA, BEN, muted=True), Mute(ANA, BEN, muted=False)]
    assert world_after(*muted_once).chat.muted == {}
    assert world_after(UserMuted(user=ANA, target=BEN, muted=False)).chat.muted == {}


@pytest.mark.parametrize(("others", "is_forgotten"), [(99_998, False), (99_999, True)])
def test_the_mutes_of_a_hundred_thousand_users_are_kept(others: int, *, is_forgotten: bool) -> None:
    one: dict[UserId, None] = {CLEO: None}
    full = scenario().given(Mute(ANA, CLEO, muted=True))
    full.story.world.chat.muted.update((1000 + user, one) for user in range(others))
    full.given(UserMuted(user=BEN, target=CLEO, muted=True))
    remembered = full.story.world.chat.muted
    assert len(remembered) == 100_000
    assert (ANA not in remembered) == is_forgotten
    assert BEN in remembered


def test_a_user_who_mutes_again_is_evicted_last() -> None:
    world = world_after(*(Mute(*pair, muted=True) for pair in [(ANA, CLEO), (BEN, CLEO), (ANA, 4)]))
    assert list(world.chat.muted) == [BEN, ANA]
