"""The paged list of rooms."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from service.domain.events.rooms import RoomCreated
from service.domain.projections.world import World
from service.edge.paging import PAGE_BYTES_MAX, first_page
from service.edge.room_list import room_page
from service.fanout.profiles import Profiles

IDS = st.text("abcxyz0189", min_size=1, max_size=4)
VISIBLE = st.sampled_from(["public", "private", "password"])


@given(rooms=st.dictionaries(IDS, VISIBLE, max_size=12), limit=st.integers(1, 5))
def test_room_pages_list_every_public_room_once_in_order(rooms: dict[str, str], limit: int) -> None:
    world, people = World(), Profiles()
    for position, (room, visibility) in enumerate(rooms.items(), 1):
        created = RoomCreated(
            room=room,
            game="relay",
            players=[],
            options={},
            seats_min=1,
            seats_max=2,
            visibility=visibility,  # type: ignore[arg-type]
        )
        world.fold(created, position)
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = room_page(world, people, "relay", cursor, limit)
        assert len(page.rooms) <= limit
        found += [one.room_id for one in page.rooms]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == sorted(room for room in rooms if rooms[room] != "private")
    assert room_page(world, people, "pong", None, limit).rooms == []


def test_a_room_page_is_bounded_in_bytes() -> None:
    world, people = World(), Profiles()
    for number in range(40):
        created = RoomCreated(
            room=f"room{number:02}",
            game="relay",
            players=[],
            options={},
            seats_min=1,
            seats_max=2,
            metadata={"much": "x" * 4000},
        )
        world.fold(created, number + 1)
    found, cursor = list[str](), None
    for _ in range(3):
        page = room_page(world, people, None, cursor, 100)
        assert len(msgspec.json.encode(page.rooms)) <= PAGE_BYTES_MAX + 4200
        found += [one.room_id for one in page.rooms]
        cursor = page.cursor
    assert found == sorted(world.rooms.rooms)
    assert cursor is None


def test_an_entry_longer_than_a_page_gets_its_own_page() -> None:
    assert first_page(["x" * PAGE_BYTES_MAX, "y"]) == ["x" * PAGE_BYTES_MAX]
    assert first_page(list[str]()) == []
