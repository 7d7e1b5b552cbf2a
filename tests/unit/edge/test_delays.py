"""Delayed messages for spectators are bounded, and states are thinned before they are dropped."""

from service.edge.delays import ENTRY_BYTES, ROOM_SHARE, THINNED_TO, DelayedBytes

BYTES_MAX = ROOM_SHARE * 100 * (ENTRY_BYTES + 100)
"""So that a room has place for a hundred frames of a hundred bytes."""


def test_a_room_is_limited_to_its_share_of_the_delay_buffer() -> None:
    delays = DelayedBytes(BYTES_MAX)
    taken = [delays.reserve("r", 100, is_state=False) for _ in range(200)]
    assert taken.count(True) == 100
    assert delays.reserve("other", 100, is_state=False)


def test_all_rooms_are_limited_to_the_delay_buffer() -> None:
    delays = DelayedBytes(BYTES_MAX)
    for number in range(10 * ROOM_SHARE * 100):
        delays.reserve(f"r{number}", 100, is_state=False)
    assert delays.bytes <= BYTES_MAX


def test_state_frames_are_thinned_when_half_of_the_share_is_used() -> None:
    delays = DelayedBytes(BYTES_MAX)
    taken = [delays.reserve("r", 100, is_state=True) for _ in range(111)]
    assert all(taken[:51])
    assert sum(taken[51:]) == 60 // THINNED_TO


def test_delivered_frames_free_the_delay_buffer() -> None:
    delays = DelayedBytes(BYTES_MAX)
    for _ in range(100):
        delays.reserve("r", 100, is_state=False)
    assert not delays.reserve("r", 100, is_state=False)
    for _ in range(100):
        delays.release("r", 100)
    assert delays.bytes == 0
    assert delays.reserve("r", 100, is_state=False)
