"""Reading with and without the native wire: the same messages, errors and close codes."""

# ruff: noqa: SLF001 - the reader is private to aiohttp, and what it leaves is compared to the last

from __future__ import annotations

import time
from contextlib import suppress
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import WebSocketError
from hypothesis import example, given
from hypothesis import strategies as st

from service.edge.inbound import EagerQueue, EagerReader, Unread
from service.edge.wire import python
from service.edge.wire.choice import PYTHON, native
from service.edge.wire.interface import Wire
from tests.effort import effort

WIRES = [PYTHON]
with suppress(ImportError):
    WIRES.append(native())

SIZE_MAX = 300
QUEUE_LIMIT = 1000
"""Beyond twice as many bytes of waiting messages, aiohttp stops parsing."""


class Side:
    """A reader with its queue, whose texts are handled at once unless they begin with `w`.

    It stands for the protocol of the connection as well.
    """

    def __init__(self, wire: Wire | None, size_max: int = SIZE_MAX) -> None:
        self.seen: list[object] = []
        protocol = SimpleNamespace(
            _reading_paused=False, pause_reading=self.pause, resume_reading=self.resume
        )
        self.protocol = protocol
        self.queue = EagerQueue(protocol, QUEUE_LIMIT, loop=None)
        self.queue.handle = self.handle
        self.queue.count = lambda: True
        self.reader = EagerReader(self.queue, size_max + 1, compress=False, decode_text=True)
        self.is_over = False
        self.texts: Any = None
        if wire is not None:
            output = wire.new_output(print, print, print, None)
            unread = Unread(self, self.queue, self.reader)
            self.texts = wire.new_reader(output, self, unread, self.handle, size_max)

    def pause(self) -> None:
        self.protocol._reading_paused = True

    def resume(self) -> None:
        self.protocol._reading_paused = False

    def handle(self, text: str | None) -> bool:
        assert text is not None
        if text.startswith("w"):
            return False
        self.seen.append(("handled", text))
        if text.startswith("f"):
            raise ZeroDivisionError(text)
        return True

    def feed(self, data: bytes) -> None:
        if self.texts is None:
            self.data_received(data)
        else:
            self.texts.data_received(data)
        self.seen.append(self.is_over)

    def data_received(self, data: bytes) -> None:
        self.is_over = self.reader.feed_data(data)[0]

    def drain(self) -> None:
        """Read what waits, as the task does."""
        while self.queue._buffer:
            try:
                self.queue.read().send(None)
            except StopIteration as one:
                self.seen.append(("waited", *one.value))

    def end(self) -> tuple[object, ...]:
        """Return all that was seen, and what ended it."""
        self.drain()
        error: Any = self.queue.exception()
        code = error.code if isinstance(error, WebSocketError) else None
        return self.seen, type(error), code, str(error), self.protocol._reading_paused


def frame(
    payload: bytes, first: int = 0x81, mask: bytes | None = b"mask", form: int | None = None
) -> bytes:
    """Write a frame; `form` is how its length is written if not in the fewest bytes."""
    size = len(payload)
    form = form if form is not None else size if size < 126 else 126 if size < 1 << 16 else 127
    length = b"" if form < 126 else size.to_bytes(2 if form == 126 else 8, "big")
    if mask is None:
        return bytes((first, form)) + length + payload
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return bytes((first, 0x80 | form)) + length + mask + masked


texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["w", "f", "ü", "€" * 50, "😀"]),
    st.sampled_from([0, 1, 125, 126, 127, 299, 300, 301]).map(lambda size: "x" * size),
    st.sampled_from([125, 126, 300]).map(lambda size: "w" + "y" * (size - 1)),
)
masks = st.binary(min_size=4, max_size=4)
good = st.builds(lambda text, mask: frame(text.encode(), mask=mask), texts, masks)
odd = st.one_of(
    st.builds(frame, st.binary(max_size=130), st.integers(0, 255), masks),
    st.builds(frame, st.binary(max_size=130), mask=masks),
    st.builds(lambda text: frame(text.encode(), mask=None), texts),
    st.builds(
        lambda size, form: frame(b"x" * size, form=form),
        st.sampled_from([0, 5, 125, 126, 299, 301]), st.sampled_from([126, 127]),
    ),
    # A message in several frames, with a control frame between them, and cut within a character.
    st.builds(
        lambda text, at, between: frame(text.encode()[:at], 0x01)
        + between + frame(text.encode()[at:], 0x80),
        texts, st.integers(0, 60), st.sampled_from([b"", frame(b"p", 0x89), frame(b"{}")]),
    ),
    st.builds(frame, st.binary(max_size=10), st.sampled_from([0x88, 0x89, 0x8A]), masks),
    st.sampled_from([1000, 1006, 1015, 3000, 5000]).map(
        lambda code: frame(code.to_bytes(2, "big") + b"bye", 0x88)
    ),
)  # fmt: skip
streams = st.lists(st.one_of(good, good, good, odd), min_size=1, max_size=12).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(streams))
    at = draw(st.integers(0, len(data) - 1))
    data[at] = draw(st.integers(0, 255))
    return bytes(data)


def compare(data: bytes, cuts: list[int], drains: list[bool], size_max: int = SIZE_MAX) -> None:
    sides = [Side(wire, size_max) for wire in (None, *WIRES)]
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for number, (begin, end) in enumerate(pairwise(edges)):
        for side in sides:
            side.feed(data[begin:end])
            if drains[number % len(drains)]:
                side.drain()
    plain, *others = (side.end() for side in sides)
    assert others == [plain] * len(WIRES)


