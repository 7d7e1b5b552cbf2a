"""The store on PostgreSQL: a batch of appends is one call of the function `ws_append`.

The function holds the lock of the head while it runs, and no client ever does. This store is that
of a single node: it refuses to go on when another process has appended.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
import psycopg
from psycopg.types.string import StrDumper

from service.domain.personal_data import NO_PERSONAL_DATA
from service.errors import Unavailable
from service.eventstore.codec import encode, encode_meta
from service.eventstore.lock import LogInUse
from service.eventstore.plan import Committed, VersionConflict
from service.eventstore.postgres_schema import TRY_LOCK
from service.eventstore.postgres_sql import named_parameters, projection_statement
from service.eventstore.read_models.match_history import history_statements
from service.eventstore.read_models.outbox import outbox_statements
from service.eventstore.read_models.projection import PROJECTED_EVENTS
from service.eventstore.records import GENESIS, Head, RecordedEvent
from service.eventstore.side_file import LAST_EVENT, check_end
from service.eventstore.store import LogDiverged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from service.domain.events.base import Position
    from service.eventstore.plan import Append
    from service.eventstore.records import ProposedEvent

OTHER_HEAD: Final = "WS003"
"""The SQLSTATE by which `ws_append` refuses a log that does not end where this process left it."""

RETRY_PAUSE_S: Final = 0.1
"""The time between two attempts to connect again."""

CONNECT_TIMEOUT_S: Final = 5
"""How long the server may take to answer a new connection; psycopg waits for whole seconds."""

_APPEND = f"""
    SELECT outcome, detail, at, positions, versions, head
    FROM ws_append({", ".join(["%s"] * 13 + ["%s::jsonb"] * 4)})
"""  # noqa: S608 - our own text
_MOVE_HEAD = "UPDATE log_head SET position = position WHERE id = 1"
_PUT_SNAPSHOT = """
    INSERT INTO snapshots (projection, code_version, position, hash, data)
    VALUES (%s, %s, %s, %s, %s) ON CONFLICT (projection, position) DO UPDATE
    SET code_version = excluded.code_version, hash = excluded.hash, data = excluded.data
"""
_DROP_SNAPSHOTS = """
    DELETE FROM snapshots WHERE projection = %s AND (
        code_version <> %s OR position < (
            SELECT max(position) FROM snapshots WHERE projection = %s AND position <= %s))
"""
_FIND_SNAPSHOT = """
    SELECT s.position, s.data FROM snapshots AS s LEFT JOIN events AS e ON e.position = s.position
    WHERE s.projection = %s AND s.code_version = %s AND s.position <= %s
        AND s.hash = coalesce(e.hash, CASE WHEN s.position = 0 THEN %s::bytea END)
    ORDER BY s.position DESC LIMIT 1
