"""Rebuild the world and the names that it needs from the log at start.

The world is restored from the newest snapshot. What only some clients need, such as the backlog for
resumes, is refilled behind it (`service.refilling`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from service.domain.events.base import match_stream
from service.domain.events.chat import ChatSaid
from service.domain.events.matches import MatchCheckpoint, MatchInput, MatchOutcome
from service.domain.events.presence import UserWentOffline
from service.domain.ids import parse_user_id
from service.domain.projections.chat import HISTORY_MAX
from service.errors import Unavailable
from service.eventstore import baselines
from service.runtime.snapshots import code_version, dump, restore_world
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.events.base import Event, Position
    from service.domain.ids import UserId
    from service.domain.projections.matches import Match
    from service.domain.projections.world import World
    from service.eventstore.reader import Reader
    from service.eventstore.stored import StoredEvent
    from service.eventstore.writer import EventLog
    from service.fanout.profiles import Profiles
    from service.settings.sections.storage import BacklogLimits

READ_PER_EVENT_MAX = 20
"""The maximum number of logged events that a start reads for each one that the backlog holds."""

FOLDED_PER_EVENT_MAX = 2
"""The same for events that it also folds, which costs twenty times as much as passing over one.

Most events of a busy log are inputs of matches, and nearly all others have messages.
"""

PROGRESS_S = 2.0
"""How often a long rebuild of the world is logged, in seconds."""

WITHOUT_FRAMES = (MatchCheckpoint.type, MatchOutcome.type)
"""The types of events that lead to no messages, and that no audience depends on."""

PROFILE_CACHE_MIN = 1000
"""Number of names and texts that are cached even when they are not needed any more."""

logger = get_logger(__name__)


class Recovered(msgspec.Struct):
    """The world that was rebuilt."""

    world: World
    """The world after the last event of the log."""
    folded: int
    """How many events were folded into it, from the snapshot on."""


async def recover(
    log: EventLog, reader: Reader, limits: BacklogLimits, *, snapshot_events: int, now_us: int
) -> Recovered:
    """Rebuild the world; `now_us` is the time in microseconds since 1970.

    When much has to be folded, a snapshot is written on the way from which the backlog can be
    refilled, so that this and the next start do not fold the same again for that.
    """
    head = log.head.position
    archives = await reader.archived.archives()
    world = await restored_world(log, reader, head)
    restored_at = world.position
    if head - restored_at >= snapshot_events:
        tail_from = await tail_start(reader, limits, head, now_us)
        if tail_from - restored_at >= snapshot_events:
            await _rebuild(world, reader, tail_from, head)
            await save_snapshot(log, world)
    await _rebuild(world, reader, head, head)
    if await reader.archived.archives() != archives:
        # Events may have left the log while it was read.
        return await recover(log, reader, limits, snapshot_events=snapshot_events, now_us=now_us)
    return Recovered(world, head - restored_at)


async def restored_world(log: EventLog, reader: Reader, at_most: Position) -> World:
    """Return the world from which the log is folded: of a snapshot, a baseline, or an empty one.

    A baseline is used only when no snapshot is; then later events alone are needed.
    """
    world = await restore_world(log, at_most)
    baseline = await reader.archived.baseline()
    if baseline is None or not world.position < baseline.position <= at_most:
        return world
    return baselines.restore(baseline)


async def _rebuild(world: World, reader: Reader, until: Position, head: Position) -> None:
    """Fold the events up to `until`, and log now and then how far that is on the way to `head`."""
    first, said_at = world.position, time.monotonic()
    async for page in reader.events(first, until):
        for position, event in page:
            world.fold(event, position)
        if time.monotonic() - said_at >= PROGRESS_S:
            said_at = time.monotonic()
            logger.info(
                "rebuilding the world",
                metadata={"position": world.position, "from": first, "to": head},
            )


async def tail_start(
    reader: Reader, limits: BacklogLimits, head: Position, now_us: int
) -> Position:
    """Return the position after which the backlog is refilled."""
    old = await reader.last_before(
        now_us - int(limits.age_s * 1_000_000),
        after=max(0, head - READ_PER_EVENT_MAX * limits.events_max),
    )
    return await reader.before_last(
        FOLDED_PER_EVENT_MAX * limits.events_max,
        without=(*WITHOUT_FRAMES, MatchInput.type),
        after=old,
    )


async def match_events(reader: Reader, match: Match) -> Sequence[Event]:
    """Return the events of a live match since its last checkpoint."""
    pages = reader.read(match.replay_from - 1, stream=match_stream(match.id))
    return [recorded.event async for page in pages for recorded in page]


async def save_snapshot(log: EventLog, world: World) -> None:
    """Store a snapshot of an older world; a failure is logged, and only makes a start slower."""
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
        known = self._profiles.names
        actors = {
            one.actor
            for one in page
            if one.actor is not None
            and one.type != MatchInput.type
            and parse_user_id(one.actor) not in known
        }
        names = await self._reader.names(actors)
        known |= {parse_user_id(user): name for user, name in names.items()}
        decoded = [one.decoded().event for one in page if one.type == ChatSaid.type]
        said = [event.chat for event in decoded if isinstance(event, ChatSaid)]
        self._profiles.texts |= await self._reader.texts(said)

    def observe(self, event: Event, _position: Position) -> None:
        """Evict names and texts that are not needed any more, when there are too many.

        Those of events on their way into the log stay: their events are published with them.
        """
        profiles, world = self._profiles, self._world
        names_max = PROFILE_CACHE_MIN + 2 * len(world.presence.sockets)
        histories = len(world.chat.rooms) + bool(world.chat.lobby)
        texts_max = PROFILE_CACHE_MIN + 2 * HISTORY_MAX * histories
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
        *(line.author for line in world.chat.lines),
    }


def _texts_of(world: World) -> set[str]:
    return {line.chat for line in world.chat.lines}
