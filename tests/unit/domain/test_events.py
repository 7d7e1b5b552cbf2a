"""The fields and the stream of each event."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
import pytest

from service.domain.events import EVENT_TYPES
from service.domain.events.base import (
    Event,
    match_stream,
    node_stream,
    queue_stream,
    room_stream,
    user_stream,
)
from service.domain.events.rooms import RoomCreated

FIELDS: dict[str, Any] = {
    "node": "n1",
    "user": 7,
    "inviter": 7,
    "invitee": 8,
    "room": "r",
    "match": "r-1",
    "consumer": "c",
}

LOG: dict[str, tuple[int, str]] = {
    "node.started": (2, "node:n1"),
    "node.lost": (1, "node:n1"),
    "node.draining": (1, "node:n1"),
    "user.came_online": (1, "user:7"),
    "socket.opened": (1, "user:7"),
    "socket.closed": (1, "user:7"),
    "user.went_offline": (1, "user:7"),
    "user.status_set": (1, "user:7"),
    "lobby.joined": (1, "user:7"),
    "lobby.left": (1, "user:7"),
    "invite.sent": (1, "user:7"),
    "invite.accepted": (1, "user:7"),
    "invite.declined": (1, "user:7"),
    "invite.expired": (1, "user:7"),
    "invite.cooldown_ended": (1, "user:7"),
    "search.started": (1, "user:7"),
    "search.bot_offered": (1, "user:7"),
    "search.cancelled": (1, "user:7"),
    "search.gave_up": (1, "user:7"),
    "room.created": (3, "room:r"),
    "player.seated": (1, "room:r"),
    "seat.taken": (1, "room:r"),
    "seat.left": (1, "room:r"),
    "seat.forfeited": (1, "room:r"),
    "spectator.joined": (1, "room:r"),
    "spectator.left": (1, "room:r"),
    "room.became_ready": (1, "room:r"),
    "player.readied": (1, "room:r"),
    "host.changed": (1, "room:r"),
    "room.locked": (1, "room:r"),
    "room.closed": (1, "room:r"),
    "room.moved": (1, "room:r"),
    "match.started": (2, "match:r-1"),
    "match.input": (3, "match:r-1"),
    "match.outcome": (2, "match:r-1"),
    "match.checkpoint": (1, "match:r-1"),
    "match.paused": (2, "match:r-1"),
    "match.resumed": (2, "match:r-1"),
    "match.rewound": (1, "match:r-1"),
    "match.suspended": (1, "match:r-1"),
    "match.turn_noted": (1, "match:r-1"),
    "match.ended": (3, "match:r-1"),
    "chat.said": (1, "room:r"),
    "user.muted": (1, "user:7"),
    "sessions.revoked": (1, "user:7"),
    "operator.acted": (1, "operators"),
    "consumer.subscribed": (1, "outbox:c"),
    "consumer.unsubscribed": (1, "outbox:c"),
    "result.delivered": (1, "outbox:c"),
    "result.rejected": (1, "outbox:c"),
    "result.requeued": (1, "outbox:c"),
    "log.archived": (1, "log"),
}
"""The `schema_version` of each type, which goes up by each new form, and its stream."""


def example(kind: type[Event], **fields: Any) -> Event:
    given = {one.name: FIELDS.get(one.name) for one in msgspec.structs.fields(kind) if one.required}
    if "room" in kind.__struct_fields__:
        given["room"] = FIELDS["room"]
    return kind(**given | fields)


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.type)
def test_each_event_has_its_fields_and_stream(kind: type[Event]) -> None:
    assert (kind.schema_version, example(kind).stream) == LOG[kind.type]


def test_the_set_of_event_types_is_complete() -> None:
    assert {kind.type for kind in EVENT_TYPES} == LOG.keys()
    assert len(EVENT_TYPES) == len(LOG)


def test_only_the_start_of_a_match_opens_its_stream() -> None:
    assert [kind.type for kind in EVENT_TYPES if kind.opens_stream] == ["match.started"]


def test_streams_are_named_by_their_kind() -> None:
    assert node_stream("n1") == "node:n1"
    assert user_stream(7) == "user:7"
    assert queue_stream("pong") == "queue:pong"
    assert room_stream("r") == "room:r"
    assert match_stream("r-1") == "match:r-1"


class Nowhere(Event, frozen=True):
    """An event that does not define its stream."""

    type: ClassVar[str] = "nowhere"


def test_an_event_must_define_its_stream() -> None:
    with pytest.raises(NotImplementedError):
        assert Nowhere().stream


def test_a_room_defaults_to_public_without_spectators() -> None:
    created: Any = example(RoomCreated)
    assert (created.host, created.visibility, created.password) == (None, "public", None)
    assert (created.metadata, created.spectators_max, created.named) == ({}, 0, False)
