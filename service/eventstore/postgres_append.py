"""The call of `ws_append`: its arguments for a batch of appends, and the results in its answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from service.domain.personal_data import NO_PERSONAL_DATA
from service.eventstore.codec import encode, encode_meta
from service.eventstore.plan import Committed, KeyConflict, NodeAlive, VersionConflict
from service.eventstore.postgres_arrays import big_ints, byte_strings, ints, texts
from service.eventstore.postgres_sql import array_literal, projection_statement
from service.eventstore.read_models.match_history import history_statements
from service.eventstore.read_models.outbox import outbox_statements
from service.eventstore.read_models.projection import PROJECTED_EVENTS
from service.eventstore.records import Head, RecordedEvent
from service.eventstore.store import LeaseLost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.events.base import Position
    from service.eventstore.plan import Append
    from service.eventstore.records import ProposedEvent

_PLACES: Final = ", ".join([*["%s"] * 19, *["%s::jsonb"] * 4, "%s"])

CALL: Final = f"""
    SELECT head, hash, epoch, at, versions, outcomes, details, known_positions, known_versions,
        known_at FROM ws_append({_PLACES})
"""  # noqa: S608 - our own text

_pack = msgspec.msgpack.Encoder().encode


class Call:
    """The call that appends a batch."""

    def __init__(
        self, batch: Sequence[Append], node: str, incarnation: int | None, head: Head
    ) -> None:
        """Append to a log that had `head`, for one of several nodes if it has an incarnation."""
        self._batch = batch
        self._node = node
        self._incarnation = incarnation
        self._head = head
        self._events = [event for append in batch for event in append.events]
        self.is_one_by_one = incarnation is not None and _meet_each_other(batch)
        """Whether the server looks at each append, as it must if some are in the log already."""
        self._begin = (
            node,
            incarnation,
            # Several nodes use the clock of the database.
            time.time_ns() // 1000 if incarnation is None else None,
            head.position,
            head.hash,
            ints([len(append.events) for append in batch]),
            *self._rows(),
            *self._conditions(),
            *self._beside(),
        )

    @property
    def arguments(self) -> tuple[object, ...]:
        """The arguments of `CALL`."""
        return (*self._begin, self.is_one_by_one)

    def _rows(self) -> tuple[object, ...]:
        """Return the columns of the events, and the parts of their hashed rows."""
        streams, types, schemas, ids, correlations, actors, origins = [], [], [], [], [], [], []
        for proposed in self._events:
            event, origin = proposed.event, proposed.origin
            actor = None if origin.actor is None else str(origin.actor)
            schema_version = event.written_version
            columns = (
                event.type,
                schema_version,
                proposed.event_id,
                origin.correlation_id,
                actor,
                self._node,
            )
            streams.append(event.stream)
            types.append(event.type)
            schemas.append(schema_version)
            ids.append(proposed.event_id)
            correlations.append(origin.correlation_id)
            actors.append(actor)
            # Without the first byte, which says that it is an array of six.
            origins.append(_pack(columns)[1:])
        return (
            texts(streams),
            texts(types),
            ints(schemas),
            byte_strings(ids),
            texts(correlations),
            texts(actors),
            byte_strings([encode(event.event) for event in self._events]),
            byte_strings([encode_meta(event.meta) for event in self._events]),
            byte_strings([_pack(stream) for stream in streams]),
            byte_strings(origins),
        )

    def _conditions(self) -> tuple[object, ...]:
        """Return what was seen and needed by each append, the keys of the events, and `expect`."""
        seen: list[Position | None] = []
        needs: list[str | None] = []
        keys: list[str | None] = []
        for append in self._batch:
            condition, count = append.condition, len(append.events)
            keys += [None] * count
            if condition is None or self._incarnation is None:
                seen.append(None)
                needs.append(None)
                continue
            seen.append(condition.seen)
            needs.append(array_literal(condition.needs) if condition.needs else None)
            if condition.marks and count:
                keys[-1] = array_literal(condition.marks)
        expects = {
            str(number): append.expect for number, append in enumerate(self._batch) if append.expect
        }
        return big_ints(seen), texts(needs), texts(keys), _json(expects)

    def _beside(self) -> tuple[str | None, ...]:
        """Return the statements of read models, and names and texts by the number of the append."""
        names: list[tuple[int, str, str]] = []
        chats: list[tuple[int, str, str, str]] = []
        for number, append in enumerate(self._batch, start=1):
            data = append.personal_data
            if data is not NO_PERSONAL_DATA:
                names += [(number, user, name) for user, name in data.names.items()]
                chats += [(number, chat, one.salt, one.text) for chat, one in data.texts.items()]
        return _json(_projections(self._events)), _json(names), _json(chats)

    def results(self, answer: tuple[Any, ...]) -> tuple[Head, list[Committed | Exception]]:
        """Return the new head, and the result of each append."""
        position, hash_, epoch, at, versions, outcomes, details, *known = answer
        results: list[Committed | Exception] = []
        known_until = self._head.position
        next_, first = position - len(versions or ()) + 1, 0
        remaining = iter(versions or ())
        for number, append in enumerate(self._batch):
            count = len(append.events)
            outcome = "added" if outcomes is None else outcomes[number]
            if outcome == "added":
                positions = list(range(next_, next_ + count))
                found = [next(remaining) for _ in range(count)]
                results.append(
                    Committed(positions, _recorded(append, positions, found, [at] * count))
                )
                next_ += count
                known_until = max(known_until, next_ - 1)
            elif outcome == "known":
                parts = [column[first : first + count] for column in known]
                is_new = parts[0][-1] > known_until
                results.append(Committed(parts[0], _recorded(append, *parts) if is_new else []))
            else:
                results.append(_refusal(outcome, details[number]))
            first += count
        return Head(position, hash_, epoch), results


def _recorded(
    append: Append, positions: list[Position], versions: list[int], times: list[int]
) -> list[RecordedEvent]:
    return [
        RecordedEvent(
            position,
            version,
            at,
            one.event,
            None if one.origin.actor is None else str(one.origin.actor),
            one.meta,
        )
        for one, position, version, at in zip(
            append.events, positions, versions, times, strict=True
        )
    ]


def _refusal(outcome: str, detail: str | None) -> Exception:
    """Return the error of an append that is not in the log."""
    if outcome == "keys" and detail is not None:
        return KeyConflict(int(detail))
    if outcome == "lost":
        return LeaseLost()
    if outcome == "alive":
        return NodeAlive()
    if outcome == "partly":
        return VersionConflict("some events of this append are in the log, others are not")
    return VersionConflict(detail)


def _meet_each_other(batch: Sequence[Append]) -> bool:
    """Return whether an append of the batch needs a key that one before it marks."""
    marks: set[str] = set()
    for append in batch:
        if append.condition is not None:
            if not marks.isdisjoint(append.condition.needs):
                return True
            marks |= append.condition.marks
    return False


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


def _json(value: Any) -> str | None:
    """Return the JSON of `value`, or None if it is empty."""
    return msgspec.json.encode(value).decode() if value else None
