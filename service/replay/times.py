"""Times of a match as text, by one rule for the terminal, its tables and the page; pure.

A time that has passed is rounded down, so that a moment has been reached when it is shown. A time
that is left is rounded up, so that 0 means that it is over.
"""

from __future__ import annotations

import math

SECONDS_A_MINUTE = 60

EPSILON = 1e-6
"""What a number of seconds may lack of a tenth because it is a float."""


def whole_seconds(seconds: float) -> int:
    """Return the whole seconds that have passed."""
    return math.floor(seconds + EPSILON)


def seconds_as_text(seconds: float) -> str:
    """Return a time that has passed as `12.5 s`, `1:02.5` or `1:02:03.4`."""
    whole, tenths = divmod(math.floor(seconds * 10 + EPSILON), 10)
    minutes, rest = divmod(whole, SECONDS_A_MINUTE)
    if not minutes:
        return f"{rest}.{tenths} s"
    hours, minutes = divmod(minutes, SECONDS_A_MINUTE)
    return f"{f'{hours}:{minutes:02}' if hours else minutes}:{rest:02}.{tenths}"


def left_as_text(ms: float) -> str:
    """Return a time that is left, in milliseconds, as `1:05`."""
    minutes, seconds = divmod(max(0, math.ceil(ms / 1000)), SECONDS_A_MINUTE)
    return f"{minutes}:{seconds:02}"
