"""Keep this node's fold in step with a log that other nodes append to as well.

What was committed here is published by the bus, and what others publish is folded. The database is
read for what does not arrive: after a gap, and when nothing has come for a while.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from service.domain.events.chat import ChatSaid
from service.domain.events.matches import MatchInput
from service.domain.events.presence import UserCameOnline
from service.domain.personal_data import PersonalData
from service.errors import ServiceError
from service.eventstore.batches import decode_message, encode_message, runs_of
from service.eventstore.follower import Batch, Follower
from service.eventstore.own_appends import OwnAppends
from service.eventstore.plan import Committed, KeyConflict
from service.eventstore.store import LogDiverged
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from service.bus.port import Bus
    from service.domain.events.base import Position
    from service.domain.ids import UserId
    from service.domain.personal_data import Text
    from service.eventstore.completions import PendingAppend
    from service.eventstore.records import Head, RecordedEvent

GAP_S = 0.02
"""How long events may be missing before they are read from the database."""

SILENCE_S = 0.1
"""After this long without a batch the database is asked for new events."""

RETRY_S = 0.2
"""The pause after the database could not be read."""

READ_TIMEOUT_S = 2.0
"""How long reading may take; the connection may be half-open."""

PAGE = 1000
"""Events that are read at once: they are folded in one turn of the loop."""

NAMES_MAX = 10_000
"""How many names are kept for the next message, while the bus is not connected."""

Result = TypeVar("Result")

logger = get_logger(__name__)


class LogSource(Protocol):
    """What is read of the database."""

    async def following(self, after: Position, limit: int) -> list[tuple[bytes, RecordedEvent]]:
        """Return (event id, event) of at most `limit` events after a position."""

    async def head(self) -> Head:
        """Return the head of the log."""

    async def names(self, users: Collection[str]) -> dict[str, str]:
        """Return the known display names of `users`."""

    async def salted_texts(self, chats: Collection[str]) -> dict[str, Text]:
        """Return chat texts by the ids of their events."""


class Profiles(Protocol):
    """The display names that this node knows."""

    @property
    def names(self) -> Mapping[UserId, str]:
        """The names, by user."""


class Replication:
    """Publishes what this node commits, and folds in order what all nodes commit."""

    def __init__(  # noqa: PLR0913 - the parts are given by the composition root
        self,
        bus: Bus,
        source: LogSource,
        *,
        realm: str,
        epoch: str,
        position: Position,
        fold: Callable[[Batch], None],
        profiles: Profiles,
    ) -> None:
        """Continue after `position`, of the log of `epoch`; `fold` takes batches in order.

        `profiles` has the names that this node shows. Other nodes get the name of a user who comes
        online here, and all names are read again when the bus was not connected.
        """
        self._bus = bus
        self._source = source
        self._subject = f"ws.{realm}.log"
        self._epoch = epoch
        self._follower = Follower(position, fold)
        self._fold = fold
        self._profiles = profiles
        self._fail: Callable[[Exception], None]
        self._loop: asyncio.AbstractEventLoop
        self._own = OwnAppends()
        self._unpublished: dict[str, str] = {}
        """Names that other nodes have not been told yet."""
        self._heard_at = self._received_at = 0.0
        self._in_step_at = 0.0
        """When this node had last folded all events that it knew of."""
        self._was_connected = False
        self._gap: asyncio.TimerHandle | None = None
        self._silence: asyncio.TimerHandle | None = None
        self._reading: asyncio.Task[None] | None = None
        self._is_unreadable = False
        """The database could not be read at the last attempt."""
        self._is_stopped = False
        bus.subscribe(self._subject, self._receive)

    @property
    def head(self) -> Position:
        """The greatest position that is known to be in the log."""
        return self._follower.head

    @property
    def position(self) -> Position:
        """The position up to which this node has folded the log."""
        return self._follower.position

    @property
    def lag_s(self) -> float:
        """How long this node has known of events that it has not folded; 0 if it knows of none."""
        return self._loop.time() - self._in_step_at if self._follower.is_behind else 0.0

    @property
    def silence_s(self) -> float:
        """How long no other node has published anything, in seconds."""
        return self._loop.time() - self._received_at

    def when_folded(self, position: Position, done: Callable[[], None]) -> None:
        """Call `done` once `position` is folded, or when nothing will be folded any more."""
        self._follower.when_folded(position, done)

    def note_head(self, position: Position) -> None:
        """Take note that the log reaches up to `position`."""
        self._follower.note_head(position)
        self._notice_gap()

    def start(self, fail: Callable[[Exception], None]) -> None:
        """Begin to follow the log; `fail` is called with the error after which that ends."""
        self._loop = asyncio.get_running_loop()
        self._in_step_at = self._loop.time()
        self._fail = fail
        self._watch()

    async def stop(self) -> None:
        """Follow the log no more."""
        self._end()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def sent(self, appends: Sequence[PendingAppend]) -> None:
        """Take note of appends that are on their way."""
        self._own.sent(appends)

    def committed(
        self,
        appends: Sequence[PendingAppend],
        results: Sequence[Committed | Exception],
        done: Callable[[], None],
    ) -> None:
        """Publish and fold what is committed of `appends`; call `done` once it is folded.

        A conflict is told when its position is folded, so that it can be decided again.
        """
        added: list[RecordedEvent] = []
        names: dict[str, str] = {}
        texts: dict[str, Text] = {}
        until = 0
        try:
            self._own.landed(appends, results, self.position)
        except LogDiverged as error:
            self._failure(error)
        for append, result in zip(appends, results, strict=True):
            if isinstance(result, KeyConflict):
                until = max(until, result.position)
            if isinstance(result, Committed):
                until = max(until, *result.positions, 0)
                added += result.recorded
                names |= append.personal_data.names
                texts |= append.personal_data.texts
        for run in runs_of(added):
            self._publish(run, run[-1].position, PersonalData(names, texts))
            self._take(Batch(run[0].position - 1, run[-1].position, run))
            names, texts = {}, {}
        if names:
            self._publish([], self.position, PersonalData(names))

        def told() -> None:
            self._own.told(appends)
            done()

        if self._is_stopped:
            told()
        else:
            self._follower.when_folded(until, told)

    def _publish(
        self, events: Sequence[RecordedEvent], head: Position, personal_data: PersonalData
    ) -> None:
        if self._unpublished:
            names = self._unpublished | personal_data.names
            personal_data = msgspec.structs.replace(personal_data, names=names)
        known = self._profiles.names
        names = {
            str(user): known[user]
            for one in events
            if isinstance(one.event, UserCameOnline) and (user := one.event.user) in known
        }
        if names:
            # They may have no name for a user who has one here already.
            names |= personal_data.names
            personal_data = msgspec.structs.replace(personal_data, names=names)
        data = encode_message(self._epoch, events, head, personal_data)
        self._unpublished = {}
        if not self._bus.publish(self._subject, data):
            # The events are read from the database. Of a changed name nothing is in the log.
            newest = list(personal_data.names.items())[-NAMES_MAX:]
            self._unpublished = dict(newest)

    def _receive(self, data: bytes) -> None:
        """Take a message of another node."""
        self._received_at = self._loop.time()
        message = decode_message(data)
        if message.epoch != self._epoch:
            logger.warning("batch of another log", metadata={"epoch": message.epoch})
            return
        try:
            batch = message.batch()
        except Exception as error:  # noqa: BLE001 - it is read from the database, and fails there
            logger.warning("batch not decoded", metadata={"reason": repr(error)})
            batch = Batch(message.head, message.head, ())
        if message.head > self.position or not message.rows:
            # In a turn of its own: what the same node has sent to this one between two batches is
            # in the same turn as both, when they are read at once, and waits for the first.
            self._loop.call_soon(self._take, batch)

    def _take(self, batch: Batch) -> None:
        if self._is_stopped:
            return
        self._heard_at = now = self._loop.time()
        try:
            self._follower.take(batch)
        except Exception as error:  # noqa: BLE001 - it is raised by the task of the log
            self._failure(error)
            return
        if not self._follower.is_behind:
            self._in_step_at = now
        self._notice_gap()

    def _notice_gap(self) -> None:
        if self._follower.is_behind and self._gap is None and self._reading is None:
            self._gap = self._loop.call_later(GAP_S, self._on_gap, self.position)

    def _on_gap(self, position: Position) -> None:
        """Read the database, if nothing has come since the gap was noticed."""
        self._gap = None
        if self.position == position:
            self._read()
        else:
            self._notice_gap()

    def _watch(self) -> None:
        """Read the database, if nothing has come for a while; check again later."""
        is_connected = self._bus.is_connected
        if is_connected and not self._was_connected:
            self._loop.create_task(self._refresh_names(), name="names-refreshed")
        self._was_connected = is_connected
        left_s = self._heard_at + SILENCE_S - self._loop.time()
        if left_s <= 0:
            self._read()
            left_s = SILENCE_S
        self._silence = self._loop.call_later(left_s, self._watch)

    def _read(self) -> None:
        if self._reading is None and not self._is_stopped:
            self._reading = self._loop.create_task(self._catch_up(), name="log-read")
            self._reading.add_done_callback(self._have_read)

    def _have_read(self, task: asyncio.Task[None]) -> None:
        self._reading = None
        if self._is_stopped or task.cancelled():
            return
        error = task.exception()
        if isinstance(error, ServiceError):
            self._failure(error)
        elif error is not None:
            if not self._is_unreadable:
                logger.warning("log not read", metadata={"reason": repr(error)})
            self._heard_at = self._loop.time() + RETRY_S - SILENCE_S
        else:
            self._notice_gap()
        self._is_unreadable = error is not None

    async def _catch_up(self) -> None:
        """Fold all events of the database; raise `LogDiverged` if it has fewer."""
        # While the head is read, later events may be folded.
        position = self.position
        head = await _in_time(self._source.head())
        if head.epoch != self._epoch or head.position < position:
            raise LogDiverged
        if not self._follower.is_behind:
            self._in_step_at = self._loop.time()
        self._follower.note_head(head.position)
        while not self._is_stopped and self.position < head.position:
            after = self.position
            page = await _in_time(self._source.following(after, PAGE))
            until = page[-1][1].position if len(page) == PAGE else head.position
            until = max(until, page[-1][1].position if page else 0)
            personal_data = await _in_time(self._personal_data([one for _, one in page]))
            events = [self._own.restored(id_, one) for id_, one in page]
            self._take(Batch(after, until, events, personal_data))
        self._heard_at = self._loop.time()

    async def _personal_data(self, page: Sequence[RecordedEvent]) -> PersonalData:
        actors = {
            one.actor
            for one in page
            if one.actor is not None and not isinstance(one.event, MatchInput)
        }
        chats = [one.event.chat for one in page if isinstance(one.event, ChatSaid)]
        names = await self._source.names(actors) if actors else {}
        texts = await self._source.salted_texts(chats) if chats else {}
        return PersonalData(names, texts)

    async def _refresh_names(self) -> None:
        """Read the names that may have changed while the bus was not connected."""
        try:
            users = [str(user) for user in self._profiles.names]
            names = await self._source.names(users)
        except Exception as error:  # noqa: BLE001 - old names are shown until the next change
            logger.warning("names not read", metadata={"reason": repr(error)})
        else:
            self._take(Batch(self.position, self.position, (), PersonalData(names)))

    def _failure(self, error: Exception) -> None:
        """Fold nothing any more."""
        self._end()
        self._fail(error)
        self._follower.release()

    def _end(self) -> None:
        self._is_stopped = True
        for timer in (self._gap, self._silence):
            if timer is not None:
                timer.cancel()


async def _in_time(reading: Awaitable[Result]) -> Result:
    async with asyncio.timeout(READ_TIMEOUT_S):
        return await reading