@effort(600)
@given(
    st.one_of(streams, damaged()),
    st.lists(st.integers(0, 4000), max_size=6),
    st.lists(st.booleans(), min_size=1, max_size=6),
)
@example(frame(b"a") + frame(b"\xff") + frame(b"b"), [], [True])
@example(frame(b"a") + frame(b"w") * 40 + frame(b"b") * 3, [], [False])
@example(frame(b"a") + frame(b"b", 0x01) + frame(b"c"), [8, 9], [True])
@example(b"\x81\xfe\x01", [1], [False])
@example(frame(b"") + frame(b"\x00", 0x88), [], [True])
def test_native_reading_gives_the_messages_and_errors_of_aiohttp(
    data: bytes, cuts: list[int], drains: list[bool]
) -> None:
    compare(data, cuts, drains)


@effort(30)
@given(
    st.lists(st.sampled_from([0, 126, 65534, 65535, 65536, 65537]), min_size=1, max_size=3),
    st.lists(st.integers(0, 200_000), max_size=4),
    st.sampled_from([65534, 65535, 65536, 70000]),
)
def test_native_reading_keeps_the_limit_of_a_message_to_the_byte(
    sizes: list[int], cuts: list[int], size_max: int
) -> None:
    compare(b"".join(frame(b"x" * size) for size in sizes), cuts, [True], size_max)


class Left:
    """What a reader leaves to others, who take all of it."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.kept: list[str] = []
        self.failed: list[Exception] = []
        self.read_bytes: list[bytes] = []
        self.is_plain = False
        self.called: list[str] = []

    def handle(self, text: str) -> bool:
        self.taken.append(text)
        if text.startswith("f"):
            raise ZeroDivisionError(text)
        return not text.startswith("w")

    def keep(self, text: str) -> None:
        self.kept.append(text)

    def fail(self, error: Exception) -> None:
        self.failed.append(error)

    def read(self, data: bytes) -> bool:
        self.read_bytes.append(data)
        return self.is_plain

    def connection_lost(self, error: Exception | None) -> None:
        self.called.append(f"connection_lost {error}")

    def eof_received(self) -> bool:
        self.called.append("eof_received")
        return True

    def pause_writing(self) -> None:
        self.called.append("pause_writing")

    def resume_writing(self) -> None:
        self.called.append("resume_writing")


@pytest.fixture
def left() -> Left:
    return Left()


@pytest.fixture(params=WIRES, ids=[wire.name for wire in WIRES])
def reader(request: pytest.FixtureRequest, left: Left) -> Any:
    output = request.param.new_output(print, print, print, None)
    return request.param.new_reader(output, left, left, left.handle, SIZE_MAX)


def test_whole_text_frames_are_read_without_aiohttp(left: Left, reader: Any) -> None:
    """Otherwise the tests above would compare aiohttp with itself."""
    began_s = time.monotonic()
    reader.data_received(frame(b"a"))
    reader.data_received(frame("ü".encode()))
    assert (left.taken, left.read_bytes) == (["a", "ü"], [])
    assert began_s <= reader.heard_at_s <= time.monotonic()


@pytest.mark.parametrize(
    "rest",
    [
        frame(b"x", 0x01), frame(b"", 0x89), frame(b"", 0x88), frame(b"x", 0x82), frame(b"\xff"),
        frame(b"x", 0xC1), frame(b"x", mask=None), frame(b"x", form=126), frame(b"x" * 301),
        frame(b"x" * 200)[:-1], frame(b"x")[:-1], b"\x81",
    ],
)  # fmt: skip
def test_reading_stops_before_the_first_frame_that_is_left_to_aiohttp(
    rest: bytes, left: Left, reader: Any
) -> None:
    if isinstance(reader, python.Reader):
        reader.data_received(frame(b"a"))
        reader.data_received(rest)
        assert left.taken == ["a"]
    else:
        reader.data_received(frame(b"a") + frame(b"b" * 200) + rest)
        assert left.taken == ["a", "b" * 200]
    assert left.read_bytes == [rest]


def test_all_is_left_to_aiohttp_until_it_is_between_two_messages(left: Left, reader: Any) -> None:
    for is_plain in (False, True, True):
        left.is_plain = is_plain
        reader.data_received(b"\x81" if not left.read_bytes else frame(b"a"))
    assert (left.taken, left.read_bytes) == (["a"], [b"\x81", frame(b"a")])


def test_reading_stops_when_a_text_has_to_wait(left: Left, reader: Any) -> None:
    for text in (b"a", b"w", b"b"):
        reader.data_received(frame(text))
    assert (left.taken, left.kept, left.read_bytes) == (["a", "w"], ["w"], [frame(b"b")])


def test_a_text_that_fails_does_not_keep_the_next_from_being_read(left: Left, reader: Any) -> None:
    for text in (b"f", b"a"):
        reader.data_received(frame(text))
    assert left.taken == ["f", "a"]
    assert [str(error) for error in left.failed] == ["f"]


def test_the_protocol_that_is_replaced_gets_all_other_callbacks(left: Left, reader: Any) -> None:
    reader.pause_writing()
    reader.resume_writing()
    assert reader.eof_received() is True
    reader.connection_lost(None)
    assert left.called == [
        "pause_writing",
        "resume_writing",
        "eof_received",
        "connection_lost None",
    ]
