"""`ws-service log rebuild`, `backup` and `restore`: maintenance of a whole log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.cli.common import format_time
from service.cli.progress import progress_of
from service.eventstore import migrate
from service.eventstore.archive_file import ArchiveFiles
from service.eventstore.backup import back_up
from service.eventstore.backup import restore as restore_log
from service.eventstore.inspection import LogFiles
from service.eventstore.lock import LogLock
from service.eventstore.postgres_schema import driver_url, is_postgres
from service.eventstore.read_models.rebuild import rebuild_tables
from service.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


def rebuild() -> None:
    """Rebuild what is derived from the log, while the service does not run."""
    storage = load_settings().storage
    migrate.check(storage.database_url)
    files, archives = LogFiles(storage.log_file), ArchiveFiles(storage.archive_dir)
    postgres = driver_url(storage.database_url)
    with progress_of("rebuilding") as progress:
        if postgres is None:
            with LogLock(files.lock).held():
                events = rebuild_tables(files.database, progress, archives)
        else:
            from service.eventstore.read_models import (  # noqa: PLC0415 - slow to import
                postgres_rebuild,
            )

            events = postgres_rebuild.rebuild_tables(postgres, files.side_file, progress, archives)
    print(f"ok: derived tables and indexes rebuilt from {events} events")


def backup(directory: Path) -> None:
    """Copy the log and its secret into a new folder in `directory`, and verify the copy."""
    _refuse_postgres(
        "back it up by `pg_dump --format=custom --file=FILE URL`, together with the secrets in "
        "WS_DATA_DIR or WS_CLUSTER_SECRET"
    )
    with progress_of("verifying the copy") as progress:
        made = back_up(_database(), load_settings().storage.data_dir, directory, progress)
    print(f"ok: {made.position} events in {made.folder}")


def restore(source: Path, *, replace: bool) -> None:
    """Put a backup in the place of the log, while the service does not run."""
    _refuse_postgres(
        "stop every node, restore it by `pg_restore --clean --if-exists --dbname=URL FILE`, check "
        "it by `ws-service log verify`, and start one node with --accept-lost-tail before the "
        "others"
    )
    settings = load_settings()
    database = migrate.database_path(settings.storage.database_url)
    with progress_of("verifying the backup") as progress:
        done = restore_log(source, database, settings.storage.data_dir, progress, replace=replace)
    print(f"ok: {done.head.position} events, under the new epoch {done.head.epoch}")
    if done.replaced is not None:
        print(f"the former log was moved to {done.replaced}")
    if done.lost is not None:
        lost = done.lost
        print(
            f"dropped: events {lost.first} to {lost.last}, "
            f"recorded since {format_time(lost.since)} UTC"
        )
    if done.revoked:
        print(f"sessions revoked again: {', '.join(str(user) for user in done.revoked)}")


def _refuse_postgres(instead: str) -> None:
    """Raise `SqliteOnly` with what to do for a log on PostgreSQL."""
    if is_postgres(load_settings().storage.database_url):
        raise migrate.SqliteOnly(
            f"this command copies the files of SQLite, and the log is on PostgreSQL: {instead}"
        )


def _database() -> Path:
    """Return the configured database; raise `ConfigurationError` unless its schema is current."""
    url = load_settings().storage.database_url
    migrate.check(url)
    return migrate.database_path(url)
