"""Shorten JavaScript and CSS without changing what they do: no comments, little white space.

The private names of classes become short ones, since they occur in no other file; all other names
stay. The code is that of this service and formatted, so that each statement ends with a semicolon.
"""

from __future__ import annotations

import re
from itertools import product
from string import ascii_letters
from typing import TYPE_CHECKING

from service.edge.http.short_names import short_variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_JS = re.compile(
    r"""
    (?P<blank>[ \t\r\n]+)
  | (?P<comment>//[^\n]*|/\*.*?\*/)
  | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
  | (?P<template>`)
  | (?P<word>[\w$\#]+)
  | (?P<mark>\.\.\.|=>|&&|\|\||\?\?|\?\.|\+\+|--|\*\*|[^\s\w])
    """,
    re.VERBOSE | re.DOTALL,
)
_REGEX = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[a-z]*")
_WORDS_BEFORE_REGEX = frozenset({"return", "typeof", "case", "in", "of"})
_MARKS_BEFORE_DIVISION = frozenset({")", "]", "}", "++", "--", "`"})

_JOINED_AFTER = (*"{([,;=?:&|+-*<>!", "=>", "&&", "||", "??")
"""No line needs to end after these."""
_JOINED_BEFORE = (*"})].?:&|,", "?.")
"""No line needs to begin with these."""

_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_CSS_BLANK = re.compile(r"\s+")
_CSS_AROUND = re.compile(r" ?([{};,]) ?|(:) | ?(>) ?")
_CSS_STRING = re.compile(r'("[^"]*")')


def short_script(text: str) -> str:
    """Return JavaScript that does the same."""
    return _joined(_renamed(short_variables(_Scanner(text).tokens())))


def short_style(text: str) -> str:
    """Return CSS that says the same; strings in it are kept as they are."""
    parts = _CSS_STRING.split(_CSS_COMMENT.sub("", text))
    parts[::2] = (_CSS_AROUND.sub(r"\1\2\3", _CSS_BLANK.sub(" ", part)) for part in parts[::2])
    return "".join(parts).replace(";}", "}").strip() + "\n"


class _Scanner:
    """Splits a script; what is between two tokens is one of its own: a line break, or a space."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._tokens: list[str] = []
        self._braces: list[int] = []
        """How many braces are open in each expression of a template."""

    def tokens(self) -> list[str]:
        while self._at < len(self._text):
            regex = self._regex()
            self._tokens.append(regex or self._token())
        return self._tokens

    def _regex(self) -> str:
        found = _REGEX.match(self._text, self._at)
        is_comment = self._text.startswith(("//", "/*"), self._at)
        if found is None or is_comment or not _may_be_regex(self._tokens):
            return ""
        self._at = found.end()
        return found[0]

    def _token(self) -> str:
        found = _JS.match(self._text, self._at)
        if found is None:
            raise ValueError(self._text[self._at : self._at + 40])
        self._at = found.end()
        if found.lastgroup in {"blank", "comment"}:
            return "\n" if "\n" in found[0] else " "
        match found[0]:
            case "`":
                return "`" + self._template()
            case "{" if self._braces:
                self._braces[-1] += 1
            case "}" if self._braces and not self._braces[-1]:
                self._braces.pop()
                return "}" + self._template()
            case "}" if self._braces:
                self._braces[-1] -= 1
            case _:
                pass
        return found[0]

    def _template(self) -> str:
        """Take the text of a template, up to its end or to the next expression."""
        start = self._at
        while self._text[self._at] != "`":
            if self._text.startswith("${", self._at):
                self._at += 2
                self._braces.append(0)
                return self._text[start : self._at]
            self._at += 2 if self._text[self._at] == "\\" else 1
        self._at += 1
        return self._text[start : self._at]


def _may_be_regex(tokens: list[str]) -> bool:
    before = next((token for token in reversed(tokens) if not token.isspace()), "")
    if before in _WORDS_BEFORE_REGEX:
        return True
    return not (
        before[-1:].isalnum() or before[-1:] in "_$\"'`" or before in _MARKS_BEFORE_DIVISION
    )


def _renamed(tokens: list[str]) -> Iterator[str]:
    counts: dict[str, int] = {}
    for token in tokens:
        if token.startswith("#"):
            counts[token] = counts.get(token, 0) + 1
    frequent = sorted(counts, key=lambda name: (-counts[name], name))
    names = dict(zip(frequent, _short_names(), strict=False))
    return (names.get(token, token) for token in tokens)


def _short_names() -> Iterator[str]:
    for length in (1, 2, 3):
        yield from ("#" + "".join(letters) for letters in product(ascii_letters, repeat=length))


def _joined(tokens: Iterable[str]) -> str:
    written: list[str] = []
    before, gap = "", ""
    for token in tokens:
        if token in {" ", "\n"}:
            gap = "\n" if "\n" in (gap, token) else " "
            continue
        written += [_gap_between(before, gap, token), token]
        before, gap = token, ""
    return "".join(written) + "\n"


def _gap_between(before: str, gap: str, after: str) -> str:
    if not before or not gap:
        return ""
    if gap == "\n" and not before.endswith(_JOINED_AFTER) and not after.startswith(_JOINED_BEFORE):
        return gap
    if _is_word(before[-1]) and _is_word(after[0]):
        return gap
    return " " if before[-1] == after[0] and before[-1] in "+-/" else ""


def _is_word(letter: str) -> bool:
    return letter.isalnum() or letter in "_$#"
