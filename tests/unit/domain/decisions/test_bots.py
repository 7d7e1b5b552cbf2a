"""Decisions about bots: they are seated, always ready and there, move, forfeit, are offered."""

from __future__ import annotations

import msgspec
import pytest

from service.domain.commands.bots import NAMES, AcceptBot, AddBot, ForfeitBot, MoveBot, OfferBot
from service.domain.commands.deadlines import Deadline, pending
from service.domain.commands.hosting import (
    CloseEmptyRoom,
    CreateRoom,
    JoinRoom,
    KickFromRoom,
    RoomPlan,
)
from service.domain.commands.matchmaking import JoinQueue, LeaveQueue
from service.domain.commands.nodes import StartNode
from service.domain.commands.pauses import TakeOver
from service.domain.commands.presence import CloseSocket
from service.domain.commands.seats import BeginMatch, LeaveRoom, SetReady, TakeSeat
from service.domain.errors import (
    MatchAlreadyStarted,
    NoBotOffered,
    NodesTooOld,
    NoSuchBot,
    NotHost,
    NotInRoom,
    RoomFull,
)
from service.domain.events.base import Event
from service.domain.events.matches import MatchEnded, MatchInput, MatchStarted
from service.domain.events.matchmaking import SearchBotOffered
from service.domain.events.nodes import NodeStarted
from service.domain.events.rooms import PlayerSeated, RoomBecameReady, RoomClosed
from service.domain.ids import bot_level, is_bot
from service.domain.projections.matches import Match
from service.games.catalogue import Catalogue
from service.games.options import set_up
from service.games.protocol import RulesFailed
from service.replay.run import Run
from service.settings.sections.play import Times
from tests.secret_games import Digs
from tests.unit.domain.decisions.histories import ANA, BEN, tab
from tests.unit.domain.scenario import Scenario, scenario
from tests.unit.domain.story import ROOM, Story

ADA = "bot:ada:1"
DOWN = {"direction": "ArrowDown", "action": "down"}
TIMES = Times()


def hosts(game: str = "pong", role: str = "player", **options: object) -> Scenario:
    """Begin with Ana as the host of a room, in its first seat or watching."""
    one = scenario()
    socket = one.story.open(ANA)
    plan = RoomPlan(game=game, options=dict(options))
    if role == "player":
        return one.given(CreateRoom(ANA, socket, ROOM, plan))
    return one.given(JoinRoom(ANA, socket, ROOM, "spectator", None, plan))


def plays(game: str = "pong") -> Scenario:
    """Begin with a match of Ana against a bot."""
    return hosts(game).given(SetReady(ANA, ROOM, ready=True), AddBot(ANA, ROOM, 1))


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def match_of(one: Scenario) -> str:
    (match,) = one.story.world.matches.live
    return match


def test_a_bot_gets_the_free_seat_and_makes_the_room_ready() -> None:
    hosts().when(AddBot(ANA, ROOM, 2)).then(
        PlayerSeated(room=ROOM, user="bot:ada:2", seat=1), RoomBecameReady(room=ROOM)
    )


def test_a_bot_is_the_last_one_whom_a_ready_host_waits_for() -> None:
    one = hosts().given(SetReady(ANA, ROOM, ready=True))
    events = one.when(AddBot(ANA, ROOM, 1)).then_types(
        "player.seated", "room.became_ready", "match.started"
    )
    assert isinstance(events[-1], MatchStarted)
    assert events[-1].players == [ANA, ADA]


def test_a_host_who_is_ready_after_the_bot_came_starts_the_match() -> None:
    one = hosts().given(AddBot(ANA, ROOM, 1))
    one.when(SetReady(ANA, ROOM, ready=True)).then_types("player.readied", "match.started")


def test_a_bot_waits_for_people_who_are_still_missing() -> None:
    one = hosts("relay", seats=3)
    one.when(AddBot(ANA, ROOM, 1)).then_refused(NoSuchBot)


@pytest.mark.parametrize("level", [0, 4, 9])
def test_a_game_has_only_its_levels(level: int) -> None:
    hosts().when(AddBot(ANA, ROOM, level)).then_refused(NoSuchBot)


def test_only_the_host_adds_bots() -> None:
    one = hosts()
    one.story.open(BEN)
    one.when(AddBot(BEN, ROOM, 1)).then_refused(NotHost)


def test_a_full_room_takes_no_bot() -> None:
    hosts().given(AddBot(ANA, ROOM, 1)).when(AddBot(ANA, ROOM, 1)).then_refused(RoomFull)


