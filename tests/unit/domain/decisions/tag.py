"""Tag: a game of two to four players with a clock and keys, where Pong is too small.

Its option `teams` must not be the number of players, and with 13 teams its rules fail.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from service.domain.projections.matches import Match
from service.games.catalogue import GAMES, Catalogue
from service.games.clocks import FixedTurn
from service.games.protocol import GameEvent, InvalidOptions, Key
from service.games.relay import Relay, RelayState
from service.replay.run import Run
from service.settings.sections.play import Rules
from tests.unit.domain.scenario import Scenario
from tests.unit.domain.story import Story

TEAMS_TOO_MANY = 13


class KeysHeld(GameEvent, frozen=True, tag="keys_held"):
    """An input: `seat` holds these keys."""

    seat: int
    keys: list[str]


class TagOptions(msgspec.Struct, frozen=True):
    """Any number of teams, as far as their type goes."""

    teams: int = 0


class TagState(RelayState):
    """A match without a winner."""

    seed: int = 0


class Tag(FixedTurn, Relay):
    """The rules of tag: moves are passed on, but for keys."""

    name = "tag"
    rules_version = 3
    seats = range(2, 5)
    tick_hz = 10
    options_type: type[msgspec.Struct] = TagOptions
    state_type: type[msgspec.Struct] = TagState
    event_type: Any = KeysHeld

    def setup(self, seed: int, options: Any, players: int) -> TagState:
        if options.teams == players:
            raise InvalidOptions("There must not be one team for each player.")
        if options.teams == TEAMS_TOO_MANY:
            raise ZeroDivisionError
        return TagState(players, seed=seed)

    def key_in(self, move: Mapping[str, Any]) -> Key:
        return Key(move["key"], move["down"])

    def hold(self, seat: int, keys: Collection[str]) -> GameEvent:
        return KeysHeld(seat, sorted(keys))

    def turn_s(self, state: TagState, options: Any) -> float | None:
        """Return what shows how the match was set up: the seed, the players, the teams."""
        return 1000 * state.seed + 100 * state.players + float(options.teams)


TAG = Tag()


class TagStory(Story):
    """A service that offers tag besides its own games."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        games = Catalogue((*GAMES.values(), TAG))
        self.context = msgspec.structs.replace(self.context, games=games)

    def run_of(self, match: Match) -> Run:
        if match.game == TAG.name and match.id not in self.runs:
            self.runs[match.id] = Run(TAG, TagState(len(match.players), seed=match.seed))
        return super().run_of(match)


def scenario(**rules: Any) -> Scenario:
    """Begin without users, under these rules, with tag in addition to the other games."""
    return Scenario(TagStory(Rules(**rules)))
