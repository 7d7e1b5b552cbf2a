"""A slow consumer misses skippable messages, and is not disconnected because of them."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from service.edge.connection import HELD_MAX, Connection
from service.edge.dialect import SOCKET_IO, V1
from service.edge.frames import frame, texts_of
from service.edge.slow_consumer import SKIPPABLE, conflation_key
from service.protocol import ToClassicClient, ToV1Client, classic, v1
from service.settings.sections.connections import SlowLimits

LIMITS = SlowLimits(bytes_newest_only=2_000, bytes_max=10_000, stall_s=10)


class Line:
    """A transport whose client reads when the test requests it."""

    def __init__(self) -> None:
        self.unread = b""
        self.read = b""
        self.is_aborted = False

    def write(self, data: bytes) -> None:
        self.unread += data

    def get_write_buffer_size(self) -> int:
        return len(self.unread)

    def is_closing(self) -> bool:
        return self.is_aborted

    def abort(self) -> None:
        self.is_aborted = True

    def take(self) -> list[dict[str, object]]:
        """Read all that is there."""
        texts = list(texts_of(self.unread))
        self.unread = b""
        return [msgspec.json.decode(text) for text in texts]


def connected() -> tuple[Connection, Line]:
    line = Line()
    return Connection("n1.1.1", 7, V1, transport=line, limits=LIMITS), line


def signal(size: int) -> bytes:
    return frame(v1.Signal(8, "n1.1.2", msgspec.Raw(b'"%b"' % (b"x" * size))))


def test_a_burst_of_signals_drops_signals_not_the_slow_consumer() -> None:
    connection, line = connected()
    for _ in range(20):
        for _ in range(50):
            connection.frames.append(signal(1_000))
        connection.flush()
    assert not line.is_aborted
    assert line.get_write_buffer_size() <= LIMITS.bytes_max


def test_reliable_messages_arrive_while_signals_are_dropped() -> None:
    connection, line = connected()
    connection.frames.append(signal(8_000))
    connection.flush()
    connection.frames.extend([signal(3_000), frame(v1.Ack("a", 7)), signal(3_000)])
    connection.flush()
    assert [message["type"] for message in line.take()] == ["signal", "ack"]


def test_a_slow_consumer_of_reliable_messages_is_closed() -> None:
    connection, line = connected()
    for number in range(1000):
        connection.frames.append(frame(v1.RoomClosed(f"room-{number}", "empty"), number))
        connection.flush()
    assert line.is_aborted


def test_the_newest_state_of_each_room_is_sent_later() -> None:
    connection, line = connected()
    connection.frames.append(signal(5_000))
    connection.flush()
    connection.frames.append(frame(v1.Ack("a", 1)))
    connection.flush()
    assert connection.is_slow
    for tick in range(5):
        for room in ("r1", "r2"):
            update = v1.GameUpdate(room, 0, tick, None)
            connection.retain(conflation_key(update), frame(update))
    line.take()
    connection.flush()
    states = [(one["roomId"], one["tick"]) for one in line.take()]
    assert states == [("r1", 4), ("r2", 4)]
    assert not connection.is_slow


def test_held_back_states_are_bounded() -> None:
    connection, line = connected()
    connection.send_queue.is_slow = True
    for number in range(10 * HELD_MAX):
        removed = v1.RoomRemoved(f"room-{number}")
        connection.retain(conflation_key(removed), frame(removed))
    connection.flush()
    assert len(line.take()) == HELD_MAX


def test_a_greeting_of_any_size_is_sent() -> None:
    connection, line = connected()
    users = [v1.UserEntry(number, "x" * 50, "online") for number in range(1, 500)]
    connection.frames.append(frame(v1.UserList(users, 1)))
    connection.flush()
    assert [message["type"] for message in line.take()] == ["user:list"]


def test_a_resume_is_in_progress_until_it_is_read() -> None:
    connection, line = connected()
    connection.frames.append(frame(v1.Resumed(1, 2)))
    connection.begin_resume()
    assert connection.is_resuming
    connection.flush()
    assert connection.is_resuming
    line.take()
    assert not connection.is_resuming


def test_events_and_acks_are_never_lossy() -> None:
    """What has a position, answers a command, or begins and ends a match has to arrive."""
    types = {
        message.__struct_config__.tag
        for message in (*get_args(ToClassicClient), *get_args(ToV1Client))
    }
    assert types > SKIPPABLE
    assert not SKIPPABLE & {
        "ack",
        "error",
        "welcome",
        "resumed",
        "resync",
        "invite:received",
        "chat:message",
        "game:moved",
        "game:start",
        "game:over",
        "game:end",
        "game:timeup",
        "game:ready",
        "room:start",
        "room:players",
        "room:joined",
        "room:left",
        "room:closed",
    }


@pytest.mark.parametrize("dialect", [V1, SOCKET_IO])
def test_lossy_messages_are_known_in_each_dialect(dialect: object) -> None:
    message = classic.GameUpdate("r", {"p1Y": 1})
    data = SOCKET_IO.frame(message) if dialect is SOCKET_IO else frame(message)
    connection, line = connected()
    connection.frames.extend([data] * 200)
    connection.flush()
    connection.frames.extend([data] * 200)
    connection.flush()
    assert not line.is_aborted
    assert line.get_write_buffer_size() <= LIMITS.bytes_max
