"""Run replays for the HTTP API on a separate thread, off the event loop."""

from __future__ import annotations

import asyncio
import hashlib
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import msgspec

from service.domain.events.base import match_stream
from service.edge.api.problems import NotReplayable, TooManyReplays
from service.eventstore.integrity import broken_match
from service.eventstore.skips import read_skips
from service.eventstore.stored import UnreadableEvent
from service.games.protocol import RulesFailed
from service.games.sight import SPECTATOR
from service.replay.export import frame_lines
from service.replay.loading import TooLong, is_secret, load_source
from service.replay.recording import VERSION, NotARecording, write
from service.replay.replay import Difference, NotAMatch, Replay
from service.replay.seen import seen_by
from service.replay.summary import summarise

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from service.domain.events.base import Event, Position
    from service.domain.ids import MatchId
    from service.edge.api.shapes import FramesParams
    from service.eventstore.read_models.match_history import PlayedMatch
    from service.eventstore.reader import Reader
    from service.eventstore.records import RecordedEvent
    from service.games.catalogue import Catalogue
    from service.games.sight import Viewer
    from service.replay.summary import Summary

REPLAYS_MAX = 16
"""Limit of requests that replay a match at the same time."""

EVENTS_MAX = 200_000
"""The longest match that is replayed, since all of its events are held in memory."""

TOO_LONG = "The match is too long to be replayed."

GZIP_BITS = 31
"""The largest window, in the format of gzip."""

EVENTS_PER_READ = 200
"""Events read for one request before others get their turn."""

SLICE_S = 0.004
SLICE_BYTES = 32 * 1024
"""Time and size of the frames computed for one request before others get their turn."""

Result = TypeVar("Result")


class Replays:
    """Runs replays on one thread, interleaved in slices."""

    def __init__(self, reader: Reader, games: Catalogue) -> None:
        """Read matches by `reader`, and replay them by the rules in `games`."""
        self._reader = reader
        self._games = games
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="replays")
        self._reading = asyncio.Lock()
        self._under_way = 0

    def stop(self) -> None:
        """Stop the thread; queued work is dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold one of the slots for replays; raise `TooManyReplays` if all are taken."""
        if self._under_way >= REPLAYS_MAX:
            raise TooManyReplays
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def load(
        self, match: MatchId, until: int | None = None, viewer: Viewer = SPECTATOR
    ) -> Replay:
        """Read a match as a viewer may see it; raise `NotReplayable` if it can't be replayed.

        With `until` it is its part that was recorded until then, in microseconds since 1970.
        """
        events: list[Event] = []
        times: list[int] = []
        after, stream = 0, match_stream(match)
        while page := await self._page(stream, after):
            after = page[-1].position
            shown = [one for one in page if until is None or one.recorded_at <= until]
            events += [recorded.event for recorded in shown]
            times += [recorded.recorded_at for recorded in shown]
            if len(events) > EVENTS_MAX:
                raise NotReplayable(TOO_LONG)
            if len(shown) < len(page):
                break
        return await self._in_thread(lambda: seen_by(Replay(events, self._games, times), viewer))

    async def summary(
        self, match: MatchId, until: int | None = None, viewer: Viewer = SPECTATOR
    ) -> Summary:
        """Sum a match up, or its part until then, as a viewer sees it; raise `NotReplayable`."""
        replay = await self.load(match, until, viewer)
        return await self._in_thread(lambda: summarise(replay))

    async def etag(self, match: PlayedMatch) -> str:
        """Return what identifies the recording of a finished match, without reading its events.

        These never change; names and what is skipped may.
        """
        skipped = [skip.position for skip in await read_skips(self._reader)]
        epoch = (await self._reader.head()).epoch
        parts = (VERSION, epoch, match.id, match.position, match.ended_at, match.players, skipped)
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]

    async def recording(self, match: MatchId, *, gzip: bool) -> AsyncIterator[bytes]:
        """Yield the recording of a match in parts; raise `NotReplayable`."""
        try:
            source = await load_source(
                self._reader,
                match,
                self._games,
                rows_at_once=EVENTS_PER_READ,
                rows_max=EVENTS_MAX,
            )
        except TooLong as error:
            raise NotReplayable(TOO_LONG) from error
        if is_secret(source):
            raise NotReplayable("What players could not see of this match stays secret.")
        lines = _packed(write(source)) if gzip else write(source)
        while some := await self._in_thread(lambda: _slice(lines)):
            yield some

    async def ask(self, replay: Replay, question: Callable[[Replay], Result]) -> Result:
        """Return what a function says of a replay; it runs on the thread."""
        return await self._in_thread(lambda: question(replay))

    async def frames(self, replay: Replay, wanted: FramesParams) -> AsyncIterator[bytes]:
        """Yield the selected frames as chunks of NDJSON."""
        lines = frame_lines(replay, wanted.hz, wanted.start, wanted.to)
        while some := await self._in_thread(lambda: _slice(lines)):
            yield some

    async def verify(self, match: MatchId, viewer: Viewer = SPECTATOR) -> Difference | None:
        """Verify a recording by the hash chain and by a replay; return the first difference.

        A broken chain is reported at tick 0, since it can't be assigned to a tick.
        """
        async with self._reading:
            broken = await broken_match(self._reader, match, rows_at_once=EVENTS_PER_READ)
        difference = await self._in_thread((await self.load(match, viewer=viewer)).verify)
        if difference is None and broken is not None:
            return Difference(0, broken.message)
        return difference

    async def _page(self, stream: str, after: Position) -> list[RecordedEvent]:
        """Read one page; one reader at a time, since events are decoded on the event loop."""
        async with self._reading:
            try:
                return await self._reader.page(after, stream=stream, limit=EVENTS_PER_READ)
            except UnreadableEvent as error:
                raise NotReplayable("An event of the match can't be read.") from error

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        """Run `work` on the thread; raise `NotReplayable` if the rules are missing or fail."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (NotAMatch, NotARecording, RulesFailed) as error:
            raise NotReplayable(error.message) from error


def _packed(lines: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=GZIP_BITS)
    for line in lines:
        if packed := packer.compress(line):
            yield packed
    yield packer.flush()


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
