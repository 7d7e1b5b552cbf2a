"""Games of installed packages: found by their entry points, checked, and put into the catalogue.

A package announces its games by an entry point of the group `ws_service.games`. It names a game, or
a sequence of games: several games, or several versions of the rules of one.
"""

from __future__ import annotations

import sys
import traceback
from contextlib import redirect_stdout
from importlib import metadata
from typing import TYPE_CHECKING, Any

import msgspec

from service.games.catalogue import GAMES, OWN_PACKAGE, Catalogue
from service.games.checking import GameFaulty, check_game
from service.games.shield import shielded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from service.games.protocol import Game

GROUP = "ws_service.games"

_SHIELDS: dict[int, Game] = {}
"""What calls the rules of packages, by the id of the rules, which it keeps."""


class Fault(msgspec.Struct, frozen=True):
    """A game that is left out, and why."""

    package: str
    name: str
    """The name of the game, or that of the entry point where it could not be loaded."""
    reason: str


class Installed(msgspec.Struct, frozen=True):
    """What was found."""

    games: Catalogue
    faults: list[Fault]


def installed_games(
    allowed: Sequence[str] = (),
    *,
    room_options: Collection[str] = (),
    entry_points: Iterable[metadata.EntryPoint] | None = None,
) -> Installed:
    """Load the games of packages; nothing that they do raises.

    Only those `allowed` are offered, in this order; all, if it is empty. `room_options` are the
    names of the options of every room, which no game can have. `entry_points` are by default those
    of the installed packages.
    """
    found = metadata.entry_points(group=GROUP) if entry_points is None else entry_points
    rules = {(game.name, game.rules_version): game for game in GAMES.registered}
    packages = dict.fromkeys((name for name, _ in rules), OWN_PACKAGE)
    faults: list[Fault] = []
    for entry in sorted(found, key=lambda one: (_package_of(one), one.name)):
        package = _package_of(entry)
        for game in _games_of(entry, package, faults):
            reason = _refusal(game, package, rules, packages, room_options)
            if reason is None:
                rules[game.name, game.rules_version] = _shield_of(game)
                packages[game.name] = package
            else:
                faults.append(Fault(package, str(getattr(game, "name", entry.name)), reason))
    games = Catalogue(rules.values(), offered=allowed or None, packages=packages)
    missing = [name for name in allowed if name not in games]
    faults += [Fault("WS_GAMES", name, "no package has this game") for name in missing]
    return Installed(games, faults)


def _package_of(entry: metadata.EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.module


def _games_of(entry: metadata.EntryPoint, package: str, faults: list[Fault]) -> Iterator[Any]:
    """Yield the games of an entry point; one that fails is a fault."""
    try:
        # What a module prints must not stand in the log, or in the output of a command.
        with redirect_stdout(sys.stderr):
            loaded = entry.load()
            games = [loaded] if hasattr(loaded, "rules_version") else list(loaded)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        faults.append(Fault(package, entry.name, f"{entry.value} can't be loaded: {_told(error)}"))
        return
    if not games:
        faults.append(Fault(package, entry.name, f"{entry.value} has no game"))
    yield from games


def _shield_of(game: Game) -> Game:
    """Return what calls the rules of a package; the same for the same rules, as at a reload."""
    known = _SHIELDS.get(id(game))
    if known is None:
        known = _SHIELDS[id(game)] = shielded(game)
    return known


def _told(error: BaseException) -> str:
    """Return an error with the line that raised it."""
    lines = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) or not lines:
        return repr(error)
    return f"{error!r} ({lines[-1].filename}, line {lines[-1].lineno})"


def _refusal(
    game: Any,
    package: str,
    rules: dict[tuple[str, int], Game],
    packages: dict[str, str],
    room_options: Collection[str],
) -> str | None:
    """Return why a game is left out, or None."""
    try:
        with redirect_stdout(sys.stderr):
            check_game(game, room_options)
    except GameFaulty as error:
        return error.message
    except (Exception, SystemExit) as error:  # noqa: BLE001 - members of others may do anything
        return f"it can't be checked: {error!r}"
    owner = packages.get(game.name)
    if owner is not None and owner != package:
        return f"the package {owner} has a game of this name"
    if (game.name, game.rules_version) in rules:
        return f"version {game.rules_version} of its rules is there twice"
    return None
