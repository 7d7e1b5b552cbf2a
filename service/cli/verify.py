"""`ws-service log verify`: check the log and everything derived from it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import Progress
from sqlalchemy import select

from service.cli.common import format_time, opened_log, progress_console, run
from service.domain.commands.chat import digest_of
from service.domain.events.chat import ChatSaid
from service.domain.events.matches import MatchStarted
from service.domain.projections.world import World
from service.eventstore import baselines
from service.eventstore.inspection import LogFiles
from service.eventstore.integrity import BrokenChain, ChainCheck
from service.eventstore.postgres_schema import driver_url
from service.eventstore.read_models.rebuild import (
    BrokenProjection,
    Comparison,
    check_file,
    recorded_unless_skipped,
)
from service.eventstore.side_file import REBUILD, DamagedHead, LostTail, SideFile
from service.eventstore.skips import Skip, read_skips
from service.eventstore.tables import snapshots
from service.eventstore.whole_log import ArchiveCheck, whole_log
from service.runtime.snapshots import DamagedSnapshot, code_version, restore
from service.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.events.base import Position
    from service.eventstore.reader import Reader
    from service.eventstore.records import Row


def verify() -> None:
    """Check the log and everything derived from it; raise an error for the first difference."""
    try:
        run(_verify())
    except (LostTail, DamagedHead) as error:
        # At a start these are configuration errors (exit code 2); here they are findings (1).
        raise BrokenChain(error.message) from error


async def _verify() -> None:
    began = time.monotonic()
    storage = load_settings().storage
    path, postgres = storage.log_file, driver_url(storage.database_url)
    async with opened_log() as reader:
        if postgres is None:
            check_file(path)
        # Read before the head, which is then at least as far.
        remembered = SideFile(LogFiles(path).side_file).read()
        comparison = Comparison(path, postgres)
        try:
            skips = await read_skips(reader)
            check = Check(reader, comparison, await stored_snapshots(reader), skips)
            await check.walk()
        finally:
            comparison.close()
        if remembered is not None:
            found = await reader.hashes([remembered.position])
            remembered.check(comparison.head, found.get(remembered.position))
    for skip in skips:
        when = format_time(skip.skipped_at)
        print(f"skipped: position {skip.position}, by {skip.actor} at {when}: {skip.reason}")
    events, seconds = comparison.head.position, time.monotonic() - began
    print(
        f"ok: {events} events, {check.matches} matches, {check.texts} texts, "
        f"{check.snapshots} snapshots; {events / seconds:,.0f} events/s. "
        "Names are not in the log, so they can't be checked."
    )


class Check:
    """One walk through the log."""

    def __init__(
        self,
        reader: Reader,
        comparison: Comparison,
        found: dict[Position, World | None],
        skips: Sequence[Skip],
    ) -> None:
        """Compare the snapshots `found`, and the tables of `comparison`, with the log."""
        self.matches = 0
        self.texts = 0
        self.snapshots = len(found)
        self._reader = reader
        self._comparison = comparison
        self._found = found
        self._skipped = {skip.position for skip in skips}
        self._world = World()
        self._checked_from: Position = 0
        """From this position on the snapshots are compared."""

    async def walk(self) -> None:
        """Check all events up to the head that the comparison is made at."""
        head = self._comparison.head
        chain = ChainCheck()
        archives = await self._reader.archived.archives()
        archive_check = ArchiveCheck([one for one in archives if one.position <= head.position])
        await self._begin_with_baseline()
        with Progress(console=progress_console, transient=True) as progress:
            task = progress.add_task("verifying", total=head.position)
            async for page in whole_log(self._reader, archive_check):
                rows = [row for row in page if row.position <= head.position]
                archive_check.check(chain, rows)
                await self._check_page(rows, archive_check)
                progress.update(task, completed=chain.position)
        chain.finish(head)
        archive_check.finish()
        self._comparison.finish()

    async def _begin_with_baseline(self) -> None:
        """Fold on from the newest baseline: only there the world can do without archived events."""
        baseline = await self._reader.archived.baseline()
        if baseline is not None:
            self._world = baselines.restore(baseline)
            self._checked_from = baseline.position

    async def _check_page(self, rows: Sequence[Row], archives: ArchiveCheck) -> None:
        said: list[ChatSaid] = []
        for row in rows:
            recorded = recorded_unless_skipped(row, self._skipped)
            if recorded is None:
                continue
            archives.on_event(recorded.event)
            if row.position not in self._skipped and row.position > self._world.position:
                self._world.fold(recorded.event, recorded.position)
            self._comparison.project(recorded)
            self._check_snapshot(row.position)
            if isinstance(recorded.event, ChatSaid):
                said.append(recorded.event)
            self.matches += isinstance(recorded.event, MatchStarted)
        await self._check_texts(said)

    def _check_snapshot(self, position: Position) -> None:
        if position < self._checked_from:
            return
        if position in self._found and self._found[position] != self._world:
            raise BrokenProjection(
                f"the snapshot at position {position} does not agree with the log: {REBUILD}"
            )

    async def _check_texts(self, said: Sequence[ChatSaid]) -> None:
        """Compare texts with the digests of their events; erased texts are missing."""
        known = await self._reader.salted_texts([event.chat for event in said])
        for event in said:
            text = known.get(event.chat)
            if text is not None and digest_of(text.salt, text.text) != event.digest:
                raise BrokenProjection(
                    f"the text of chat {event.chat} was changed: restore a backup, or erase it"
                )
        self.texts += len(known)


async def stored_snapshots(reader: Reader) -> dict[Position, World | None]:
    """Return the snapshots of this code version; None for a damaged one."""
    statement = select(snapshots.c.position, snapshots.c.data).where(
        snapshots.c.projection == "world", snapshots.c.code_version == code_version()
    )
    async with reader.engine.connect() as connection:
        rows = (await connection.execute(statement)).all()
    return {position: _restored(data) for position, data in rows}


def _restored(data: bytes) -> World | None:
    try:
        return restore(data)
    except DamagedSnapshot:
        return None
