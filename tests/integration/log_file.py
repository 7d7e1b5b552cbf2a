"""A log in a real file for tests: opened by the service's code, and tampered with by SQL."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

from service.domain.events.base import Event, Position
from service.domain.events.lobby import LobbyJoined
from service.domain.events.matches import MatchEnded, MatchStarted
from service.domain.personal_data import NO_PERSONAL_DATA
from service.eventstore.completions import Completion
from service.eventstore.plan import Append, Committed
from service.eventstore.reader import Reader, open_database
from service.eventstore.records import (
    ANY,
    GENESIS,
    Expect,
    Origin,
    ProposedEvent,
    RecordedEvent,
    Row,
    chain,
    propose,
)
from service.eventstore.sqlite import SqliteStore
from service.eventstore.writer import EventLog

NODE = "n1"
ORIGIN = Origin("test", 7)
BUSY_MS = 20

STARTED = MatchStarted(
    match="r-1",
    tick=0,
    game="pong",
    rules_version=1,
    players=[7, "ana"],
    seed=1,
    options={},
    pace="ticks",
    turn_s=None,
)
ENDED = MatchEnded(match="r-1", tick=60, reason="timeup", winner=1, scores=[0, 2], hash="h")

Rows: TypeAlias = list[tuple[Any, ...]]


def joined(user: int | str, number: int = 1) -> Event:
    """Return an event; its stream is `user:<user>`."""
    return LobbyJoined(user=user, socket=f"{NODE}.1.{number}")


def proposed(*events: Event) -> list[ProposedEvent]:
    """Give each event its own id."""
    return propose(events, ORIGIN)


def append_of(*events: Event, **expect: int) -> Append:
    """Return an append of new events; `user_1=3` expects the stream `user:1` at version 3."""
    return Append(
        proposed(*events),
        {name.replace("_", ":"): at for name, at in expect.items()},
        NO_PERSONAL_DATA,
    )


async def appended(
    log: EventLog, events: Sequence[ProposedEvent], expect: Expect = ANY
) -> list[Position]:
    """Append events, and return their positions or raise the error.

    A caller that is cancelled ends when the events are folded, or have failed.
    """
    completion = Completion[Committed]()
    log.append(events, completion.settle, expect)
    try:
        return (await completion.future).positions
    except asyncio.CancelledError:
        await completion.settled()
        raise


class LogFile:
    """A migrated database, and all that was opened on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite+aiosqlite:///{path}"
        self.committed: list[RecordedEvent] = []
        """The events of all commits of the logs that were opened here."""
        self._logs: list[EventLog] = []
        self._readers: list[Reader] = []
        self._stores: list[SqliteStore] = []

    def store(self) -> SqliteStore:
        """Open the writing side alone; nothing keeps a second one out."""
        self._stores.append(SqliteStore(self.path, NODE, BUSY_MS))
        return self._stores[-1]

    def reader(self) -> Reader:
        """Open the reading side."""
        self._readers.append(Reader(open_database(self.url)))
        return self._readers[-1]

    def log(
        self,
        *,
        accept_lost_tail: bool = False,
    ) -> EventLog:
        """Open the log; it does not write yet."""
        self._logs.append(
            EventLog(
                self.path,
                node=NODE,
                busy_ms=BUSY_MS,
                accept_lost_tail=accept_lost_tail,
            )
        )
        return self._logs[-1]

    def started(self, **options: Any) -> EventLog:
        """Open the log and let it write."""
        log = self.log(**options)
        log.start(self.committed.extend)
        return log

    def query(self, statement: str, *parameters: object) -> Rows:
        """Ask the file."""
        with closing(self.connect()) as database:
            return database.execute(statement, parameters).fetchall()

    def change(self, *statements: str) -> None:
        """Change what the triggers protect."""
        with closing(self.connect()) as database:
            for change in ("update", "delete"):
                database.execute(f"DROP TRIGGER IF EXISTS events_refuse_{change}")
            for statement in statements:
                database.execute(statement)
            database.commit()

    @staticmethod
    def blob(data: bytes) -> str:
        """Return bytes as they are written in a statement."""
        return f"x'{data.hex()}'"

    def insert(self, table: str, row: tuple[Any, ...]) -> None:
        """Put a row back as it was."""
        with closing(self.connect()) as database, database:
            places = ", ".join("?" * len(row))
            database.execute(f"INSERT INTO {table} VALUES ({places})", row)  # noqa: S608 - our own text

    def chain_anew(self) -> None:
        """Recompute the hashes from the rows, as a capable attacker would."""
        with closing(self.connect()) as database:
            hash_ = GENESIS
            columns = ", ".join(Row._fields)
            query = f"SELECT {columns} FROM events ORDER BY position"  # noqa: S608 - our own names
            for row in map(Row._make, database.execute(query).fetchall()):
                hash_ = chain(hash_, tuple(row[:-1]))
                database.execute(
                    "UPDATE events SET hash = ? WHERE position = ?", (hash_, row.position)
                )
            database.execute("UPDATE log_head SET hash = ?", (hash_,))
            database.commit()

    def connect(self) -> sqlite3.Connection:
        """Open the file as any program may."""
        return sqlite3.connect(self.path)

    async def close_logs(self) -> None:
        """Close the logs that are open, as the end of the service does."""
        while self._logs:
            await self._logs.pop().close()

    async def close(self) -> None:
        """Close all that is still open."""
        await self.close_logs()
        for reader in self._readers:
            await reader.close()
        for store in self._stores:
            store.close()


def events_of(recorded: Sequence[RecordedEvent]) -> list[Event]:
    """Return the events without what the log has added."""
    return [one.event for one in recorded]
