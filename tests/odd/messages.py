"""Messages with one odd field, generated from the published client schemas."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.odd.values import ODD, is_json

SCHEMAS = (
    Path(__file__).parents[2] / "service" / "web" / "docs" / "contract" / "messages.schema.json"
)

AS_IT_SHOULD_BE = "(as it should be)"

UNKNOWN = "zzz"
"""A field that no message has."""

BESIDE = {
    "chat:send": ("roomId",),
    "signal": ("roomId",),
    "invite": ("to",),
    "invite:send": ("to",),
    "game:move": ("move",),
    "room:create": ("roomId", "game"),
    "room:join": ("game",),
}
"""What a message needs besides the fields that its schema requires."""

INSTEAD = {
    ("chat:send", "to"): ("roomId",),
    ("signal", "to"): ("roomId",),
    ("signal", "sessionId"): ("roomId",),
    ("invite", "toUserId"): ("to",),
    ("invite:send", "toUserId"): ("to",),
}
"""What does not go together with a field."""

OPTIONS = ("seats", "seats_min", "reconnect_grace_s", "pause_budget_s", "spectator_delay_s")
INNER = {
    "options": (*OPTIONS, "frame_ms", "duration_s", "turn_s", "winning_score", UNKNOWN),
    "metadata": ("name",),
    "move": ("x",),
    "data": ("x",),
}
"""Values of objects that are odd themselves; the object around them is as it should be."""

INNER_STEP = 3
"""Of the values within an object only each so many; each name tries others of them."""

STEPS = {"password": 8, "id": 3, "type": 3, UNKNOWN: 3}
"""Of the values of these fields only each so many are tried with each type: passwords have to be
hashed, and the others are the same for all types, each of which tries others of the values."""


class Odd(NamedTuple):
    """A message of one type, with one value in one field."""

    type: str
    field: str
    value: str
    members: tuple[str, ...]
    """The members of its object, without `type`; one may be no JSON."""

    @property
    def is_json(self) -> bool:
        """Whether it is JSON that can be written again."""
        return is_json(self.object)

    def __str__(self) -> str:
        return f"{self.type} {self.field}={self.value[:80]}"

    def text(self, *, id_: str | None = None, id_first: bool = False) -> str:
        """Write it as a plain message, together with an id of the sender."""
        own = () if id_ is None else (f'"id":"{id_}"',)
        type_ = () if self.field == "type" else (f'"type":{json.dumps(self.type)}',)
        around = (*own, *type_) if id_first else type_
        return f"{{{','.join((*around, *self.members, *(() if id_first else own)))}}}"

    @property
    def object(self) -> str:
        """The fields without the type, where the type is the name of an event."""
        return f"{{{','.join(self.members)}}}"


def types_of(union: str) -> dict[str, Mapping[str, Any]]:
    """Return the schema of each message of `FromV1Client` or `FromClassicClient`, by its type."""
    defs = json.loads(SCHEMAS.read_text())["$defs"]
    named = (one["$ref"].rpartition("/")[2] for one in defs[union]["anyOf"])
    schemas = [defs[name] for name in named]
    return {schema["properties"]["type"]["const"]: schema for schema in schemas}


def odd_messages(
    type_: str, schema: Mapping[str, Any], good: Mapping[str, object], step: int = 1
) -> Iterator[Odd]:
    """Make a message of each field with each value; `good` are values as they should be."""
    fields = [name for name in schema["properties"] if name not in {"type", "id"}]
    needed = [name for name in schema["required"] if name != "type"]
    for field in [*fields, "id", "type", UNKNOWN]:
        others = _others(type_, field, needed, good)
        right = json.dumps(good.get(field, 1))
        yield _odd(type_, field, "(missing)", others, "")
        yield _odd(type_, field, AS_IT_SHOULD_BE, others, f'"{field}":{right}')
        each = step * STEPS.get(field, 1)
        for value in ODD[zlib.crc32(type_.encode()) % each :: each]:
            yield _odd(type_, field, value, others, f'"{field}":{value}')
        for value in ('"a"', "null", right, "[0]"):
            for first, second in ((value, right), (right, value)):
                twice = f'"{field}":{first},"{field}":{second}'
                yield _odd(type_, field, f"({first}, {second})", others, twice)
        for inner in INNER.get(field, ()):
            for value in ODD[zlib.crc32(inner.encode()) % INNER_STEP :: INNER_STEP * step]:
                around = f'"{field}":{{"{inner}":{value}}}'
                yield _odd(type_, f"{field}.{inner}", value, others, around)


def _others(type_: str, field: str, needed: list[str], good: Mapping[str, object]) -> list[str]:
    instead = INSTEAD.get((type_, field), ())
    names = {*needed, *BESIDE.get(type_, ())} - {field, *instead}
    return [f'"{name}":{json.dumps(good[name])}' for name in sorted(names)]


def _odd(type_: str, field: str, value: str, others: list[str], member: str) -> Odd:
    members = (*others, member) if member else (*others,)
    return Odd(type_, field, value, members)
