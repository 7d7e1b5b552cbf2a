"""Events of old matches leave the log into a file, and all is as before; on each database."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import msgspec
import psycopg
import pytest

from service.cli.verify import Check, stored_snapshots
from service.domain.events.base import Event, Position
from service.domain.events.log import LogArchived
from service.domain.events.matches import MatchEnded, MatchEvent
from service.domain.events.matchmaking import SearchStarted
from service.domain.events.presence import (
    SocketClosed,
    SocketOpened,
    UserCameOnline,
    UserWentOffline,
)
from service.domain.events.rooms import (
    RoomBecameReady,
    RoomClosed,
    RoomCreated,
    SeatTaken,
    Visibility,
)
from service.domain.projections import rooms
from service.domain.projections import world as world_module
from service.domain.projections.lobby import Lobby
from service.domain.projections.world import _FOLDS, World
from service.eventstore import archiving, baselines, migrate
from service.eventstore.archive_file import Archived, ArchiveFiles, ArchiveWriter
from service.eventstore.archive_proof import NotProved
from service.eventstore.archiving import ArchiveRefused, Done, archive
from service.eventstore.copying import copy_log
from service.eventstore.integrity import BrokenChain, broken_match
from service.eventstore.lock import LogInUse
from service.eventstore.postgres_schema import conninfo, driver_url, is_postgres
from service.eventstore.read_models.match_history import (
    MatchQuery,
    find_matches,
    match_events,
    private_matches,
)
from service.eventstore.read_models.postgres_rebuild import rebuild_tables as rebuild_on_postgres
from service.eventstore.read_models.rebuild import Comparison
from service.eventstore.reader import Reader, open_database
from service.eventstore.skips import read_skips
from service.eventstore.store import Store
from service.games.catalogue import GAMES
from service.replay.replay import Replay
from tests.integration.eventstore.store_database import Database, committed
from tests.integration.log_file import append_of
from tests.postgres import Postgres
from tests.unit.replay.test_games_without_ticks import connect_four

Result = TypeVar("Result")

PATIENCE_S = 10.0

ANA, BEN, CAT, DAN = 70_001, 70_002, 70_003, 70_004


class Log:
    """A log in which evenings are played."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.database = database
        self.directory = directory

    def append(self, *events: Event) -> None:
        committed(self._opened(), append_of(*events))
        self.database.close()

    def _opened(self) -> Store:
        """Open the store when the server has ended the session of the one before."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.database.opened()
            except LogInUse:
                assert time.monotonic() < until
                time.sleep(0.01)

    def read(self, ask: Callable[[Reader], Awaitable[Result]]) -> Result:
        """Ask a reader that knows the directory of archives."""
        return self.ask(ask, self.directory)

    def read_without_archives(self, ask: Callable[[Reader], Awaitable[Result]]) -> Result:
        return self.ask(ask, None)

    def archive(self, *, before_us: int | None = None) -> Done:
        """Archive what ended by now."""
        before = time.time_ns() // 1000 + 1 if before_us is None else before_us

        async def run(reader: Reader) -> Done:
            return await archive(reader, self.database.url, self.directory, before, lambda *_: None)

        return self.read(run)

    def events(self) -> list[tuple[Position, Event]]:
        async def all_of(reader: Reader) -> list[tuple[Position, Event]]:
            return [(one.position, one.event) async for page in reader.read() for one in page]

        return self.read(all_of)

    def world(self) -> World:
        """Fold what is in the database."""
        world = World()
        for position, event in self.events():
            world.fold(event, position)
        return world

    def change(self, statement: str) -> None:
        """Try to change the database as an operator might."""
        if is_postgres(self.database.url):
            with closing(psycopg.connect(conninfo(self.database.url), autocommit=True)) as other:
                other.execute(statement.encode())
            return
        path = self.database.url.partition(":///")[2]
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(statement)

    def verify(self) -> None:
        async def check(reader: Reader) -> None:
            url = self.database.url
            path = self.directory if is_postgres(url) else migrate.database_path(url)
            comparison = Comparison(path, driver_url(url))
            try:
                skips = await read_skips(reader)
                snapshots = await stored_snapshots(reader)
                await Check(reader, comparison, snapshots, skips).walk()
            finally:
                comparison.close()

        self.read(check)

    def ask(self, ask: Callable[[Reader], Awaitable[Result]], directory: Path | None) -> Result:
        """Ask a reader that has this directory of archives."""

        async def run() -> Result:
            reader = Reader(open_database(self.database.url), directory)
            try:
                return await ask(reader)
            finally:
                await reader.close()

        return asyncio.run(run())


@pytest.fixture
def log(database: Database, tmp_path: Path) -> Log:
    return Log(database, tmp_path / "archives")


def match(room: str, users: Sequence[int], number: int) -> list[Event]:
    """Return a real match of connect four."""
    events: list[Event] = []
    for event in connect_four(7, [3, 3, 2, 2, 1, 1, 0]).events:
        named: MatchEvent = msgspec.structs.replace(event, match=f"{room}-{number}")
        if hasattr(named, "players"):
            named = msgspec.structs.replace(named, players=list(users))
        events.append(named)
    return events


def evening(
    room: str,
    *users: int,
    visibility: Visibility = "public",
    stays: bool = False,
    number: int = 1,
) -> list[Event]:
    """Return what happens when users come, play a match in a room of their own, and go."""
    sockets = {user: f"n1.1.{user}{room}" for user in users}
    game = RoomCreated(
        room=room,
        game="connect4",
        players=list(users),
        options={},
        seats_min=2,
        seats_max=2,
        visibility=visibility,
    )
    events: list[Event] = []
    for user, socket in sockets.items():
        events += [UserCameOnline(user), SocketOpened(user, socket)]
    events += [game, *(SeatTaken(room, user, socket) for user, socket in sockets.items())]
    events += [RoomBecameReady(room), *match(room, users, number)]
    if not stays:
        events.append(RoomClosed(room, "empty"))
    for user, socket in sockets.items():
        events += [SocketClosed(user, socket, 1000), UserWentOffline(user)]
    return events


def test_old_matches_leave_the_log_and_the_world_is_the_same(log: Log) -> None:
    log.append(*evening("r1", ANA, BEN), *evening("r2", ANA, BEN), *evening("r3", ANA, BEN))
    before, world = log.events(), log.world()
    done = log.archive()
    # Who left the last room, and which, is part of the world.
    assert (done.rooms, done.matches, done.kept) == (2, 2, 1)
    after = log.events()
    said = after[-1][1]
    assert isinstance(said, LogArchived)
    assert after[:-1] == [one for one in before if one in after]
    assert (said.count, said.file) == (len(before) - len(after) + 1, done.file)
    assert {event.stream for _, event in before} - {event.stream for _, event in after} == {
        *("room:r1", "match:r1-1", "room:r2", "match:r2-1")
    }
    now = log.world()
    assert now.position == world.position + 1
    now.position = world.position
    assert now == world
    log.verify()


def test_archived_matches_are_read_and_verified_as_before(log: Log) -> None:
    log.append(*evening("r1", ANA, BEN, visibility="private"), *evening("r2", ANA, BEN))
    events = log.read(lambda reader: match_events(reader, "r1-1"))
    found = log.read(lambda reader: find_matches(reader, MatchQuery()))
    rows = log.read(lambda reader: rows_of(reader, "room:r1"))
    assert log.archive().rooms == 1
    assert log.read(lambda reader: match_events(reader, "r1-1")) == events
    assert log.read(lambda reader: rows_of(reader, "room:r1")) == rows
    assert Replay(events, GAMES).verify() is None
    assert log.read(lambda reader: broken_match(reader, "r1-1")) is None
    assert log.read(lambda reader: broken_match(reader, "r2-1")) is None
    assert log.read(lambda reader: find_matches(reader, MatchQuery())) == found
    # No file is needed for lists.
    hidden = log.read_without_archives(lambda reader: private_matches(reader, found))
    assert hidden == {"r1-1"}


async def rows_of(reader: Reader, stream: str) -> list[object]:
    pages = reader.rows(stream=stream, limit=2)
    return [row async for page in pages for row in page]


def test_without_its_file_an_archived_match_is_refused_by_name(log: Log) -> None:
    log.append(*evening("r1", ANA, BEN), *evening("r2", ANA, BEN))
    file = log.archive().file
    assert file is not None
    for directory in (None, log.directory / "elsewhere"):
        with pytest.raises(Archived, match=f"ARCHIVED.*{file}"):
            log.ask(lambda reader: match_events(reader, "r1-1"), directory)
    # Others are not concerned.
    assert log.read_without_archives(lambda reader: match_events(reader, "r2-1"))
    (log.directory / file).rename(log.directory / "moved")
    with pytest.raises(Archived, match=file):
        log.verify()


def test_rows_leave_the_log_in_no_other_way(log: Log) -> None:
    log.append(*evening("r1", ANA, BEN), *evening("r2", ANA, BEN))
    log.archive()
    for statement in (
        "DELETE FROM events WHERE position = 1",
        "DELETE FROM events",
        "UPDATE events SET data = data",
        "DELETE FROM archive_gaps",
        "UPDATE archives SET count = 1",
        "INSERT INTO archive_gaps SELECT 1, 2, hash, 3 FROM archive_gaps",
        "INSERT INTO archive_gaps SELECT 1, 2, hash, archive FROM archive_gaps LIMIT 1",
    ):
        if statement.endswith("LIMIT 1"):
            # Only in the transaction of its event: something was appended since.
            log.append(UserCameOnline(CAT))
        with pytest.raises((sqlite3.Error, psycopg.Error), match=r"immutable|log\.archived"):
            log.change(statement)
    log.verify()


def test_what_is_not_over_stays_in_the_log(log: Log) -> None:
    log.append(*evening("r0", ANA, BEN), *evening("r1", ANA, BEN))
    log.append(*evening("r2", ANA, BEN, stays=True))
    cut = log.read(lambda reader: reader.page())[0].recorded_at
    assert log.archive(before_us=cut) == Done(None, 0, 0, 0, 0, is_complete=True)
    done = log.archive()
    assert done.rooms == 1
    assert {event.stream for _, event in log.events()} >= {"room:r2", "match:r2-1"}
    assert log.archive().file is None


def test_the_log_goes_on_and_is_archived_again(log: Log) -> None:
    log.append(*evening("club", ANA, BEN), *evening("r2", ANA, BEN))
    first = log.archive()
    # A room with a name is opened again: its stream goes on, also in the next archive.
    log.append(*(one for one in evening("club", ANA, CAT) if not isinstance(one, MatchEvent)))
    log.append(*evening("r3", ANA, BEN), *evening("r4", CAT, BEN))
    second = log.archive()
    assert first.file != second.file
    assert second.rooms == 2
    versions = [row.version for row in log.read(lambda reader: rows_of(reader, "room:club"))]  # type: ignore[attr-defined]  # rows
    assert versions == list(range(1, len(versions) + 1))
    assert log.read(lambda reader: match_events(reader, "r2-1"))
    log.verify()


def test_a_directory_without_the_earlier_archives_is_refused(log: Log, tmp_path: Path) -> None:
    log.append(*evening("r1", ANA, BEN), *evening("r2", ANA, BEN))
    first = log.archive()
    log.append(*evening("r3", ANA, BEN), *evening("r4", CAT, BEN))
    elsewhere = Log(log.database, tmp_path / "not mounted")
    with pytest.raises(ArchiveRefused, match=f"{first.file} is not in .*not mounted"):
        elsewhere.archive()
    assert not elsewhere.directory.exists()
    assert log.archive().rooms


def test_a_file_in_the_place_of_the_directory_is_refused(log: Log, tmp_path: Path) -> None:
    log.append(*evening("r1", ANA, BEN), *evening("r2", ANA, BEN))
    (tmp_path / "file").touch()
    for directory in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ArchiveRefused, match="can't be a directory"):
            Log(log.database, directory).archive()


def test_a_full_disk_refuses_the_archive_and_changes_nothing(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(*evening("r1", ANA, BEN), *evening("r2", ANA, BEN))
    before = log.events()

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(ArchiveWriter, "add", full)
        with pytest.raises(ArchiveRefused, match="disk is full; make room"):
            log.archive()
    assert list(log.directory.iterdir()) == []
    assert log.events() == before
    assert log.archive().file


def test_more_rows_than_an_archive_takes_leave_by_several(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("ROWS_MAX", "ROWS_MAX_ON_POSTGRES"):
        monkeypatch.setattr(archiving, limit, 20)
    log.append(*(event for number in range(5) for event in evening(f"r{number}", ANA, BEN)))
    events = log.read(lambda reader: match_events(reader, "r3-1"))
    done = [log.archive() for _ in range(4)]
    assert [one.is_complete for one in done] == [False, False, False, True]
    assert [one.rooms for one in done] == [1, 1, 1, 1]
    assert len({one.file for one in done}) == 4
    assert log.read(lambda reader: match_events(reader, "r3-1")) == events
    log.verify()


def test_the_baseline_is_the_world_that_needs_no_archived_event(log: Log) -> None:
    log.append(*evening("r1", ANA, BEN), *evening("r2", ANA, BEN), *evening("r3", CAT, BEN))
    world = log.world()
    log.archive()
    stored = log.read(lambda reader: reader.archived.baseline())
    assert stored is not None
    assert baselines.restore(stored) == world


@pytest.mark.parametrize("change", ["rows", "digest", "hash"])
def test_a_changed_archive_is_found(log: Log, change: str) -> None:
    log.append(*evening("r1", ANA, BEN), *evening("r2", ANA, BEN))
    file = log.archive().file
    assert file is not None
    path = log.directory / file
    with closing(sqlite3.connect(path)) as connection, connection:
        if change == "rows":
            connection.execute("DELETE FROM events WHERE type = 'match.input'")
        elif change == "hash":
            connection.execute("UPDATE events SET hash = zeroblob(32) WHERE type = 'room.closed'")
        else:
            connection.execute("UPDATE events SET actor = 'eve' WHERE type = 'match.input'")
    with pytest.raises(BrokenChain, match=f"it is in the archive {file}"):
        log.verify()


@pytest.mark.postgres
def test_nodes_of_a_cluster_go_on_while_rows_leave_the_log(
    postgres: Postgres, tmp_path: Path
) -> None:
    database = Database(postgres.create_log())
    log = Log(database, tmp_path / "archives")
    try:
        log.append(*evening("r1", ANA, BEN), *evening("r2", ANA, BEN))
        node = database.node("web-1")
        committed(node, append_of(UserCameOnline(CAT)))
        assert log.archive().rooms == 1
        (added,) = committed(node, append_of(UserWentOffline(CAT)))
        assert added.positions == [node.head.position]
        log.verify()
        # A node that was stopped before may have an archived event in its side file.
        assert node.is_archived(6)
        assert not node.is_archived(1)
    finally:
        database.close()


@pytest.mark.postgres
def test_derived_tables_on_postgresql_are_rebuilt_from_archives(
    postgres: Postgres, tmp_path: Path
) -> None:
    database = Database(postgres.create_log())
    log = Log(database, tmp_path / "archives")
    side_file = tmp_path / "side"
    log.append(*evening("r1", ANA, BEN), *evening("r2", ANA, BEN))
    assert log.archive().rooms == 1
    matches = log.read(lambda reader: find_matches(reader, MatchQuery()))
    log.change("DELETE FROM match_players")
    log.change("DELETE FROM matches")
    with pytest.raises(Archived):
        rebuild_on_postgres(database.conninfo, side_file, lambda *_: None)
    rebuild_on_postgres(database.conninfo, side_file, lambda *_: None, ArchiveFiles(log.directory))
    assert log.read(lambda reader: find_matches(reader, MatchQuery())) == matches
    log.verify()


@pytest.mark.postgres
def test_a_service_that_runs_alone_must_be_stopped(postgres: Postgres, tmp_path: Path) -> None:
    database = Database(postgres.create_log())
    log = Log(database, tmp_path / "archives")
    try:
        log.append(*evening("r1", ANA, BEN), *evening("r2", ANA, BEN))
        database.opened()
        with pytest.raises(LogInUse, match="stop it"):
            log.archive()
        database.close()
        assert log.archive().rooms == 1
    finally:
        database.close()


def online(*users: int) -> list[Event]:
    return [
        event
        for user in users
        for event in (UserCameOnline(user), SocketOpened(user, f"n1.1.{user}x"))
    ]


def room_without_presence(room: str, *users: int) -> list[Event]:
    """Return an evening of users who are online anyway."""
    left_out = UserCameOnline | UserWentOffline | SocketOpened | SocketClosed | SeatTaken
    return [event for event in evening(room, *users) if not isinstance(event, left_out)]


def test_a_room_that_ended_a_search_stays_while_the_search_would_come_back(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the room its players, who are still online, would be in the queue again."""
    # No room is named as the one that they left last.
    monkeypatch.setattr(rooms, "REMEMBERED_MAX", 1)
    log.append(*online(ANA, BEN), SearchStarted(ANA, "connect4"), SearchStarted(BEN, "connect4"))
    log.append(*room_without_presence("r1", ANA, BEN))
    log.append(*evening("r2", CAT, DAN), *evening("r3", CAT, DAN))
    world = log.world()
    done = log.archive()
    assert (done.rooms, done.kept) == (1, 2)
    assert {event.stream for _, event in log.events()} >= {"room:r1", "match:r1-1", "room:r3"}
    assert log.world().matchmaking == world.matchmaking


