"""Table definitions; a test compares them with `migrations/`."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# On SQLite only an INTEGER primary key is the row id itself, which saves an index.
_Position = BigInteger().with_variant(Integer(), "sqlite")

# SQLite does not enforce lengths: there the column is as the first revisions made it.
_DeliveredMatch = String(96).with_variant(String(64), "sqlite")

events = Table(
    "events",
    metadata,
    Column("position", _Position, primary_key=True, autoincrement=False),
    Column("stream", String(200), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("type", String(64), nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("event_id", LargeBinary(16), nullable=False, unique=True),
    Column("correlation_id", String(64), nullable=False),
    Column("actor", String(128)),
    Column("node", String(64), nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("meta", LargeBinary),
    Column("hash", LargeBinary(32), nullable=False),
)
"""`recorded_at` is in microseconds since 1970; triggers refuse UPDATE and DELETE."""

stream_index = Table(
    "stream_index",
    metadata,
    Column("stream", String(200), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Where the events of a stream are; filled in bulk (see the module of this name)."""

stream_index_head = Table(
    "stream_index_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
)
"""One row, with id 1: up to which position all events are in `stream_index`."""

log_head = Table(
    "log_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("epoch", String(32), nullable=False),
)
"""One row, with id 1."""

snapshots = Table(
    "snapshots",
    metadata,
    Column("projection", String(64), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("code_version", String(64), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("data", LargeBinary, nullable=False),
)
"""A cache. `hash` is that of the event at `position`: a snapshot of another log is noticed."""

archives = Table(
    "archives",
    metadata,
    Column("position", _Position, primary_key=True, autoincrement=False),
    Column("file", String(200), nullable=False, unique=True),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
)
"""What each `log.archived` says, by its position; triggers refuse changes."""

archive_gaps = Table(
    "archive_gaps",
    metadata,
    Column("first", _Position, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("archive", BigInteger, nullable=False),
)
"""The positions whose rows an archive has. `hash` is that of the row at `last`, from which the next
one follows. A row can be deleted only if it stands in a gap, and a gap be recorded only together
with its `log.archived` (triggers)."""

archived_streams = Table(
    "archived_streams",
    metadata,
    Column("stream", String(200), primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("last_version", BigInteger, nullable=False),
    Column("visibility", String(16)),
    Column("archive", BigInteger, nullable=False),
)
"""The archives that have events of a stream, and the first and last of them; `visibility` is that
of a room. Versions of a stream go on after `last_version`."""

baselines = Table(
    "baselines",
    metadata,
    Column("position", _Position, primary_key=True, autoincrement=False),
    Column("schema_version", Integer, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("data", LargeBinary, nullable=False),
)
"""The world after the event at `position`, in a schema that is upcast; `hash` is that event's."""

skipped = Table(
    "skipped",
    metadata,
    Column("position", _Position, primary_key=True, autoincrement=False),
    Column("reason", Text, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("skipped_at", BigInteger, nullable=False),
)
"""Events that an operator skipped, since they can't be folded; triggers refuse changes."""

profiles = Table(
    "profiles",
    metadata,
    Column("user", String(128), primary_key=True),
    Column("name", Text, nullable=False),
    Index(None, "name"),
)
"""Display names: personal data, kept outside the log so that it can be erased."""

texts = Table(
    "texts",
    metadata,
    Column("chat", String(64), primary_key=True),
    Column("salt", String(64), nullable=False),
    Column("text", Text, nullable=False),
)
"""Chat texts: personal data; the log has the hash of salt and text."""

matches = Table(
    "matches",
    metadata,
    Column("match", String(96), primary_key=True),
    Column("game", String(64), nullable=False),
    Column("rules_version", Integer, nullable=False),
    Column("started_position", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("ticks", BigInteger),
    Column("reason", String(16)),
    Column("winner", Integer),
    Column("scores", Text),
    Index(None, "started_position"),
    Index(None, "game", "started_position"),
)
"""Read model: the match history, written in the transaction of its events."""

consumers = Table(
    "consumers",
    metadata,
    Column("consumer", String(64), primary_key=True),
)
"""Read model: the consumers that get finished matches."""

outbox = Table(
    "outbox",
    metadata,
    Column("consumer", String(64), primary_key=True),
    Column("match", _DeliveredMatch, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", BigInteger),
    Column("last_error", Text),
    Index(None, "consumer", "next_at"),
    Index(None, "consumer", "state", "position"),
)
"""Read model: pending and rejected deliveries; the keys and `state` follow from the log.

`attempts`, `next_at` and `last_error` are written by the outbox worker. Without `next_at`, a
`waiting` row waits for a token, and a `rejected` one for an operator.
"""

kept_tokens = Table(
    "bearers",
    metadata,
    Column("match", _DeliveredMatch, primary_key=True),
    Column("user", String(128), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""The encrypted token of a match's reporting player, until the match is saved."""

match_players = Table(
    "match_players",
    metadata,
    Column("match", String(96), ForeignKey("matches.match"), primary_key=True),
    Column("seat", Integer, primary_key=True, autoincrement=False),
    Column("user", String(128), nullable=False),
    Index(None, "user", "match"),
)
