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


class Catalogue(Mapping[str, "Game"]):
    """Games by name in their current version; `rules` finds any registered version."""

    def __init__(self, present: Iterable[Game], earlier: Iterable[Game] = ()) -> None:
        """Register current rules, and earlier ones to finish and replay old matches by."""
        self._present = {game.name: game for game in present}
        every = (*earlier, *self._present.values())
        self._rules = {(game.name, game.rules_version): game for game in every}

    def rules(self, name: str, version: int) -> Game | None:
        """Return a version of the rules of a game, or None if it is not registered."""
        return self._rules.get((name, version))

    def versions(self, name: str) -> list[int]:
        """Return the registered versions of a game's rules in ascending order."""
        return sorted(version for known, version in self._rules if known == name)

    def every_rules(self) -> list[tuple[str, int]]:
        """Return each game with each registered version of its rules, in order."""
        return sorted(self._rules)

    def __getitem__(self, name: str) -> Game:
        """Return the current version of a game."""
        return self._present[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the games that can be played."""
        return iter(self._present)

    def __len__(self) -> int:
        """Count the games that can be played."""
        return len(self._present)


GAMES = Catalogue(present=(PONG, CONNECT_FOUR_2, RELAY), earlier=(CONNECT_FOUR,))
"""New games and new versions are registered here, and nowhere else."""
