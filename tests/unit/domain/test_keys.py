"""Keys are held per tab, and released with the tab that holds them."""

from __future__ import annotations

import pytest

from service.domain.commands.hosting import CreateRoom, JoinRoom, RoomPlan
from service.domain.commands.moves import Move
from service.domain.commands.nodes import StartNode
from service.domain.commands.pauses import TakeOver
from service.domain.commands.seats import TakeSeat
from service.domain.errors import NotConnected
from service.domain.events.base import Event
from service.domain.events.matches import MatchInput
from service.domain.projections.room import Seat
from service.eventstore.codec import decode, encode
from service.games.pong import KeysHeld, PongState
from service.replay.run import decode_event
from tests.unit.domain.story import ROOM, Story


class Player:
    """A player of Pong with several tabs; what is asked is how the paddle is held."""

    def __init__(self) -> None:
        self.story = Story()
        self.match = self.story.match("pong", 1, 2)
        self.tabs = {"a": next(iter(self.seat.sockets))}
        for tab in "bc":
            self.tabs[tab] = self.story.open(1, tab)
            self.story.do(TakeSeat(1, self.tabs[tab], ROOM))

    @property
    def seat(self) -> Seat:
        return self.story.world.rooms.rooms[ROOM].seats[0]

    def type(self, tab: str, key: str, action: str) -> list[Event]:
        move = {"direction": key, "action": action}
        return self.story.do(Move(1, self.tabs[tab], ROOM, move))

    def close(self, tab: str, code: int = 1001) -> list[Event]:
        return self.story.close(1, self.tabs[tab], code)

    @property
    def held(self) -> str:
        state: PongState = self.story.run_of(self.match).state
        paddle = state.paddles[0]
        return "w" * paddle.up + "s" * paddle.down


@pytest.fixture
def player() -> Player:
    return Player()


@pytest.mark.parametrize("code", [1000, 1001, 1006, 4008])
def test_a_key_held_by_a_closed_tab_is_released_despite_input_from_another(
    player: Player, code: int
) -> None:
    player.type("a", "w", "down")
    player.type("b", "s", "down")
    player.type("b", "s", "up")
    assert player.held == "w"
    player.close("a", code)
    assert player.held == ""


def test_only_the_keys_of_the_closed_tab_are_released(player: Player) -> None:
    player.type("a", "w", "down")
    player.type("b", "s", "down")
    player.close("b")
    assert player.held == "w"
    player.type("c", "s", "down")
    player.close("a")
    assert player.held == "s"


def test_a_key_held_by_two_tabs_is_held_until_both_are_closed(player: Player) -> None:
    player.type("a", "w", "down")
    player.type("b", "ArrowUp", "down")
    player.close("a")
    assert player.held == "w"
    player.close("b")
    assert player.held == ""


def test_a_tab_releases_only_its_own_keys(player: Player) -> None:
    player.type("a", "w", "down")
    player.type("b", "w", "down")
    player.type("b", "w", "up")
    assert player.held == "w"
    player.type("a", "w", "up")
    assert player.held == ""


def test_a_release_from_a_tab_not_holding_the_key_releases_it(player: Player) -> None:
    """Its user has gone on in that tab, as after a reconnect."""
    player.type("a", "w", "down")
    player.type("a", "s", "down")
    player.type("b", "w", "up")
    assert player.held == "s"


@pytest.mark.parametrize("is_there", [True, False])
def test_keys_are_released_when_their_tab_opens_another_room(
    player: Player, *, is_there: bool
) -> None:
    story = player.story
    plan = RoomPlan(game="relay", spectators_max=5)
    if is_there:
        story.do(CreateRoom(3, story.open(3), "other", plan))
    player.type("a", "w", "down")
    player.type("b", "s", "down")
    events = story.do(JoinRoom(1, player.tabs["a"], "other", "spectator", None, plan))
    assert [event.type for event in events][-1] == "spectator.joined"
    assert player.held == "s"


def test_key_repeats_are_logged_once_per_tab(player: Player) -> None:
    assert len(player.type("a", "w", "down")) == 1
    assert player.type("a", "w", "down") == []
    assert len(player.type("b", "w", "down")) == 1
    assert player.type("b", "w", "down") == player.type("a", "ArrowUp", "down") == []
    assert player.type("c", "s", "up") == []


def test_closing_a_tab_without_held_keys_makes_no_input(player: Player) -> None:
    player.type("a", "w", "down")
    assert [event.type for event in player.close("b")] == ["socket.closed"]


def test_a_pause_releases_all_keys(player: Player) -> None:
    for tab, key in zip("abc", "wsw", strict=True):
        player.type(tab, key, "down")
    player.close("a")
    player.close("b")
    player.type("c", "s", "down")
    events = player.close("c")
    assert [event.type for event in events] == ["socket.closed", "match.input", "match.paused"]
    assert player.held == ""
    assert player.match.pressing == {}


def test_a_restart_releases_all_keys(player: Player) -> None:
    player.type("a", "w", "down")
    player.type("b", "s", "down")
    player.story.do(StartNode("n1"))
    player.story.do(TakeOver(player.match.id))
    assert (player.held, player.match.pressing) == ("", {})


def test_uncommitted_inputs_are_taken_into_account(player: Player) -> None:
    """What is decided before the commit of an earlier input knows of that input."""
    socket = player.tabs["a"]
    player.story.measured = {"held": {0: {player.tabs["b"]: ["down"]}}}
    (event,) = player.story.do(Move(1, socket, ROOM, {"direction": "w", "action": "down"}))
    assert isinstance(event, MatchInput)
    assert event.held == {player.tabs["b"]: ["down"], socket: ["up"]}
    held = decode_event(player.story.context.games["pong"], event.input)
    assert held == KeysHeld(0, up=True, down=True)


def test_in_old_logs_the_last_used_tab_holds_all_keys(player: Player) -> None:
    for tab, key in (("a", "w"), ("b", "s")):
        (event,) = player.type(tab, key, "down")
        fields = encode(event)
        old = fields[: fields.index(b',"held"')] + b"}"
        player.story.fold(decode("match.input", 1, old))
    assert player.match.pressing == {0: {player.tabs["b"]: ["up", "down"]}}
    player.close("b")
    assert player.held == ""


def test_a_closed_tab_presses_no_keys(player: Player) -> None:
    """One that had to go for another may still be heard for a moment."""
    player.close("b", 4504)
    with pytest.raises(NotConnected):
        player.type("b", "w", "down")
    assert player.held == ""