def test_a_fold_that_counts_what_would_leave_refuses_the_archive(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No rule here knows of the projections: a new one decides by itself."""
    log.append(*evening("r1", ANA, BEN), *evening("r2", ANA, BEN))

    def counting(lobby: Lobby, _event: Event, _position: Position) -> None:
        lobby.members[-len(lobby.members)] = set()

    folds = [*_FOLDS[MatchEnded], ("lobby", counting)]
    monkeypatch.setattr(world_module, "_FOLDS", _FOLDS | {MatchEnded: folds})
    before = log.events()
    with pytest.raises(NotProved, match="nothing was changed"):
        log.archive()
    assert log.events() == before
    assert not log.directory.exists()


@pytest.mark.parametrize("to", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_a_copy_of_a_log_goes_on_with_its_archives(
    log: Log, tmp_path: Path, request: pytest.FixtureRequest, to: str
) -> None:
    log.append(*evening("club", ANA, BEN), *evening("r2", ANA, BEN))
    assert log.archive().rooms == 1
    if to == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path}/copy.db"
    else:
        url = request.getfixturevalue("postgres").create_database()
    copy_log(log.database.url, url, lambda *_: None)
    copy = Log(Database(url), log.directory)
    for table in ("archives", "archive_gaps", "archived_streams", "baselines"):
        rows = log.database.query(f"SELECT * FROM {table}")  # noqa: S608 - a name of ours
        assert sorted(copy.database.query(f"SELECT * FROM {table}")) == sorted(rows) != []  # noqa: S608 - the same
    assert copy.events() == log.events()
    assert copy.read(lambda reader: match_events(reader, "club-1"))
    copy.append(*evening("r3", ANA, BEN))
    copy.verify()
    with pytest.raises((sqlite3.Error, psycopg.Error), match="immutable"):
        copy.change("DELETE FROM events WHERE position = 1")
    copy.database.close()
