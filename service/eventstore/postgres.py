"""The store on PostgreSQL: a batch of appends is one call of the function `ws_append`.

The function holds the lock of the head while it runs, and no client ever does. The store of a
single node refuses to go on when another process has appended; several nodes share a log.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg
from psycopg.types.string import StrDumper

from service.errors import Unavailable
from service.eventstore import postgres_arrays
from service.eventstore.lock import LogInUse
from service.eventstore.postgres_append import CALL, Call
from service.eventstore.postgres_schema import TRY_LOCK, TRY_SHARED_LOCK, UNLOCK
from service.eventstore.postgres_session import (
    APPLICATION,
    END_SESSION,
    KEEPALIVE,
    SESSION,
    AnswerWatch,
    application_of,
    take_lock,
)
from service.eventstore.postgres_sql import LAST_OF_GAP, LAST_VERSION, named_parameters
from service.eventstore.records import GENESIS, Head
from service.eventstore.side_file import LAST_EVENT, check_end
from service.eventstore.store import LeaseLost, LogDiverged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from service.domain.events.base import Position
    from service.eventstore.plan import Append, Committed

_IN_USE: Final = (
    "another ws-service is using the log of this database; stop it first, or set WS_DATABASE_URL "
    "to another one, or join its cluster by WS_BUS_URL"
)
_IN_USE_BY_SINGLE: Final = (
    "another ws-service is using the log of this database alone; stop it first, and set WS_BUS_URL "
    "there as well to make it a node of this cluster"
)

OTHER_HEAD: Final = "WS003"
"""The SQLSTATE by which `ws_append` refuses a log that does not end where this process left it."""

RETRY_PAUSE_S: Final = 0.1
"""The time between two attempts to connect again."""

ANSWER_S: Final = 1.0
"""How long an answer may take, beside the time that locks are waited for."""

CONNECT_TIMEOUT_S: Final = 5
"""How long the server may take to answer a new connection; psycopg waits for whole seconds."""

_HEAD = """
    SELECT l.position, l.hash, l.epoch, e.position, e.hash FROM log_head AS l
    LEFT JOIN (SELECT position, hash FROM events ORDER BY position DESC LIMIT 1) AS e ON true
"""
PLANS: Final = (
    "SELECT set_config('plan_cache_mode', 'force_generic_plan', false), "
    "set_config('jit', 'off', false), "
    "set_config('max_parallel_workers_per_gather', '0', false)"
)
"""Statements of a commit are planned once, by index, however long the log is.

The planner does not know how few events a commit looks at, and would take the time for more.
"""

_MOVE_HEAD = "UPDATE log_head SET position = position WHERE id = 1"
_PUT_SNAPSHOT = """
    INSERT INTO snapshots (projection, code_version, position, hash, data)
    VALUES (%s, %s, %s, %s, %s) ON CONFLICT (projection, position) DO UPDATE
    SET code_version = excluded.code_version, hash = excluded.hash, data = excluded.data
