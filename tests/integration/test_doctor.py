"""What `ws-service doctor` finds on SQLite, and how it judges."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from service.cli.doctor.database import clock_finding, growth_finding
from service.cli.doctor.findings import Finding, worst
from service.cli.doctor.machine import file_system_of
from service.eventstore import migrate
from tests.command_line import CommandLine

SECRET = "7d5c1e0f9a8b76543210fedcba9876543210abcdef012345"
ORIGINS = {"WS_ALLOWED_ORIGINS": "https://play.example.org"}

Check = dict[str, Any]


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    """The command, with a data directory that does not exist yet."""
    return CommandLine(tmp_path / "data")


def examined(command: CommandLine, **settings: str) -> tuple[int, dict[str, list[Check]]]:
    """Return the exit code, and what was found, by check."""
    done = command.run("doctor", "--json", **{"JWT_SECRET": SECRET, **ORIGINS, **settings})
    assert done.err == ""
    report = json.loads(done.out)
    found: dict[str, list[Check]] = {}
    for one in report["checks"]:
        found.setdefault(one["check"], []).append(one)
    assert done.code == (report["status"] == "fail")
    return done.code, found


def judged(found: dict[str, list[Check]], check: str) -> set[str]:
    return {one["status"] for one in found[check]}


def make_log(command: CommandLine, *recorded_at: float) -> Path:
    """Make a log whose events were recorded at these times, in seconds since 1970."""
    path = command.data_dir / "ws-service.db"
    migrate.upgrade(f"sqlite+aiosqlite:///{path}")
    with closing(sqlite3.connect(path)) as log, log:
        for position, at in enumerate(recorded_at, 1):
            log.execute(
                "INSERT INTO events (position, stream, version, type, schema_version, event_id,"
                " correlation_id, node, recorded_at, data, hash)"
                " VALUES (?, 'x', ?, 'x', 1, ?, 'x', 'n1', ?, '{}', ?)",
                (position, position, bytes([position]), int(at * 1_000_000), bytes(32)),
            )
        if recorded_at:
            head = (len(recorded_at), bytes(32))
            log.execute(
                "INSERT INTO log_head (id, position, hash, epoch) VALUES (1, ?, ?, 'e')", head
            )
    return path


def test_a_fresh_machine_has_nothing_wrong(command: CommandLine) -> None:
    code, found = examined(command)
    assert code == 0
    assert {one["status"] for ones in found.values() for one in ones} <= {"ok", "warn"}
    assert "the first start makes one" in found["database"][0]["found"]
    assert found.keys() >= {"settings", "secret", "database", "games", "disk", "open-files"}
    assert found.keys() >= {"memory", "bus"}
    assert not command.data_dir.exists()


def test_the_text_says_what_to_do(command: CommandLine) -> None:
    done = command.run("doctor", JWT_SECRET="nine-bytes-long", **ORIGINS)
    assert (done.code, done.err) == (0, "")
    assert "-> take what `openssl rand -hex 32` prints" in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("secret", "status"),
    [
        (SECRET, "ok"),
        ("nine-bytes-long", "warn"),
        ("please-changeme-please-changeme-1", "fail"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "fail"),
    ],
)
def test_a_secret_is_judged_by_its_length_and_by_what_is_in_it(
    command: CommandLine, secret: str, status: str
) -> None:
    code, found = examined(command, JWT_SECRET=secret)
    assert judged(found, "secret") == {status}
    assert code == (status == "fail")
    assert secret not in str(found)


def test_no_secret_at_all_is_a_failure_and_that_of_development_a_warning(
    command: CommandLine,
) -> None:
    assert judged(examined(command, JWT_SECRET="")[1], "secret") == {"fail"}
    command.data_dir.mkdir()
    (command.data_dir / "dev-secret").write_text(SECRET)
    (command.data_dir / "dev-secret").chmod(0o644)
    code, found = examined(command, JWT_SECRET="")
    assert judged(found, "secret") == {"warn"}
    # Others can read it.
    assert judged(found, "secret-files") == {"fail", "ok"}
    assert code == 1


def test_wrong_settings_are_the_only_finding(command: CommandLine) -> None:
    code, found = examined(command, WS_PORT="x")
    assert (code, list(found)) == (1, ["settings"])
    assert "WS_PORT=x is not allowed" in found["settings"][0]["found"]


def test_settings_that_are_unknown_or_insecure_are_warnings(command: CommandLine) -> None:
    code, found = examined(
        command,
        WS_PORTS="1",
        WS_ALLOWED_ORIGINS="*",
        WS_HOST="0.0.0.0",  # noqa: S104 - it is not bound
    )
    assert code == 0
    texts = [one["found"] for one in found["settings"] if one["status"] == "warn"]
    assert len(texts) == 3
    assert "did you mean WS_PORT?" in texts[0]
    assert "WS_TRUSTED_HOPS=0" in texts[2]


def test_published_keys_that_cannot_be_fetched_are_a_failure(command: CommandLine) -> None:
    url = "http://127.0.0.1:1/keys"
    code, found = examined(
        command, JWT_SECRET="", JWT_ALGORITHMS="ES256", JWT_JWKS_URL=url, JWT_JWKS_TIMEOUT_S="1"
    )
    assert code == 1
    assert (judged(found, "secret"), judged(found, "keys")) == ({"ok"}, {"fail"})
    assert url in found["keys"][0]["found"]


def test_a_log_of_this_version_is_in_order(command: CommandLine) -> None:
    now = time.time()
    make_log(command, now - 90_000, now - 10)
    code, found = examined(command)
    assert code == 0
    assert [judged(found, check) for check in ("database", "schema", "clock")] == [{"ok"}] * 3
    assert any("a day: full in" in one["found"] for one in found["disk"])


def test_a_log_that_ends_in_the_future_shows_a_clock_that_is_wrong(command: CommandLine) -> None:
    make_log(command, time.time() + 100)
    code, found = examined(command)
    assert (code, judged(found, "clock")) == (1, {"fail"})


def test_a_schema_of_another_version_is_told(command: CommandLine) -> None:
    path = make_log(command)

    def set_schema(revision: str) -> None:
        with closing(sqlite3.connect(path)) as log, log:
            log.execute("UPDATE alembic_version SET version_num = ?", (revision,))

    set_schema("0002")
    assert judged(examined(command)[1], "schema") == {"warn"}
    assert judged(examined(command, WS_MIGRATE_AT_START="false")[1], "schema") == {"fail"}
    set_schema("9999")
    code, found = examined(command)
    assert (code, judged(found, "schema")) == (1, {"fail"})
    assert "later version" in found["schema"][0]["found"]


def test_a_log_that_has_lost_its_end_is_a_failure(command: CommandLine) -> None:
    path = make_log(command, time.time())
    with closing(sqlite3.connect(path)) as log, log:
        log.execute("UPDATE log_head SET position = 7")
    code, found = examined(command)
    assert (code, judged(found, "database")) == (1, {"fail"})
    assert "its head says 7" in found["database"][0]["found"]


def test_a_directory_of_archives_that_cannot_be_read_is_a_failure(command: CommandLine) -> None:
    assert "archives" not in examined(command)[1]
    there = str(command.data_dir.parent)
    assert judged(examined(command, WS_ARCHIVE_DIR=there)[1], "archives") == {"ok"}
    assert judged(examined(command, WS_ARCHIVE_DIR=f"{there}/no")[1], "archives") == {"fail"}


def test_nothing_is_written(command: CommandLine) -> None:
    make_log(command, time.time())
    before = {path: path.stat().st_mtime_ns for path in command.data_dir.iterdir()}
    examined(command)
    assert {path: path.stat().st_mtime_ns for path in command.data_dir.iterdir()} == before


@pytest.mark.parametrize(
    ("ahead_s", "status"), [(0.01, "ok"), (-0.4, "ok"), (0.6, "warn"), (-2, "warn"), (6, "fail")]
)
def test_a_clock_is_judged_by_how_far_it_is_off(ahead_s: float, status: str) -> None:
    finding = clock_finding(ahead_s, "that of the database")
    assert finding.status == status
    assert ("behind" in finding.found) == (ahead_s > 0)
    assert bool(finding.advice) == (status != "ok")


def test_a_disk_that_is_full_in_two_weeks_is_a_warning() -> None:
    assert growth_finding(1000, 15_000).status == "ok"
    assert growth_finding(1000, 13_000).status == "warn"


def test_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path) -> None:
    table = tmp_path / "mounts"
    table.write_text(
        "/dev/vda / ext4 rw 0 0\nnas:/x /srv nfs4 rw 0 0\ntmpfs /srv/fast tmpfs rw 0 0\n"
    )
    assert file_system_of(Path("/srv/data"), table) == "nfs4"
    assert file_system_of(Path("/srv/fast/data"), table) == "tmpfs"
    assert file_system_of(Path("/var/lib"), table) == "ext4"
    assert file_system_of(Path("/var/lib"), tmp_path / "none") == ""


def test_the_worst_finding_counts() -> None:
    ok, warn, fail = (Finding("x", status, "") for status in ("ok", "warn", "fail"))
    assert [worst(found) for found in ([], [ok], [ok, warn], [warn, fail, ok])] == [
        "ok",
        "ok",
        "warn",
        "fail",
    ]


# Games


def record_match(path: Path, match: str, game: str, version: int, ended_at: int | None) -> None:
    with closing(sqlite3.connect(path)) as log, log:
        log.execute(
            "INSERT INTO matches (match, game, rules_version, started_position, started_at,"
            " ended_at) VALUES (?, ?, ?, 1, 1, ?)",
            (match, game, version, ended_at),
        )


def test_games_whose_rules_are_all_here_are_well(command: CommandLine) -> None:
    path = make_log(command, 1.0)
    record_match(path, "a-1", "connect_four", 1, None)
    record_match(path, "a-2", "connect_four", 2, 9)
    _, found = examined(command)
    assert judged(found, "games") == {"ok"}
    assert "connect_four" in found["games"][0]["found"]


@pytest.mark.parametrize(
    ("live", "status", "words"),
    [(0, "warn", "3 can't be replayed"), (2, "fail", "and 2 that are live will be void")],
)
def test_rules_that_recorded_matches_need_and_that_are_not_here_are_named(
    command: CommandLine, live: int, status: str, words: str
) -> None:
    path = make_log(command, 1.0)
    for number in range(3):
        record_match(path, f"a-{number}", "pong", 9, None if number < live else 9)
    code, found = examined(command)
    assert code == (status == "fail")
    (finding,) = found["games"]
    assert finding["status"] == status
    assert "version 9 of the rules of pong is not here" in finding["found"]
    assert words in finding["found"]
    assert "(here: 1)" in finding["advice"]


@pytest.mark.parametrize(("strict", "status"), [("false", "warn"), ("true", "fail")])
def test_a_game_that_cannot_be_used_is_named(
    command: CommandLine, strict: str, status: str
) -> None:
    _, found = examined(command, WS_GAMES="pong,chess", WS_GAMES_STRICT=strict)
    assert judged(found, "games") == {status}
    assert "chess of WS_GAMES is left out" in found["games"][0]["found"]
