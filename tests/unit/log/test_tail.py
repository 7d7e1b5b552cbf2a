"""The recent events in memory, bounded by their number and their age."""

from service.domain.lobby import LobbyJoined
from service.log.log import Tail
from service.log.records import RecordedEvent


def recorded(position: int, at_s: float = 0.0) -> RecordedEvent:
    event = LobbyJoined(user=1, socket=f"n1.1.{position}")
    return RecordedEvent(position, position, int(at_s * 1_000_000), event)


def positions(tail: Tail, after: int) -> list[int] | None:
    found = tail.after(after)
    return None if found is None else [one.position for one in found]


def test_an_empty_tail_knows_nothing() -> None:
    assert Tail(10, 10).after(0) is None


def test_it_gives_what_comes_after_a_position() -> None:
    tail = Tail(10, 10)
    tail.extend([recorded(1), recorded(2)])
    tail.extend([recorded(3)])
    assert positions(tail, 0) == [1, 2, 3]
    assert positions(tail, 2) == [3]
    assert positions(tail, 3) == []
    assert positions(tail, 99) == []


def test_it_keeps_so_many_and_says_when_older_ones_are_asked_for() -> None:
    tail = Tail(2, 10)
    tail.extend([recorded(position) for position in range(1, 6)])
    assert positions(tail, 3) == [4, 5]
    assert positions(tail, 2) is None


def test_it_keeps_none_that_is_older_than_the_age_allowed() -> None:
    tail = Tail(10, 10)
    tail.extend([recorded(1, 0), recorded(2, 5)])
    tail.extend([recorded(3, 10)])
    assert positions(tail, 0) == [1, 2, 3]
    tail.extend([recorded(4, 15.1)])
    assert positions(tail, 2) == [3, 4]
    assert positions(tail, 1) is None


def test_a_tail_that_began_later_than_the_log_says_so() -> None:
    tail = Tail(10, 10)
    tail.extend([recorded(101), recorded(102)])
    assert positions(tail, 100) == [101, 102]
    assert positions(tail, 99) is None
