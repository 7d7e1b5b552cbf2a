"""Lookups of one match in the match history by a prefix of its id."""

from collections.abc import Sequence

import pytest

from service.eventstore.read_models.match_history import NoSuchMatch, find_match
from service.eventstore.reader import Reader
from tests.integration.log_file import LogFile


def reader_of(log_file: LogFile, matches: Sequence[str]) -> Reader:
    log_file.change(
        *(
            f"INSERT INTO matches VALUES ('{match}', 'pong', 1, 1, 1, {', '.join(['NULL'] * 5)})"  # noqa: S608 - our own text
            for match in matches
        )
    )
    return log_file.reader()


async def test_a_match_is_found_by_a_prefix_of_its_id(log_file: LogFile) -> None:
    reader = reader_of(log_file, ["ab-1", "ac-1"])
    assert await find_match(reader, "ab") == "ab-1"
    assert await find_match(reader, "ac-1") == "ac-1"


@pytest.mark.parametrize(("start", "what"), [("a", "several"), ("", "several"), ("b", "no match")])
async def test_no_match_and_several_matches_raise_different_errors(
    log_file: LogFile, start: str, what: str
) -> None:
    reader = reader_of(log_file, ["ab-1", "ac-1"])
    with pytest.raises(NoSuchMatch, match=what):
        await find_match(reader, start)


@pytest.mark.parametrize("start", ["%", "_b", "a%"])
async def test_sql_wildcards_are_not_interpreted_in_a_prefix(log_file: LogFile, start: str) -> None:
    reader = reader_of(log_file, ["ab-1"])
    with pytest.raises(NoSuchMatch, match="no match"):
        await find_match(reader, start)


async def test_an_exact_id_is_found_although_others_share_it_as_a_prefix(log_file: LogFile) -> None:
    """The first match of a room in which there were many rematches."""
    ids = [f"ab-{number}" for number in range(25, 0, -1)]
    reader = reader_of(log_file, ids)
    assert await find_match(reader, "ab-1") == "ab-1"
    assert await find_match(reader, "ab-2") == "ab-2"
