"""Options of a room: only those that the room or its game knows."""

from __future__ import annotations

import msgspec
import pytest

from service.domain.commands.hosting import CreateRoom, RoomPlan
from service.domain.commands.invites import SendInvite
from service.domain.commands.lobby import JoinLobby
from service.domain.commands.matchmaking import JoinQueue
from service.errors import UnknownField
from service.games.catalogue import Catalogue
from service.games.protocol import InvalidOptions
from service.games.relay import Relay
from tests.unit.domain.story import ROOM, Story


def create(game: str, **options: object) -> None:
    story = Story()
    story.do(CreateRoom(1, story.open(1), ROOM, RoomPlan(game=game, options=options)))


@pytest.mark.parametrize(
    ("game", "options", "words"),
    [
        ("relay", {"seat": 2}, "options of relay has no `seat`; did you mean `seats`?"),
        ("relay", {"duration_s": 30}, "`duration_s`"),
        ("pong", {"turn_s": 30}, "`turn_s`"),
        ("connect_four", {"turnS": 30}, "did you mean `turn_s`?"),
        ("pong", {"": 1}, "has no ``."),
    ],
)
def test_an_unknown_option_is_refused_and_named(
    game: str, options: dict[str, object], words: str
) -> None:
    with pytest.raises(UnknownField) as error:
        create(game, **options)
    assert error.value.code == "UNKNOWN_FIELD"
    assert words in error.value.message


@pytest.mark.parametrize(
    ("game", "own"), [("pong", {"duration_s": 5}), ("connect_four", {"turn_s": 5}), ("relay", {})]
)
def test_options_of_the_game_and_of_every_room_are_accepted(
    game: str, own: dict[str, object]
) -> None:
    create(game, seats=2, reconnect_grace_s=1, spectator_delay_s=1, frame_ms=16, **own)


@pytest.mark.parametrize("value", [True, False, 1, "16", None, [], {}, 16.5])
def test_a_frame_time_is_0_or_16_and_nothing_that_equals_it(value: object) -> None:
    with pytest.raises(InvalidOptions) as error:
        create("relay", frame_ms=value)
    assert error.value.field == "frame_ms"


@pytest.mark.parametrize("name", ["seats", "seats_min", "reconnect_grace_s", "frame_ms"])
def test_the_error_of_an_option_of_every_room_names_it_too(name: str) -> None:
    with pytest.raises(InvalidOptions) as error:
        create("pong", **{name: float("nan")})
    assert error.value.field == name


# Games that two can't play


class Trio(Relay):
    """A relay for three or four."""

    name = "trio"
    title = "Trio"
    seats = range(3, 5)


class Solo(Relay):
    """A relay for one."""

    name = "solo"
    title = "Solo"
    seats = range(1, 2)


@pytest.mark.parametrize(
    ("game", "players"), [(Trio(), "3 to 4 players"), (Solo(), "1 player")], ids=["trio", "solo"]
)
def test_invites_and_queues_refuse_a_game_that_is_not_for_two(game: Relay, players: str) -> None:
    story = Story()
    games = Catalogue([game])
    story.context = msgspec.structs.replace(story.context, games=games)
    for user in (1, 2):
        story.open(user)
        story.do(JoinLobby(user, f"n1.1.{user}a"))
    for command in (JoinQueue(1, game.name), SendInvite(1, 2, game.name)):
        with pytest.raises(InvalidOptions) as error:
            story.do(command)
        assert f"is a game for {players}, not for two" in error.value.message
        assert error.value.field == "game"
