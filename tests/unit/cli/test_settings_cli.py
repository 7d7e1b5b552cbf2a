import json
import re
import subprocess
import sys

import pytest

from service import __version__
from service.bounds import bounds, total_of
from service.cli import main
from service.settings import Settings, describe

SECRET = "a-secret-that-is-long-enough-for-hs256"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    """Run the command as a shell would and return its exit code."""
    monkeypatch.setattr("sys.argv", ["ws-service", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_the_table_shows_every_setting_in_force_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JWT_SECRET", SECRET)
    monkeypatch.setenv("WS_INVITE_TTL_S", "77")
    monkeypatch.setenv("JWT_AUDIENCE", "[bold]x")

    assert run(monkeypatch, "settings") == 0

    lines = capsys.readouterr().out.splitlines()
    cells = {words[0]: words[1:] for words in map(str.split, lines) if words}
    assert {row.env for row in describe(Settings())} <= cells.keys()
    assert cells["JWT_SECRET"][0] == "***"
    assert cells["WS_INVITE_TTL_S"][:4] == ["77", "s", "60", "s"]
    assert cells["JWT_AUDIENCE"][0] == "[bold]x"
    assert SECRET not in str(lines)


def test_json_output_is_machine_readable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JWT_SECRET", SECRET)

    assert run(monkeypatch, "settings", "--json") == 0

    out = capsys.readouterr().out
    rows = {row["env"]: row for row in json.loads(out)}
    assert rows["WS_PORT"]["default"] == "4000"
    assert rows["JWT_SECRET"]["value"] == "***"
    assert SECRET not in out


def test_a_wrong_setting_is_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WS_PORT", "x")

    assert run(monkeypatch, "settings") == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "error: WS_PORT=x is not allowed: it must be a whole number from 0 to 65535\n"
    )


def test_the_package_runs_and_prints_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "service", "--version"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stdout == f"ws-service {__version__}\n"


def test_the_memory_bounds_follow_from_the_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sums = []
    for tail in (64, 128):
        monkeypatch.setenv("WS_TAIL_BYTES_MAX", str(tail * 1024**2))
        assert run(monkeypatch, "settings") == 0
        out = capsys.readouterr().out
        assert "Memory bounds" in out
        assert f"{tail}.0 MiB" in out
        found = re.search(r"in all, by one hostile user +([0-9.]+) MiB", out)
        assert found is not None
        sums.append(float(found[1]))
    assert sums[1] - sums[0] == pytest.approx(64, abs=0.2)


def test_each_bound_names_existing_settings() -> None:
    envs = {row.env for row in describe(Settings())}
    rows = bounds(Settings())
    assert {env for row in rows for env in row.limits} <= envs
    assert all(row.bytes > 0 for row in rows)
    assert total_of(rows, 2) - total_of(rows) == sum(
        row.bytes for row in rows if row.scope == "user"
    )
