"""A log lacks rows only where its `log.archived` says so, and they are those that it says."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from service.domain.events.log import LogArchived
from service.eventstore.archive_file import Digest
from service.eventstore.archived import Archive, Gap
from service.eventstore.integrity import BrokenChain, ChainCheck
from service.eventstore.records import Row
from service.eventstore.whole_log import ArchiveCheck

FILE = "archive.db"


def row(position: int) -> Row:
    return Row(position, "room:a", 1, "room.closed", 1, b"", "", None, "n1", 1, b"{}", None, b"h")


ROWS = [row(3), row(4), row(6)]


def digest_of(rows: Sequence[Row]) -> str:
    digest = Digest()
    for one in rows:
        digest.add(one)
    return str(digest)


ARCHIVE = Archive(9, FILE, 3, 6, 3, bytes.fromhex(digest_of(ROWS)))
SAID = LogArchived(3, 6, 3, digest_of(ROWS), FILE)


def check(
    rows: Sequence[Row], said: LogArchived | None = SAID, known: Sequence[Archive] = (ARCHIVE,)
) -> None:
    found = ArchiveCheck(known)
    found.add(Gap(3, 4, b"h", FILE), rows[:2])
    found.add(Gap(6, 6, b"h", FILE), rows[2:])
    if said is not None:
        found.on_event(said)
    found.finish()


def test_an_archive_with_its_rows_and_its_event_is_accepted() -> None:
    check(ROWS)


@pytest.mark.parametrize(
    ("rows", "said", "what"),
    [
        (ROWS, None, "no log.archived names"),
        (ROWS[:2], SAID, "other rows"),
        ([*ROWS[:2], row(7)], SAID, "other rows"),
        ([ROWS[1], ROWS[0], ROWS[2]], SAID, "other rows"),
        (ROWS, LogArchived(3, 6, 2, SAID.digest, FILE), "not what its log.archived says"),
        (ROWS, LogArchived(3, 7, 3, SAID.digest, FILE), "not what its log.archived says"),
        (ROWS, LogArchived(3, 6, 3, "00", FILE), "not what its log.archived says"),
    ],
)
def test_an_archive_that_differs_is_found(
    rows: Sequence[Row], said: LogArchived | None, what: str
) -> None:
    with pytest.raises(BrokenChain, match=what):
        check(rows, said)


def test_an_archive_that_the_tables_have_lost_is_found() -> None:
    with pytest.raises(BrokenChain, match="is not known"):
        check([], SAID, known=())


def test_an_archive_that_is_made_meanwhile_is_left_to_the_next_check() -> None:
    found = ArchiveCheck([])
    found.add(Gap(3, 6, b"h", FILE), ROWS)
    found.finish()


def test_a_wrong_row_of_an_archive_names_the_file() -> None:
    found, chain = ArchiveCheck([ARCHIVE]), ChainCheck()
    found.add(Gap(1, 1, b"h", FILE), ROWS)
    with pytest.raises(BrokenChain, match=f"position 1 is missing; it is in the archive {FILE}"):
        found.check(chain, ROWS)
    found.begin_page()
    with pytest.raises(BrokenChain, match=r"^position 1 is missing$"):
        found.check(chain, ROWS)
