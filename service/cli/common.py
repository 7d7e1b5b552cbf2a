"""Helpers shared by the commands that read a log."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from rich.console import Console

from service.domain.commands.room_options import ROOM_OPTIONS
from service.errors import ServiceError
from service.eventstore import migrate
from service.eventstore.reader import Reader, open_database
from service.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator
    from pathlib import Path

    from service.games.catalogue import Catalogue

Result = TypeVar("Result")

progress_console = Console(stderr=True, quiet=not sys.stderr.isatty())
"""Standard error, so that progress never mixes with piped output; quiet without a terminal."""

INTERRUPTED = 130
"""The exit code after Ctrl-C."""


def console() -> Console:
    """Return a console for standard output, with its present width."""
    return Console()


class CannotWrite(ServiceError):
    """The output can't be written."""


def run(work: Coroutine[None, None, Result]) -> Result:
    """Run a command; Ctrl-C and a closed pipe end the process without a traceback.

    From then on a closed pipe kills the process, so nothing else may run in it afterwards.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end a block as Ctrl-C does, so that it removes what is written in part."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def opened_output(path: Path | None) -> Iterator[BinaryIO]:
    """Open a file for writing, or use standard output; raise `CannotWrite`.

    A file that is there is replaced when all is written: a failure leaves it as it was.
    """
    try:
        if path is None:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        elif _is_replaceable(path):
            with _replacement(path) as file:
                yield file
        else:
            with path.open("wb") as file:
                yield file
    except OSError as error:
        reason = error.strerror or error
        raise CannotWrite(f"{path or 'standard output'} can't be written: {reason}") from error


def _is_replaceable(path: Path) -> bool:
    """Return whether another file can take the place of one: it is no device, directory or pipe."""
    is_file = path.is_file() or not path.exists()
    return is_file and os.access(path.resolve().parent, os.W_OK)


@contextmanager
def _replacement(path: Path) -> Iterator[BinaryIO]:
    target = path.resolve()
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        if target.exists():
            shutil.copymode(target, name)
        os.replace(name, target)  # noqa: PTH105 - it is a name
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108 - as above
        raise


@cache
def known_games() -> Catalogue:
    """Return all games, built in or of installed packages, with every version of their rules."""
    from service.games.installed import installed_games  # noqa: PLC0415 - packages may be slow

    return installed_games(room_options=ROOM_OPTIONS).games


@asynccontextmanager
async def opened_log() -> AsyncIterator[Reader]:
    """Open the configured log read-only; raise `ConfigurationError` if there is none."""
    storage = load_settings().storage
    await asyncio.to_thread(migrate.check, storage.database_url)
    reader = Reader(open_database(storage.database_url), storage.archive_dir)
    try:
        yield reader
    finally:
        await reader.close()


def format_time(recorded_at: int) -> str:
    """Format microseconds since 1970 for humans: UTC to the millisecond."""
    time = datetime.fromtimestamp(recorded_at / 1_000_000, UTC)
    return time.isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")
