"""The backlog is kept within its bounds, and never returned in part."""

from service.edge.backlog import Backlog
from service.settings.sections.storage import BacklogLimits

ANA, BEN = 7, "ben"


def filled(count: int, *, start: int = 0, **limits: int) -> Backlog:
    """Return a backlog of events a second apart; Ana gets a frame for each, Ben for every other."""
    backlog = Backlog(BacklogLimits(**limits), start)
    for position in range(start + 1, start + count + 1):
        users: list[int | str] = [ANA, BEN] if position % 2 else [ANA]
        backlog.add(position, users, f"{position}".encode())
        backlog.close(position, position)
    return backlog


def between(backlog: Backlog, user: int | str, after: int, to: int = 1000) -> list[int] | None:
    frames = backlog.between(user, after, to)
    return None if frames is None else [int(frame) for frame in frames]


def test_a_user_gets_their_frames_between_two_positions_in_order() -> None:
    backlog = filled(6)
    assert between(backlog, ANA, 0) == [1, 2, 3, 4, 5, 6]
    assert between(backlog, BEN, 0) == [1, 3, 5]
    assert between(backlog, ANA, 2, 4) == [3, 4]
    assert between(backlog, ANA, 6) == []
    assert between(backlog, "nobody", 0) == []


def test_the_backlog_is_bounded_in_events_and_reports_older_requests() -> None:
    backlog = filled(6, events_max=2)
    assert between(backlog, ANA, 4) == [5, 6]
    assert between(backlog, BEN, 4) == [5]
    assert between(backlog, ANA, 3) is None
    # Also for a client that missed nothing: this is no longer known.
    assert between(backlog, "nobody", 3) is None


def test_the_backlog_is_bounded_in_age() -> None:
    backlog = filled(6, age_s=2)
    assert between(backlog, ANA, 3) == [4, 5, 6]
    assert between(backlog, ANA, 2) is None


def test_the_backlog_is_bounded_in_frames() -> None:
    backlog = filled(6, frames_max=4)
    # Six, five and four have four frames, with the one of five for both.
    assert between(backlog, ANA, 3) == [4, 5, 6]
    assert between(backlog, ANA, 2) is None


def test_events_without_frames_evict_nothing() -> None:
    backlog = Backlog(BacklogLimits(events_max=2))
    backlog.add(1, [ANA], b"1")
    for position in range(1, 1000):
        backlog.close(position, position / 1000)
    backlog.add(1000, [ANA], b"1000")
    backlog.close(1000, 1)
    assert between(backlog, ANA, 0) == [1, 1000]
    backlog.add(1001, [ANA], b"1001")
    backlog.close(1001, 1)
    assert between(backlog, ANA, 1, 2000) == [1000, 1001]
    assert between(backlog, ANA, 0) is None


def test_the_start_advances_with_time_without_frames() -> None:
    backlog = Backlog(BacklogLimits(age_s=100))
    for position in range(1, 1001):
        backlog.close(position, position)
    assert 890 <= backlog.start <= 900
    assert between(backlog, ANA, 900) == []
    assert between(backlog, ANA, 800) is None


def test_a_backlog_that_starts_after_the_log_reports_it() -> None:
    backlog = filled(2, start=100)
    assert between(backlog, ANA, 100) == [101, 102]
    assert between(backlog, ANA, 99) is None


def test_all_frames_of_an_event_are_evicted_together() -> None:
    backlog = Backlog(BacklogLimits(events_max=1))
    for position in (1, 2):
        backlog.add(position, [ANA], b"%d" % (position * 10))
        backlog.add(position, [ANA, BEN], b"%d" % (position * 10 + 1))
        backlog.close(position, position)
    assert between(backlog, ANA, 1) == [20, 21]
    assert between(backlog, BEN, 1) == [21]
    assert between(backlog, ANA, 0) is None


def flood(backlog: Backlog, users: list[int | str], count: int, size: int, start: int = 0) -> None:
    for position in range(start + 1, start + count + 1):
        backlog.add(position, users, b"x" * size)
        backlog.close(position, position)


def test_the_backlog_is_bounded_in_bytes() -> None:
    backlog = Backlog(BacklogLimits(bytes_max=100_000, bytes_per_user_max=10**9))
    flood(backlog, [ANA], 100, 10_000)
    assert backlog.bytes <= 100_000
    assert backlog.between(ANA, 0, 100) is None
    kept = backlog.between(ANA, 95, 100)
    assert kept is not None
    assert len(kept) == 5


def test_the_byte_bound_of_a_user_does_not_affect_others() -> None:
    backlog = Backlog(BacklogLimits(bytes_max=100_000, bytes_per_user_max=20_000))
    backlog.add(1, [BEN], b"for Ben")
    backlog.close(1, 1)
    flood(backlog, [ANA], 500, 5_000, start=1)
    assert backlog.bytes <= 30_000
    assert backlog.between(ANA, 0, 2000) is None
    assert backlog.between(BEN, 0, 2000) == [b"for Ben"]
    kept = backlog.between(ANA, 499, 2000)
    assert kept is not None
    assert len(kept) == 2


def test_a_frame_for_several_users_is_counted_once() -> None:
    many: list[int | str] = list(range(1, 101))
    backlog = Backlog(BacklogLimits())
    flood(backlog, many, 1, 10_000)
    assert 10_000 < backlog.bytes < 20_000


def test_a_frame_above_the_user_bound_is_kept_alone() -> None:
    backlog = Backlog(BacklogLimits(bytes_per_user_max=5_000))
    flood(backlog, [ANA], 3, 8_000)
    assert backlog.between(ANA, 1, 3) is None
    assert backlog.between(ANA, 2, 3) == [b"x" * 8_000]


def test_the_byte_count_returns_to_zero() -> None:
    backlog = Backlog(BacklogLimits(age_s=10, bytes_per_user_max=5_000))
    flood(backlog, [ANA, BEN], 20, 1_000)
    backlog.close(21, 1000)
    assert backlog.bytes == 0
    assert backlog.between(ANA, 20, 21) == []
