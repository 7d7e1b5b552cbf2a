"""`ws-service log skip`: skip an event that keeps the service from starting."""

from __future__ import annotations

import getpass
import time
from typing import TYPE_CHECKING

import typer

from service.cli.common import opened_log, run
from service.domain.projections.world import FoldFailed, World
from service.errors import ServiceError
from service.eventstore import baselines, migrate
from service.eventstore.inspection import LogFiles
from service.eventstore.lock import LogLock
from service.eventstore.postgres_schema import driver_url
from service.eventstore.skips import REASON_LENGTH_MAX, Skip, read_skips, write_skip
from service.eventstore.stored import UnreadableEvent
from service.runtime.snapshots import fold_log
from service.settings import load_settings

if TYPE_CHECKING:
    from service.domain.events.base import Position


class NotSkipped(ServiceError):
    """This event can't be skipped."""


def skip(position: Position, reason: str) -> None:
    """Skip, permanently, the first event that can't be read or folded."""
    if not 0 < len(reason.strip()) <= REASON_LENGTH_MAX:
        raise typer.BadParameter(
            f"give a reason of at most {REASON_LENGTH_MAX} characters", param_hint="--reason"
        )
    storage = load_settings().storage
    postgres = driver_url(storage.database_url)
    migrate.check(storage.database_url)
    skipped = Skip(position, reason.strip(), getpass.getuser(), time.time_ns() // 1000)
    if postgres is None:
        with LogLock(LogFiles(storage.log_file).lock).held():
            run(_check(position))
            write_skip(storage.log_file, skipped)
    else:
        _skip_on_postgres(postgres, skipped)
    print(f"skipped: position {position}; `ws-service log verify` will always list it")


def _skip_on_postgres(postgres: str, skipped: Skip) -> None:
    from service.eventstore import postgres_commands  # noqa: PLC0415 - slow to import

    with postgres_commands.locked(postgres):
        run(_check(skipped.position))
        postgres_commands.write_skip(postgres, skipped)


async def _check(position: Position) -> None:
    """Raise `NotSkipped` unless this is the first event that can't be read or folded."""
    async with opened_log() as reader:
        head = (await reader.head()).position
        if position > head:
            raise NotSkipped(f"the log ends at position {head}")
        if any(skip.position == position for skip in await read_skips(reader)):
            raise NotSkipped(f"the event at position {position} is skipped already")
        try:
            baseline = await reader.archived.baseline()
            world = World() if baseline is None else baselines.restore(baseline)
            await fold_log(world, reader, position)
        except (FoldFailed, UnreadableEvent) as error:
            if error.position == position:
                return
            if error.position < position:
                raise NotSkipped(f"an earlier event fails first: {error.message}") from error
        raise NotSkipped(
            f"the event at position {position} can be read and folded: only an event that can't "
            "be may be skipped"
        )
