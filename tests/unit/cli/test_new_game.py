"""`ws-service games new` writes a package that passes, and refuses what can't be one."""

from __future__ import annotations

import ast
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from service.cli.new_game import BadGameName, DirectoryTaken, new_game
from service.games.checking import check_game


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "modules", dict(sys.modules))


def test_the_package_has_rules_a_page_tests_and_an_entry_point(tmp_path: Path) -> None:
    new_game("dice_duel")
    made = {str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file()}
    assert made == {
        "dice_duel/README.md",
        "dice_duel/pyproject.toml",
        "dice_duel/dice_duel/__init__.py",
        "dice_duel/dice_duel/rules.py",
        "dice_duel/dice_duel/page/view.js",
        "dice_duel/tests/test_rules.py",
        "dice_duel/tests/recordings/dice_duel-1.ndjson",
    }
    project = tomllib.loads((tmp_path / "dice_duel/pyproject.toml").read_text())["project"]
    assert project["entry-points"]["ws_service.games"] == {"dice_duel": "dice_duel:RULES"}
    for file in (tmp_path / "dice_duel").rglob("*.py"):
        ast.parse(file.read_text())
    texts = "".join((tmp_path / one).read_text() for one in made)
    assert "twenty" not in texts.lower()


@pytest.mark.parametrize("name", ["state", "options", "g", "a2b", "added", "result"])
def test_the_service_takes_the_game_whatever_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_game(name)
    monkeypatch.syspath_prepend(str(tmp_path / name))
    rules = import_module(name).RULES
    check_game(rules)
    assert rules.name == name


@pytest.mark.parametrize(
    "name",
    ["", "Dice", "9lives", "dice-duel", "dice duel", "../dice", "é", "class", "dice_", "a" * 65],
)
def test_a_bad_name_is_refused_with_advice(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadGameName, match="as in my_game"):
        new_game(name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["pong", "tests", "json", "service", "pytest"])
def test_a_name_that_is_taken_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadGameName, match="choose another name"):
        new_game(name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["directory", "file", "link"])
def test_what_exists_is_never_overwritten(kind: str, tmp_path: Path) -> None:
    there = tmp_path / "dice"
    if kind == "directory":
        there.mkdir()
    elif kind == "file":
        there.write_text("mine")
    else:
        there.symlink_to(tmp_path / "nowhere")
    with pytest.raises(DirectoryTaken, match="exists already"):
        new_game("dice")
    assert kind != "file" or there.read_text() == "mine"
    assert kind != "directory" or list(there.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").write_text("no directory")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DirectoryTaken, match="can't be written"):
        new_game("dice")
