"""Read a match from its log: for a replay, or whole for a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.events.base import match_stream
from service.domain.events.matches import MatchEnded, MatchStarted
from service.domain.names import placeholder_name
from service.errors import ServiceError
from service.eventstore.codec import decode
from service.eventstore.records import GENESIS
from service.eventstore.skips import read_skips
from service.replay.recording import Source
from service.replay.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.events.base import Event, Position
    from service.domain.ids import MatchId
    from service.eventstore.reader import Reader
    from service.eventstore.records import Row
    from service.games.catalogue import Catalogue

ROWS_PER_READ = 1000


class TooLong(ServiceError):
    """The match has more events than are read at once."""


async def load_replay(reader: Reader, match: MatchId, games: Catalogue) -> Replay:
    """Return the replay of a match; raise `NotAMatch` and `UnreadableEvent`."""
    events: list[Event] = []
    times: list[int] = []
    async for page in reader.read(stream=match_stream(match)):
        events += [one.event for one in page]
        times += [one.recorded_at for one in page]
    return Replay(events, games, times)


async def load_rows(
    reader: Reader,
    match: MatchId,
    *,
    rows_at_once: int = ROWS_PER_READ,
    rows_max: int | None = None,
) -> tuple[list[Row], dict[Position, bytes]]:
    """Return the rows of a match, and the hashes of the rows before them; raise `TooLong`."""
    rows: list[Row] = []
    previous: dict[Position, bytes] = {0: GENESIS}
    async for page in reader.rows(stream=match_stream(match), limit=rows_at_once):
        rows += page
        if rows_max is not None and len(rows) > rows_max:
            raise TooLong
        known = {row.position: row.hash for row in page}
        missing = [row.position - 1 for row in page if row.position - 1 not in known]
        previous |= known | await reader.hashes([position for position in missing if position])
    return rows, previous


def is_secret(source: Source) -> bool:
    """Return whether a match keeps its secrets after its end, so that its recording has some."""
    started = _started(source.rows)
    return started is not None and started.secrets == "always"


def has_secrets_now(source: Source) -> bool:
    """Return whether a recording has secrets that not everybody may see yet, or ever."""
    started = _started(source.rows)
    if started is None or not started.has_secrets:
        return False
    is_over = any(row.type == MatchEnded.type for row in source.rows)
    return not is_over or started.secrets == "always"


def _started(rows: Sequence[Row]) -> MatchStarted | None:
    """Return the start of a match by its rows, or None if they do not begin with one."""
    if not rows:
        return None
    first = decode(rows[0].type, rows[0].schema_version, rows[0].data)
    return first if isinstance(first, MatchStarted) else None


async def load_source(
    reader: Reader,
    match: MatchId,
    games: Catalogue,
    *,
    rows_at_once: int = ROWS_PER_READ,
    rows_max: int | None = None,
) -> Source:
    """Return what a recording of a match is made of; raise `TooLong`."""
    rows, previous = await load_rows(reader, match, rows_at_once=rows_at_once, rows_max=rows_max)
    started = _started(rows)
    users = [] if started is None else [str(user) for user in started.players]
    known = await reader.names(users)
    game = None
    if started is not None:
        game = games.rules(started.game, started.rules_version, match)
    return Source(
        rows,
        previous,
        epoch=(await reader.head()).epoch,
        names={user: known.get(user, placeholder_name(user)) for user in users},
        tick_hz=None if game is None else game.tick_hz,
        skipped={skip.position for skip in await read_skips(reader)},
    )
