"""`ws-service matches`: the match history with all its filters."""

import csv
import json
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from service.cli.matches import result_of
from service.domain.events.matches import EndReason
from service.eventstore.read_models.match_history import PlayedMatch
from tests.acceptance.cli.conftest import DURATION_S, Recorded
from tests.command_line import CommandLine


def found(recorded: Recorded, *options: str) -> list[dict[str, Any]]:
    """Return the matches that the command finds, as a program gets them."""
    lines = recorded.ws_service("matches", "--json", *options).splitlines()
    return [json.loads(line) for line in lines]


def ids(recorded: Recorded, *options: str) -> list[str]:
    return [match["matchId"] for match in found(recorded, *options)]


def test_matches_are_listed_newest_first_with_all_fields(recorded: Recorded) -> None:
    left, played = found(recorded)
    assert (left["matchId"], played["matchId"]) == (recorded.left, recorded.played)
    assert (played["game"], [player["name"] for player in played["players"]]) == (
        "pong",
        ["Ana", "Ben"],
    )
    assert (played["reason"], played["ticks"]) == ("timeup", 60 * DURATION_S)
    assert (left["reason"], left["winner"]) == ("left", 0)
    ((data,),) = recorded.file.query(
        "SELECT data FROM events WHERE type = 'match.ended' ORDER BY position LIMIT 1"
    )
    assert played["scores"] == json.loads(data)["scores"]


def test_each_end_reason_has_a_label() -> None:
    reasons = get_args(EndReason)
    shown = [
        result_of(
            PlayedMatch(
                id="r-1",
                position=1,
                game="pong",
                rules_version=1,
                players=["Ana", "Ben"],
                users=["1", "2"],
                started_at=0,
                ended_at=1,
                ticks=1,
                reason=reason,
                winner=0,
                scores=[1, 0],
            )
        )
        for reason in reasons
    ]
    assert len(set(shown)) == len(reasons)


def test_the_default_output_is_a_table(recorded: Recorded) -> None:
    table = recorded.ws_service("matches", COLUMNS="200")
    assert len(table.splitlines()) == 6
    assert recorded.played in table
    assert "Ana, the other left" in table


def test_matches_are_filtered_by_user_game_and_limit(recorded: Recorded) -> None:
    both = [recorded.left, recorded.played]
    ana = str(found(recorded)[1]["players"][0]["id"])
    assert ids(recorded, "--user", ana) == [recorded.played]
    assert ids(recorded, "--user", "Ben") == both
    assert ids(recorded, "--game", "pong", "--limit", "1") == [recorded.left]


def test_matches_are_filtered_by_time(recorded: Recorded) -> None:
    left, played = found(recorded)
    started = datetime.fromisoformat(left["startedAt"])
    assert ids(recorded, "--since", "2h") == [left["matchId"], played["matchId"]]
    assert ids(recorded, "--since", started.isoformat()) == [left["matchId"]]
    assert ids(recorded, "--since", "0s") == []


def test_an_empty_list_is_mentioned_in_the_table_only(recorded: Recorded) -> None:
    assert "no match" in recorded.ws_service("matches", "--game", "chess")
    assert recorded.ws_service("matches", "--game", "chess", "--json") == ""


def test_matches_are_filtered_by_opponent_result_end_and_duration(recorded: Recorded) -> None:
    left, played = found(recorded)
    winner, loser = (one["name"] for one in left["players"])
    both = [left["matchId"], played["matchId"]]
    ana, ben = (str(one["id"]) for one in left["players"])
    assert ids(recorded, "--user", ana, "--opponent", ben) == both[:1]
    assert ids(recorded, "--user", ana, "--opponent", "Nobody") == []
    assert ids(recorded, "--user", ana, "--result", "won") == both[:1]
    assert ids(recorded, "--user", ana, "--result", "lost") == []
    assert ids(recorded, "--user", ben, "--result", "lost") == both[:1]
    assert ids(recorded, "--reason", "left") == both[:1]
    assert ids(recorded, "--longer", f"{DURATION_S}s") == both[1:]
    assert ids(recorded, "--shorter", f"{DURATION_S - 1}s") == both[:1]
    assert (winner, loser) == ("Ana", "Ben")


def test_matches_are_sorted_and_paged(recorded: Recorded) -> None:
    left, played = (one["matchId"] for one in found(recorded))
    assert ids(recorded, "--sort", "oldest") == [played, left]
    assert ids(recorded, "--sort", "longest", "--limit", "1") == [played]
    assert ids(recorded, "--sort", "longest", "--limit", "1", "--page", "2") == [left]
    assert ids(recorded, "--page", "9") == []
    assert "--page 2" in recorded.ws_service("matches", "--limit", "1")


def test_the_table_fits_80_columns(recorded: Recorded) -> None:
    table = recorded.ws_service("matches", COLUMNS="80")
    assert max(map(len, table.splitlines())) <= 80
    assert recorded.played in table
    assert "timeup" in table


def test_matches_are_listed_as_csv(recorded: Recorded) -> None:
    rows = list(csv.DictReader(recorded.ws_service("matches", "--csv").splitlines()))
    assert [row["match"] for row in rows] == [recorded.left, recorded.played]
    assert (rows[1]["players"], rows[1]["reason"]) == ("Ana : Ben", "timeup")
    assert float(rows[1]["seconds"]) == DURATION_S


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--longer", "soon"), "--longer"),
        (("--reason", "bored"), "--reason"),
        (("--result", "won"), "--result"),
        (("--until", "soon"), "--until"),
        (("--page", "0"), "--page"),
    ],
)
def test_an_invalid_filter_is_reported(
    recorded: Recorded, options: tuple[str, ...], named: str
) -> None:
    refused = recorded.ws_service.run("matches", *options)
    assert (refused.code, refused.out, named in refused.err) == (2, "", True)


def test_an_invalid_time_is_reported(recorded: Recorded) -> None:
    refused = recorded.ws_service.run("matches", "--since", "soon")
    assert (refused.code, refused.out) == (2, "")
    assert "--since" in refused.err
    assert "2h" in refused.err


@pytest.mark.parametrize(
    "command",
    [
        ("matches",),
        ("replay", "x"),
        ("log", "verify"),
        ("log", "rebuild"),
        ("log", "skip", "1", "--reason", "x"),
    ],
)
def test_a_missing_log_is_reported(tmp_path: Path, command: tuple[str, ...]) -> None:
    refused = CommandLine(tmp_path / "data").run(*command)
    assert refused.code == 2
    assert "ws-service db upgrade" in refused.complaint
    assert not (tmp_path / "data").exists()
