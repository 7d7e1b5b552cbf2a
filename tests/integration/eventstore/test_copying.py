"""A log is copied from SQLite to PostgreSQL and back, and nothing of it differs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from service.domain.events.matches import MatchEnded, MatchStarted
from service.domain.events.outbox import ConsumerSubscribed
from service.domain.personal_data import PersonalData, Text
from service.errors import ConfigurationError
from service.eventstore import migrate
from service.eventstore.copying import CopyDiffers, CopyRefused, copy_log
from service.eventstore.integrity import BrokenChain
from service.eventstore.lock import LogInUse
from service.eventstore.plan import Append
from service.eventstore.postgres import PostgresStore
from service.eventstore.postgres_schema import conninfo
from service.eventstore.records import Head
from service.eventstore.sqlite import SqliteStore
from tests.integration.log_file import BUSY_MS, NODE, append_of, joined, proposed
from tests.postgres import Postgres

pytestmark = pytest.mark.postgres

TABLES = (
    "events",
    "log_head",
    "profiles",
    "texts",
    "matches",
    "match_players",
    "consumers",
    "outbox",
    "bearers",
    "snapshots",
    "skipped",
    "stream_index",
)


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of all tables."""
    with closing(sqlite3.connect(path)) as database:
        return {
            table: sorted(database.execute(f"SELECT * FROM {table}"), key=repr)  # noqa: S608 - a name of ours
            for table in TABLES
        }


@pytest.fixture
def original(tmp_path: Path) -> str:
    """A log with some of everything."""
    url = f"sqlite+aiosqlite:///{tmp_path}/log.db"
    migrate.upgrade(url)
    store = SqliteStore(tmp_path / "log.db", NODE, BUSY_MS)
    match = "r" * 60 + "-12345"
    started = MatchStarted(match, 0, "pong", 1, [7, "ana"], 1, {}, "ticks", None)
    ended = MatchEnded(match=match, tick=60, reason="timeup", winner=1, scores=[0, 2], hash="h")
    data = PersonalData(
        {"7": "Ana ☃", "B": "1", "a": "2", "Ä": "3"}, {"c-1": Text("salt", "hi: 100 %")}
    )
    store.commit([append_of(ConsumerSubscribed("webhook"), started)])
    store.execute(
        'INSERT INTO bearers (match, "user", sealed) VALUES (:match, :user, :sealed)',
        {"match": match, "user": "7", "sealed": b"\x00\xff"},
    )
    store.commit([append_of(ended), *(append_of(joined(n % 7)) for n in range(2500))])
    store.commit([Append(proposed(joined("ünï")), {}, data)])
    store.save_snapshot("world", "v1", 3, b"\x00snapshot", needed_from=0)
    store.execute("INSERT INTO skipped VALUES (5, 'why', 'me', 0)", {})
    while store.unindexed:
        store.fill_index()
    store.close()
    return url


def test_a_copy_there_and_back_is_equal_to_the_original(
    postgres: Postgres, original: str, tmp_path: Path
) -> None:
    there, back = postgres.create_database(), f"sqlite+aiosqlite:///{tmp_path}/back/log.db"
    before, steps = dump(tmp_path / "log.db"), list[tuple[int, int]]()
    head = copy_log(original, there, lambda done, total: steps.append((done, total)))
    assert steps[-1] == (2 * head.position, 2 * head.position)
    assert steps == sorted(steps)
    # The files of the service stay in the directory while its log is on PostgreSQL.
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "log.lock").write_text("1")
    assert copy_log(there, back, _silent) == head
    assert dump(tmp_path / "back" / "log.db") == before == dump(tmp_path / "log.db")
    assert sorted(path.name for path in (tmp_path / "back").iterdir()) == ["log.db", "log.lock"]


def test_the_store_goes_on_with_the_copy(postgres: Postgres, original: str) -> None:
    url = postgres.create_database()
    head = copy_log(original, url, _silent)
    with closing(PostgresStore(conninfo(url), NODE, BUSY_MS)) as store:
        assert store.head == head
        assert store.load_snapshot("world", "v1", 10) == (3, b"\x00snapshot")
        store.commit([append_of(joined(1))])
        assert store.last_version("user:1") == 358


def test_an_empty_log_is_copied(postgres: Postgres, tmp_path: Path) -> None:
    source = f"sqlite+aiosqlite:///{tmp_path}/log.db"
    migrate.upgrade(source)
    assert copy_log(source, postgres.create_log(), _silent).position == 0


def test_a_target_with_events_is_refused(postgres: Postgres, original: str, tmp_path: Path) -> None:
    url = postgres.create_database()
    copy_log(original, url, _silent)
    for source, target in ((original, url), (url, original), (url, url)):
        with pytest.raises(CopyRefused):
            copy_log(source, target, _silent)
    assert dump(tmp_path / "log.db")["events"]


def test_a_log_in_use_is_refused(postgres: Postgres, original: str, tmp_path: Path) -> None:
    url = postgres.create_log()
    with closing(PostgresStore(conninfo(url), NODE, BUSY_MS)):
        with pytest.raises(LogInUse):
            copy_log(original, url, _silent)
        with pytest.raises(LogInUse):
            copy_log(url, f"sqlite+aiosqlite:///{tmp_path}/back.db", _silent)
    assert not (tmp_path / "back.db").exists()


def test_a_damaged_original_leaves_the_target_empty(
    postgres: Postgres, original: str, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "log.db")) as database, database:
        database.execute("DROP TRIGGER events_refuse_update")
        database.execute("UPDATE events SET actor = 'eve' WHERE position = 2000")
    url = postgres.create_log()
    with pytest.raises(BrokenChain, match="position 2000 was changed"):
        copy_log(original, url, _silent)
    assert _count(url) == 0


def test_a_copy_that_differs_is_dropped(postgres: Postgres, original: str) -> None:
    url = postgres.create_log()
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ "
            "BEGIN NEW.name := upper(NEW.name); RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER t BEFORE INSERT ON profiles FOR EACH ROW EXECUTE FUNCTION f()"
        )
    with pytest.raises(CopyDiffers, match="profiles"):
        copy_log(original, url, _silent)
    assert _count(url) == 0


def test_a_server_that_is_not_there_is_named_without_the_password(original: str) -> None:
    with pytest.raises(ConfigurationError, match="can't be used") as caught:
        copy_log(original, "postgresql+psycopg://u:hidden@127.0.0.1:1/d", _silent)
    assert "hidden" not in caught.value.message


def _silent(_done: int, _total: int) -> None:
    """Show no progress."""


def _count(url: str) -> int:
    with psycopg.connect(conninfo(url)) as connection:
        row = connection.execute("SELECT count(*) FROM events").fetchone()
        assert row is not None
        return int(row[0])


def test_the_head_of_the_copy_is_that_of_the_original(postgres: Postgres, original: str) -> None:
    url = postgres.create_database()
    head = copy_log(original, url, _silent)
    with psycopg.connect(conninfo(url)) as connection:
        row = connection.execute("SELECT position, hash, epoch FROM log_head").fetchone()
    assert row is not None
    assert Head(*row) == head


def test_a_place_that_can_not_be_written_is_refused_by_name(original: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CopyRefused, match=f"can't be written to {tmp_path}/file"):
        copy_log(original, f"sqlite+aiosqlite:///{tmp_path}/file/log.db", lambda *_: None)
