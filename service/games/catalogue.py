"""Registry of games and of the versions of their rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from service.games.connect_four import CONNECT_FOUR
from service.games.pong import PONG
from service.games.relay import RELAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from service.games.protocol import Game


class Catalogue(Mapping[str, "Game"]):
    """Games by name, each in its present version; `rules` finds any version that is kept."""

    def __init__(self, present: Iterable[Game], earlier: Iterable[Game] = ()) -> None:
        """Offer the games of `present`; those of `earlier` only end and replay old matches."""
        self._present = {game.name: game for game in present}
        every = (*earlier, *self._present.values())
        self._rules = {(game.name, game.rules_version): game for game in every}

    def rules(self, name: str, version: int) -> Game | None:
        """Return the rules of a game as of a version, or None when they are not kept here."""
        return self._rules.get((name, version))

    def versions(self, name: str) -> list[int]:
        """List the versions of a game's rules that are kept, in rising order."""
        return sorted(version for known, version in self._rules if known == name)

    def __getitem__(self, name: str) -> Game:
        """Return the present version of a game."""
        return self._present[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the games that can be played."""
        return iter(self._present)

    def __len__(self) -> int:
        """Count the games that can be played."""
        return len(self._present)


GAMES = Catalogue(present=(PONG, CONNECT_FOUR, RELAY))
"""A new game, or a new version of one, is added in this one place."""
