"""The bounds of the backlog, to the byte and the frame."""

from __future__ import annotations

import pytest

from service.edge.backlog import ENTRY_BYTES, FRAME_BYTES, STEPS, Backlog
from service.settings.sections.storage import BacklogLimits

ANA, BEN = 7, "ben"


def backlog(start: int = 0, **limits: float) -> Backlog:
    return Backlog(BacklogLimits(**limits), start)  # type: ignore[arg-type]  # ages are floats


def add(one: Backlog, position: int, *users: int | str, at: float = 0, size: int = 10) -> None:
    """Add an event with one frame for these users."""
    one.add(position, users, b"x" * size)
    one.close(position, at)


def count(one: Backlog, user: int | str, after: int = 0) -> int | None:
    frames = one.between(user, after, 1000)
    return None if frames is None else len(frames)


def test_a_frame_is_counted_once_and_an_entry_per_user() -> None:
    one = backlog()
    add(one, 1, ANA, BEN, size=10)
    assert one.bytes == 10 + 150 + 2 * 16
    assert (FRAME_BYTES, ENTRY_BYTES) == (150, 16)
    add(one, 2, ANA, size=7)
    assert one.bytes == 10 + 150 + 2 * 16 + 7 + 150 + 16


def test_a_frame_without_recipients_is_not_kept() -> None:
    one = backlog()
    one.add(1, [], b"x" * 10)
    assert one.bytes == 0
    one.close(1, 0)
    assert one.start == 0


def test_a_frame_is_released_with_its_last_recipient() -> None:
    one = backlog(bytes_per_user_max=2 * 160)
    add(one, 1, ANA, BEN)
    add(one, 2, ANA)
    add(one, 3, ANA)
    assert one.bytes == 3 * 160 + 3 * 16
    add(one, 4, BEN)
    add(one, 5, BEN)
    assert one.bytes == 4 * 160 + 4 * 16


@pytest.mark.parametrize(("bytes_max", "kept"), [(2 * 176, 2), (2 * 176 - 1, None)])
def test_the_total_byte_bound_is_exact(bytes_max: int, kept: int | None) -> None:
    one = backlog(bytes_max=bytes_max)
    add(one, 1, ANA)
    add(one, 2, ANA)
    assert count(one, ANA) == kept


@pytest.mark.parametrize(("bytes_max", "kept"), [(2 * 160, 2), (2 * 160 - 1, None)])
def test_the_byte_bound_of_a_user_is_exact(bytes_max: int, kept: int | None) -> None:
    one = backlog(bytes_per_user_max=bytes_max)
    add(one, 1, ANA)
    add(one, 2, ANA)
    assert count(one, ANA) == kept
    assert count(one, ANA, after=1) == 1


@pytest.mark.parametrize(("frames_max", "kept"), [(3, 2), (2, None)])
def test_every_recipient_of_a_frame_is_counted(frames_max: int, kept: int | None) -> None:
    one = backlog(frames_max=frames_max)
    add(one, 1, ANA, BEN)
    add(one, 2, ANA)
    assert count(one, ANA) == kept
    assert count(one, ANA, after=1) == 1


@pytest.mark.parametrize(("events_max", "kept"), [(2, 2), (1, None)])
def test_the_event_bound_is_exact(events_max: int, kept: int | None) -> None:
    one = backlog(events_max=events_max)
    add(one, 1, ANA)
    add(one, 2, ANA)
    assert count(one, ANA) == kept
    add(one, 3, ANA)
    assert one.start == 3 - events_max


@pytest.mark.parametrize(("now", "kept"), [(10, 1), (10.1, None)])
def test_an_event_exactly_at_the_age_bound_is_kept(now: float, kept: int | None) -> None:
    one = backlog(age_s=10)
    add(one, 1, ANA, at=0)
    one.close(2, now)
    assert count(one, ANA) == kept


def test_a_released_frame_is_no_longer_counted() -> None:
    one = backlog(frames_max=2)
    for position in range(1, 20):
        add(one, position, ANA)
        assert count(one, ANA, after=max(0, position - 2)) == min(2, position)
    assert one.bytes == 2 * 176


def test_an_event_with_one_of_two_frames_left_is_evicted_normally() -> None:
    one = backlog(bytes_per_user_max=160, age_s=10)
    one.add(1, [ANA], b"x" * 10)
    one.add(1, [ANA], b"y" * 10)
    one.close(1, 0)
    assert count(one, ANA) is None
    one.close(2, 100)
    assert one.bytes == 0
    add(one, 3, ANA, at=100)
    assert one.between(ANA, 2, 3) == [b"x" * 10]


def test_an_eviction_for_one_user_is_recorded_for_that_user_only() -> None:
    one = backlog(bytes_per_user_max=160)
    add(one, 1, ANA)
    add(one, 2, ANA)
    add(one, 3, BEN)
    assert (count(one, ANA), count(one, ANA, after=1), count(one, BEN)) == (None, 1, 1)
    assert count(one, "nobody") == 0


def test_events_without_frames_are_noted_at_a_hundredth_of_the_age() -> None:
    assert STEPS == 100
    one = backlog(age_s=100)
    one.close(1, 0)
    one.close(2, 0.5)
    one.close(3, 1)
    one.close(4, 1.5)
    one.close(5, 100.9)
    assert one.start == 1
    one.close(6, 102)
    assert one.start == 3


def test_an_event_without_frames_is_not_counted() -> None:
    one = backlog(events_max=1, age_s=1000)
    add(one, 1, ANA, at=0)
    one.close(2, 500)
    one.close(3, 900)
    assert count(one, ANA) == 1
    add(one, 4, ANA, at=900)
    assert (one.start, count(one, ANA, after=1)) == (1, 1)


def test_by_default_a_backlog_holds_ten_minutes_within_64_mib() -> None:
    assert BacklogLimits() == BacklogLimits(
        events_max=100_000,
        age_s=600,
        frames_max=1_000_000,
        bytes_max=67_108_864,
        bytes_per_user_max=524_288,
    )


def test_a_range_excludes_the_first_and_includes_the_second_position() -> None:
    one = backlog()
    for position in range(1, 5):
        one.add(position, [ANA], b"%d" % position)
        one.close(position, 0)
    assert one.between(ANA, 1, 3) == [b"2", b"3"]
    assert one.between(ANA, 3, 3) == []


def test_the_backlog_starts_after_its_start_position() -> None:
    assert backlog(start=5).between(ANA, 5, 9) == []
    assert backlog(start=5).between(ANA, 4, 9) is None
    assert Backlog(BacklogLimits()).start == 0
