"""The check of the database: that it can be used, keeps what it has committed, and the clock."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from service.cli.doctor.cluster import check_nodes
from service.cli.doctor.findings import Finding
from service.cli.doctor.machine import DISK
from service.errors import ConfigurationError
from service.eventstore import migrate
from service.eventstore.inspection import inspect
from service.eventstore.postgres_schema import driver_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from service.settings import Settings

CHECK, SCHEMA, CLOCK = "database", "schema", "clock"

POSTGRES_MIN = 150000
CONNECT_TIMEOUT_S = 5

CONNECTIONS_OF_A_NODE = 18
"""The writer, the lease, and the pool of the reader."""

CLOCK_WARN_S, CLOCK_FAIL_S = 0.5, 5.0

DAY_S = 86400
GROWTH_EVENTS = 100_000
"""The growth of the log is measured over its last events."""

GROWTH_SPAN_MIN_S = 3600
GROWTH_DAYS_MIN = 14

DURABLE = ("fsync", "full_page_writes")
"""Settings of the server without which a power failure loses what was acknowledged."""

_SERVER = """
    SELECT current_setting('server_version_num')::int, current_setting('server_version'),
        pg_is_in_recovery(), current_setting('max_connections')::int,
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
        current_setting('synchronous_standby_names')
"""

_LAST = "SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1"
_FROM = "SELECT position, recorded_at FROM events WHERE position >= ? ORDER BY position LIMIT 1"


def check_database(settings: Settings) -> Iterator[Finding]:
    """Check the server or the file, its schema, and how far its clock is from this one."""
    url = settings.storage.database_url
    postgres = driver_url(url)
    if postgres is None:
        yield from _check_file(settings)
        return
    # The driver is slow to import.
    import psycopg  # noqa: PLC0415 - only where the log is on PostgreSQL

    try:
        with psycopg.connect(
            postgres, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S
        ) as connection:
            yield from _check_server(connection)
            yield from _check_clock(connection, time.time)
            if settings.bus.url is not None:
                yield from check_nodes(settings, connection)
    except psycopg.Error as error:
        reason = next(iter(str(error).splitlines()), "")
        advice = "check WS_DATABASE_URL, the password, and whether the server runs"
        yield Finding(CHECK, "fail", f"it can't be used: {reason}", advice)
    else:
        yield from _check_schema(settings)


def _check_server(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    row = connection.execute(_SERVER).fetchone()
    if row is None:
        raise AssertionError(_SERVER)
    number, version, is_standby, connections_max, connections, standbys = row
    found = f"PostgreSQL {version}, {connections} of {connections_max} connections in use"
    if number < POSTGRES_MIN:
        yield Finding(CHECK, "fail", found, "upgrade the server to PostgreSQL 15 or newer")
    elif is_standby:
        yield Finding(CHECK, "fail", f"{found}; it is a standby", "name the primary server")
    elif connections_max - connections < CONNECTIONS_OF_A_NODE:
        advice = f"raise max_connections: a node needs up to {CONNECTIONS_OF_A_NODE}"
        yield Finding(CHECK, "warn", found, advice)
    else:
        yield Finding(CHECK, "ok", found)
    off = [name for name in DURABLE if _setting(connection, name) == "off"]
    for name in off:
        advice = f"set {name} = on in postgresql.conf"
        yield Finding(CHECK, "fail", f"{name} is off: a power failure loses events", advice)
    if not off:
        when = "on a standby as well" if standbys else "on its own disk"
        yield Finding(CHECK, "ok", f"what is acknowledged is {when}")


def _setting(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    return "" if row is None else str(row[0])


def _check_clock(
    connection: psycopg.Connection[Any], now: Callable[[], float]
) -> Iterator[Finding]:
    """Compare the clock with that of the server, in the middle of a short request."""
    before = now()
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    after = now()
    theirs = before if row is None else float(row[0])
    yield clock_finding(theirs - (before + after) / 2, "that of the database")


def clock_finding(ahead_s: float, other: str) -> Finding:
    """Judge a clock that is so many seconds behind another one; negative: ahead of it."""
    size = abs(ahead_s)
    found = f"the clock is {size:.3f} s {'behind' if ahead_s > 0 else 'ahead of'} {other}"
    advice = "let NTP (chrony, systemd-timesyncd) set the clocks of both"
    if size > CLOCK_FAIL_S:
        return Finding(CLOCK, "fail", f"{found}: tokens are taken for expired or early", advice)
    return Finding(
        CLOCK, "warn" if size > CLOCK_WARN_S else "ok", found, advice * (size > CLOCK_WARN_S)
    )


def _check_schema(settings: Settings) -> Iterator[Finding]:
    """Check that the tables are those of this version, or will be after a start."""
    url = settings.storage.database_url
    found = migrate.current(url)
    try:
        migrate.check(url)
    except ConfigurationError as error:
        migrates = settings.storage.migrate_at_start and (found is None or migrate.knows(found))
        if not migrates:
            yield Finding(SCHEMA, "fail", error.message)
            return
        what = "there is none yet" if found is None else f"it has {found}"
        advice = "the next start migrates it; make a backup before"
        yield Finding(
            SCHEMA,
            "ok" if found is None else "warn",
            f"{what}, newest is {migrate.newest()}",
            advice,
        )
    else:
        yield Finding(SCHEMA, "ok", f"the schema is {found}, the newest")


def _check_file(settings: Settings) -> Iterator[Finding]:
    """Check the file of SQLite, its schema, and the time of its last event."""
    path = settings.storage.log_file
    try:
        found = inspect(path, accept_lost_tail=False)
    except ConfigurationError as error:
        yield Finding(CHECK, "fail", error.message, "see Restore in docs/operations.md")
        return
    if found is None:
        yield Finding(CHECK, "ok", f"there is no log at {path} yet: the first start makes one")
        return
    yield Finding(CHECK, "ok", f"{path} can be used, and ends where it was left")
    yield from _check_schema(settings)
    uri = f"file:{path}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        last = connection.execute(_LAST).fetchone()
        if last is None:
            return
        oldest = connection.execute(_FROM, (0,)).fetchone()
        recent = connection.execute(_FROM, (last[0] - GROWTH_EVENTS,)).fetchone()
    ahead_s = last[1] / 1_000_000 - time.time()
    if ahead_s > 0:
        yield clock_finding(ahead_s, "the last event of the log")
    else:
        yield Finding(CLOCK, "ok", "the last event of the log is in the past")
    span_s = (last[1] - recent[1]) / 1_000_000
    if span_s >= GROWTH_SPAN_MIN_S:
        bytes_an_event = path.stat().st_size / (last[0] - oldest[0] + 1)
        a_day = bytes_an_event * (last[0] - recent[0]) / span_s * DAY_S
        yield growth_finding(a_day, shutil.disk_usage(path.parent).free)


def growth_finding(bytes_a_day: float, free: float) -> Finding:
    """Predict when a disk with so many free bytes is full."""
    days = free / bytes_a_day
    found = f"the log grows by {bytes_a_day / 1024**2:,.1f} MiB a day: full in {days:,.0f} days"
    if days < GROWTH_DAYS_MIN:
        return Finding(DISK, "warn", found, "enlarge the disk, or archive old matches")
    return Finding(DISK, "ok", found)
