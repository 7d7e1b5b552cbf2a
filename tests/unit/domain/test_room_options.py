"""Options of a room: only those that the room or its game knows."""

from __future__ import annotations

import pytest

from service.domain.commands.hosting import CreateRoom, RoomPlan
from service.errors import UnknownField
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
