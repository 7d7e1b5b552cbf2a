"""Extract the command id from malformed JSON, to correlate the error; pure.

Clients use JSON libraries, so mostly a single value is wrong: a lone surrogate, a number out of
range, a truncated object. The `id` of such a message can still be read.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

TOKENS_MAX = 2000
"""Maximum number of strings and brackets scanned, to bound the cost of a malformed message."""

_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{]+|[\]}]+', re.DOTALL)
"""A string, terminated or not, or adjacent brackets; possessive, so that it never backtracks."""

_VALUE = re.compile(r'\s*+:\s*+("(?:[^"\\]++|\\.)*+"|[0-9]{1,15}(?![0-9.eE]))', re.DOTALL)

_KEY = '"id"'

_LAST = re.compile(r'[{,]\s*"id"\s*:\s*("(?:[^"\\]|\\.){0,200}"|[0-9]{1,15})\s*\}\s*\Z')
"""An id that is the last member of a message."""

_LAST_WITHIN = 512

_decode = msgspec.json.Decoder(str | int).decode


class _Message(msgspec.Struct):
    id: Any = None


_decode_message = msgspec.json.Decoder(_Message).decode


def id_in(text: str) -> str | int | None:
    """Return the last `id` of the outermost object, as a parser would; None when there is none.

    Of a message with very many parts only the first ones and the last one are looked at.
    """
    try:
        whole = _decode_message(text).id
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return _id_in_pieces(text)
    return whole if type(whole) in {str, int} else None


def _id_in_pieces(text: str) -> str | int | None:
    found: str | int | None = None
    depth = at = 0
    for _ in range(TOKENS_MAX):
        token = _TOKEN.search(text, at)
        if token is None:
            break
        at = token.end()
        first = text[token.start()]
        if first in "[{":
            depth += at - token.start()
        elif first in "]}":
            depth -= at - token.start()
            if depth <= 0:
                break
        elif depth == 1 and token[0] == _KEY and (value := _VALUE.match(text, at)):
            found, at = _read(value[1]), value.end()
    else:
        last = _LAST.search(text, max(0, len(text) - _LAST_WITHIN))
        return found if last is None else _read(last[1])
    return found


def _read(value: str) -> str | int | None:
    try:
        found: str | int = _decode(value)
    except (msgspec.MsgspecError, UnicodeError):
        return None
    return found
