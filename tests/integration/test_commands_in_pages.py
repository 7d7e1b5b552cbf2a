"""The commands that the pages tell of can be typed as they are."""

import html
import re
from pathlib import Path

import pytest

import service
from tests.command_line import CommandLine

WEB = Path(service.__file__).parent / "web"

COMMANDS = [
    html.unescape(found)
    for page in sorted(WEB.rglob("*.html"))
    for found in re.findall(r"<code>ws-service ([^<]*)</code>", page.read_text())
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_a_page_has_only_options_that_exist(command: str, tmp_path: Path) -> None:
    assert CommandLine(tmp_path).run(*command.split(), "--help").code == 0


def test_commands_are_found() -> None:
    assert "token --scope admin --id 1" in COMMANDS