def test_a_running_match_takes_no_bot() -> None:
    plays().when(AddBot(ANA, ROOM, 1)).then_refused(MatchAlreadyStarted)


def test_an_older_node_would_wait_for_the_socket_of_a_bot() -> None:
    one = hosts().given(NodeStarted("n2", 1, level=1, alone=False))
    one.when(AddBot(ANA, ROOM, 1)).then_refused(NodesTooOld)


def test_bots_of_a_room_have_different_names() -> None:
    one = hosts(role="spectator").given(AddBot(ANA, ROOM, 1), AddBot(ANA, ROOM, 2))
    assert one.story.world.rooms.rooms[ROOM].players == [ADA, "bot:bela:2"]
    assert len(set(NAMES)) == len(NAMES)


def test_a_bot_may_play_in_many_rooms_and_is_seated_in_none() -> None:
    one = plays()
    assert ADA not in one.story.world.rooms.seated
    assert ADA not in one.story.world.presence.sockets


def test_a_kicked_bot_is_not_banned_and_its_seat_is_free() -> None:
    one = hosts().given(AddBot(ANA, ROOM, 1), KickFromRoom(ANA, ROOM, ADA))
    room = one.story.world.rooms.rooms[ROOM]
    assert (room.players, room.banned, room.phase) == ([ANA], {}, "gathering")
    one.when(AddBot(ANA, ROOM, 1)).then_types("player.seated", "room.became_ready")


def test_the_host_leaves_a_bot_behind_and_the_room_closes() -> None:
    one = hosts().given(AddBot(ANA, ROOM, 1))
    one.when(LeaveRoom(ANA, ROOM)).then_types("seat.left", "room.closed")


def test_who_leaves_a_match_loses_it_to_the_bot() -> None:
    one = plays()
    events = one.when(LeaveRoom(ANA, ROOM)).then_types("seat.left", "match.ended")
    (ended,) = [event for event in events if isinstance(event, MatchEnded)]
    assert (ended.reason, ended.winner, ended.bots) == ("left", 1, [1])


def test_a_bot_in_a_room_does_not_keep_it_open() -> None:
    one = plays().given(LeaveRoom(ANA, ROOM))
    room = one.story.world.rooms.rooms[ROOM]
    assert room.empty_since is not None
    one.when(CloseEmptyRoom(ROOM, room.empty_since)).then(RoomClosed(room=ROOM, reason="empty"))


def test_nobody_waits_for_a_bot_after_a_restart() -> None:
    one = plays().given(StartNode("n1"))
    match = match_of(one)
    assert types(one.story.do(TakeOver(match))) == ["match.rewound", "match.paused"]
    socket = one.story.open(ANA, "b")
    one.when(TakeSeat(ANA, socket, ROOM)).then_types("seat.taken", "match.resumed")


def test_a_bot_alone_is_no_reason_to_start_a_match_when_the_last_person_leaves() -> None:
    one = hosts(role="spectator").given(AddBot(ANA, ROOM, 1), AddBot(ANA, ROOM, 1))
    assert not one.story.world.matches.live


@pytest.mark.parametrize("command", [SetReady(ANA, ROOM, ready=True), BeginMatch(ANA, ROOM)])
def test_a_host_who_watches_starts_the_match_of_bots(command: SetReady | BeginMatch) -> None:
    one = hosts(role="spectator").given(AddBot(ANA, ROOM, 1), AddBot(ANA, ROOM, 3))
    one.when(command).then_types("match.started")


def test_a_host_who_watches_is_no_player_where_a_seat_is_free() -> None:
    one = hosts(role="spectator").given(AddBot(ANA, ROOM, 1))
    one.when(SetReady(ANA, ROOM, ready=True)).then_refused(NotInRoom)


def test_a_match_of_bots_is_abandoned_when_nobody_is_in_the_room() -> None:
    one = hosts(role="spectator").given(AddBot(ANA, ROOM, 1), AddBot(ANA, ROOM, 1))
    one.given(SetReady(ANA, ROOM, ready=True))
    one.when(LeaveRoom(ANA, ROOM)).then_types("spectator.left")
    room = one.story.world.rooms.rooms[ROOM]
    found = [deadline.command for deadline in pending(one.story.world, TIMES)]
    assert room.empty_since is not None
    assert CloseEmptyRoom(ROOM, room.empty_since) in found
    events = one.when(CloseEmptyRoom(ROOM, room.empty_since)).then_types(
        "match.ended", "room.closed"
    )
    assert isinstance(events[0], MatchEnded)
    assert events[0].reason == "abandoned"


