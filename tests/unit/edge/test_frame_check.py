"""Invalid client frames are refused, however they are split into chunks."""

from __future__ import annotations

import os
import struct

import pytest

from service.edge.frame_check import FrameCheck, may_be_sent

TEXT, BINARY, CONTINUED, CLOSE, PING = 0x1, 0x2, 0x0, 0x8, 0x9


def frame(
    opcode: int, payload: bytes = b"", *, final: bool = True, masked: bool = True, form: int = 0
) -> bytes:
    """Make a frame of a client; `form` writes the length in 16 or 64 bits."""
    length = len(payload)
    head = bytes([opcode | (0x80 if final else 0)])
    mark = 0x80 if masked else 0
    if form == 64 or length >= 1 << 16:
        head += bytes([mark | 127]) + struct.pack(">Q", length)
    elif form == 16 or length >= 126:
        head += bytes([mark | 126]) + struct.pack(">H", length)
    else:
        head += bytes([mark | length])
    mask = os.urandom(4) if masked else b""
    body = bytes(one ^ mask[at % 4] for at, one in enumerate(payload)) if masked else payload
    return head + mask + body


def closing(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack(">H", code) + reason)


GOOD = {
    "a text": frame(TEXT, b"hello"),
    "an empty text": frame(TEXT),
    "a longer text": frame(TEXT, b"x" * 126),
    "a long text": frame(TEXT, b"x" * 70_000),
    "fragments": frame(TEXT, b"a", final=False)
    + frame(CONTINUED, b"b", final=False)
    + frame(CONTINUED, b"c"),
    "a ping between fragments": frame(TEXT, final=False) + frame(PING, b"?") + frame(CONTINUED),
    "a close": closing(1000, b"bye"),
    "a close without a code": frame(CLOSE),
    "a close of one's own": closing(4999),
    "several": frame(TEXT, b"a") + frame(BINARY, b"b" * 200) + frame(PING) + frame(TEXT, b"c"),
}

BAD = {
    "not masked": frame(TEXT, b"hello", masked=False),
    "not masked and empty": frame(TEXT, masked=False),
    "a ping that is not masked": frame(PING, b"x", masked=False),
    "a close that is not masked": frame(CLOSE, masked=False),
    "goes on without a beginning": frame(CONTINUED, b"a"),
    "cut by another": frame(TEXT, b"a", final=False) + frame(TEXT, b"b"),
    "an empty one cut by another": frame(TEXT, final=False) + frame(TEXT, b"b"),
    "goes on after its end": frame(TEXT, final=False) + frame(CONTINUED) + frame(CONTINUED),
    "16 bits for a short length": frame(TEXT, b"a", form=16),
    "64 bits for a short length": frame(TEXT, b"a", form=64),
    "64 bits for a middle length": frame(TEXT, b"a" * 300, form=64),
    "a length beyond 63 bits": bytes([0x81, 0xFF]) + b"\xff" * 8 + b"mask",
    **{
        f"close code {code}": closing(code)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1100, 2999, 5000, 65535)
    },
}


def read(data: bytes, size: int) -> tuple[int, str | None]:
    """Return how many bytes are good when they come in chunks of `size`, and the error."""
    check = FrameCheck()
    good = 0
    for at in range(0, len(data), size):
        part = data[at : at + size]
        passed = check.check(part)
        good += passed
        if check.error is not None:
            assert passed < len(part)
            return good, check.error
        assert passed == len(part)
    return good, None


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 1 << 20])
def test_valid_frames_are_read_to_the_end(name: str, size: int) -> None:
    for data in (GOOD[name], GOOD["several"] + GOOD[name], GOOD[name] * 3):
        assert read(data, size) == (len(data), None)


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 1 << 20])
def test_an_invalid_frame_is_refused_after_the_frames_before_it(name: str, size: int) -> None:
    before = GOOD["several"]
    good, error = read(before + BAD[name] + GOOD["a text"], size)
    assert error is not None
    assert good >= len(before)
    assert good < len(before + BAD[name])


def test_valid_close_codes_are_those_of_the_registry_and_private_use() -> None:
    allowed = [code for code in range(1 << 16) if may_be_sent(code)]
    assert allowed[:12] == [1000, 1001, 1002, 1003, *range(1007, 1015)]
    assert allowed[12:] == [*range(3000, 5000)]
