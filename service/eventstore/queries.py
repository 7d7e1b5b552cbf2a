"""Queries of the reader as text for the drivers, with parameters like `:name`."""

from __future__ import annotations

from service.eventstore.stream_index import AFTER_POSITION, AFTER_VERSION

_RECORDED = """
    SELECT position, version, recorded_at, type, schema_version, data, actor, meta FROM events
"""
_NOT_SKIPPED = "position NOT IN (SELECT position FROM skipped)"
_IN_ORDER = f"AND {_NOT_SKIPPED} ORDER BY position LIMIT :limit"
OF_ALL = f"{_RECORDED} WHERE position > :after {_IN_ORDER}"
FOLLOWED = f"""
    SELECT position, version, recorded_at, type, schema_version, data, actor, meta, event_id
    FROM events WHERE position > :after {_IN_ORDER}
"""  # noqa: S608 - our own text
EVENTS_ALONE = f"""
    SELECT position, type, schema_version, data FROM events
    WHERE position > :after AND position <= :until {_IN_ORDER}
"""  # noqa: S608 - our own text
OF_TYPE = f"""
    SELECT position, schema_version, data FROM events
    WHERE position > :after AND position <= :until AND type = :type {_IN_ORDER}
"""  # noqa: S608 - our own text
LAST_BEFORE = """
    SELECT position FROM events WHERE position > :after AND recorded_at < :recorded_at
    ORDER BY position DESC LIMIT 1
"""


class Queries:
    """The queries that the databases express differently."""

    def __init__(
        self, after_position: str, after_version: str, *, one_of: str, events_of_command: str
    ) -> None:
        """Take conditions for the events of `:stream`, and two expressions.

        `one_of` compares with any text of the JSON list that is put into it; `events_of_command`
        is the number of events that the metadata of the row `first` names.
        """
        self.of_stream = f"{_RECORDED} WHERE {after_position} {_IN_ORDER}"
        self.of_match = f"""
            SELECT version, position, type, schema_version, data FROM events
            WHERE {after_version} {_IN_ORDER}
        """  # noqa: S608 - our own text
        self.from_the_end = f"""
            SELECT position FROM events WHERE position > :after
            AND NOT type {one_of.format(":without")} ORDER BY position DESC LIMIT 1 OFFSET :count
        """  # noqa: S608 - our own text
        self.tail = f"""
            SELECT position, stream, version, recorded_at, type, schema_version, data, actor, meta
            FROM events WHERE position > :after AND position <= :until
            AND NOT type {one_of.format(":without")}
            AND (type <> :sparse OR stream {one_of.format(":streams")})
            {_IN_ORDER}
        """  # noqa: S608 - our own text
        self.commands = f"""
            SELECT first.position, last.position, last.recorded_at, last.type, last.schema_version,
                last.data, first.actor, first.meta
            FROM events AS first JOIN events AS last
                ON last.position = first.position + {events_of_command} - 1
            WHERE first.position > :after AND first.position <= :until AND first.meta IS NOT NULL
                AND last.position NOT IN (SELECT position FROM skipped)
            ORDER BY first.position LIMIT :limit
        """  # noqa: S608 - our own text


SQLITE = Queries(
    f"position IN ({AFTER_POSITION})",
    f"position IN ({AFTER_VERSION})",
    one_of="IN (SELECT value FROM json_each({}))",
    events_of_command="json_extract(CAST(first.meta AS TEXT), '$.events')",
)
POSTGRES = Queries(
    "stream = :stream AND position > :after",
    "stream = :stream AND version > :after",
    one_of="IN (SELECT jsonb_array_elements_text({}::jsonb))",
    events_of_command="(convert_from(first.meta, 'UTF8')::jsonb ->> 'events')::bigint",
)
