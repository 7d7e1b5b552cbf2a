"""Bound the size in bytes of one page of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE_BYTES_MAX = 64 * 1024
"""Maximum size of a page, which has at least one entry."""

Entry = TypeVar("Entry")


def first_page(entries: Iterable[Entry]) -> list[Entry]:
    """Return the first entries, in all at most `PAGE_BYTES_MAX` bytes of JSON.

    Entries are made by clients, so their number alone would not bound an answer.
    """
    page: list[Entry] = []
    left = PAGE_BYTES_MAX
    for entry in entries:
        left -= len(msgspec.json.encode(entry))
        if page and left < 0:
            break
        page.append(entry)
    return page
