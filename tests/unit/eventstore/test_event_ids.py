"""Event ids: UUIDs of version 7 that increase, whatever the clock does."""

import subprocess
import sys
import uuid
from random import Random

import pytest

from service.eventstore import records
from service.eventstore.records import NewId

MS = 1_000_000


class Clock:
    """Replaces `time` in the module of the ids."""

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns

    def time_ns(self) -> int:
        """Return the time that was set."""
        return self.now_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(1_764_134_400_123 * MS)
    monkeypatch.setattr(records, "time", clock)
    return clock


def test_an_id_is_a_uuid_of_version_7_with_the_time_in_front(clock: Clock) -> None:
    id_ = uuid.UUID(bytes=NewId()())
    assert (id_.version, id_.variant) == (7, uuid.RFC_4122)
    assert id_.int >> 80 == clock.now_ns // MS


def test_ids_increase_within_a_millisecond_over_the_next_and_when_the_clock_is_set_back(
    clock: Clock,
) -> None:
    new_id = NewId()
    ids = []
    for now_ms in (123, 123, 123, 124, 100, 124, 125):
        clock.now_ns = now_ms * MS
        ids.append(new_id())
    assert ids == sorted(set(ids))
    assert [int.from_bytes(id_, "big") >> 80 for id_ in ids] == [123, 123, 123, 124, 124, 124, 125]


def test_the_count_never_reaches_the_variant_or_the_version(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Random, "getrandbits", lambda _self, bits: (1 << bits) - 1)
    new_id = NewId()
    for _ in range(1000):
        id_ = uuid.UUID(bytes=new_id())
        assert (id_.version, id_.variant) == (7, uuid.RFC_4122)
    assert id_.int >> 80 == clock.now_ns // MS


def test_two_generators_do_not_give_the_same_ids(clock: Clock) -> None:
    assert clock.now_ns
    one, other = NewId(), NewId()
    assert not {one() for _ in range(1000)} & {other() for _ in range(1000)}


FORKS = """
import os, time
from service.eventstore.records import new_event_id
new_event_id()
# One millisecond for all: then ids go on from the one before.
time.time_ns = lambda: 2**62
new_event_id()
for _ in range(3):
    if not (child := os.fork()):
        os.write(1, f"{new_event_id().hex()} {new_event_id().hex()}\\n".encode())
        os._exit(0)
    os.waitpid(child, 0)
print(new_event_id().hex())
"""


def test_processes_that_are_forked_make_other_ids() -> None:
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True)
    found = done.stdout.split()
    assert len(set(found)) == len(found) == 7
