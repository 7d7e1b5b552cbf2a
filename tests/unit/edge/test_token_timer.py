"""When a socket is warned that its token expires: not again at once for hardly a newer one."""

from __future__ import annotations

import asyncio
import time

from service.edge.token_timer import TokenTimer
from service.settings.sections.connections import TokenTimes

TIMES = TokenTimes(warning_s=60, grace_s=25)


class Timed:
    """A timer that is looked at after what is due at once."""

    def __init__(self) -> None:
        self.warnings: list[int] = []
        self.closed = asyncio.Event()
        self.timer = TokenTimer(TIMES, self.warnings.append, self.closed.set)

    async def after(self, expires_at_s: float | None) -> list[int]:
        """Return the new warnings after a token that expires then."""
        self.warnings.clear()
        self.timer.begin(expires_at_s)
        for _ in range(5):
            await asyncio.sleep(0)
        return [*self.warnings]


async def test_a_token_that_expires_soon_is_warned_of_once() -> None:
    timed, soon = Timed(), time.time() + 10
    (left_ms,) = await timed.after(soon)
    assert 0 < left_ms <= 10_000
    # The client has answered by the same token, by an older one, by one that lives hardly longer.
    for expires_at_s in (soon, soon - 5, soon + 1):
        assert await timed.after(expires_at_s) == []
    assert await timed.after(time.time() + 3600) == []
    timed.timer.stop()
    assert not timed.closed.is_set()


async def test_the_socket_is_closed_after_the_grace_also_for_a_token_without_a_warning() -> None:
    timed, gone = Timed(), time.time() - TIMES.grace_s - 1
    assert await timed.after(gone) == [0]
    timed.closed.clear()
    timed.timer.begin(gone)
    async with asyncio.timeout(5):
        await timed.closed.wait()


async def test_a_token_without_an_end_is_never_warned_of() -> None:
    timed = Timed()
    assert await timed.after(None) == []
