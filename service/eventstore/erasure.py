"""Erase personal data: display names and chat texts, which are kept outside the log."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from service.domain.events.chat import ChatSaid
from service.eventstore.codec import decode
from service.eventstore.reader import PAGE
from service.eventstore.tables import events

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from service.domain.ids import UserId
    from service.eventstore.reader import Reader

BUSY_S = 30
"""How long a lock of the running service is waited for."""

PARAMETERS_MAX = 500


class Erased(NamedTuple):
    """How much was erased."""

    names: int
    texts: int


async def chats_said(
    reader: Reader, *, author: UserId | None = None, before: int | None = None
) -> list[str]:
    """Return the ids of chat texts: those of an author, or recorded before a time, or both.

    `before` is in microseconds since 1970.
    """
    found: list[str] = []
    after = 0
    columns = select(events.c.position, events.c.schema_version, events.c.data)
    of_kind = columns.where(events.c.type == ChatSaid.type).order_by(events.c.position).limit(PAGE)
    if before is not None:
        of_kind = of_kind.where(events.c.recorded_at < before)
    async with reader.engine.connect() as connection:
        while rows := (await connection.execute(of_kind.where(events.c.position > after))).all():
            after = rows[-1].position
            for row in rows:
                event = decode(ChatSaid.type, row.schema_version, row.data)
                if isinstance(event, ChatSaid) and author in {None, event.author}:
                    found.append(event.chat)
    return found


def erase(database: Path, user: UserId | None, chats: Sequence[str]) -> Erased:
    """Erase the name of a user and these texts from a log on SQLite, overwriting their bytes.

    The service may run meanwhile.
    """
    names = texts = 0
    with closing(sqlite3.connect(database, timeout=BUSY_S)) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        with connection:
            if user is not None:
                name = connection.execute('DELETE FROM profiles WHERE "user" = ?', (str(user),))
                names = name.rowcount
            for first in range(0, len(chats), PARAMETERS_MAX):
                some = chats[first : first + PARAMETERS_MAX]
                marks = ", ".join("?" * len(some))
                text = connection.execute(f"DELETE FROM texts WHERE chat IN ({marks})", some)  # noqa: S608 - question marks
                texts += text.rowcount
        # The WAL still has what was erased.
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return Erased(names, texts)
