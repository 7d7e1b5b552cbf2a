"""Copy a log between SQLite and PostgreSQL, row by row, and verify the copy.

Events keep their positions, versions, hashes and times, and the log keeps its epoch: clients resume
on the copy as on the original.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from sqlalchemy import create_engine, func, insert, select
from sqlalchemy.pool import NullPool

from service.errors import ConfigurationError, ServiceError
from service.eventstore import migrate, stream_index
from service.eventstore.durable_files import make_directory, move
from service.eventstore.inspection import LogFiles
from service.eventstore.integrity import ChainCheck
from service.eventstore.lock import LogInUse, LogLock
from service.eventstore.postgres_schema import TRY_LOCK, is_postgres, name_of
from service.eventstore.records import GENESIS, Head, Row
from service.eventstore.tables import (
    archive_gaps,
    archived_streams,
    archives,
    baselines,
    consumers,
    events,
    kept_tokens,
    log_head,
    match_players,
    matches,
    outbox,
    profiles,
    skipped,
    snapshots,
    texts,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Table

ROWS_PER_PAGE: Final = 1000
"""Rows that are in memory at once."""

_TABLES: Final = (
    log_head,
    skipped,
    profiles,
    texts,
    matches,
    match_players,
    consumers,
    outbox,
    kept_tokens,
    snapshots,
    archives,
    archive_gaps,
    archived_streams,
    baselines,
)
"""All tables but the events and their index, in the order of their foreign keys."""


class CopyRefused(ConfigurationError):
    """The log can't be copied there; nothing was changed."""


class CopyDiffers(ServiceError):
    """The copy is not equal to the original, and was dropped."""


def copy_log(source: str, target: str, progress: Callable[[int, int], None]) -> Head:
    """Copy the log at the URL `source` to the empty or missing one at `target`; return its head.

    `progress` gets the number of events that are copied or verified, and twice their number. The
    service must not run. Raises `ConfigurationError`, `BrokenChain` for a damaged original, or
    `CopyDiffers`; then `target` is as it was.
    """
    migrate.check(source)
    if source == target:
        raise CopyRefused("the log can't be copied to itself")
    if is_postgres(target):
        migrate.upgrade(target)
        return _copy(source, target, progress)
    return _copy_to_file(source, migrate.database_path(target), progress)


def _copy_to_file(source: str, path: Path, progress: Callable[[int, int], None]) -> Head:
    """Write the copy into a directory of its own, and move it to its place when it is verified."""
    files = LogFiles(path)
    found = [one for one in (files.database, files.wal, files.journal) if one.exists()]
    if found:
        raise CopyRefused(f"there is a log at {found[0]}: move it away first")
    try:
        make_directory(files.database.parent, 0o700)
        directory = Path(
            tempfile.mkdtemp(prefix=".ws-service-copy-", suffix=".partial", dir=path.parent)
        )
    except OSError as error:
        raise CopyRefused(
            f"the copy can't be written to {path.parent}: {error.strerror}; choose another "
            "directory, or check that you may write to it"
        ) from error
    try:
        draft = directory / "log.db"
        url = f"sqlite+aiosqlite:///{draft}"
        migrate.upgrade(url)
        head = _copy(source, url, progress)
        move(draft, files.database)
    finally:
        shutil.rmtree(directory)
    return head


def _copy(source: str, target: str, progress: Callable[[int, int], None]) -> Head:
    with _opened(source) as original, _opened(target) as copy:
        if copy.execute(select(events.c.position).limit(1)).first() is not None:
            raise CopyRefused(f"the log at {name_of(target)} has events: copy to an empty one")
        copy.execute(log_head.delete())
        head = _head(original)
        for rows in _checked_pages(original, head):
            copy.execute(insert(events), [row._asdict() for row in rows])
            progress(rows[-1].position, 2 * head.position)
        for table in _TABLES:
            for page in _pages(original, table):
                copy.execute(insert(table), page)
        if copy.dialect.name == "sqlite":
            driver = cast("sqlite3.Connection", copy.connection.driver_connection)
            stream_index.refill(driver, head.position)
        # The last hash proves that every row is equal.
        for rows in _checked_pages(copy, head):
            progress(head.position + rows[-1].position, 2 * head.position)
        for table in _TABLES:
            if list(_pages(original, table)) != list(_pages(copy, table)):
                raise CopyDiffers(f"the table {table.name} differs in the copy")
    return head


def _checked_pages(connection: Connection, head: Head) -> Iterator[list[Row]]:
    """Yield all events page by page; raise `BrokenChain` unless their hashes lead to `head`."""
    check = ChainCheck()
    while rows := _rows_after(connection, check.position):
        for row in rows:
            if row.position != check.position + 1:
                _pass_over_gaps(connection, check, row.position)
            check.check(row)
        yield rows
    check.finish(head)


def _pass_over_gaps(connection: Connection, check: ChainCheck, until: int) -> None:
    """Let `check` go over the rows that archives have, up to the row at `until`."""
    while check.position + 1 < until:
        gap = select(archive_gaps.c.last, archive_gaps.c.hash)
        found = connection.execute(gap.where(archive_gaps.c.first == check.position + 1)).first()
        if found is None:
            return
        check.pass_over(found.last, found.hash)


def _rows_after(connection: Connection, position: int) -> list[Row]:
    columns = [events.c[name] for name in Row._fields]
    statement = select(*columns).where(events.c.position > position)
    found = connection.execute(statement.order_by(events.c.position).limit(ROWS_PER_PAGE))
    return [Row(*row) for row in found]


def _pages(connection: Connection, table: Table) -> Iterator[list[dict[str, object]]]:
    """Yield the rows of a table in the order of its primary key, which is that of bytes."""
    keys = [
        func.convert_to(column, "UTF8")
        if connection.dialect.name == "postgresql" and column.type.python_type is str
        else column
        for column in table.primary_key
    ]
    found = connection.execution_options(yield_per=ROWS_PER_PAGE).execute(
        select(table).order_by(*keys)
    )
    for page in found.mappings().partitions():
        yield [dict(row) for row in page]


def _head(connection: Connection) -> Head:
    columns = (log_head.c.position, log_head.c.hash, log_head.c.epoch)
    row = connection.execute(select(*columns)).one_or_none()
    return Head(0, GENESIS, "") if row is None else Head(*row)


@contextmanager
def _opened(url: str) -> Iterator[Connection]:
    """Lock a log, and begin a transaction on it."""
    if is_postgres(url):
        engine = create_engine(url, poolclass=NullPool, isolation_level="REPEATABLE READ")
        with engine.begin() as connection:
            if not connection.exec_driver_sql(TRY_LOCK).scalar_one():
                raise LogInUse(f"a ws-service is using the log at {name_of(url)}; stop it first")
            yield connection
        return
    lock = LogLock(LogFiles(migrate.database_path(url)).lock)
    try:
        with migrate.transaction(url) as connection:
            yield connection
    finally:
        lock.release()
