"""Changed rules of packages are loaded for new matches; live ones go on as they began."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from service.cli.new_game import new_game
from service.games.catalogue import Catalogue
from service.games.installed import GROUP, installed_games
from service.games.reloading import Reloader
from service.games.shield import rules_of


class Package:
    """A package of a game in a directory, as an author edits it."""

    def __init__(self, directory: Path) -> None:
        self.rules = directory / "dice_duel" / "dice_duel" / "rules.py"
        self.entry_points = [EntryPoint("dice_duel", "dice_duel:RULES", GROUP)]

    def load(self) -> tuple[Catalogue, Reloader]:
        games = installed_games(entry_points=self.entry_points).games
        return games, Reloader(games, entry_points=self.entry_points)

    def edit(self, before: str, after: str) -> None:
        text = self.rules.read_text()
        assert before in text
        self.rules.write_text(text.replace(before, after))
        # Editors save twice in a tick of a coarse clock of files only in tests.
        now = self.rules.stat().st_mtime_ns + 1_000_000
        os.utime(self.rules, ns=(now, now))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    monkeypatch.chdir(tmp_path)
    new_game("dice_duel")
    monkeypatch.syspath_prepend(str(tmp_path / "dice_duel"))
    before = set(sys.modules)
    yield Package(tmp_path)
    for name in set(sys.modules) - before:
        if name.startswith("dice_duel"):
            del sys.modules[name]


LIVE = {"room-1": ("dice_duel", 1)}


def test_nothing_is_reloaded_while_no_file_changes(package: Package) -> None:
    _, reloader = package.load()
    assert reloader.changed() == []


def test_changed_rules_are_used_for_new_matches_and_live_ones_keep_theirs(
    package: Package,
) -> None:
    games, reloader = package.load()
    old = games["dice_duel"]
    package.edit("(1, 2, 3)", "(1, 2, 3, 4)")
    assert reloader.changed() == ["dice_duel"]
    assert reloader.changed() == []
    assert reloader.reload(["dice_duel"], LIVE).games == ["dice_duel"]
    new = games["dice_duel"]
    state = new.setup(0, new.options_type(), 2)
    assert new.decide(state, 0, {"number": 4})
    assert games.rules("dice_duel", 1, "room-1") is old
    assert games.rules("dice_duel", 1, "room-2") is new

    # A second change: the match is still live, and keeps the rules that it began with.
    package.edit("(1, 2, 3, 4)", "(1, 2)")
    reloader.reload(reloader.changed(), LIVE | {"room-2": ("dice_duel", 1)})
    assert games.rules("dice_duel", 1, "room-1") is old
    assert games.rules("dice_duel", 1, "room-2") is new
    assert games["dice_duel"] is not new


def test_other_games_stay_the_very_same(package: Package) -> None:
    games, reloader = package.load()
    pong = games["pong"]
    package.edit("(1, 2, 3)", "(1, 2)")
    reloader.reload(reloader.changed(), {"room-1": ("pong", 1)})
    assert games["pong"] is pong
    assert games.rules("pong", 1, "room-1") is pong


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("import msgspec", "import msgspec as", "SyntaxError"),
        ("NUMBERS = (1, 2, 3)", "NUMBERS = NUMBER", r"NameError.*rules\.py, line \d+"),
        ("seats = range(2, 5)", "seats = 2", "`seats` must be a range"),
    ],
)
def test_faulty_code_is_named_and_the_old_rules_stay_until_it_is_mended(
    before: str, after: str, reason: str, package: Package
) -> None:
    games, reloader = package.load()
    old = games["dice_duel"]
    package.edit(before, after)
    reloaded = reloader.reload(reloader.changed(), LIVE)
    assert reloaded.games == []
    assert [fault.package for fault in reloaded.faults] == ["dice_duel"]
    assert re.search(reason, reloaded.faults[0].reason), reloaded.faults[0].reason
    assert games["dice_duel"] is old
    assert sys.modules["dice_duel"].RULES is rules_of(old)

    package.edit(after, before)
    assert reloader.reload(reloader.changed(), LIVE).games == ["dice_duel"]
    assert games["dice_duel"] is not old


def test_a_game_that_was_faulty_at_the_start_is_offered_once_it_is_mended(
    package: Package,
) -> None:
    package.edit("NUMBERS = (1, 2, 3)", "NUMBERS = NUMBER")
    games, reloader = package.load()
    assert "dice_duel" not in games
    package.edit("NUMBERS = NUMBER", "NUMBERS = (1, 2, 3)")
    assert reloader.reload(reloader.changed(), {}).games == ["dice_duel"]
    assert "dice_duel" in games


def test_a_new_version_beside_the_old_one_is_offered(package: Package) -> None:
    games, reloader = package.load()
    package.edit("rules_version = 1", "rules_version = 2")
    assert reloader.reload(reloader.changed(), LIVE).games == ["dice_duel"]
    assert games["dice_duel"].rules_version == 2
    assert games.rules("dice_duel", 1) is None
    kept = games.rules("dice_duel", 1, "room-1")
    assert kept is not None
    assert kept.rules_version == 1
