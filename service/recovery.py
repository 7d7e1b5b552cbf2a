"""Rebuild in-memory state from the log at start: projections, names, backlog.

The world is restored from the newest snapshot. The backlog also needs an older world, from before
the messages that clients may still resume from; where no snapshot is old enough, that one is folded
from the first event. The result does not depend on how the last process ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.events.base import match_stream
from service.domain.events.chat import ChatSaid
from service.domain.events.matches import MatchCheckpoint, MatchInput, MatchOutcome, MatchStarted
from service.domain.events.presence import UserWentOffline
from service.domain.ids import parse_user_id
from service.domain.projections.chat import HISTORY_MAX
from service.errors import Unavailable
from service.runtime.idempotency import RESULT_TTL_US
from service.runtime.snapshots import code_version, dump, fold_log, restore, restore_world
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.domain.events.base import Event, Position
    from service.domain.ids import UserId
    from service.domain.projections.matches import Match
    from service.domain.projections.world import World
    from service.edge.tail import Refill
    from service.eventstore.reader import Reader, StoredEvent
    from service.eventstore.records import RecordedEvent
    from service.eventstore.writer import EventLog
    from service.fanout.profiles import Profiles
    from service.settings.sections.storage import BacklogLimits

READ_PER_EVENT_MAX = 20
"""The maximum number of logged events that a start reads for each one that the backlog holds."""

FOLDED_PER_EVENT_MAX = 2
"""The same for events that it also folds, which costs twenty times as much as passing over one.