"""
_DROP_SNAPSHOT = "DELETE FROM snapshots WHERE projection = %s AND position = %s"

Result = TypeVar("Result")


class PostgresStore:
    """The store on PostgreSQL: one connection, used by one thread."""

    def __init__(self, conninfo: str, node: str, busy_ms: int) -> None:
        """Open the migrated database and read the head of its log.

        `busy_ms` is how long locks are waited for, and how long a lost connection is tried again.
        Raises `LogInUse`, `DamagedHead` or `Unavailable`.
        """
        self._node = node
        self._conninfo = conninfo
        self._busy_ms = busy_ms
        self._connection = self._connect()
        try:
            self.head = self._read_head()
        except BaseException:
            self._connection.close()
            raise

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect, and take the lock that is held as long as the connection lasts."""
        connection = psycopg.connect(
            self._conninfo,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name="ws-service",
        )
        try:
            # Of no type by default, a text that is used twice may be taken for two types.
            connection.adapters.register_dumper(str, StrDumper)
            # Acknowledged events must survive a power failure.
            connection.execute("SET synchronous_commit TO on")
            connection.execute(f"SET lock_timeout TO {max(self._busy_ms, 1)}")
            self._take_lock(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _take_lock(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        row = connection.execute(TRY_LOCK).fetchone()
        if row is None or not row[0]:
            raise LogInUse(
                "another ws-service is using the log of this database; stop it first, or set "
                "WS_DATABASE_URL to another one"
            )

    def _read_head(self) -> Head:
        row = self._one("SELECT position, hash, epoch FROM log_head")
        if row is not None:
            return Head(*row)
        check_end(None, self._last())
        head = Head(0, GENESIS, uuid.uuid4().hex)
        self._connection.execute("INSERT INTO log_head VALUES (1, %s, %s, %s)", head)
        return head

    def _one(self, statement: str, *parameters: object) -> tuple[Any, ...] | None:
        return self._connection.execute(statement.encode(), parameters).fetchone()

    def _last(self) -> tuple[Position, bytes] | None:
        """Return position and hash of the last event."""
        row = self._one(LAST_EVENT)
        return None if row is None else (row[0], row[1])

    def check_end(self) -> None:
        """Raise `LostTail` or `DamagedHead` unless the last event is the one of the head."""
        check_end(self.head, self._last())

    def begin_epoch(self) -> None:
        """Begin a new epoch, for a log whose history may differ from the one that clients know."""
        position, hash_ = self._last() or (0, GENESIS)
        self.head = Head(position, hash_, uuid.uuid4().hex)
        self._connection.execute(
            "UPDATE log_head SET position = %s, hash = %s, epoch = %s", self.head
        )

    def hash_at(self, position: Position) -> bytes | None:
        """Return the hash of the event at `position`, or None without such an event."""
        if position == 0:
            return GENESIS
        row = self._one("SELECT hash FROM events WHERE position = %s", position)
        return None if row is None else row[0]

    def last_version(self, stream: str) -> int:
        """Return the version of the last event of `stream`, 0 when it has none."""
        row = self._one("SELECT max(version) FROM events WHERE stream = %s", stream)
        return 0 if row is None else row[0] or 0

    def commit(self, batch: Sequence[Append]) -> list[Committed | Exception]:
        """Commit `batch` by one call; return the result of each append, in order.

        When the connection is lost, the call is repeated on a new one: what was committed before
        is found by its event ids. Raises `Unavailable` when that does not help, and `LogDiverged`.
        """
        arguments = self._arguments(batch)
        try:
            rows = self._again(lambda: self._connection.execute(_APPEND, arguments).fetchall())
        except psycopg.Error as error:
            if error.sqlstate == OTHER_HEAD:
                raise LogDiverged from error
            if isinstance(error, psycopg.OperationalError):
                raise Unavailable(f"The event log can't be written: {_reason(error)}.") from error
            raise
        *answers, (_, epoch, _, (position,), _, hash_) = rows
        results: list[Committed | Exception] = []
        known_until, self.head = self.head.position, Head(position, hash_, epoch)
        for append, answer in zip(batch, answers, strict=True):
            result = _result(append, answer, known_until)
            results.append(result)
            if isinstance(result, Committed) and result.recorded:
                known_until = result.positions[-1]
        return results

    def _arguments(self, batch: Sequence[Append]) -> tuple[object, ...]:
        events = [event for append in batch for event in append.events]
        names: dict[str, str] = {}
        texts: dict[str, tuple[str, str]] = {}
        for append in batch:
            if append.personal_data is not NO_PERSONAL_DATA:
                names |= append.personal_data.names
                for chat, text in append.personal_data.texts.items():
                    texts.setdefault(chat, (text.salt, text.text))
        actors = [event.origin.actor for event in events]
        return (
            self._node,
            None,
            time.time_ns() // 1000,
            self._expected_head(),
            [len(append.events) for append in batch],
            [event.event.stream for event in events],
            [event.event.type for event in events],
            [event.event.schema_version for event in events],
            [event.event_id for event in events],
            [event.origin.correlation_id for event in events],
            [None if actor is None else str(actor) for actor in actors],
            [encode(event.event) for event in events],
            [encode_meta(event.meta) for event in events],
            _json([{"expect": append.expect} if append.expect else {} for append in batch]),
            _json(_projections(events)),
            _json(names),
            _json(texts),
        )

    def _expected_head(self) -> Position | None:
        """Return where the log must end: no other process may have appended to it."""
        return self.head.position

    def _again(self, call: Callable[[], Result]) -> Result:
        """Run `call`; while the connection is lost, connect and run it again for a limited time."""
        until = time.monotonic() + self._busy_ms / 1000
        while True:
            try:
                if self._connection.closed:
                    self._connection = self._connect()
                return call()
            except (psycopg.OperationalError, LogInUse) as error:
                # The server may still hold the lock for a connection that it takes for open.
                is_lost = isinstance(error, LogInUse) or self._connection.closed
                if not is_lost or time.monotonic() >= until:
                    if isinstance(error, LogInUse):
                        raise Unavailable(error.message) from error
                    raise
                time.sleep(RETRY_PAUSE_S)

    def probe(self) -> None:
        """Check that the database can be written; raise `Unavailable` if not."""
        self._run(lambda: self._connection.execute(_MOVE_HEAD))

    def save_snapshot(
        self,
        projection: str,
        code_version: str,
        position: Position,
        data: bytes,
        *,
        needed_from: Position,
    ) -> None:
        """Store a snapshot, and drop older ones.

        The newest snapshot not after `needed_from` is kept. Raises `Unavailable`.
        """

        def write() -> None:
            row = (projection, code_version, position, self.hash_at(position), data)
            with self._connection.transaction():
                self._connection.execute(_PUT_SNAPSHOT, row)
                self._connection.execute(
                    _DROP_SNAPSHOTS, (projection, code_version, projection, needed_from)
                )

        self._run(write)

    def load_snapshot(
        self, projection: str, code_version: str, at_most: Position
    ) -> tuple[Position, bytes] | None:
        """Return position and data of the newest usable snapshot not after `at_most`, or None.

        A snapshot is usable if it has this code version and the hash of this log at its position.
        Raises `Unavailable`.
        """
        wanted = (projection, code_version, at_most, GENESIS)
        row = self._run(lambda: self._connection.execute(_FIND_SNAPSHOT, wanted).fetchone())
        return None if row is None else (row[0], row[1])

    def drop_snapshot(self, projection: str, position: Position) -> None:
        """Delete the snapshot of `projection` at `position`."""
        self._run(lambda: self._connection.execute(_DROP_SNAPSHOT, (projection, position)))

    def execute(self, statement: str, parameters: Mapping[str, object]) -> None:
        """Run one statement on tables that are not derived from the log; raise `Unavailable`.

        Its parameters are written as `:name`.
        """
        found = named_parameters(statement).encode()
        self._run(lambda: self._connection.execute(found, parameters))

    def _run(self, call: Callable[[], Result]) -> Result:
        """Run `call`, also on a new connection; raise `Unavailable` for errors of the database."""
        try:
            return self._again(call)
        except psycopg.Error as error:
            raise Unavailable(f"The database can't be used: {_reason(error)}.") from error

    @property
    def unindexed(self) -> int:
        """Nothing: the database keeps the index of streams itself."""
        return 0

    def fill_index(self) -> None:
        """Do nothing: the database keeps the index of streams itself."""

    def close(self) -> None:
        """Close the connection, which also releases the lock."""
        self._connection.close()


def _projections(events: Sequence[ProposedEvent]) -> list[dict[str, object]]:
    """Return the statements of the read models; position and time are put in by the database."""
    found = []
    for number, proposed in enumerate(events, start=1):
        if type(proposed.event) not in PROJECTED_EVENTS:
            continue
        recorded = RecordedEvent(0, 0, 0, proposed.event)
        for statements in (history_statements(recorded), outbox_statements(recorded)):
            for statement, parameters in statements:
                found.append(
                    {
                        "event": number,
                        "statement": projection_statement(statement),
                        "parameters": parameters,
                    }
                )
    return found


def _result(
    append: Append, answer: tuple[Any, ...], known_until: Position
) -> Committed | Exception:
    """Return the result of an append; events after `known_until` are new to this process."""
    outcome, detail, at, positions, versions, _ = answer
    if outcome == "version":
        return VersionConflict(detail)
    if outcome == "partly":
        return VersionConflict("some events of this append are in the log, others are not")
    if outcome == "known" and positions[-1] <= known_until:
        return Committed(positions, [])
    recorded = [
        RecordedEvent(
            position,
            version,
            at,
            one.event,
            None if one.origin.actor is None else str(one.origin.actor),
            one.meta,
        )
        for one, position, version in zip(append.events, positions, versions, strict=True)
    ]
    return Committed(positions, recorded)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _reason(error: psycopg.Error) -> str:
    """Return the first line of what the server said; the others have the place in its source."""
    return next(iter(str(error).splitlines()), "the connection was lost")
