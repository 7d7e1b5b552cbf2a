"""Make a client."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from service.client.client import Client
from service.client.clock import Clock
from service.client.state import FrameRate

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.client.tokens import Token

_jitter = random.SystemRandom().random


def connect(
    url: str,
    token: Token,
    *,
    frame_hz: int | None = None,
    jitter: Callable[[], float] = _jitter,
    clock: Clock | None = None,
) -> Client:
    """Return a client for one `async with` block.

    `frame_hz` is how many states of each live match are wanted per second: 60 (the default), 30 or
    20. The command `frames:set` changes it, also for later connections.
    `jitter` returns a random number from 0 to 1, by which each wait before a reconnect is
    multiplied. `clock` is for tests.
    """
    return Client(url, token, FrameRate(frame_hz), jitter, clock or Clock())
