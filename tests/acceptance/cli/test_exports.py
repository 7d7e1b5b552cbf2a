"""`ws-service replay --export` and `--import`: recordings and pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL.GifImagePlugin import GifImageFile

from tests.acceptance.cli.conftest import DURATION_S, Recorded
from tests.command_line import CommandLine

TICKS = 60 * DURATION_S


def exported(recorded: Recorded, tmp_path: Path) -> Path:
    file = tmp_path / "match.json"
    export = ("replay", recorded.played, "--export", "json", "-o", str(file))
    assert recorded.ws_service(*export) == ""
    return file


def test_a_recording_plays_and_verifies_where_there_is_no_log(
    recorded: Recorded, tmp_path: Path
) -> None:
    file = exported(recorded, tmp_path)
    elsewhere = CommandLine(tmp_path / "empty")
    assert elsewhere("replay", "--import", str(file), "--verify").startswith(
        f"ok: match {recorded.played}, {TICKS} ticks"
    )
    at = ("--at", "1s", "--json")
    here = recorded.ws_service("replay", recorded.played, *at)
    assert elsewhere("replay", "--import", str(file), *at) == here
    assert "Ana" in elsewhere("replay", "--import", str(file))
    same = recorded.ws_service("replay", recorded.played, "--import", str(file), "--verify")
    assert same.strip().endswith("the same as in this log")


def test_one_flipped_bit_is_named(recorded: Recorded, tmp_path: Path) -> None:
    file = exported(recorded, tmp_path)
    content = bytearray(file.read_bytes())
    content[content.index(b'"match.input"') + 200] ^= 4
    file.write_bytes(content)
    refused = recorded.ws_service.run("replay", "--import", str(file), "--verify")
    assert refused.code == 1
    assert "match.input" in refused.complaint
    assert "was changed" in refused.complaint


def test_a_recording_of_another_match_is_not_the_same(recorded: Recorded, tmp_path: Path) -> None:
    file = exported(recorded, tmp_path)
    refused = recorded.ws_service.run("replay", recorded.left, "--import", str(file), "--verify")
    assert (refused.code, "the recording is of match" in refused.complaint) == (1, True)


@pytest.mark.parametrize(
    ("content", "what"),
    [(None, "can't be read"), (b"", "no recording"), (b"{}", "no recording"), (b"\xff", "no rec")],
)
def test_what_is_no_recording_is_refused_in_one_line(
    recorded: Recorded, tmp_path: Path, content: bytes | None, what: str
) -> None:
    file = tmp_path / "other.json"
    if content is not None:
        file.write_bytes(content)
    refused = recorded.ws_service.run("replay", "--import", str(file), "--verify")
    assert (refused.code, what in refused.complaint) == (1, True)


def test_pictures_are_exported(recorded: Recorded, tmp_path: Path) -> None:
    played, ws_service = recorded.played, recorded.ws_service
    gif = tmp_path / "match.gif"
    ws_service("replay", played, "--export", "gif", "-o", str(gif), "--from", "1s", "--hz", "10")
    with GifImageFile(gif) as image:
        assert image.size == (600, 480)
        assert 2 <= image.n_frames <= 11
    svg = ws_service("replay", played, "--export", "svg")
    assert svg.startswith("<svg ")
    assert ">Ana</text>" in svg
    cast = ws_service("replay", played, "--export", "cast").splitlines()
    assert json.loads(cast[0])["version"] == 2
    assert json.loads(cast[-1])[0] == DURATION_S
    part = ws_service("replay", played, "--export", "ndjson", "--from", "30t", "--to", "1s")
    assert [json.loads(line)["tick"] for line in part.splitlines()[1:]] == list(range(30, 61))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--export", "json", "--from", "1s"),
        ("--export", "svg", "--from", "2s", "--to", "1s"),
        ("--export", "svg", "--from", "soon"),
        ("--export", "png"),
    ],
)
def test_an_export_that_makes_no_sense_is_refused(
    recorded: Recorded, arguments: tuple[str, ...]
) -> None:
    refused = recorded.ws_service.run("replay", recorded.played, *arguments)
    assert (refused.code, refused.out) == (2, "")


def test_a_match_has_to_be_named(recorded: Recorded) -> None:
    for arguments in (("replay",), ("replay", "--verify"), ("replay", "--export", "json")):
        refused = recorded.ws_service.run(*arguments)
        assert (refused.code, refused.out) == (2, "")


def test_a_match_is_shown_summed_up(recorded: Recorded) -> None:
    shown = recorded.ws_service("matches", "show", recorded.played)
    assert "Ana : Ben" in shown
    assert "what happened" in shown
    assert "Fastest ball" in shown
    assert max(map(len, shown.splitlines())) <= 80
    found = json.loads(recorded.ws_service("matches", "show", recorded.played, "--json"))
    assert found["matchId"] == recorded.played
    assert found["timeline"][0]["kind"] == "started"
