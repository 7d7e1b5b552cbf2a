"""Project events to all read models; the writer and the rebuild run the same statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.eventstore.read_models import match_history, outbox

if TYPE_CHECKING:
    import sqlite3

    from service.eventstore.records import RecordedEvent

PROJECTED_EVENTS = match_history.PROJECTED_EVENTS | outbox.PROJECTED_EVENTS
"""The events that change a read model; most events do not."""


def project(connection: sqlite3.Connection, recorded: RecordedEvent) -> None:
    """Run the statements for an event of `PROJECTED_EVENTS`, in the open transaction."""
    for statement, parameters in match_history.history_statements(recorded):
        connection.execute(statement, parameters)
    for statement, parameters in outbox.outbox_statements(recorded):
        connection.execute(statement, parameters)
