"""`ws-service log`: inspect the log, also while the service runs."""

from __future__ import annotations

import asyncio
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from rich.progress import Progress, TaskID
from rich.table import Table

from service.cli.common import (
    console,
    format_time,
    opened_log,
    opened_output,
    progress_console,
    run,
)
from service.cli.seen_rows import SeenRows
from service.eventstore.postgres_schema import driver_url
from service.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from service.domain.events.base import Position
    from service.eventstore.reader import Reader
    from service.eventstore.records import Row

FOLLOW_S = 0.25
"""How often `tail --follow` polls for new events, in seconds."""


def stats(*, as_json: bool) -> None:
    """Show the size of the log and the number of events by type."""
    run(_stats(as_json=as_json))


def tail(count: int, stream: str | None, *, follow: bool, secrets: bool) -> None:
    """Show the last events; without `secrets` as spectators of live matches may see them."""
    run(_tail(count, stream, follow=follow, secrets=secrets))


def export(after: Position, stream: str | None, output: Path | None) -> None:
    """Write whole events as JSON, one per line."""
    run(_export(after, stream, output))


async def _stats(*, as_json: bool) -> None:
    storage = load_settings().storage
    async with opened_log() as reader:
        head, counts = await reader.head(), await reader.counts()
        archived = sum(archive.count for archive in await reader.archived.archives())
    size = _size(storage.log_file, driver_url(storage.database_url))
    found: dict[str, Any] = {
        "events": head.position,
        "archived": archived,
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
    if archived:
        table.add_row("archived", f"{archived:,}")
    table.add_row("all", f"{head.position:,}")
    console().print(table)
    print(f"{size:,} bytes; head {head.hash.hex()[:16]}, epoch {head.epoch}")


def _size(path: Path, postgres: str | None) -> int:
    """Return the size of the database in bytes."""
    if postgres is not None:
        from service.eventstore import postgres_commands  # noqa: PLC0415 - slow to import

        return postgres_commands.size(postgres)
    return sum(
        part.stat().st_size for part in path.parent.glob(f"{path.name}*") if part.suffix != ".head"
    )


async def _tail(count: int, stream: str | None, *, follow: bool, secrets: bool) -> None:
    async with opened_log() as reader:
        after = await _before_last(reader, count, stream)
        seen = SeenRows(reader, cache(_hint))
        while True:
            async for page in reader.rows(after, stream=stream):
                for row in page:
                    data = row.data if secrets else await seen.data(row)
                    if data is not None:
                        print(_line(row, data), flush=True)
                after = page[-1].position
            if not follow:
                return
            await asyncio.sleep(FOLLOW_S)


async def _before_last(reader: Reader, count: int, stream: str | None) -> Position:
    """Return the position before the last `count` events."""
    head = (await reader.head()).position
    if stream is None:
        return max(0, head - count)
    positions = [row.position async for page in reader.rows(stream=stream) for row in page]
    return positions[-count] - 1 if 0 < count <= len(positions) else head if not count else 0


def _hint() -> None:
    print("Secrets of matches are left out; --secrets shows them.", file=sys.stderr, flush=True)


def _line(row: Row, data: bytes) -> str:
    return f"{row.position:>8}  {format_time(row.recorded_at)}  {row.type:<20} {data.decode()}"


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
