"""Searching the log backwards, on both stores."""

from __future__ import annotations

from typing import Any

import pytest

from service.domain.events.base import Event
from service.domain.events.lobby import LobbyLeft
from service.domain.events.presence import UserCameOnline
from service.domain.personal_data import NO_PERSONAL_DATA
from service.eventstore import log_search
from service.eventstore.log_search import Found, LogQuery, search_log
from service.eventstore.plan import Append
from service.eventstore.records import Origin, propose
from tests.integration.eventstore.store_database import Database
from tests.integration.log_file import joined


def append(event: Event, actor: int | str | None) -> Append:
    return Append(propose([event], Origin("c", actor)), {}, NO_PERSONAL_DATA)


@pytest.fixture
def log(database: Database) -> Database:
    """Seven events: of the users 1, 2 and `a_`, and one of 2 that 1 has caused."""
    events = [
        append(UserCameOnline(user=1), 1),
        append(joined(1), 1),
        append(joined(2), 2),
        append(LobbyLeft(user=2, socket="n1.1.1"), 1),
        append(joined("a_"), "a_"),
        append(joined("ab"), "ab"),
        append(joined(1, 2), 1),
    ]
    database.opened().commit(events)
    return database


def search(log: Database, before: int = 100, limit: int = 10, **filters: Any) -> Found:
    query = LogQuery(before, limit, **filters)
    found: Found = log.read(lambda reader: search_log(reader, query))
    return found


def positions(found: Found) -> list[int]:
    return [row.position for row in found.rows]


def test_the_newest_events_come_first_and_page_by_page(log: Database) -> None:
    first = search(log, limit=3)
    assert (positions(first), first.searched_to) == ([7, 6, 5], 5)
    second = search(log, before=first.searched_to, limit=3)
    assert (positions(second), second.searched_to) == ([4, 3, 2], 2)
    last = search(log, before=second.searched_to, limit=3)
    assert (positions(last), last.searched_to) == ([1], 1)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"stream": "user:1"}, [7, 2, 1]),
        ({"stream": "user:a_"}, [5]),
        ({"type": "lobby.joined"}, [7, 6, 5, 3, 2]),
        ({"type": "lobby."}, [7, 6, 5, 4, 3, 2]),
        ({"type": "lobby"}, []),
        ({"type": "l%."}, []),
        ({"user": "1"}, [7, 4, 2, 1]),
        ({"user": "2"}, [4, 3]),
        ({"user": "a_"}, [5]),
        ({"user": "2", "type": "lobby.left"}, [4]),
        ({"stream": "user:2", "user": "1"}, [4]),
        ({"stream": "nothing"}, []),
    ],
)
def test_filters_narrow_the_search(
    log: Database, filters: dict[str, Any], found: list[int]
) -> None:
    assert positions(search(log, **filters)) == found


def test_a_page_without_matches_says_how_far_it_has_looked(
    log: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_search, "SCANNED_MAX", 2)
    first = search(log, type="user.came_online")
    assert (positions(first), first.searched_to) == ([], 6)
    pages = [first]
    while pages[-1].searched_to > 1:
        pages.append(search(log, before=pages[-1].searched_to, type="user.came_online"))
    assert [positions(page) for page in pages] == [[], [], [], [1]]


def test_an_empty_log_has_nothing(database: Database) -> None:
    assert search(database) == Found([], 1)