Most events of a busy log are inputs of matches, and nearly all others have messages.
"""

WITHOUT_FRAMES = (MatchCheckpoint.type, MatchOutcome.type)
"""The types of events that lead to no messages, and that no audience depends on."""

PROFILE_CACHE_MIN = 1000
"""Number of names and texts that are cached even when they are not needed any more."""

logger = get_logger(__name__)


class Recovered(msgspec.Struct):
    """The worlds that were rebuilt."""

    world: World
    """The world after the last event of the log."""
    before_tail: World
    """The world from which the backlog is refilled."""


async def recover(
    log: EventLog, reader: Reader, limits: BacklogLimits, *, snapshot_events: int, now_us: int
) -> Recovered:
    """Rebuild both worlds; `now_us` is the time in microseconds since 1970.

    When no snapshot can be used one is written, so that the next start is fast again.
    """
    head = log.head.position
    # The idempotency store is refilled from the same events.
    tail_us = max(int(limits.age_s * 1_000_000), RESULT_TTL_US)
    tail_from = await reader.last_before(
        now_us - tail_us,
        after=max(0, head - READ_PER_EVENT_MAX * limits.events_max),
    )
    tail_from = await reader.before_last(
        FOLDED_PER_EVENT_MAX * limits.events_max,
        without=(*WITHOUT_FRAMES, MatchInput.type),
        after=tail_from,
    )
    before = await restore_world(log, tail_from)
    restored_at = before.position
    await fold_log(before, reader, tail_from)
    if before.position - restored_at >= snapshot_events:
        await _save(log, before)
    world = await restore_world(log, head)
    if world.position <= before.position:
        world = restore(dump(before))
    await fold_log(world, reader, head)
    return Recovered(world, before)


async def refill_backlog(  # noqa: PLR0913 - the sources, and the parts that are refilled
    tail: Refill,
    before: World,
    reader: Reader,
    cache: ProfileCache,
    remember: Callable[[RecordedEvent], None],
    *,
    now_us: int,
) -> None:
    """Refill the backlog, the idempotency store and the profiles from the events after `before`.

    `now_us` is the time in microseconds since 1970.
    """
    await cache.load(before)
    await remember_commands(reader, before.position, now_us - RESULT_TTL_US, remember)
    await refill(tail, before.position, reader, cache)
    await cache.load()


async def match_events(reader: Reader, match: Match) -> Sequence[Event]:
    """Return the events of a live match since its last checkpoint."""
    pages = reader.read(match.replay_from - 1, stream=match_stream(match.id))
    return [recorded.event async for page in pages for recorded in page]


async def refill(refill: Refill, after: Position, reader: Reader, cache: ProfileCache) -> None:
    """Pass the events after a position to `refill`."""
    begun = await reader.after_of_type(after, MatchStarted.type)
    streams = refill.streams_with_moves(begun)
    async for page in reader.stored(
        after, without=WITHOUT_FRAMES, sparse=MatchInput.type, streams=streams
    ):
        await cache.load_of(page)
        for stored in page:
            refill.fold(stored)


async def remember_commands(
    reader: Reader, until: Position, since_us: int, remember: Callable[[RecordedEvent], None]
) -> None:
    """Pass the commands that were recorded since `since_us`, up to `until`, to `remember`.

    They are those from before the tail, when more has happened lately than the tail may hold.
    """
    after = await reader.last_before(since_us, after=0)
    if after < until:
        async for recorded in reader.commands(after, until):
            remember(recorded)


async def _save(log: EventLog, world: World) -> None:
    try:
        await log.save_snapshot(
            code_version(),
            world.position,
            dump(world),
            needed_from=world.position,
            used=world.nodes.codes(),
        )
    except Unavailable as error:
        logger.warning("snapshot not written", metadata={"reason": str(error)})


class ProfileCache:
    """Caches the names and texts that messages may need, and evicts the others."""

    def __init__(self, profiles: Profiles, world: World, reader: Reader) -> None:
        """Keep in `profiles` the names and texts of `world`."""
        self._profiles = profiles
        self._world = world
        self._reader = reader

    async def load(self, world: World | None = None) -> None:
        """Load the names of all users of a world, and the chat texts of its rooms."""
        users = _users_of(world or self._world)
        known = await self._reader.names([str(user) for user in users])
        self._profiles.names |= {user: known[str(user)] for user in users if str(user) in known}
        self._profiles.texts |= await self._reader.texts(list(_texts_of(world or self._world)))

    async def load_of(self, page: Sequence[StoredEvent]) -> None:
        """Load the names of the actors of stored events, and the texts of chat events."""
        actors = {
            one.actor for one in page if one.actor is not None and one.type != MatchInput.type
        }
        names = await self._reader.names(actors)
        self._profiles.names |= {parse_user_id(user): name for user, name in names.items()}
        decoded = [one.decoded().event for one in page if one.type == ChatSaid.type]
        said = [event.chat for event in decoded if isinstance(event, ChatSaid)]
        self._profiles.texts |= await self._reader.texts(said)

    def observe(self, event: Event, _position: Position) -> None:
        """Evict names and texts that are not needed any more, when there are too many.

        Those of events on their way into the log stay: their events are published with them.
        """
        profiles, world = self._profiles, self._world
        names_max = PROFILE_CACHE_MIN + 2 * len(world.presence.sockets)
        texts_max = PROFILE_CACHE_MIN + 2 * HISTORY_MAX * len(world.chat.rooms)
        if isinstance(event, UserWentOffline) and len(profiles.names) > names_max:
            in_flight = {name for data in profiles.expected.values() for name in data.names}
            for user in profiles.names.keys() - _users_of(world):
                if str(user) not in in_flight:
                    del profiles.names[user]
        if isinstance(event, ChatSaid) and len(profiles.texts) > texts_max:
            in_flight = {chat for data in profiles.expected.values() for chat in data.texts}
            for chat in profiles.texts.keys() - _texts_of(world) - in_flight:
                del profiles.texts[chat]


def _users_of(world: World) -> set[UserId]:
    rooms = world.rooms.rooms.values()
    return {
        *world.presence.sockets,
        *(one for room in rooms for one in room.players),
        *(line.author for lines in world.chat.rooms.values() for line in lines),
    }


def _texts_of(world: World) -> set[str]:
    return {line.chat for lines in world.chat.rooms.values() for line in lines}
