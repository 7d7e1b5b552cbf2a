from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import typer
from rich.cells import cell_len
from rich.console import Console

from service.cli.matches import Wanted, list_matches, narrow_table, parse_since, seconds_of
from service.eventstore.read_models.match_history import PlayedMatch

NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("30s", "2026-11-24T15:29:30"),
        ("30m", "2026-11-24T15:00"),
        ("2h", "2026-11-24T13:30"),
        ("7d", "2026-11-17T15:30"),
        ("0s", "2026-11-24T15:30"),
        # A time without a zone is UTC, whatever the zone of the machine.
        ("2026-11-24", "2026-11-24T00:00"),
        ("2026-11-24T15:00", "2026-11-24T15:00"),
        ("2026-11-24 15:00:01.5", "2026-11-24T15:00:01.500"),
        ("2026-11-24T15:00+01:00", "2026-11-24T14:00"),
        ("2026-11-24T15:00Z", "2026-11-24T15:00"),
    ],
)
def test_since_is_an_age_or_a_date(since: str, expected: str) -> None:
    moment = datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert parse_since(since, NOW.timestamp()) == int(moment.timestamp() * 1_000_000)


def test_since_defaults_to_the_beginning() -> None:
    assert parse_since(None, NOW.timestamp()) == 0


@pytest.mark.parametrize(
    "since",
    ["soon", "", "5", "5w", "-5m", "1.5h", "2026-13-01", "99999999999999d", "9" * 5000 + "s"],
)
def test_an_invalid_since_is_refused_with_the_allowed_forms(since: str) -> None:
    with pytest.raises(typer.BadParameter, match="30m, 2h or 7d, or a date"):
        parse_since(since, NOW.timestamp())


@pytest.mark.parametrize(
    ("game", "ticks", "took_s", "seconds"),
    [
        ("pong", 1800, 30.2, 30.0),
        # The clock was set back while it ran.
        ("pong", 1800, -3600, 30.0),
        ("relay", 12, 45, 45.0),
        ("relay", 12, -3600, None),
        ("relay", 12, 0, None),
        ("gone", 12, 45, 45.0),
    ],
)
def test_the_duration_of_a_match_follows_from_its_ticks(
    game: str, ticks: int, took_s: float, seconds: float | None
) -> None:
    match = PlayedMatch(
        id="r-1",
        game=game,
        rules_version=1,
        players=[],
        users=[],
        position=1,
        started_at=10**15,
        ended_at=10**15 + int(took_s * 1e6),
        ticks=ticks,
        reason="left",
        winner=None,
        scores=None,
    )
    assert seconds_of(match) == seconds
    assert seconds_of(msgspec.structs.replace(match, ended_at=None, ticks=None)) is None


def played(*players: str, **fields: Any) -> PlayedMatch:
    known: dict[str, Any] = {
        "id": "a1b2c3d4e5f6-1",
        "game": "connect_four",
        "rules_version": 2,
        "players": [*players],
        "users": [*players],
        "position": 1,
        "started_at": 10**15,
        "ended_at": 10**15 + 61_900_000,
        "ticks": 12,
        "reason": "turn_timeout",
        "winner": 0,
        "scores": [1, 0],
    }
    return PlayedMatch(**known | fields)


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize(
    ("players", "shown"),
    [
        (("Ana", "Ben"), ["Ana 1:0 Ben"]),
        (("A" * 64, "B" * 64), ["A… 1:0 B", "B…"]),
        (("あ" * 64, "B"), ["… 1:0 B "]),
        (("Ana", "B" * 64), ["Ana 1:0 B", "B…"]),
    ],
)
def test_in_a_narrow_terminal_only_names_are_cut(
    players: tuple[str, str], shown: list[str], width: int
) -> None:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(narrow_table([played(*players), played("C", "D")], width))
    lines = [line for line in captured.get().splitlines() if "a1b2c3d4e5f6-1" in line]
    assert len(lines) == 2
    assert all(part in lines[0] for part in shown), lines[0]
    for line in lines:
        assert cell_len(line) <= width
        assert "connect_four" in line
        assert line.rstrip().endswith("61  turn_timeout")


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        (Wanted(since="1d", until="2d"), "--until"),
        (Wanted(since="2026-11-24T15:00", until="2026-11-24"), "--until"),
        (Wanted(since="9999-01-01"), "--since"),
    ],
)
def test_times_between_which_nothing_can_be_are_refused(wanted: Wanted, hint: str) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        list_matches(wanted, 20, 1, "table")
    assert refused.value.param_hint == hint
