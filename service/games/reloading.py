"""Load the rules of installed packages again when their files change, for development."""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress
from importlib import metadata
from importlib.util import cache_from_source, find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from service.games.installed import GROUP, Fault, installed_games

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from types import ModuleType

    from service.games.catalogue import Catalogue

Stamp = dict[Path, tuple[int, int]]
"""Files, with the times of their last changes and their sizes."""


class Reloaded(msgspec.Struct, frozen=True):
    """What became of changed files."""

    games: list[str]
    """The games whose new rules are used from now on."""
    faults: list[Fault]
    """Why rules were not taken; then all stay as they were."""


class Reloader:
    """Watches the files of the packages that bring games."""

    def __init__(
        self,
        games: Catalogue,
        allowed: Sequence[str] = (),
        *,
        room_options: Collection[str] = (),
        entry_points: Iterable[metadata.EntryPoint] | None = None,
    ) -> None:
        """Take the catalogue that is in use, and what it was made with."""
        self._games = games
        self._allowed = allowed
        self._room_options = room_options
        found = metadata.entry_points(group=GROUP) if entry_points is None else entry_points
        self._entry_points = list(found)
        modules = dict.fromkeys(one.module.partition(".")[0] for one in self._entry_points)
        self._stamps = {module: _stamp(module) for module in modules}

    def changed(self) -> list[str]:
        """Return the packages of which files have changed, come or gone since the last call."""
        changed = []
        for module, stamp in self._stamps.items():
            now = _stamp(module)
            if now != stamp:
                changed.append(module)
                self._stamps[module] = now
        return changed

    def reload(self, modules: Sequence[str], live: Mapping[str, tuple[str, int]]) -> Reloaded:
        """Import packages again, and use their rules for matches to come.

        `live` are the matches that go on by the rules that they began with: their games and
        versions. When anything in these packages is faulty, all of them stay as they were.
        """
        before = {name: one for name, one in sys.modules.items() if _is_of(name, modules)}
        _forget(before)
        found = installed_games(
            self._allowed, room_options=self._room_options, entry_points=self._entry_points
        )
        faults = [fault for fault in found.faults if fault.package in self._packages_of(modules)]
        if faults:
            _forget({name: one for name, one in sys.modules.items() if _is_of(name, modules)})
            sys.modules.update(before)
            return Reloaded([], faults)
        known = {(game.name, game.rules_version): game for game in self._games.registered}
        new = dict.fromkeys(
            game.name
            for game in found.games.registered
            if known.get((game.name, game.rules_version)) is not game
        )
        self._games.replace(found.games, live)
        return Reloaded(list(new), [])

    def _packages_of(self, modules: Sequence[str]) -> set[str]:
        entries = [one for one in self._entry_points if _is_of(one.module, modules)]
        return {one.dist.name if one.dist is not None else one.module for one in entries}


def _is_of(name: str, modules: Sequence[str]) -> bool:
    return name.partition(".")[0] in modules


def _forget(modules: Mapping[str, ModuleType]) -> None:
    """Let modules be imported from their sources again."""
    importlib.invalidate_caches()
    for name, module in modules.items():
        sys.modules.pop(name, None)
        # A cached file is taken for the present one if it was made in the same second.
        with suppress(OSError, NotImplementedError, TypeError):
            Path(cache_from_source(str(module.__file__))).unlink(missing_ok=True)


def _stamp(module: str) -> Stamp:
    """Return the state of the files of a package or module; empty if it is not to be found."""
    try:
        found = find_spec(module) if module not in sys.modules else sys.modules[module].__spec__
    except (ImportError, ValueError):
        return {}
    if found is None:
        return {}
    folders = [Path(folder) for folder in found.submodule_search_locations or ()]
    files = [file for folder in folders for file in folder.rglob("*.py")]
    if found.origin is not None:
        files.append(Path(found.origin))
    stamp: Stamp = {}
    for file in files:
        with suppress(OSError):
            status = file.stat()
            stamp[file] = (status.st_mtime_ns, status.st_size)
    return stamp
