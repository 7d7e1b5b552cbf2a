"""`ws-service games`: what there is, from which package, and what can't be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line import CommandLine


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    """The command, with a data directory that does not exist yet."""
    return CommandLine(tmp_path / "data")


def test_programs_get_every_game_with_its_options(command: CommandLine) -> None:
    listing = json.loads(command.run("games", "--json").output)
    games = {game["name"]: game for game in listing["games"]}
    assert list(games)[:3] == ["pong", "connect_four", "relay"]
    assert (listing["notOffered"], listing["faults"]) == ([], [])
    four = games["connect_four"]
    assert (four["package"], four["rulesVersion"], four["versions"]) == ("ws-service", 2, [1, 2])
    assert (four["seats"], four["tickHz"], four["bots"]) == ({"min": 2, "max": 2}, 0, 3)
    duration = games["pong"]["options"]["properties"]["duration_s"]
    assert (duration["default"], duration["exclusiveMinimum"], duration["maximum"]) == (30, 0, 3600)
    assert duration["description"]
    assert games["pong"]["options"]["additionalProperties"] is False


def test_people_see_what_is_left_out_and_why(command: CommandLine) -> None:
    out = command.run("games", WS_GAMES="relay,chess").output
    assert "relay" in out
    assert "pong is not offered: WS_GAMES leaves it out" in out
    assert "chess of WS_GAMES is left out: no package has this game" in out


def test_people_see_whole_names_and_the_ranges_of_options(command: CommandLine) -> None:
    out = command.run("games", COLUMNS="80").output
    assert "connect_four" in out.split()
    assert "pong: duration_s is a number above 0 and at most 3600; by default 30" in out
