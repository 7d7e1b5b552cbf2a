"""The examples of CONTRIBUTING.md run, and the files it names exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.errors import ConfigurationError
from service.games.catalogue import Catalogue
from service.games.protocol import Game, InvalidMove, NoOptions
from service.settings.load import read

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    """Run the blocks in order, as one module, and return its names."""
    names: dict[str, Any] = {"__name__": "contributing"}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    code = compile("\n".join(blocks), "CONTRIBUTING.md", "exec", dont_inherit=True)
    exec(code, names)  # noqa: S102 - running the page is the test
    return names


def test_an_older_form_of_the_event_is_upcast_to_the_present_one(example: dict[str, Any]) -> None:
    lifted = example["room_waved_2"](b'{"room":"9f3a","user":7}')
    event = msgspec.json.decode(lifted, type=example["RoomWaved"])
    assert event == example["RoomWaved"](room="9f3a", user=7, hand="right")
    assert (event.stream, event.schema_version) == ("room:9f3a", 2)


def test_the_projection_counts_what_the_command_decides(example: dict[str, Any]) -> None:
    command, state = example["Wave"]("9f3a", 7), example["Waves"]()
    (event,) = command.decide(None, None)
    for position in (1, 2):
        example["FOLD"][type(event)](state, event, position)
    assert state.by_user == {7: 2}
    assert command.streams(None) == {event.stream}


def test_the_message_is_decoded_by_its_type_and_refuses_unknown_fields(
    example: dict[str, Any],
) -> None:
    decode = msgspec.json.Decoder(example["RoomWave"]).decode
    assert decode(b'{"type":"room:wave","roomId":"9f3a"}').room_id == "9f3a"
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        decode(b'{"type":"room:wave","roomId":"9f3a","hand":"left"}')


def test_the_setting_is_read_from_its_variable_within_its_bounds(
    example: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WS_WAVES_PER_MIN", "20")
    assert read(example["WaveLimits"], {}).waves_per_min == 20
    monkeypatch.setenv("WS_WAVES_PER_MIN", "0")
    with pytest.raises(ConfigurationError, match=r"WS_WAVES_PER_MIN=0 .* from 1 to 600"):
        read(example["WaveLimits"], {})


def test_the_game_satisfies_the_protocol_and_can_be_won(example: dict[str, Any]) -> None:
    game = Catalogue((example["TwentyOne"](),))["twenty_one"]
    members = {*Game.__annotations__, *(name for name in vars(Game) if not name.startswith("_"))}
    assert [name for name in sorted(members) if not hasattr(game, name)] == []

    state = game.setup(1, NoOptions(), 2)
    with pytest.raises(InvalidMove):
        game.decide(state, 0, {"number": 4})
    for turn in range(7):
        assert game.result(state) is None
        for event in game.decide(state, turn % 2, {"number": 3}):
            game.apply(state, event)
    result = game.result(state)
    assert result is not None
    assert (result.winner, game.scores(state)) == (0, [1, 0])


def test_every_file_in_the_guide_exists() -> None:
    linked = re.findall(r"\]\(([\w./-]+)", PAGE)
    named = re.findall(r"`((?:service|tests|tools|docs)/[\w./-]*)`", PAGE)
    assert len(named) > 10
    assert [path for path in (*linked, *named) if not (ROOT / path).exists()] == []


def test_every_make_target_in_the_guide_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"make ([a-z]+)(?=`|  )", PAGE))
    assert named >= {"lint", "unit", "check"}
    assert named - set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)) == set()
