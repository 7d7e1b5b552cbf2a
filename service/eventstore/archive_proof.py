"""Prove that the world is the same without some events, by folding with and without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from service.domain.projections.world import FoldFailed, World
from service.errors import ServiceError
from service.eventstore.archive_cycles import CycleFinder, Survey, oldest, unnamed
from service.eventstore.read_models.rebuild import recorded_of
from service.eventstore.skips import read_skips

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from service.domain.events.base import Position
    from service.eventstore.archive_cycles import Cycle
    from service.eventstore.reader import Reader
    from service.eventstore.records import Head, Row

ATTEMPTS_MAX = 20
"""How often events that the world needs are left in the log, and the fold is tried again."""


class NotProved(ServiceError):
    """The world would differ without the events; nothing was changed."""


class Proved(msgspec.Struct):
    """Events without which the world is the same."""

    cycles: list[Cycle]
    kept: int
    """The number of cycles that ended in time and stay in the log, since the world needs them."""
    world: World
    """The world after all events."""
    is_complete: bool
    """Whether there are no more rows than one archive takes."""


class Walk:
    """Reads a log up to its head, again and again, with progress."""

    def __init__(
        self, reader: Reader, head: Head, progress: Callable[[Position, Position], None]
    ) -> None:
        """Read up to `head`; `progress` gets the position reached and the last one."""
        self.head = head
        self._reader = reader
        self._progress = progress

    async def rows(self) -> AsyncIterator[list[Row]]:
        """Yield pages of rows."""
        async for page in self._reader.rows():
            rows = [row for row in page if row.position <= self.head.position]
            if not rows:
                return
            yield rows
            self._progress(rows[-1].position, self.head.position)


async def prove(reader: Reader, walk: Walk, before_us: int, rows_max: int) -> Proved:
    """Find the events that ended before a time and can leave the log; raise `NotProved`.

    They are the oldest ones, at most `rows_max` unless one room has more.
    """
    skipped = {skip.position for skip in await read_skips(reader)}
    survey, world = Survey(), World()
    async for rows in walk.rows():
        for row in rows:
            event = None if row.position in skipped else recorded_of(row).event
            survey.add(row, event)
            if event is not None:
                world.fold(event, row.position)
    over = survey.over(before_us, head=walk.head.position)
    # Whatever the world names is still needed, such as the room that a user left last.
    free = unnamed(over.values(), _atoms(world))
    chosen = oldest(free, rows_max)
    is_complete, tried = len(chosen) == len(free), len(chosen)
    for _ in range(ATTEMPTS_MAX):
        if not chosen:
            break
        names = await _difference(walk, skipped, {one.first for one in chosen}, world)
        if not names:
            kept = len(over) - len(free) + tried - len(chosen)
            return Proved(chosen, kept, world, is_complete)
        fewer = [one for one in unnamed(chosen, names) if not one.users & names]
        if len(fewer) == len(chosen):
            raise NotProved(
                "the world would differ without the events of old matches, in what concerns "
                f"{', '.join(sorted(map(str, names))[:5])}: nothing was changed"
            )
        chosen = fewer
    return Proved([], len(over), world, is_complete=True)


async def _difference(
    walk: Walk, skipped: set[Position], chosen: set[Position], world: World
) -> set[int | str]:
    """Return what is named where the world without some cycles differs from `world`."""
    other, finder = World(), CycleFinder()
    async for rows in walk.rows():
        for row in rows:
            if finder.first_of(row) in chosen or row.position in skipped:
                continue
            event = recorded_of(row).event
            try:
                other.fold(event, row.position)
            except FoldFailed:
                return _atoms(event) or {event.type}
    # The last event is not archived, but it may be one that was skipped.
    other.position = world.position
    names: set[int | str] = set()
    for projection in World.__struct_fields__:
        left, right = getattr(world, projection), getattr(other, projection)
        if _form(left) != _form(right):
            names |= _differing(left, right) or {projection}
    return names


def _differing(left: Any, right: Any) -> set[int | str]:
    """Return what is named on the way to each difference of two values, and in it."""
    if _form(left) == _form(right):
        return set()
    found: set[int | str] = set()
    if isinstance(left, msgspec.Struct) and type(left) is type(right):
        for name in left.__struct_fields__:
            found |= _differing(getattr(left, name), getattr(right, name))
    elif isinstance(left, dict) and isinstance(right, dict):
        for key in left.keys() | right.keys():
            if key in left and key in right:
                inner = _differing(left[key], right[key])
            else:
                inner = _atoms(left.get(key, right.get(key)))
            if inner or key not in left or key not in right:
                found |= inner | _atoms(key)
    elif isinstance(left, set) and isinstance(right, set):
        found = _atoms(left ^ right)
    return found or _atoms(left) | _atoms(right)


def _form(value: Any) -> Any:
    """Return a value that compares like `value`, but with the order of dictionaries.

    That order says which entries are evicted first.
    """
    if isinstance(value, msgspec.Struct):
        return [_form(getattr(value, name)) for name in value.__struct_fields__]
    if isinstance(value, dict):
        return [(key, _form(one)) for key, one in value.items()]
    if isinstance(value, list | tuple):
        return [_form(one) for one in value]
    return value


def _atoms(value: Any) -> set[int | str]:
    """Return all texts and numbers in a value: the ids among them name users, rooms and matches."""
    found: set[int | str] = set()
    _collect(value, found)
    return found


def _collect(value: Any, found: set[int | str]) -> None:
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _collect(getattr(value, name), found)
    elif isinstance(value, dict):
        for key, one in value.items():
            _collect(key, found)
            _collect(one, found)
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            _collect(one, found)
    elif isinstance(value, int | str) and not isinstance(value, bool):
        found.add(value)
