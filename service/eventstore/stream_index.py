"""Index of the events by stream and version, filled in bulk behind the writer.

An index that is kept up by every INSERT dirties a page of its own for nearly every event, since
neighbouring events belong to different streams: that was half the cost of an append. So the table
of events has none. The writer knows the versions of the streams (it is the only one), and adds
many events at once to the table `stream_index`, in the order of its key, when it has nothing else
to do. `stream_index_head` has the position up to which the index is complete; readers of a stream
scan the few events after it.

The primary key of the index refuses a second event of the same stream and version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select, union_all

from service.eventstore.tables import events, stream_index, stream_index_head

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping

    from sqlalchemy import CompoundSelect

    from service.domain.events.base import Position

ROWS_PER_FILL: Final = 2048
"""Events that one fill adds: enough that a page of the index gets several, few enough that a
commit which comes meanwhile waits for a few milliseconds only."""

UNINDEXED_MAX: Final = 8 * ROWS_PER_FILL
"""From so many events on the index is filled between two commits, also when more appends wait."""

_INDEXED_UNTIL = "SELECT position FROM stream_index_head WHERE id = 1"

AFTER_POSITION, AFTER_VERSION = (
    f"""
    SELECT position FROM stream_index WHERE stream = :stream AND {column} > :after
    UNION ALL SELECT position FROM events WHERE position > coalesce(({_INDEXED_UNTIL}), 0)
        AND stream = :stream AND {column} > :after
    """  # noqa: S608 - our own text
    for column in ("position", "version")
)
"""Select the positions of the events of `:stream` after the position, or the version, `:after`."""

_LAST_VERSION = """
    SELECT max(coalesce((SELECT max(version) FROM stream_index WHERE stream = :stream), 0),
        coalesce((SELECT max(last_version) FROM archived_streams WHERE stream = :stream), 0))
"""
_UNINDEXED = """
    SELECT stream, max(version), max(position) FROM events WHERE position > ? GROUP BY stream
"""
_FILL = """
    INSERT INTO stream_index (stream, version, position)
    SELECT stream, version, position FROM events WHERE position > ? AND position <= ?
    ORDER BY stream, version
"""
_MOVE_HEAD = "INSERT OR REPLACE INTO stream_index_head (id, position) VALUES (1, ?)"


def positions_of(streams: Collection[str]) -> CompoundSelect[tuple[int]]:
    """Return a query for the positions of all events of `streams`."""
    indexed = func.coalesce(select(stream_index_head.c.position).scalar_subquery(), 0)
    return union_all(
        select(stream_index.c.position).where(stream_index.c.stream.in_(streams)),
        select(events.c.position).where(events.c.position > indexed, events.c.stream.in_(streams)),
    )


def indexed_until(connection: sqlite3.Connection) -> Position:
    """Return the position up to which all events are in the index."""
    row = connection.execute(_INDEXED_UNTIL).fetchone()
    return 0 if row is None else row[0]


def fill(connection: sqlite3.Connection, after: Position, until: Position) -> None:
    """Index the events after a position, up to and including another, in the open transaction.

    Raises `sqlite3.IntegrityError` when a stream has two events of the same version.
    """
    connection.execute(_FILL, (after, until))
    connection.execute(_MOVE_HEAD, (until,))


def cut(connection: sqlite3.Connection, head: Position) -> None:
    """Drop entries after `head`, for a log that lost its tail, in the open transaction."""
    if indexed_until(connection) > head:
        connection.execute("DELETE FROM stream_index WHERE position > ?", (head,))
        connection.execute(_MOVE_HEAD, (head,))


def refill(connection: sqlite3.Connection, head: Position) -> None:
    """Rebuild the index from all events, in the open transaction."""
    connection.execute("DELETE FROM stream_index")
    fill(connection, 0, head)


def difference(connection: sqlite3.Connection, schema: str) -> str | None:
    """Return how the index of an attached database differs from its events, or None."""
    rows, entries = f"{schema}.events", f"{schema}.stream_index"
    until = f"coalesce((SELECT position FROM {schema}.stream_index_head WHERE id = 1), 0)"  # noqa: S608 - names of ours
    wrong = connection.execute(
        f"""
        SELECT stream, version FROM {entries} AS entry
        WHERE position > {until} OR NOT EXISTS (SELECT 1 FROM {rows} WHERE
            position = entry.position AND stream = entry.stream AND version = entry.version)
        LIMIT 1
        """  # noqa: S608 - names of ours
    ).fetchone()
    if wrong is not None:
        return f"the index of streams does not agree with the log (event {wrong[1]} of {wrong[0]})"
    (missing,) = connection.execute(
        f"SELECT (SELECT count(*) FROM {rows} WHERE position <= {until}) "  # noqa: S608 - the same
        f"- (SELECT count(*) FROM {entries})"
    ).fetchone()
    return f"the index of streams lacks {missing} events" if missing else None


class StreamVersions:
    """The last version of each stream, for the writer; also tracks which events are indexed."""

    def __init__(self, connection: sqlite3.Connection, cached_max: int) -> None:
        """Read the events that are not indexed; cache at most `cached_max` indexed streams."""
        self._connection = connection
        self._cached_max = cached_max
        self._cached: dict[str, int] = {}
        """Versions of fully indexed streams, least recently used first."""
        self._indexed = indexed_until(connection)
        self._unindexed: dict[str, tuple[int, Position]] = {
            stream: (version, position)
            for stream, version, position in connection.execute(_UNINDEXED, (self._indexed,))
        }
        """The streams with events that are not in the index: their last version, and a position
        that is not before their last event."""

    def unindexed(self, head: Position) -> int:
        """Return how many of the events up to `head` are not in the index."""
        return head - self._indexed

    def last(self, stream: str) -> int:
        """Return the version of the last event of `stream`, 0 when it has none."""
        unindexed = self._unindexed.get(stream)
        if unindexed is not None:
            return unindexed[0]
        version = self._cached.pop(stream, None)
        if version is None:
            version = self._last_indexed(stream)
        self._remember(stream, version)
        return version

    def _last_indexed(self, stream: str) -> int:
        version: int = self._connection.execute(_LAST_VERSION, {"stream": stream}).fetchone()[0]
        return version

    def move(self, versions: Mapping[str, int], head: Position) -> None:
        """Record the last versions of the streams of a commit that ended at `head`."""
        for stream, version in versions.items():
            self._unindexed[stream] = (version, head)

    def indexed(self, until: Position) -> None:
        """Record that the index is complete up to `until`."""
        self._indexed = until
        rest: dict[str, tuple[int, Position]] = {}
        for stream, (version, position) in self._unindexed.items():
            if position > until:
                rest[stream] = (version, position)
            else:
                self._remember(stream, version)
        self._unindexed = rest

    def next_fill(self, head: Position) -> tuple[Position, Position]:
        """Return the range of the next fill: after the first position, up to the second."""
        return self._indexed, min(head, self._indexed + ROWS_PER_FILL)

    def _remember(self, stream: str, version: int) -> None:
        self._cached.pop(stream, None)
        self._cached[stream] = version
        while len(self._cached) > self._cached_max:
            self._cached.pop(next(iter(self._cached)))
