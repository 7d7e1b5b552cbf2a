"""Baselines: the world at a position, in a schema that is upcast like events.

A snapshot is a cache of one version of the code. A baseline outlives the code: from it a world is
rebuilt after the folds have changed, without the events from before it, which may be archived. So
its form never changes in place: a field of `World` may be added with a default, anything else needs
the next `SCHEMA_VERSION` and an upcaster, with the old form in the corpus of the tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from service.domain.projections.world import World
from service.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from service.eventstore.archived import StoredBaseline

    Upcast: TypeAlias = "Callable[[bytes], bytes]"

SCHEMA_VERSION: Final = 1

UPCASTS: dict[int, Upcast] = {}
"""schema_version -> the pure function that converts its MessagePack to the next version."""


class UnreadableBaseline(ServiceError):
    """A baseline can't be read; a later version wrote it, or it is damaged."""


def dump(world: World) -> bytes:
    """Serialize a world."""
    return msgspec.msgpack.encode(world)


def restore(baseline: StoredBaseline) -> World:
    """Deserialize a world of this or an older schema version; raise `UnreadableBaseline`."""
    data, version = baseline.data, baseline.schema_version
    if version > SCHEMA_VERSION:
        raise UnreadableBaseline(
            f"the baseline at position {baseline.position} has the schema {version}, this version "
            f"knows {SCHEMA_VERSION}: use a newer version"
        )
    try:
        for older in range(version, SCHEMA_VERSION):
            data = UPCASTS[older](data)
        world = msgspec.msgpack.decode(data, type=World)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise UnreadableBaseline(
            f"the baseline at position {baseline.position} can't be read: {error}. Restore a backup"
        ) from error
    if world.position != baseline.position:
        raise UnreadableBaseline(f"the baseline at position {baseline.position} is of another one")
    return world
