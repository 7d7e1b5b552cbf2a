"""What users have missed is kept within its bounds, and what is gone is never given in part."""

from service.edge.backlog import Backlog, BacklogLimits

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


def test_each_user_gets_what_was_for_him_between_two_positions_and_in_order() -> None:
    backlog = filled(6)
    assert between(backlog, ANA, 0) == [1, 2, 3, 4, 5, 6]
    assert between(backlog, BEN, 0) == [1, 3, 5]
    assert between(backlog, ANA, 2, 4) == [3, 4]
    assert between(backlog, ANA, 6) == []
    assert between(backlog, "nobody", 0) == []


def test_it_keeps_so_many_events_and_says_when_older_ones_are_asked_for() -> None:
    backlog = filled(6, events_max=2)
    assert between(backlog, ANA, 4) == [5, 6]
    assert between(backlog, BEN, 4) == [5]
    assert between(backlog, ANA, 3) is None
    # Also to whom nothing is missing: that is not known any more.
    assert between(backlog, "nobody", 3) is None


def test_it_keeps_none_that_is_older_than_the_age_allowed() -> None:
    backlog = filled(6, age_s=2)
    assert between(backlog, ANA, 3) == [4, 5, 6]
    assert between(backlog, ANA, 2) is None


def test_it_keeps_so_many_frames_however_few_events_they_are_of() -> None:
    backlog = filled(6, frames_max=4)
    # Six, five and four have four frames, with the one of five for both.
    assert between(backlog, ANA, 3) == [4, 5, 6]
    assert between(backlog, ANA, 2) is None


def test_events_without_frames_push_none_out_that_has_some() -> None:
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


def test_the_start_moves_on_with_time_also_where_nobody_gets_frames() -> None:
    backlog = Backlog(BacklogLimits(age_s=100))
    for position in range(1, 1001):
        backlog.close(position, position)
    assert 890 <= backlog.start <= 900
    assert between(backlog, ANA, 900) == []
    assert between(backlog, ANA, 800) is None


def test_a_backlog_that_began_later_than_the_log_says_so() -> None:
    backlog = filled(2, start=100)
    assert between(backlog, ANA, 100) == [101, 102]
    assert between(backlog, ANA, 99) is None


def test_several_frames_of_an_event_go_together() -> None:
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


def test_it_keeps_so_many_bytes_however_few_frames_they_are() -> None:
    backlog = Backlog(BacklogLimits(bytes_max=100_000, bytes_per_user_max=10**9))
    flood(backlog, [ANA], 100, 10_000)
    assert backlog.bytes <= 100_000
    assert backlog.between(ANA, 0, 100) is None
    kept = backlog.between(ANA, 95, 100)
    assert kept is not None
    assert len(kept) == 5


def test_one_user_has_so_many_bytes_and_others_lose_nothing_by_it() -> None:
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


def test_a_frame_for_many_counts_once() -> None:
    many: list[int | str] = list(range(1, 101))
    backlog = Backlog(BacklogLimits())
    flood(backlog, many, 1, 10_000)
    assert 10_000 < backlog.bytes < 20_000


def test_a_frame_longer_than_a_user_may_have_is_kept_alone() -> None:
    backlog = Backlog(BacklogLimits(bytes_per_user_max=5_000))
    flood(backlog, [ANA], 3, 8_000)
    assert backlog.between(ANA, 1, 3) is None
    assert backlog.between(ANA, 2, 3) == [b"x" * 8_000]


def test_the_count_of_bytes_is_zero_when_all_is_gone() -> None:
    backlog = Backlog(BacklogLimits(age_s=10, bytes_per_user_max=5_000))
    flood(backlog, [ANA, BEN], 20, 1_000)
    backlog.close(21, 1000)
    assert backlog.bytes == 0
    assert backlog.between(ANA, 20, 21) == []
