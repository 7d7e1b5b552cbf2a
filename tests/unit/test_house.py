"""A file of the service has at most 400 lines, and a function fits a screen."""

from __future__ import annotations

import re

from tests.unit.service_code import read, sources

FILE_LINES_MAX = 400

FUNCTION_LINES_MAX = 45

LONG_FILES: dict[str, str] = {}
"""Files that are longer, each with the reason."""

PARTS_LIST_LINES_MAX = 300

LONG_FUNCTIONS: dict[str, str] = {
    "service/bounds.py _of_a_user": "one table of what a user can make the service hold",
    "service/edge/session/commands.py command_of": "one `match` over the messages of clients",
}
"""Functions that are longer, as `file function`, each with the reason."""


def test_a_file_has_at_most_400_lines_but_where_a_reason_is_given() -> None:
    long = {name for name, source in sources().items() if source.lines > FILE_LINES_MAX}
    assert long == set(LONG_FILES)


def test_the_composition_root_is_no_longer_than_a_list_of_parts() -> None:
    assert sources()["service/app.py"].lines < PARTS_LIST_LINES_MAX


def test_a_function_fits_a_screen_but_where_a_reason_is_given() -> None:
    long = {
        f"{name} {function}"
        for name, source in sources().items()
        for function, lines in source.functions.items()
        if lines > FUNCTION_LINES_MAX
    }
    assert long == set(LONG_FUNCTIONS)


def test_functions_are_counted_with_their_names_wherever_they_stand() -> None:
    source = (
        "class A:\n    async def b(self):\n        def c():\n            pass\n        return c\n"
    )
    assert read(source).functions == {"A.b": 4, "A.b.c": 2}


SUPPRESSION = re.compile(r"# (?:noqa|type: ignore)\b.*")
WITH_REASON = re.compile(r"# noqa: [A-Z0-9, ]+ - \w.*|# type: ignore\[[a-z-]+\]  # \w.*")


def test_every_suppressed_warning_has_a_reason() -> None:
    without = [
        f"{name}: {found}"
        for name, source in sources().items()
        for found in SUPPRESSION.findall(source.text)
        if not WITH_REASON.match(found)
    ]
    assert without == []
