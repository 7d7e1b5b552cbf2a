"""`ws-service log`: looks into the log, also while the service runs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.progress import Progress, TaskID
from rich.table import Table
from sqlalchemy import select

from service.cli.common import (
    console,
    moment,
    opened_log,
    opened_output,
    progress_console,
    run,
)
from service.domain.matches import MatchEnded, MatchStarted
from service.domain.world import World
from service.errors import ServiceError
from service.log import migrate
from service.log.codec import decode
from service.log.integrity import ChainCheck
from service.log.outbox import waiting_now
from service.log.tables import match_players, matches, snapshots
from service.settings import load_settings
from service.snapshots import code_version, restore

if TYPE_CHECKING:
    from service.domain.event import Position
    from service.log.reader import Reader
    from service.log.records import Row

FOLLOW_S = 0.25
"""How often `tail --follow` looks for more."""

app = typer.Typer(help="Look into the event log, also while it grows.", no_args_is_help=True)


class BrokenProjection(ServiceError):
    """What was kept beside the log is not what the log says."""


@app.command()
def verify() -> None:
    """Check the hash chain, and that all that is kept beside the log is what it says."""
    run(_verify())


@app.command()
def stats(
    *, json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False
) -> None:
    """Count what is in the log."""
    run(_stats(as_json=json))


@app.command()
def tail(
    *,
    count: Annotated[int, typer.Option("-n", min=0, help="How many of the last events.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more.")] = False,
    stream: Annotated[str | None, typer.Option(help="Only those of a stream.")] = None,
) -> None:
    """Show the last events."""
    run(_tail(count, stream, follow=follow))


@app.command()
def export(
    *,
    after: Annotated[int, typer.Option(min=0, help="Only those after a position.")] = 0,
    stream: Annotated[str | None, typer.Option(help="Only those of a stream.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file, in place of standard output.")
    ] = None,
) -> None:
    """Write whole events as JSON, one a line."""
    run(_export(after, stream, output))


async def _verify() -> None:
    began = time.monotonic()
    async with opened_log() as reader:
        waits_at, waiting = await waiting_now(reader)
        # What is written meanwhile is not looked at: the chain is checked up to this head.
        head = await reader.head()
        chain, rebuilt, history = ChainCheck(), World(), _History()
        found = await _snapshots(reader)
        with Progress(console=progress_console, transient=True) as progress:
            task = progress.add_task("verifying", total=head.position)
            async for page in reader.rows():
                for row in page:
                    if row.position > head.position:
                        break
                    chain.take(row)
                    event = decode(row.type, row.schema_version, row.data)
                    rebuilt.fold(event, row.position)
                    history.take(event)
                    if row.position in found and found[row.position] != rebuilt:
                        raise BrokenProjection(
                            f"the snapshot at position {row.position} is not what the log says"
                        )
                    if row.position == waits_at and rebuilt.outbox.waiting != waiting:
                        raise BrokenProjection(
                            f"the outbox at position {row.position} is not what the log says"
                        )
                progress.update(task, completed=chain.position)
        chain.finish(head)
        await history.compare(reader, head.position)
    seconds = time.monotonic() - began
    print(
        f"ok: {head.position} events, {len(history.started)} matches, "
        f"{len(found)} snapshots; {head.position / seconds:,.0f} events/s"
    )


class _History:
    """What the match history must say: for each match its game, players, and how it ended."""

    def __init__(self) -> None:
        self.started: dict[str, tuple[str, list[str]]] = {}
        self.ended: dict[str, tuple[str, int | None, list[int], int]] = {}

    def take(self, event: object) -> None:
        if isinstance(event, MatchStarted):
            self.started[event.match] = event.game, [str(user) for user in event.players]
        elif isinstance(event, MatchEnded):
            self.ended[event.match] = event.reason, event.winner, event.scores, event.tick

    @staticmethod
    async def _told(reader: Reader, head: Position) -> tuple[dict[str, Any], dict[str, list[str]]]:
        """Return the rows of all matches that began until `head`, and the players of any."""
        seats = select(match_players.c.match, match_players.c.user)
        seats = seats.order_by(match_players.c.match, match_players.c.seat)
        began = select(matches).where(matches.c.started_position <= head)
        players: dict[str, list[str]] = {}
        async with reader.engine.connect() as connection:
            for match, user in await connection.execute(seats):
                players.setdefault(match, []).append(user)
            return {row.match: row for row in await connection.execute(began)}, players

    async def compare(self, reader: Reader, head: Position) -> None:
        rows, players = await self._told(reader, head)
        if rows.keys() != self.started.keys():
            match = min(rows.keys() ^ self.started.keys())
            raise BrokenProjection(f"match {match} stands in the history or in the log, not both")
        for match, row in rows.items():
            started = row.game, players.get(match, [])
            scores = None if row.scores is None else msgspec.json.decode(row.scores)
            ended = row.reason, row.winner, scores, row.ticks
            # A match that goes on at this head may have ended meanwhile.
            if (started, ended) != (self.started[match], self.ended.get(match, ended)):
                raise BrokenProjection(f"the history of match {match} is not what the log says")


async def _snapshots(reader: Reader) -> dict[Position, World]:
    """Return the snapshots that this code has made."""
    statement = select(snapshots.c.position, snapshots.c.data).where(
        snapshots.c.projection == "world", snapshots.c.code_version == code_version()
    )
    async with reader.engine.connect() as connection:
        rows = (await connection.execute(statement)).all()
    return {position: restore(data) for position, data in rows}


async def _stats(*, as_json: bool) -> None:
    path = migrate.database_path(load_settings().database_url)
    async with opened_log() as reader:
        head, counts = await reader.head(), await reader.counts()
    size = sum(
        part.stat().st_size for part in path.parent.glob(f"{path.name}*") if part.suffix != ".head"
    )
    found: dict[str, Any] = {
        "events": head.position,
        "hash": head.hash.hex(),
        "epoch": head.epoch,
        "bytes": size,
        "types": dict(sorted(counts.items())),
    }
    if as_json:
        print(msgspec.json.encode(found).decode())
        return
    table = Table("type", "events")
    table.columns[1].justify = "right"
    for type_, count in found["types"].items():
        table.add_row(type_, f"{count:,}")
    table.add_section()
    table.add_row("all", f"{head.position:,}")
    console.print(table)
    print(f"{size:,} bytes; head {head.hash.hex()[:16]}, epoch {head.epoch}")


async def _tail(count: int, stream: str | None, *, follow: bool) -> None:
    async with opened_log() as reader:
        after = await _before_last(reader, count, stream)
        while True:
            async for page in reader.rows(after, stream=stream):
                for row in page:
                    print(_line(row), flush=True)
                after = page[-1].position
            if not follow:
                return
            await asyncio.sleep(FOLLOW_S)


async def _before_last(reader: Reader, count: int, stream: str | None) -> Position:
    """Return the position after which the last `count` events come."""
    head = (await reader.head()).position
    if stream is None:
        return max(0, head - count)
    positions = [row.position async for page in reader.rows(stream=stream) for row in page]
    return positions[-count] - 1 if 0 < count <= len(positions) else head if not count else 0


def _line(row: Row) -> str:
    return f"{row.position:>8}  {moment(row.recorded_at)}  {row.type:<20} {row.data.decode()}"


async def _export(after: Position, stream: str | None, output: Path | None) -> None:
    with opened_output(output) as file:
        async with opened_log() as reader:
            head = (await reader.head()).position
            with Progress(
                console=progress_console, transient=True, disable=output is None
            ) as progress:
                task = progress.add_task("exporting", total=head - after)
                async for page in reader.rows(after, stream=stream):
                    file.write(b"".join(_exported(row) for row in page))
                    _advance(progress, task, page[-1].position - after)


def _advance(progress: Progress, task: TaskID, done: int) -> None:
    progress.update(task, completed=done)


def _exported(row: Row) -> bytes:
    fields: dict[str, Any] = row._asdict()
    fields["event_id"] = row.event_id.hex()
    fields["hash"] = row.hash.hex()
    fields["data"] = msgspec.Raw(row.data)
    fields["meta"] = None if row.meta is None else msgspec.Raw(row.meta)
    return msgspec.json.encode(fields) + b"\n"