def test_a_match_of_bots_waits_for_a_host_who_comes_back() -> None:
    one = hosts(role="spectator").given(AddBot(ANA, ROOM, 1), AddBot(ANA, ROOM, 1))
    one.given(SetReady(ANA, ROOM, ready=True), CloseSocket(ANA, tab(ANA), 1006))
    since = one.story.world.rooms.rooms[ROOM].empty_since
    assert since is not None
    socket = one.story.open(ANA, "b")
    one.given(JoinRoom(ANA, socket, ROOM, "spectator", None, None))
    one.when(CloseEmptyRoom(ROOM, since)).then_nothing()


# Moves of bots


def test_a_bot_moves_as_an_input_without_a_socket() -> None:
    one = plays()
    events = one.when(MoveBot(match_of(one), 1, 0, [DOWN])).then_types("match.input")
    (moved,) = [event for event in events if isinstance(event, MatchInput)]
    assert (moved.seat, moved.socket, moved.held) == (1, None, {})


def test_of_several_keys_at_once_the_last_state_is_recorded() -> None:
    one = plays()
    up = {"direction": "ArrowUp", "action": "down"}
    released = {"direction": "ArrowDown", "action": "up"}
    events = one.when(MoveBot(match_of(one), 1, 0, [DOWN, released, up])).then_types("match.input")
    (moved,) = [event for event in events if isinstance(event, MatchInput)]
    assert bytes(moved.input) == b'{"kind":"keys_held","seat":1,"up":true,"down":false}'


def test_a_key_that_is_held_already_is_no_input() -> None:
    one = plays()
    one.when(MoveBot(match_of(one), 1, 0, [{**DOWN, "action": "up"}])).then_nothing()


class BigDig(Digs):
    """Digging with bots, for many."""

    bot_levels = 1
    seats = range(2, 40)


class DigStory(Story):
    """A service that offers digging."""

    def __init__(self) -> None:
        super().__init__()
        self.games = Catalogue([BigDig()])
        self.context = msgspec.structs.replace(self.context, games=self.games)

    def run_of(self, match: Match) -> Run:
        if match.id not in self.runs:
            state = set_up(self.games["digs"], match.seed, {}, len(match.players))
            self.runs[match.id] = Run(self.games["digs"], state)
        return self.runs[match.id]


def digs(seats: int, people: int) -> Scenario:
    """Begin with people in a room with so many seats."""
    one = Scenario(DigStory())
    users = range(ANA, ANA + people)
    sockets = {user: one.story.open(user) for user in users}
    plan = RoomPlan(game="digs", options={"seats": seats})
    one.given(CreateRoom(ANA, sockets[ANA], ROOM, plan))
    for user in users[1:]:
        one.given(JoinRoom(user, sockets[user], ROOM, "player", None, None))
    return one


def test_of_several_moves_at_once_that_are_no_keys_all_are_recorded() -> None:
    one = digs(2, 1).given(SetReady(ANA, ROOM, ready=True), AddBot(ANA, ROOM, 1))
    moves = [{"mark": mark} for mark in "abc"]
    events = one.when(MoveBot(match_of(one), 1, 0, moves)).then_types(*["match.input"] * 3)
    made = [event for event in events if isinstance(event, MatchInput)]
    assert {event.tick for event in made} == {0}
    assert [msgspec.json.decode(event.input)["mark"] for event in made] == ["a", "b", "c"]


def test_many_people_in_a_room_take_no_names_from_bots() -> None:
    many = digs(30, len(NAMES) + 1)
    many.given(*[AddBot(ANA, ROOM, 1) for _ in range(len(NAMES) - 4)])
    seats = len(many.story.world.rooms.rooms[ROOM].players)
    assert seats == 2 * len(NAMES) - 3


@pytest.mark.parametrize("seat", [0])
def test_nobody_moves_for_a_person(seat: int) -> None:
    one = plays()
    one.when(MoveBot(match_of(one), seat, 0, [DOWN])).then_nothing()


def test_a_bot_does_not_move_in_a_pause() -> None:
    one = plays()
    match = match_of(one)
    one.given(CloseSocket(ANA, tab(ANA), 1006))
    one.when(MoveBot(match, 1, 0, [DOWN])).then_nothing()


