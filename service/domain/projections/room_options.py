"""Options of a room, read once from their event."""

from __future__ import annotations

from typing import Any

import msgspec


class RoomOptions(msgspec.Struct, frozen=True):
    """The options that the service reads; a default holds where the event does not name one."""

    as_written: dict[str, Any] = {}
    """All options as in the event: the game reads its own, and clients get all of them."""
    reconnect_grace_s: float = 10.0
    """How long a seat waits for its player, in seconds."""
    pause_budget_s: float | None = None
    """How long a match may be paused for one player, in seconds; None is without limit."""
    spectator_delay_s: float = 0.0
    """How much later spectators see everything, in seconds."""
    frame_ms: float = 0.0
    """How long, in ms, signals and relayed moves may wait to share one write."""
    duration_s: float = 30.0
    """How long a match of a game with ticks takes, in seconds."""

    @classmethod
    def read(cls, written: dict[str, Any]) -> RoomOptions:
        """Read the options of an event; one that is no number counts as not named.

        Folds call this, and so it raises nothing: 0.1.0 logged some options unchecked.
        """
        named = {
            name: number
            for name, value in written.items()
            if name in _NUMBERS and (number := _number(value)) is not None
        }
        return cls(written, **named)


_NUMBERS = RoomOptions.__struct_fields__[1:]


def _number(value: object) -> float | None:
    # As floats, so that a snapshot of a restored world is the same bytes.
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
