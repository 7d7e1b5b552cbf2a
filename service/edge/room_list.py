"""Pages of the list of rooms."""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING

from service.edge.paging import first_page
from service.fanout.views import room_summary
from service.protocol import v1

if TYPE_CHECKING:
    from service.domain.ids import RoomId
    from service.domain.projections.world import World
    from service.fanout.profiles import Profiles


def room_page(
    world: World, profiles: Profiles, game: str | None, after: RoomId | None, limit: int
) -> v1.RoomPage:
    """Return a page of rooms that are not private, ordered by id, after the id of the cursor.

    A page holds at most `limit` of them, and no more than fit into `PAGE_BYTES_MAX`.
    """
    ids = nsmallest(
        limit + 1,
        (
            room.id
            for room in world.rooms.rooms.values()
            if room.visibility != "private"
            and game in {None, room.game}
            and (after is None or room.id > after)
        ),
    )
    page = first_page(room_summary(world.rooms.rooms[one], profiles) for one in ids[:limit])
    return v1.RoomPage(page, ids[len(page) - 1] if len(ids) > len(page) else None)