def test_a_bot_does_not_move_in_a_match_that_is_over() -> None:
    plays().when(MoveBot("room-99", 1, 0, [DOWN])).then_nothing()


def test_rules_that_refuse_the_move_of_a_bot_are_its_fault() -> None:
    one = plays()
    with pytest.raises(RulesFailed):
        one.story.do(MoveBot(match_of(one), 1, 0, [{"direction": "left", "action": "down"}]))


def test_a_bot_that_forfeits_loses() -> None:
    one = plays()
    events = one.when(ForfeitBot(match_of(one), 1)).then_types("seat.forfeited", "match.ended")
    (ended,) = [event for event in events if isinstance(event, MatchEnded)]
    assert (ended.reason, ended.winner) == ("forfeit", 0)


def test_a_person_does_not_forfeit_as_a_bot() -> None:
    one = plays()
    one.when(ForfeitBot(match_of(one), 0)).then_nothing()
    one.when(ForfeitBot("room-99", 1)).then_nothing()


# Offers of matchmaking


def searches(game: str = "pong") -> tuple[Scenario, int]:
    one = scenario()
    one.story.open(ANA)
    one.given(JoinQueue(ANA, game))
    return one, len(one.story.events)


def test_a_bot_is_offered_after_the_time_of_the_settings() -> None:
    one, since = searches()
    assert not [each for each in pending(one.story.world, TIMES) if isinstance(each, OfferBot)]
    times = Times(bot_after_s=20)
    assert Deadline(since, 20, OfferBot(ANA, "pong", since)) in list(
        pending(one.story.world, times)
    )
    one.given(OfferBot(ANA, "pong", since))
    found = [deadline.command for deadline in pending(one.story.world, times)]
    assert OfferBot(ANA, "pong", since) not in found


def test_an_offer_names_the_levels_and_leaves_the_search_as_it_is() -> None:
    one, since = searches()
    one.when(OfferBot(ANA, "pong", since)).then(SearchBotOffered(user=ANA, game="pong", levels=3))
    one.given(OfferBot(ANA, "pong", since))
    assert one.story.world.matchmaking.waiting_since(ANA, "pong") == since


def test_no_bot_is_offered_where_there_is_none() -> None:
    one, since = searches("relay")
    one.when(OfferBot(ANA, "relay", since)).then_nothing()


def test_no_bot_is_offered_to_who_searches_no_more() -> None:
    one, since = searches()
    one.given(LeaveQueue(ANA, "pong")).when(OfferBot(ANA, "pong", since)).then_nothing()


def test_an_accepted_bot_and_the_user_get_a_room() -> None:
    one, since = searches()
    one.given(OfferBot(ANA, "pong", since), AcceptBot(ANA, "pong", 3))
    world = one.story.world
    assert world.rooms.rooms[ROOM].players == [ANA, "bot:ada:3"]
    assert (world.matchmaking.queues, world.matchmaking.offered) == ({}, {})
    one.when(TakeSeat(ANA, tab(ANA), ROOM)).then_types("seat.taken", "room.became_ready")
    one.given(TakeSeat(ANA, tab(ANA), ROOM))
    one.when(BeginMatch(ANA, ROOM)).then_types("match.started")


def test_only_an_offered_bot_is_accepted() -> None:
    one, since = searches()
    one.when(AcceptBot(ANA, "pong", 1)).then_refused(NoBotOffered)
    one.given(OfferBot(ANA, "pong", since), LeaveQueue(ANA, "pong"))
    one.when(AcceptBot(ANA, "pong", 1)).then_refused(NoBotOffered)
    one.given(JoinQueue(ANA, "pong")).when(AcceptBot(ANA, "pong", 1)).then_refused(NoBotOffered)


def test_a_bot_of_a_level_that_the_game_lacks_is_not_accepted() -> None:
    one, since = searches()
    one.given(OfferBot(ANA, "pong", since))
    one.when(AcceptBot(ANA, "pong", 4)).then_refused(NoSuchBot)


# Ids of bots


@pytest.mark.parametrize(
    ("user", "level"),
    [("bot:ada:1", 1), ("bot:x:9", 9), ("bot:ada:0", None), ("bot:ada", None), ("bot:Ada:1", None),
     ("bot:ada:12", None), ("robot:ada:1", None), (7, None), (None, None), ("bot:ada:1\n", None)],
)  # fmt: skip
def test_an_id_says_whether_it_is_a_bots(user: int | str | None, level: int | None) -> None:
    assert (is_bot(user), bot_level(user)) == (level is not None, level)
