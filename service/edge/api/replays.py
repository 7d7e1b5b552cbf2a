"""Run replays for the HTTP API on a separate thread, off the event loop."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from service.domain.events.base import match_stream
from service.edge.api.problems import NotReplayable, TooManyReplays
from service.eventstore.integrity import broken_match
from service.eventstore.reader import UnreadableEvent
from service.games.protocol import RulesFailed
from service.replay.export import frame_lines
from service.replay.replay import Difference, NotAMatch, Replay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from service.domain.events.base import Event, Position
    from service.domain.ids import MatchId
    from service.edge.api.shapes import FramesWanted
    from service.eventstore.reader import Reader
    from service.eventstore.records import RecordedEvent
    from service.games.catalogue import Catalogue

AT_ONCE_MAX = 16
"""How many requests may play a match again at the same time."""

EVENTS_MAX = 200_000
"""The longest match that is played again here; all of its events are in memory meanwhile."""

READ_AT_ONCE = 200
"""How many events are read for one request, before it is another's turn."""

SLICE_S = 0.004
SLICE_BYTES = 32 * 1024
"""How long one match is played, and how much, before another request's has its turn."""

Result = TypeVar("Result")


class Replays:
    """Plays matches again, one slice of one match after the other."""

    def __init__(self, reader: Reader, games: Catalogue) -> None:
        """Read the matches by `reader`, and play them by the rules of `games`."""
        self._reader = reader
        self._games = games
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="replays")
        self._reading = asyncio.Lock()
        self._under_way = 0

    def stop(self) -> None:
        """Play no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Count one request more meanwhile; raise `TooManyReplays` when there are too many."""
        if self._under_way >= AT_ONCE_MAX:
            raise TooManyReplays
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def load(self, match: MatchId) -> Replay:
        """Read a match; raise `NotReplayable` when it can't be played again."""
        events: list[Event] = []
        after, stream = 0, match_stream(match)
        while page := await self._page(stream, after):
            events += [recorded.event for recorded in page]
            after = page[-1].position
            if len(events) > EVENTS_MAX:
                raise NotReplayable("The match is too long to be played again here.")
        return await self._in_thread(lambda: Replay(events, self._games))

    async def frames(self, replay: Replay, wanted: FramesWanted) -> AsyncIterator[bytes]:
        """Yield the frames that are wanted, as NDJSON, some at a time."""
        lines = frame_lines(replay, wanted.hz, wanted.start, wanted.to)
        while some := await self._in_thread(lambda: _slice(lines)):
            yield some

    async def verify(self, match: MatchId) -> Difference | None:
        """Compare a recording with the hashes of the log and with the rules.

        What is not as it was written may be in any event of the match, so it is said of tick 0.
        """
        async with self._reading:
            broken = await broken_match(self._reader, match, rows_at_once=READ_AT_ONCE)
        difference = await self._in_thread((await self.load(match)).verify)
        if difference is None and broken is not None:
            return Difference(0, broken.message)
        return difference

    async def _page(self, stream: str, after: Position) -> list[RecordedEvent]:
        """Read a little, alone, since what was read is decoded on the loop."""
        async with self._reading:
            try:
                return await self._reader.page(after, stream=stream, limit=READ_AT_ONCE)
            except UnreadableEvent as error:
                raise NotReplayable("An event of the match can't be read.") from error

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        """Do `work`; raise `NotReplayable` when the rules are not here, or fail."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (NotAMatch, RulesFailed) as error:
            raise NotReplayable(error.message) from error


def _slice(lines: Iterator[bytes]) -> bytes:
    taken: list[bytes] = []
    size = 0
    until = time.monotonic() + SLICE_S
    for line in lines:
        taken.append(line)
        size += len(line)
        if size >= SLICE_BYTES or time.monotonic() >= until:
            break
    return b"".join(taken)
