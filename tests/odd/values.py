"""Odd values as JSON texts, as careless or hostile clients may send them.

They are texts and not values, since some of them are no JSON at all, or say something twice.
"""

from __future__ import annotations

import json
from itertools import chain

LENGTHS = (1, 2, 16, 17, 64, 65, 128, 129, 255, 256, 257, 500, 501, 1024, 4000, 4096, 16_384)
"""Around each limit of a text: a key, an id, a room, a password, a chat message, a move, a room."""

UNCLOSED = ('"open', '"half \\', "[1", '{"a":1')

NO_JSON = (
    "",
    "NaN",
    "-Infinity",
    "undefined",
    "None",
    "'text'",
    *UNCLOSED,
    '"tab\t"',
    '"\\x41"',
    '"\\u12"',
    "01",
    "+1",
    "1.",
    ".5",
    "0x10",
    "1_000",
    "1e",
    "--1",
    "[1,]",
    '{"a"}',
    '{"a":1,}',
    "{a:1}",
    "/* */1",
    "1 2",
    "\x00",
    "\ufeff1",
)
"""What no parser of JSON takes."""

NUMBERS = (
    "0",
    "-0",
    "0.0",
    "1",
    "2",
    "-1",
    "1.0",
    "1.5",
    "-0.5",
    "1e0",
    "1e2",
    "1E400",
    "-1e400",
    "1e-400",
    "1e308",
    "2.2250738585072011e-308",
    "9" * 400,
    "0." + "3" * 400,
    *map(
        str,
        chain.from_iterable(
            (2**bits - 1, 2**bits, 2**bits + 1, -(2**bits) - 1) for bits in (31, 32, 53, 63, 64, 70)
        ),
    ),
)

WORDS = (
    "",
    " ",
    "\n",
    "null",
    "true",
    "NaN",
    "0",
    "1",
    "01",
    "-1",
    "1.0",
    "1e3",
    "\u0661",
    "\u00b2",
    "9007199254740991",
    "9007199254740993",
    "18446744073709551616",
    "all",
    "player",
    ".",
    "..",
    "../../etc/passwd",
    "a/b",
    "a\\b",
    "a%2fb",
    "%00",
    "a?b#c",
    "a b",
    "a\n",
    "~",
    "-",
    "user:1",
    "room:a",
    "__proto__",
    "constructor",
    "n1.1.1",
    "6f1c2f0e-0d0a-4c0e-9d6f-0123456789ab",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "$(id)",
    "%s%n",
    "relay",
    "pong",
    "connect_four",
    "Relay",
    "relay ",
    "\u200b",
    "\u202e",
    "\ufeff",
    "\u2028",
    "\x7f",
    "\x1b[2J",
    "\x1e",
    "\U0001f600",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "e\u0301",
    "\u00c5",
    "\uffff",
    "\U0010ffff",
    "\ufdfd",
    "\u0130",
)

ESCAPES = (
    r'"\u0000"',
    r'"a\u0000b"',
    r'"\\u0000"',
    r'"\ud83d"',
    r'"\ude00"',
    r'"\ude00\ud83d"',
    r'"\ud83d\ud83d\ude00"',
    r'"\ud83d\ude00"',
    r'"a\ud800b"',
    r'"\/"',
    r'"\u202e"',
    r'"\u0041"',
)

BRACKETS = (
    "[]",
    "[null]",
    "[[]]",
    "[1]",
    '["a"]',
    "[1,1]",
    "[0]",
    "[true]",
    "[1.5]",
    "[{}]",
    "{}",
    '{"":""}',
    '{"a":1}',
    '{"a":null}',
    '{"a":1,"a":2}',
    '{"id":7}',
    '{"type":"lobby:join"}',
    '{"__proto__":{"a":1}}',
    '{"a\\u0000":1}',
    '{"\\ud83d":1}',
    '{"a":"\\ud83d"}',
    '{"a":18446744073709551616}',
    '{"a":1e999}',
    '{"a":[{"b":[{"c":"\\u0000"}]}]}',
    '{"direction":"w","action":"down"}',
    '{"user":1}',
    '{"roomId":"a"}',
)


def _texts() -> list[str]:
    short = [json.dumps("a" * length) for length in LENGTHS]
    wide = [json.dumps("\U0001f600" * length, ensure_ascii=False) for length in (16, 64, 65, 500)]
    return [*short, *wide, json.dumps("\u00e9" * 128), json.dumps(" " * 64), json.dumps("7" * 64)]


def _many() -> list[str]:
    return [
        f"[{','.join('1' * count)}]"
        if count <= 1
        else f"[{','.join(str(number + 1) for number in range(count))}]"
        for count in (1000, 1001, 5000)
    ] + [
        "{" + ",".join(f'"{number}":0' for number in range(count)) + "}"
        for count in (1023, 1024, 1025, 3000)
    ]


def _deep() -> list[str]:
    return [
        opening * depth + "0" + closing * depth
        for depth in (29, 30, 31, 32, 33, 100, 900, 5000)
        for opening, closing in (("[", "]"), ('{"a":', "}"))
    ]


ODD: tuple[str, ...] = (
    "null",
    "true",
    "false",
    *NO_JSON,
    *NUMBERS,
    *(json.dumps(word, ensure_ascii=False) for word in WORDS),
    *ESCAPES,
    *BRACKETS,
    *_texts(),
    *_many(),
    *_deep(),
)
"""All of them; each is tried in each field."""


def is_json(text: str) -> bool:
    """Return whether a text is a JSON value that can be encoded as UTF-8 again."""
    try:
        json.dumps(json.loads(text, parse_constant=_none), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def _none(name: str) -> None:
    raise ValueError(name)
