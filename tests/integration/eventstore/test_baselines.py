"""Every recorded form of a baseline stays readable: `baselines.ndjson` has one of each version.

A line is `{schema_version, position, data, world}`: the data in hexadecimal, and what it says.
Lines are only added: `python -m tests.integration.eventstore.test_baselines` prints one of the
present version. A later form may say more, but never something else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from service.domain.projections.world import World
from service.eventstore import baselines
from service.eventstore.archived import StoredBaseline
from service.eventstore.baselines import UnreadableBaseline, dump, restore
from tests.unit.protocol.test_positions import HISTORY

CORPUS = Path(__file__).parent / "baselines.ndjson"


class Line(NamedTuple):
    schema_version: int
    position: int
    data: str
    world: dict[str, Any]

    @property
    def stored(self) -> StoredBaseline:
        return StoredBaseline(self.position, self.schema_version, bytes.fromhex(self.data))


LINES = [Line(**msgspec.json.decode(line)) for line in CORPUS.read_bytes().splitlines()]


def told(value: Any) -> Any:
    """Return what a value says, in the terms of JSON."""
    if isinstance(value, msgspec.Struct):
        return {name: told(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(key): told(one) for key, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(told(one) for one in value)
    if isinstance(value, list | tuple):
        return [told(one) for one in value]
    return value


def says(value: Any, recorded: Any) -> bool:
    """Return whether a value says at least what was recorded."""
    if isinstance(recorded, dict):
        return all(name in value and says(value[name], one) for name, one in recorded.items())
    if isinstance(recorded, list):
        return len(value) == len(recorded) and all(map(says, value, recorded))
    return bool(value == recorded)


def rich_world() -> World:
    """Return the world that says most, of those along the history of all kinds of events."""
    found, most = World(), 0
    world = World()
    for position, event in enumerate(HISTORY, start=1):
        world.fold(event, position)
        data = dump(world)
        if len(data) > most:
            most, found = len(data), msgspec.msgpack.decode(data, type=World)
    return found


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"version-{line.schema_version}")
def test_each_recorded_baseline_is_restored_with_all_that_it_says(line: Line) -> None:
    assert says(told(restore(line.stored)), line.world)


def test_every_version_has_a_line_and_an_upcaster() -> None:
    versions = range(1, baselines.SCHEMA_VERSION + 1)
    assert {line.schema_version for line in LINES} == set(versions)
    assert baselines.UPCASTS.keys() == set(versions[:-1])


def test_a_baseline_is_the_world_that_was_dumped() -> None:
    world = rich_world()
    stored = StoredBaseline(world.position, baselines.SCHEMA_VERSION, dump(world))
    assert restore(stored) == world


def test_an_older_baseline_is_upcast_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def renamed(data: bytes) -> bytes:
        raw = msgspec.msgpack.decode(data)
        raw["lobby"] = raw.pop("hall")
        return msgspec.msgpack.encode(raw)

    world = rich_world()
    raw = msgspec.msgpack.decode(dump(world))
    raw["hall"] = raw.pop("lobby")
    monkeypatch.setattr(baselines, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(baselines, "UPCASTS", {1: renamed, 2: lambda data: data})
    old = StoredBaseline(world.position, 1, msgspec.msgpack.encode(raw))
    assert restore(old) == world


@pytest.mark.parametrize(
    ("stored", "what"),
    [
        (StoredBaseline(1, baselines.SCHEMA_VERSION + 1, b""), "use a newer version"),
        (StoredBaseline(1, 1, b"\xc1"), "can't be read"),
        (StoredBaseline(1, 1, dump(World(position=2))), "of another one"),
    ],
)
def test_a_baseline_that_can_not_be_read_is_refused(stored: StoredBaseline, what: str) -> None:
    with pytest.raises(UnreadableBaseline, match=what):
        restore(stored)


if __name__ == "__main__":
    rich = rich_world()
    line = Line(baselines.SCHEMA_VERSION, rich.position, dump(rich).hex(), told(rich))
    sys.stdout.write(msgspec.json.encode(line._asdict()).decode() + "\n")
