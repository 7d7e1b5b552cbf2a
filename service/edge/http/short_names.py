"""Give the variables of a script short names.

A word that may at once be a variable and a name that others see (`{ a }`, an export), or that the
browser has as well, stays as it is. A test proves by a compiler that the scripts of this service
mean the same.
"""

from __future__ import annotations

import re
from itertools import count, product
from string import ascii_letters
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_KEYWORDS = """
as async await break case catch class const continue default delete do else export extends false
finally for from function get if import in instanceof let new null of return set static super switch
this throw true try typeof undefined var void while with yield
"""
_BROWSER = """
alert caches close closed confirm console crypto document event fetch find focus frames history
innerHeight innerWidth length location moveBy moveTo name navigator open opener origin parent
performance print prompt screen scroll scrollBy scrollTo self status stop top window
"""
"""Names of the window that are words which a script may use for something of its own as well."""
_KEPT = frozenset((_KEYWORDS + _BROWSER).split())

_MEMBER_BEFORE = frozenset({"{", "}", ";", ",", "async", "get", "set", "static", "*"})
_CONTROL = frozenset({"if", "for", "while", "switch"})
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")


class _Place(msgspec.Struct, frozen=True):
    """What surrounds a token: the tokens beside it, and the innermost bracket."""

    before: str
    after: str
    """`(method` where parameters and a body follow."""
    bracket: str
    """`{`, `(` or `[`; `class` for the braces of one; empty outside of all."""
    bracket_before: str
    """What stands before the bracket."""
    bracket_after: str
    """What stands after its end."""
    is_exported: bool
    """Whether a declaration of it is exported."""


def short_variables(tokens: list[str]) -> list[str]:
    """Return the tokens with short names for variables."""
    code = [(at, token) for at, token in enumerate(tokens) if token not in {" ", "\n"}]
    words = [token for _, token in code]
    counts: dict[str, int] = {}
    variables: list[tuple[int, str]] = []
    kept, declared = set(_KEPT), set()
    for (at, word), place in zip(code, _places(words), strict=True):
        if not _WORD.fullmatch(word):
            continue
        counts[word] = counts.get(word, 0) + 1
        if _is_member(place):
            continue
        variables.append((at, word))
        if _is_both(place):
            kept.add(word)
        elif _is_declared(place):
            declared.add(word)
    long = [word for word in declared - kept if len(word) > 1]
    wanted = sorted(long, key=lambda word: (-counts[word] * (len(word) - 1), word))
    free = (name for name in _names() if name not in counts and name not in kept)
    names = dict(zip(wanted, free, strict=False))
    renamed = list(tokens)
    for at, word in variables:
        renamed[at] = names.get(word, word)
    return renamed


def _names() -> Iterator[str]:
    for length in count(1):
        yield from ("".join(letters) for letters in product(ascii_letters, repeat=length))


def _is_member(place: _Place) -> bool:
    """Whether a word surely is the name of a property or a method."""
    before, after = place.before, place.after
    if before in {".", "?."}:
        return True
    if place.bracket == "class":
        return before in _MEMBER_BEFORE
    if place.bracket != "{":
        return False
    return before in {"{", ",", "get", "set", "async", "*"} and after in {":", "(method"}


def _is_both(place: _Place) -> bool:
    """Whether a word may be a variable and a name that others see: `{ a }`, `a as b`, an export."""
    before, after = place.before, place.after
    is_shorthand = before in {"{", ","} and after in {",", "}", "="}
    return (place.bracket == "{" and is_shorthand) or "as" in {before, after} or place.is_exported


def _is_declared(place: _Place) -> bool:
    if place.before in {"const", "let", "function", "class"} or place.after == "=>":
        return True
    if place.bracket == "[":
        return place.bracket_before in {"const", "let"}
    is_parameter = place.bracket == "(" and place.before in {"(", ",", "..."}
    has_body = place.bracket_after == "{" and place.bracket_before not in _CONTROL
    return is_parameter and (has_body or place.bracket_after == "=>")


def _places(words: Sequence[str]) -> Iterator[_Place]:
    """Tell of each token what surrounds it."""
    ends = _ends(words)
    stack: list[tuple[str, str, str]] = [("", "", "")]
    for at, word in enumerate(words):
        if _closes(word):
            stack.pop()
        before = words[at - 1] if at else ""
        after = words[at + 1] if at + 1 < len(words) else ""
        if after == "(" and words[ends[at + 1] + 1 : ends[at + 1] + 2] == ["{"]:
            after = "(method"
        is_exported = "export" in words[max(0, at - 3) : at]
        yield _Place(before, after, *stack[-1], is_exported=is_exported)
        if _opens(word):
            end = ends.get(at, len(words))
            kind = "class" if word == "{" and _is_class(words, at) else word[-1]
            stack.append((kind, before, words[end + 1] if end + 1 < len(words) else ""))


def _opens(word: str) -> bool:
    return word in _OPENING or (word[0] in "`}" and word.endswith("${"))


def _closes(word: str) -> bool:
    return word in _CLOSING or (word[0] == "}" and len(word) > 1)


def _ends(words: Sequence[str]) -> dict[int, int]:
    ends: dict[int, int] = {}
    stack: list[int] = []
    for at, word in enumerate(words):
        if _closes(word):
            ends[stack.pop()] = at
        if _opens(word):
            stack.append(at)
    return ends


def _is_class(words: Sequence[str], brace: int) -> bool:
    """Whether a brace opens the body of a class: `class A {` or `class A extends B {`."""
    before = list(words[max(0, brace - 2) : brace])
    return "class" in before or (len(before) > 1 and before[0] == "extends")
