"""`ws-service replay`: one state, all frames, and verification."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.cli.conftest import DURATION_S, Recorded
from tests.command_line import CommandLine

TICKS = 60 * DURATION_S


def test_at_shows_one_state(recorded: Recorded) -> None:
    shown = recorded.ws_service("replay", recorded.played, "--at", "0s")
    assert "Ana   0 : 0   Ben" in shown
    assert f"0.0 s   tick 0 of {TICKS}" in shown
    assert "█" in shown


@pytest.mark.parametrize(("at", "tick"), [("1s", 60), ("0.5", 30), ("90t", 90), ("99s", TICKS)])
def test_at_prints_a_state_as_json(recorded: Recorded, at: str, tick: int) -> None:
    found = json.loads(recorded.ws_service("replay", recorded.played, "--at", at, "--json"))
    assert found["tick"] == tick
    assert found["state"].keys() >= {"p1Y", "p2Y", "s1", "s2"}


@pytest.mark.parametrize("at", ["soon", "-1s", "12m"])
def test_an_invalid_position_is_reported(recorded: Recorded, at: str) -> None:
    refused = recorded.ws_service.run("replay", recorded.played, f"--at={at}")
    assert (refused.code, refused.out) == (2, "")
    assert "--at" in refused.err


def test_without_a_terminal_the_final_state_is_printed(recorded: Recorded) -> None:
    shown = recorded.ws_service("replay", recorded.played)
    assert f"tick {TICKS} of {TICKS}" in shown
    ((scores,),) = recorded.file.query(
        "SELECT scores FROM matches WHERE match = ?", recorded.played
    )
    assert "Ana   {} : {}   Ben".format(*json.loads(scores)) in shown


def test_without_a_terminal_a_state_a_second_is_printed(recorded: Recorded) -> None:
    shown = recorded.ws_service("replay", recorded.played)
    ticks = [int(tick) for tick in re.findall(r"tick (\d+) of", shown)]
    assert set(range(0, TICKS + 1, 60)) <= set(ticks)
    assert ticks == sorted(set(ticks))


def test_every_frame_is_exported(recorded: Recorded, tmp_path: Path) -> None:
    out = recorded.ws_service("replay", recorded.played, "--export", "ndjson")
    match, *frames = (json.loads(line) for line in out.splitlines())
    assert (match["match"], match["names"]) == (recorded.played, ["Ana", "Ben"])
    assert (match["ticks"], match["result"]["reason"]) == (TICKS, "timeup")
    assert [frame["tick"] for frame in frames] == list(range(TICKS + 1))
    last = frames[-1]["state"]
    assert [last["s1"], last["s2"]] == match["result"]["scores"]

    file = tmp_path / "match.ndjson"
    arguments = ("replay", recorded.played, "--export", "ndjson", "--hz", "10", "-o", str(file))
    assert recorded.ws_service(*arguments) == ""
    ticks = [json.loads(line)["tick"] for line in file.read_text().splitlines()[1:]]
    assert ticks == list(range(0, TICKS + 1, 6))


def test_a_closed_pipe_is_not_an_error(recorded: Recorded) -> None:
    arguments = recorded.ws_service.arguments("replay", recorded.played, "--export", "ndjson")
    with subprocess.Popen(
        arguments,
        env=recorded.ws_service.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_verify_accepts_an_intact_recording(recorded: Recorded) -> None:
    for match in (recorded.played, recorded.left):
        assert recorded.ws_service("replay", match, "--verify").startswith(f"ok: match {match}, ")


@pytest.mark.parametrize("chained", [False, True], ids=["chain-broken", "chain-made-anew"])
def test_verify_names_the_tick_of_a_changed_recording(spoiled: Recorded, *, chained: bool) -> None:
    match = spoiled.played
    ((position, data),) = spoiled.file.query(
        "SELECT position, data FROM events"
        " WHERE type = 'match.checkpoint' AND stream = ? ORDER BY position LIMIT 1 OFFSET 1",
        f"match:{match}",
    )
    changed = json.loads(data)
    tick = changed["tick"]
    changed["state"]["scores"] = [9, 9]
    spoiled.file.change(
        f"UPDATE events SET data = {spoiled.file.blob(json.dumps(changed).encode())}"  # noqa: S608 - hex
        f" WHERE position = {position}"
    )
    if chained:
        spoiled.file.chain_anew()
        # Then only the rules can detect it, and the side file, which has the old head.
        broken = spoiled.ws_service.run("log", "verify")
        assert "it once had the event" in broken.err
    refused = spoiled.ws_service.run("replay", match, "--verify")
    assert refused.code == 1
    assert f"match {match} differs from its replay at tick {tick}: " in refused.complaint
    assert spoiled.ws_service("replay", spoiled.left, "--verify").startswith("ok")


def test_a_match_is_selected_by_any_unique_prefix(recorded: Recorded) -> None:
    start = recorded.played.rpartition("-")[0]
    assert recorded.played in recorded.ws_service("replay", start, "--verify")


@pytest.mark.parametrize(
    ("start", "what"),
    [
        ("nothing", "no match begins with 'nothing': `ws-service matches` lists them"),
        ("", "several matches begin with ''"),
    ],
)
def test_an_unknown_or_ambiguous_prefix_is_reported(
    recorded: Recorded, start: str, what: str
) -> None:
    refused = recorded.ws_service.run("replay", start)
    assert refused.code == 1
    assert what in refused.complaint


def test_a_match_with_missing_rules_is_reported(spoiled: Recorded) -> None:
    for position, data in spoiled.file.query(
        "SELECT position, data FROM events WHERE type = 'match.started'"
    ):
        changed = spoiled.file.blob(data.replace(b'"rules_version":1', b'"rules_version":99'))
        spoiled.file.change(f"UPDATE events SET data = {changed} WHERE position = {position}")  # noqa: S608 - hex
    refused = spoiled.ws_service.run("replay", spoiled.played, "--verify")
    assert refused.code == 1
    assert "version 99" in refused.complaint


def test_an_unknown_option_is_reported(tmp_path: Path) -> None:
    refused = CommandLine(tmp_path / "data").run("replay", "x", "--speed", "0")
    assert (refused.code, "--speed" in refused.err) == (2, True)
