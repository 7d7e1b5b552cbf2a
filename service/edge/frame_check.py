"""Check a client's frames for violations that aiohttp ignores (RFC 6455, section 5); no I/O.

Frames must be masked, their length written in the fewest bytes, a message of several frames may
not be cut by another one, and a close has a code that may be sent.
"""

from __future__ import annotations

import struct

PROTOCOL_ERROR = 1002

_FIN, _OPCODE, _MASKED, _LENGTH = 0x80, 0x0F, 0x80, 0x7F
_CONTINUATION, _CLOSE, _CONTROL = 0x0, 0x8, 0x8
_LENGTH_16, _LENGTH_64 = 126, 127
_SHORT_HEADER = 6
"""Size of the header of a short frame: two bytes and the mask."""

_CLOSE_CODES_DEFINED = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}
_CLOSE_CODES_FREE = range(3000, 5000)


def may_be_sent(close_code: int) -> bool:
    """Tell whether a close frame may contain this code (section 7.4, and IANA's registry)."""
    return close_code in _CLOSE_CODES_DEFINED or close_code in _CLOSE_CODES_FREE


class FrameCheck:
    """Parses the frame headers of one client from chunks of any size."""

    __slots__ = ("_header", "_in_message", "_skip", "error", "is_between")

    def __init__(self) -> None:
        """Begin before the first frame."""
        self._header = b""
        """The incomplete header at the end of the last chunk."""
        self._skip = 0
        """Bytes of the current frame's payload that were not received yet."""
        self._in_message = False
        """Whether a fragmented message has begun."""
        self.is_between = True
        """Whether neither a frame nor a fragmented message has begun."""
        self.error: str | None = None
        """The violation, after which nothing must be read."""

    def check(self, data: bytes) -> int:
        """Check the next bytes; return how many may be read: all, unless there is an `error`."""
        if not self._skip and not self._header and len(data) >= _SHORT_HEADER:
            # Fast path: one complete, short, unfragmented text frame, as most chunks are.
            first, second = data[0], data[1]
            if (
                first == _FIN | 0x1
                and not self._in_message
                and second - _MASKED == len(data) - _SHORT_HEADER < _LENGTH_16
            ):
                return len(data)
        good = self._walk(data)
        self.is_between = not (self._skip or self._header or self._in_message)
        return good

    def _walk(self, data: bytes) -> int:
        """Parse frame by frame; return the offset of the first invalid one."""
        at, held = 0, len(self._header)
        if held:
            data, self._header = self._header + data, b""
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                at += step
                continue
            size = self._frame(data, at)
            if self.error is not None:
                return max(0, at - held)
            if not size:
                self._header = data[at:]
                break
            at += size
        return len(data) - held

    def _frame(self, data: bytes, at: int) -> int:
        """Check the header at `at`; return its size, or 0 if it is incomplete."""
        if len(data) - at < 2:  # noqa: PLR2004 - the two bytes that are always there
            return 0
        first, second = data[at], data[at + 1]
        opcode, length = first & _OPCODE, second & _LENGTH
        size = _SHORT_HEADER + (2 if length == _LENGTH_16 else 8 if length == _LENGTH_64 else 0)
        # Of a close frame the code is checked as well.
        peeked = min(length, 2) if opcode == _CLOSE and length < _LENGTH_16 else 0
        if not second & _MASKED:
            self.error = "a frame is not masked"
            return size
        if len(data) - at < size + peeked:
            return 0
        if length >= _LENGTH_16:
            form, least = (">H", _LENGTH_16) if length == _LENGTH_16 else (">Q", 1 << 16)
            (length,) = struct.unpack_from(form, data, at + 2)
            if not least <= length < 1 << 63:
                self.error = "a length is not written in the fewest bytes"
        if opcode == _CLOSE and length == 1:
            # aiohttp refuses it as well, in other words if the text before was read elsewhere.
            self.error = "a close frame has half a code"
        elif not opcode & _CONTROL:
            self._follow(opcode, is_final=bool(first & _FIN))
        elif peeked == 2:  # noqa: PLR2004 - a code has two bytes
            mask = data[at + 2 : at + 4]
            code = struct.unpack_from(">H", data, at + size)[0] ^ struct.unpack(">H", mask)[0]
            if not may_be_sent(code):
                self.error = f"{code} is no close code"
        self._skip = length
        return size

    def _follow(self, opcode: int, *, is_final: bool) -> None:
        """Check the order of the fragments of a message."""
        if (opcode == _CONTINUATION) != self._in_message:
            self.error = "a message is cut by another one, or goes on without having begun"
        self._in_message = not is_final
