"""`ws-service at`: users, rooms and matches as they were at a time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec
import typer
from rich.box import SIMPLE
from rich.progress import Progress
from rich.table import Table
from rich.text import Text
from sqlalchemy import select

from service.cli.common import (
    console,
    format_time,
    known_games,
    opened_log,
    progress_console,
    run,
)
from service.cli.match_source import picture_size
from service.cli.matches import now_us, parse_time
from service.domain.events.base import match_stream
from service.domain.events.matches import MatchInput
from service.domain.names import placeholder_name
from service.domain.projections.world import World
from service.errors import ServiceError
from service.eventstore import baselines
from service.eventstore.codec import decode
from service.eventstore.skips import read_skips
from service.eventstore.tables import snapshots
from service.eventstore.whole_log import ArchiveCheck, whole_log
from service.games.sight import FULL, SPECTATOR
from service.replay.replay import NotAMatch, Replay
from service.replay.seen import seen_by
from service.replay.terminal import draw
from service.runtime.snapshots import DamagedSnapshot, code_version, restore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from service.domain.events.base import Position
    from service.domain.ids import UserId
    from service.domain.projections.matches import Match
    from service.domain.projections.room import Room
    from service.eventstore.reader import Reader


class NothingThen(ServiceError):
    """The log has nothing of that time."""


class MatchThen(msgspec.Struct, frozen=True):
    """A live match as it was; `state` is null where its rules are not here."""

    match: str
    room: str
    game: str
    players: list[str]
    run: int
    tick: int
    paused: bool
    state: Any


class RoomThen(msgspec.Struct, frozen=True):
    """A room as it was."""

    room: str
    game: str
    phase: str
    visibility: str
    players: list[str]
    away: list[str]
    spectators: list[str]
    match: str | None


class Then(msgspec.Struct, frozen=True):
    """What there was at a time; `position` is that of the last event before it."""

    time: str
    position: int
    users: dict[str, str]
    """Display names, as they are now, by the ids of the users who were online."""
    rooms: list[RoomThen]
    matches: list[MatchThen]


def show_then(time: str, room: str | None, *, secrets: bool, as_json: bool) -> None:
    """Print what there was at a time, or one room of it; raise `NothingThen`."""
    at_us = parse_time(time, "TIME")
    if at_us > now_us():
        raise typer.BadParameter("it is in the future", param_hint="TIME")
    then, pictures = run(_then(at_us, room, secrets=secrets))
    if as_json:
        print(msgspec.json.encode(then).decode())
        return
    out = console()
    out.print(
        f"{then.time} UTC, position {then.position:,}: {len(then.users)} users online, "
        f"{len(then.rooms)} rooms, {len(then.matches)} live matches"
    )
    if room is None and then.users:
        out.print(Text(", ".join(f"{name} ({user})" for user, name in then.users.items())))
    if then.rooms:
        out.print(_room_table(then.rooms))
    if then.matches:
        out.print(_match_table(then.matches))
    for picture in pictures if room is not None else ():
        sys.stdout.write(f"{picture}\n")


async def _then(at_us: int, room: str | None, *, secrets: bool) -> tuple[Then, list[str]]:
    async with opened_log() as reader:
        # Everything up to and including the time itself.
        position = await reader.last_before(at_us + 1, after=0)
        if not position:
            raise NothingThen(f"the log has no event from before {format_time(at_us)} UTC")
        world = await world_at(reader, position)
        rooms = [one for one in world.rooms.rooms.values() if room in {None, one.id}]
        if room is not None and not rooms:
            raise NothingThen(
                f"there was no room {room} at {format_time(at_us)} UTC: "
                "without --room all are listed"
            )
        users = {str(user) for one in rooms for user in one.members} | {
            str(user) for user in world.presence.sockets
        }
        names = await reader.names(users)
        named = {user: names.get(user, placeholder_name(user)) for user in users}
        live = [
            match
            for match in world.matches.live.values()
            if any(one.match == match.id for one in rooms)
        ]
        shown = [await _match(reader, match, at_us, named, secrets=secrets) for match in live]
    online = {str(user): named[str(user)] for user in world.presence.sockets}
    then = Then(
        format_time(at_us),
        position,
        online if room is None else {},
        [_room(one, named) for one in rooms],
        [match for match, _ in shown],
    )
    return then, [picture for _, picture in shown]


async def world_at(reader: Reader, position: Position) -> World:
    """Fold the log up to a position, from the newest snapshot or baseline before it."""
    world = await _snapshot(reader, position) or World()
    baseline = await reader.archived.baseline()
    if baseline is not None and world.position < baseline.position <= position:
        world = baselines.restore(baseline)
    archives = await reader.archived.archives()
    with Progress(console=progress_console, transient=True) as progress:
        task = progress.add_task("folding", total=position - world.position)
        if archives and not world.position:
            # Without a baseline from before it, the archived events are needed as well.
            skipped = {skip.position for skip in await read_skips(reader)}
            async for page in whole_log(reader, ArchiveCheck(archives)):
                for row in page:
                    if row.position <= position and row.position not in skipped:
                        world.fold(decode(row.type, row.schema_version, row.data), row.position)
                progress.update(task, completed=world.position)
            return world
        first = world.position
        async for folded in reader.events(first, position):
            for at, event in folded:
                world.fold(event, at)
            progress.update(task, completed=world.position - first)
    return world


async def _snapshot(reader: Reader, position: Position) -> World | None:
    """Return the newest usable snapshot that is not after `position`."""
    statement = (
        select(snapshots.c.data)
        .where(
            snapshots.c.projection == "world",
            snapshots.c.code_version == code_version(),
            snapshots.c.position <= position,
        )
        .order_by(snapshots.c.position.desc())
    )
    async with reader.engine.connect() as connection:
        for (data,) in await connection.execute(statement):
            try:
                return restore(data)
            except DamagedSnapshot:
                continue
    return None


async def _match(
    reader: Reader, match: Match, at_us: int, names: dict[str, str], *, secrets: bool
) -> tuple[MatchThen, str]:
    """Return a match at a time, and its picture."""
    players = [names.get(str(user), placeholder_name(str(user))) for user in match.players]
    recorded = [one async for page in reader.read(stream=match_stream(match.id)) for one in page]
    room = match.id.rpartition("-")[0]
    try:
        whole = Replay(
            [one.event for one in recorded], known_games(), [one.recorded_at for one in recorded]
        )
    except NotAMatch as error:
        unknown = MatchThen(
            match.id, room, match.game, players, match.run, match.tick, match.paused, None
        )
        return unknown, error.message
    viewer = FULL if secrets else SPECTATOR
    if whole.game.tick_hz:
        # The inputs of the last second are needed as well.
        replay = seen_by(whole, viewer)
        tick = tick_at(replay, at_us, match)
    else:
        known = [one.event for one in recorded if one.recorded_at <= at_us]
        replay = seen_by(Replay(known, known_games()), viewer)
        tick = replay.ticks
    tick = min(tick, replay.ticks)
    shown = MatchThen(
        match=match.id,
        room=room,
        game=match.game,
        players=players,
        run=match.shown_run,
        tick=tick,
        paused=match.paused,
        state=replay.view(replay.at(tick)),
    )
    return shown, draw(replay, tick, players, *picture_size())


def tick_at(replay: Replay, at_us: int, match: Match) -> int:
    """Return the tick that a match was at: that of its last event, and the ticks since then.

    Ticks themselves are not logged; the next event says how many there can have been. Only events
    that the viewer of the replay is shown count.
    """
    known = [
        (event, at)
        for event, at in zip(replay.events, replay.times, strict=True)
        if not isinstance(event, MatchInput)
    ]
    before = [(event, at) for event, at in known if at <= at_us]
    if match.paused or not before:
        return match.tick
    last = max(event.reaches for event, _ in before)
    least = match.tick if replay.viewer.is_full else last
    tick = least + int((at_us - before[-1][1]) / 1e6 * replay.game.tick_hz)
    after = next((event for event, at in known if at > at_us), None)
    return tick if after is None else max(least, min(tick, after.tick))


def _room(room: Room, names: dict[str, str]) -> RoomThen:
    def named(users: Iterable[UserId]) -> list[str]:
        return [names.get(str(user), placeholder_name(user)) for user in users]

    return RoomThen(
        room=room.id,
        game=room.game,
        phase=room.phase,
        visibility=room.visibility,
        players=named(seat.user for seat in room.seats if seat.user is not None),
        away=named(room.away),
        spectators=named(room.spectators),
        match=room.match,
    )


def _room_table(rooms: Sequence[RoomThen]) -> Table:
    table = Table("room", "game", "phase", "players", "watching", box=SIMPLE, pad_edge=False)
    for one in rooms:
        away = f" (away: {', '.join(one.away)})" if one.away else ""
        table.add_row(
            one.room,
            one.game,
            one.phase if one.visibility == "public" else f"{one.phase}, {one.visibility}",
            Text(f"{', '.join(one.players)}{away}"),
            Text(", ".join(one.spectators)),
        )
    return table


def _match_table(matches: Sequence[MatchThen]) -> Table:
    table = Table("match", "game", "players", "run", "tick", "", box=SIMPLE, pad_edge=False)
    for one in matches:
        state = "paused" if one.paused else ""
        players = Text(" : ".join(one.players))
        table.add_row(one.match, one.game, players, str(one.run), str(one.tick), state)
    return table
