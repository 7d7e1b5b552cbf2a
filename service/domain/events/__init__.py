"""Events of the log, one module per concept."""

from service.domain.events import (
    access,
    chat,
    invites,
    lobby,
    log,
    matches,
    matchmaking,
    nodes,
    operators,
    outbox,
    presence,
    rooms,
)
from service.domain.events.base import Event

_MODULES = (
    nodes,
    presence,
    lobby,
    invites,
    matchmaking,
    rooms,
    matches,
    chat,
    access,
    operators,
    outbox,
    log,
)

EVENT_TYPES: tuple[type[Event], ...] = tuple(
    dict.fromkeys(
        found
        for module in _MODULES
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, Event) and "type" in vars(found)
    )
)
"""All event types: the codec and the generated reference know no others."""

LEVEL = max(event_type.needs_level for event_type in EVENT_TYPES)
"""The level of this code: it reads the events of this level and of all lower ones."""
