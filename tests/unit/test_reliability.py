"""The tests and commands that docs/reliability.md names exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text()


def test_every_test_in_the_page_exists() -> None:
    named = set(re.findall(r"tests/[\w./-]+", PAGE))
    assert len(named) > 15
    assert not [path for path in named if not (ROOT / path).exists()]


def test_every_command_in_the_page_exists() -> None:
    targets = set(re.findall(r"`make ([a-z-]+)", PAGE))
    assert targets >= {"crash", "torture", "hostile", "test"}
    makefile = (ROOT / "Makefile").read_text()
    assert not [one for one in targets if not re.search(rf"^{one}:", makefile, re.MULTILINE)]
    modules = re.findall(r"python -m ([\w.]+)", PAGE)
    assert modules
    assert not [one for one in modules if not (ROOT / f"{one.replace('.', '/')}.py").exists()]
