"""Read the frame rate that a client asks for, in a message or in its URL."""

from __future__ import annotations

from service.edge.session.guard import BadValue
from service.protocol.frame_rates import FRAME_HZ

_IN_URL = {str(hz): hz for hz in FRAME_HZ}


def frame_rate(hz: int) -> int:
    """Return a frame rate; raise `BadValue` if it is not allowed."""
    if hz not in FRAME_HZ:
        raise _not_allowed()
    return hz


def frame_rate_in_url(text: str) -> int:
    """Return the frame rate of `?frameHz=`; raise `BadValue` if it is not allowed."""
    hz = _IN_URL.get(text)
    if hz is None:
        raise _not_allowed()
    return hz


def _not_allowed() -> BadValue:
    return BadValue(f"frameHz is one of {', '.join(map(str, FRAME_HZ))}.")
