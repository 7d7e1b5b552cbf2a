"""A node stops at an event that it can't read: new forms have a level that nodes must have reached.

What is written before all live nodes have it would stop the older ones, in the middle of a deploy.
"""

from __future__ import annotations

import pytest

from service.domain.events import EVENT_TYPES, LEVEL
from service.domain.events.base import Event

OF_LEVEL_1 = {
    "chat.said": 1,
    "consumer.subscribed": 1,
    "consumer.unsubscribed": 1,
    "host.changed": 1,
    "invite.accepted": 1,
    "invite.cooldown_ended": 1,
    "invite.declined": 1,
    "invite.expired": 1,
    "invite.sent": 1,
    "lobby.joined": 1,
    "lobby.left": 1,
    "match.checkpoint": 1,
    "match.ended": 2,
    "match.input": 2,
    "match.outcome": 1,
    "match.paused": 2,
    "match.resumed": 2,
    "match.rewound": 1,
    "match.started": 1,
    "match.suspended": 1,
    "match.turn_noted": 1,
    "node.draining": 1,
    "node.lost": 1,
    "node.started": 2,
    "player.readied": 1,
    "player.seated": 1,
    "result.delivered": 1,
    "result.rejected": 1,
    "result.requeued": 1,
    "room.became_ready": 1,
    "room.closed": 1,
    "room.created": 3,
    "room.locked": 1,
    "room.moved": 1,
    "search.cancelled": 1,
    "search.gave_up": 1,
    "search.started": 1,
    "seat.forfeited": 1,
    "seat.left": 1,
    "seat.taken": 1,
    "sessions.revoked": 1,
    "socket.closed": 1,
    "socket.opened": 1,
    "spectator.joined": 1,
    "spectator.left": 1,
    "user.came_online": 1,
    "user.muted": 1,
    "user.status_set": 1,
    "user.went_offline": 1,
}
"""The schema version of each type that a node of level 1, the first in a cluster, can read.

Nothing is added here any more.
"""


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.type)
def test_what_a_node_of_the_first_level_cannot_read_needs_a_higher_one(kind: type[Event]) -> None:
    is_old = kind.schema_version <= OF_LEVEL_1.get(kind.type, 0)
    assert (kind.needs_level == 1) == is_old


def test_the_level_of_this_code_is_the_highest_that_an_event_needs() -> None:
    assert max(kind.needs_level for kind in EVENT_TYPES) == LEVEL