"""
_DROP_SNAPSHOTS = """
    DELETE FROM snapshots WHERE projection = %(projection)s AND CASE code_version WHEN %(code)s THEN
        position < (SELECT max(position) FROM snapshots WHERE projection = %(projection)s
            AND code_version = %(code)s AND position <= %(needed_from)s)
        ELSE code_version <> ALL(%(used)s) END
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

    def __init__(self, conninfo: str, node: str, busy_ms: int, *, is_shared: bool = False) -> None:
        """Open the migrated database and read the head of its log.

        `busy_ms` is how long locks are waited for, and how long a lost connection is tried again.
        With `is_shared` other nodes use the log as well, and nothing can be appended before
        `begin_incarnation`. Raises `LogInUse`, `DamagedHead` or `Unavailable`.
        """
        self._node = node
        self._is_shared = is_shared
        self._incarnation: int | None = None
        self.is_closing = False
        self._session: tuple[int, object] | None = None
        """Process id and start of the server's side of the connection."""
        self._conninfo = conninfo
        self._busy_ms = busy_ms
        self._answers = AnswerWatch(busy_ms / 1000 + ANSWER_S)
        try:
            self._connection = self._connect()
        except BaseException:
            self._answers.close()
            raise
        try:
            self.head = self._read_head()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect, and take the lock that is held as long as the connection lasts."""
        connection = psycopg.connect(
            self._conninfo,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name=application_of(self._node) if self._is_shared else APPLICATION,
        )
        try:
            with self._answers.over(connection.fileno()):
                self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        # Of no type by default, a text that is used twice may be taken for two types.
        connection.adapters.register_dumper(str, StrDumper)
        postgres_arrays.register(connection)
        # Acknowledged events must survive a power failure.
        connection.execute("SET synchronous_commit TO on")
        connection.execute(KEEPALIVE)
        connection.execute(PLANS)
        connection.execute(f"SET lock_timeout TO {max(self._busy_ms, 1)}")
        self._take_lock(connection)
        self._session = connection.execute(SESSION).fetchone()

    def _take_lock(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        """Take the lock of the log; the server may still hold it for the connection before."""
        if self._session is not None:
            connection.execute(END_SESSION, self._session)
        if not take_lock(connection, TRY_SHARED_LOCK if self._is_shared else TRY_LOCK):
            raise LogInUse(_IN_USE_BY_SINGLE if self._is_shared else _IN_USE)

    def _read_head(self) -> Head:
        row = self._one(_HEAD)
        if row is not None:
            return Head(*row[:3])
        check_end(None, self._last())
        head = Head(0, GENESIS, uuid.uuid4().hex)
        # Another node may do the same.
        self._connection.execute(
            "INSERT INTO log_head (id, position, hash, epoch) VALUES (1, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            head,
        )
        return self._read_head()

    def _one(self, statement: str, *parameters: object) -> tuple[Any, ...] | None:
        """Run a statement; return its first row."""
        return self._connection.execute(statement.encode(), parameters).fetchone()

    def _last(self) -> tuple[Position, bytes] | None:
        """Return position and hash of the last event."""
        row = self._one(LAST_EVENT)
        return None if row is None else (row[0], row[1])

    def check_end(self) -> None:
        """Raise `LostTail` or `DamagedHead` unless the last event is the one of the head."""
        # Both by one statement, since other nodes may append in between.
        row = self._one(_HEAD)
        if row is not None:
            check_end(Head(*row[:3]), None if row[3] is None else row[3:])

    def has_other_writers(self) -> bool:
        """Return whether other nodes of a cluster write to this log now."""
        if not self._is_shared:
            return False
        row = self._one(TRY_LOCK)
        if row is None or not row[0]:
            return True
        self._connection.execute(UNLOCK)
        return False

    def begin_epoch(self) -> None:
        """Begin a new epoch, for a log whose history may differ from the one that clients know.

        Raises `LogInUse` while other nodes use the log.
        """
        if self._is_shared and not take_lock(self._connection, TRY_LOCK):
            raise LogInUse("other nodes are using the log of this database: stop all other nodes")
        try:
            self._begin_epoch()
        finally:
            if self._is_shared:
                self._connection.execute(UNLOCK)

    def _begin_epoch(self) -> None:
        position, hash_ = self._last() or (0, GENESIS)
        self.head = Head(position, hash_, uuid.uuid4().hex)
        self._connection.execute(
            "UPDATE log_head SET position = %s, hash = %s, epoch = %s, recorded_at = NULL,"
            " barrier = 0",
            self.head,
        )

    def hash_at(self, position: Position) -> bytes | None:
        """Return the hash of the event at `position`, or None without such an event."""
        if position == 0:
            return GENESIS
        row = self._one("SELECT hash FROM events WHERE position = %s", position)
        return None if row is None else row[0]

    def is_archived(self, position: Position) -> bool:
        """Return whether an archive has the event at `position`."""
        row = self._one(LAST_OF_GAP, position)
        return row is not None and row[0] >= position

    def last_version(self, stream: str) -> int:
        """Return the version of the last event of `stream`, 0 when it has none."""
        row = self._one(LAST_VERSION, stream, stream)
        return 0 if row is None else row[0] or 0

    def begin_incarnation(self, incarnation: int) -> None:
        """Append as this incarnation of the node, until it is declared lost."""
        self._incarnation = incarnation

    def commit(self, batch: Sequence[Append]) -> list[Committed | Exception]:
        """Commit `batch` by one call; return the result of each append, in order.

        When the connection is lost, the call is repeated on a new one: what was committed before
        is found by its event ids. Raises `Unavailable` when that does not help, and `LogDiverged`.
        """
        if self._is_shared and self._incarnation is None:
            raise LeaseLost("This node has not joined its cluster yet.")
        call = Call(batch, self._node, self._incarnation, self.head)
        try:
            answer = self._again(lambda: self._append(call), is_append=True)
        except psycopg.Error as error:
            if error.sqlstate == OTHER_HEAD:
                raise LogDiverged from error
            if isinstance(error, psycopg.OperationalError):
                raise Unavailable(f"The event log can't be written: {_reason(error)}.") from error
            raise
        self.head, results = call.results(answer)
        return results

    def _append(self, call: Call) -> tuple[Any, ...]:
        try:
            return self._one(CALL, *call.arguments) or ()
        except psycopg.errors.UniqueViolation:
            # Some event id is in the log already: that append gets its first result.
            if call.is_one_by_one:
                raise
            call.is_one_by_one = True
            return self._append(call)
        except psycopg.OperationalError:
            call.is_one_by_one = True
            raise

    def _again(self, call: Callable[[], Result], *, is_append: bool = False) -> Result:
        """Run `call`; when the connection is lost, connect and run it again for a limited time.

        An append of one of several nodes is not given up once it was sent: the others may have
        folded it.
        """
        busy_s, lost_at, was_sent = self._busy_ms / 1000, None, False
        while True:
            try:
                if self._connection.closed:
                    self._connection = self._connect()
                was_sent = is_append and self._is_shared
                with self._answers.over(self._connection.fileno()):
                    return call()
            except (psycopg.OperationalError, LogInUse) as error:
                now = time.monotonic()
                lost_at = lost_at or now
                # The server may still hold the lock for a connection that it takes for open.
                is_lost = isinstance(error, LogInUse) or self._connection.closed
                is_over = self.is_closing or (not was_sent and now >= lost_at + busy_s)
                if not is_lost or is_over:
                    if isinstance(error, LogInUse):
                        raise Unavailable(error.message) from error
                    raise
                time.sleep(RETRY_PAUSE_S)

    def probe(self) -> None:
        """Check that the database can be written; raise `Unavailable` if not."""
        self._run(lambda: self._connection.execute(_MOVE_HEAD))

    def save_snapshot(  # noqa: PLR0913 - what a snapshot is
        self,
        projection: str,
        code_version: str,
        position: Position,
        data: bytes,
        *,
        needed_from: Position,
        used: AbstractSet[str] = frozenset(),
    ) -> None:
        """Store a snapshot, and drop older ones, and those of code versions other than `used`.

        The newest snapshot not after `needed_from` is kept. Raises `Unavailable`.
        """

        def write() -> None:
            row = (projection, code_version, position, self.hash_at(position), data)
            needed = {
                "projection": projection,
                "code": code_version,
                "needed_from": needed_from,
                "used": sorted(used),
            }
            with self._connection.transaction():
                self._connection.execute(_PUT_SNAPSHOT, row)
                self._connection.execute(_DROP_SNAPSHOTS, needed)

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
        self._answers.close()
        self._connection.close()


def _reason(error: psycopg.Error) -> str:
    """Return the first line of what the server said; the others have the place in its source."""
    return next(iter(str(error).splitlines()), "the connection was lost")
