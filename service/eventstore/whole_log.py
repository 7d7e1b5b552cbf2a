"""Read a whole log in order: what is in the database, and what archives have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.events.log import LogArchived
from service.eventstore.archive_file import Digest
from service.eventstore.integrity import BrokenChain, archived_wrongly

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from service.domain.events.base import Event
    from service.eventstore.archived import Archive, Gap
    from service.eventstore.integrity import ChainCheck
    from service.eventstore.reader import Reader
    from service.eventstore.records import Row


class ArchiveCheck:
    """Checks that rows are missing only where a `log.archived` says so, and that none differs."""

    def __init__(self, archives: Sequence[Archive]) -> None:
        """Expect what these archives have."""
        self._archives = {archive.file: archive for archive in archives}
        self._digests = {file: Digest() for file in self._archives}
        self._said: dict[str, LogArchived] = {}
        self._gaps: list[Gap] = []

    def check(self, chain: ChainCheck, rows: Iterable[Row]) -> None:
        """Let `chain` check rows; a `BrokenChain` of archived ones names their file."""
        try:
            for row in rows:
                chain.check(row)
        except BrokenChain as error:
            wrong = chain.position + 1
            for gap in self._gaps:
                if gap.first <= wrong <= gap.last:
                    raise archived_wrongly(error, gap.file) from error
            raise

    def begin_page(self) -> None:
        """Begin with the next page of the log."""
        self._gaps = []

    def add(self, gap: Gap, rows: Sequence[Row]) -> None:
        """Take the archived rows of a gap; those of an archive made meanwhile are not checked."""
        self._gaps.append(gap)
        digest = self._digests.get(gap.file)
        if digest is not None:
            for row in rows:
                digest.add(row)

    def on_event(self, event: Event) -> None:
        """Take an event of the log."""
        if isinstance(event, LogArchived):
            self._said[event.file] = event

    def finish(self) -> None:
        """Raise `BrokenChain` unless every archive is one of the log, with the rows it says."""
        for file, digest in self._digests.items():
            archive, said = self._archives[file], self._said.get(file)
            if said is None:
                raise BrokenChain(f"no log.archived names the archive {file}")
            expected = (said.count, said.digest, said.first, said.last)
            if expected != (archive.count, archive.digest.hex(), archive.first, archive.last):
                raise BrokenChain(f"the archive {file} is not what its log.archived says")
            if (said.count, said.digest) != (digest.count, str(digest)):
                raise BrokenChain(f"the archive {file} has other rows than its log.archived says")
        missing = self._said.keys() - self._archives.keys()
        if missing:
            raise BrokenChain(f"the archive {min(missing)} is not known to the log any more")


async def whole_log(reader: Reader, check: ArchiveCheck) -> AsyncIterator[list[Row]]:
    """Yield pages of all rows in order, archived ones included; raise `Archived`."""
    after = 0
    async for page in reader.rows():
        until = page[-1].position
        rows = page
        check.begin_page()
        for gap, archived in await reader.archived.between(after, until):
            check.add(gap, archived)
            rows = [*rows, *archived]
        yield rows if rows is page else sorted(rows)
        after = until
