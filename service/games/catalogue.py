"""Registry of the games and of the versions of their rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from service.games.connect_four import CONNECT_FOUR
from service.games.connect_four_2 import CONNECT_FOUR_2
from service.games.pong import PONG
from service.games.relay import RELAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from service.games.protocol import Game

OWN_PACKAGE = "ws-service"
"""The package of the built-in games."""


class Catalogue(Mapping[str, "Game"]):
    """The games that can be played, by name; `rules` finds any version of any known game."""

    def __init__(
        self,
        rules: Iterable[Game],
        *,
        offered: Iterable[str] | None = None,
        packages: Mapping[str, str] | None = None,
    ) -> None:
        """Register rules: new matches are played by the highest version of each game.

        Only those `offered` can be played, in this order; by default all, in the order of `rules`.
        The rules of the others serve to finish and to replay their matches. `packages` are those
        of the games, by name, that are not built in.
        """
        self._rules = {(game.name, game.rules_version): game for game in rules}
        newest: dict[str, Game] = {}
        for game in self._rules.values():
            if game.name not in newest or newest[game.name].rules_version < game.rules_version:
                newest[game.name] = game
        names = newest if offered is None else [name for name in offered if name in newest]
        self._offered = {name: newest[name] for name in names}
        self._packages = packages or {}
        self._kept: dict[str, Game] = {}

    def rules(self, name: str, version: int, match: str = "") -> Game | None:
        """Return a version of the rules of a game, or None if it is not registered.

        Of a `match` that is live while rules are replaced, those that it began with.
        """
        return self._kept.get(match) or self._rules.get((name, version))

    def replace(self, other: Catalogue, live: Mapping[str, tuple[str, int]]) -> None:
        """Take the rules of `other` for matches to come, as when they are developed.

        `live` matches, by id with their game and version, keep the rules that they have.
        """
        for match, (name, version) in live.items():
            rules = self.rules(name, version, match)
            if rules is not None and rules is not other.rules(name, version):
                self._kept[match] = rules
        self._rules = other._rules
        self._offered, self._packages = other._offered, other._packages

    def versions(self, name: str) -> list[int]:
        """Return the registered versions of a game's rules in ascending order."""
        return sorted(version for known, version in self._rules if known == name)

    def every_rules(self) -> list[tuple[str, int]]:
        """Return each game with each registered version of its rules, in order."""
        return sorted(self._rules)

    def tick_rates(self) -> dict[tuple[str, int], int]:
        """Return the ticks per second of each version of the rules that has ticks."""
        return {key: game.tick_hz for key, game in self._rules.items() if game.tick_hz}

    @property
    def registered(self) -> list[Game]:
        """Every version of every game, in the order of its registration."""
        return list(self._rules.values())

    def package_of(self, name: str) -> str:
        """Return the package that a game is from."""
        return self._packages.get(name, OWN_PACKAGE)

    def __getitem__(self, name: str) -> Game:
        """Return the newest version of a game that can be played."""
        return self._offered[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the games that can be played."""
        return iter(self._offered)

    def __len__(self) -> int:
        """Count the games that can be played."""
        return len(self._offered)


GAMES = Catalogue((PONG, CONNECT_FOUR, CONNECT_FOUR_2, RELAY))
"""The built-in games, each with every version of its rules; those of packages come beside them."""
