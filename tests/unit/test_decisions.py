"""The index of decisions lists each of them, with its title, date and status."""

import re
from datetime import date
from pathlib import Path

DECISIONS = Path(__file__).parents[2] / "docs" / "decisions"
HEAD = re.compile(r"# (\d+)\. (.+)\n\nStatus: ([^,\n]+), (\d{4}-\d\d-\d\d)\n")
ROW = re.compile(r"^\| \[(\d+)\]\((\S+)\) \| (\S+) \| (.+) \| (.+) \|$", re.MULTILINE)


def test_the_index_matches_the_decision_pages() -> None:
    pages = []
    for page in sorted(DECISIONS.glob("[0-9]*.md")):
        head = HEAD.match(page.read_text())
        assert head, f"{page.name} has to begin with its number, title, status and date"
        number, title, status, day = head.groups()
        pages.append((number, page.name, day, title, status))
    assert ROW.findall((DECISIONS / "README.md").read_text()) == pages
    assert [int(page[0]) for page in pages] == list(range(1, len(pages) + 1))


def test_the_decisions_are_dated_in_the_order_of_their_numbers() -> None:
    rows = ROW.findall((DECISIONS / "README.md").read_text())
    days = [date.fromisoformat(row[2]) for row in rows]
    assert days == sorted(days)
