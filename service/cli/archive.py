"""`ws-service log archive`: move the events of old matches out of the log."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import typer
from rich.progress import Progress

from service.cli.common import ended_by_sigterm, opened_log, progress_console, run
from service.cli.matches import parse_since
from service.eventstore import migrate
from service.eventstore.archiving import Done
from service.eventstore.archiving import archive as archive_events
from service.eventstore.inspection import LogFiles
from service.eventstore.postgres_schema import is_postgres
from service.eventstore.side_file import SideFile
from service.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from service.settings import Settings

AGE_S_MIN = 3600.0
"""Younger events are not archived: a client may resume from them, or repeat their commands."""


def archive(before: str, to: Path | None) -> None:
    """Move the events of what ended before a time into a file, and print what was done."""
    settings = load_settings()
    given = to or settings.storage.archive_dir
    if given is None:
        raise typer.BadParameter("give a directory, or set WS_ARCHIVE_DIR", param_hint="--to")
    # Other nodes, and later starts, are told it.
    directory = given.absolute()
    now = time.time()
    before_us = parse_since(before, now, "--before")
    age_s = max(AGE_S_MIN, settings.backlog.age_s)
    if before_us > (now - age_s) * 1_000_000:
        raise typer.BadParameter(
            f"give a time that is at least {age_s / 3600:g} h ago", param_hint="--before"
        )
    done = _archived(settings, directory, before_us)
    if done.file is None:
        print(f"nothing to archive; {done.kept} rooms that ended by then are still needed")
        return
    while done.file is not None:
        print(
            f"ok: {done.events} events of {done.rooms} rooms and {done.matches} matches are in "
            f"{directory / done.file}"
        )
        if done.is_complete:
            break
        done = _archived(settings, directory, before_us)
    if done.kept:
        print(f"{done.kept} rooms that ended by then are still needed, and stay in the log")
    known = settings.storage.archive_dir
    if known is None or known.absolute() != directory:
        print(f"set WS_ARCHIVE_DIR={directory} on every node, so that these matches can be read")


def _archived(settings: Settings, directory: Path, before_us: int) -> Done:
    storage = settings.storage
    with ExitStack() as stack:
        if not is_postgres(storage.database_url):
            lock = migrate.claim(
                storage.database_url, storage.log_file, migrates=False, accept_lost_tail=False
            )
            stack.callback(lock.release)
        progress = stack.enter_context(_progress())
        return run(_archive(settings, directory, before_us, progress))


async def _archive(
    settings: Settings,
    directory: Path,
    before_us: int,
    progress: Callable[[str, int, int], None],
) -> Done:
    storage = settings.storage
    async with opened_log() as reader:
        side_file = SideFile(LogFiles(storage.log_file).side_file)
        if not is_postgres(storage.database_url):
            # The event that it names must stay in the log, as the head does.
            side_file.write(await reader.head())
        return await archive_events(reader, storage.database_url, directory, before_us, progress)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    with ended_by_sigterm(), Progress(console=progress_console, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda what, done, total: progress.update(
            task, description=what, completed=done, total=total
        )
