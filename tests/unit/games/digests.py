"""Digests of many matches by every version of the rules of every built-in game.

Each match is played by chance, with wrong moves, timeouts and every option. Its digest is over all
that the rules said: inputs, outcomes, states, views, scores, results. `digests.json` has those of
the rules as they were released:

    python -m tests.unit.games.digests    adds those of new versions; it never replaces one
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from service.games.catalogue import GAMES
from service.games.chance import Chance
from service.games.options import set_up
from service.games.protocol import Game, InvalidMove

FILE = Path(__file__).parent / "digests.json"

TICKS_MAX = 1500
INPUTS_MAX = 150
SEEDS = {"pong": 20, "connect_four": 60, "relay": 20}

Digests: TypeAlias = dict[str, list[str]]
"""For each version, such as `pong-1`, the digest of the match of each seed."""

COLUMNS: list[object] = [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6, -1, 7, True, 1.0, None, "3"]
KEYS = ["w", "s", "ArrowUp", "ArrowDown", "x"]
CARDS: list[object] = [{"card": 7}, {}, {"x": [1, {"y": "é"}, None, 0.1]}, {"result": 3}]


def pong_move(match: Match, seat: int) -> dict[str, Any]:
    """Return any key; in every other match one that follows the ball, so that rallies are long."""
    chance, state = match.chance, match.state
    if match.seed % 2 and state.ball is not None:
        up = state.ball.y < state.paddles[seat].y + 10
        held = state.paddles[seat].up if up else state.paddles[seat].down
        other = KEYS[int(up)]
        return {
            "direction": other if held else KEYS[int(not up)],
            "action": "up" if held else "down",
        }
    return {"direction": chance.choice(KEYS), "action": chance.choice(["down", "down", "up"])}


def connect_four_move(match: Match, _seat: int) -> dict[str, Any]:
    """Return a column, which may be full or wrong."""
    return {"column": match.chance.choice(COLUMNS)}


def relay_move(match: Match, _seat: int) -> Any:
    """Return any object, or one of two claims of a result."""
    if match.chance.below(3):
        return match.chance.choice(CARDS)
    winner = None if match.chance.flip() else 0
    return {"result": {"winner": winner, "scores": [1] * match.players}}


MOVES: Mapping[str, Callable[[Match, int], Any]] = {
    "pong": pong_move,
    "connect_four": connect_four_move,
    "relay": relay_move,
}

OPTIONS: Mapping[tuple[str, int], Sequence[Mapping[str, Any]]] = {
    ("pong", 1): [{"duration_s": 8}, {}, {"duration_s": 0.01}, {"duration_s": 3600}],
    ("connect_four", 1): [{}, {"turn_s": 1}, {"turn_s": 3600}],
    ("connect_four", 2): [
        {},
        {"turn_s": 1},
        {"clock_s": 20},
        {"clock_s": 5, "increment_s": 0.5},
        {"turn_s": 3, "clock_s": 10, "increment_s": 3600},
    ],
    ("relay", 1): [{}],
}


class Match:
    """One match, and the digest of what its rules have said."""

    def __init__(self, game: Game, seed: int) -> None:
        """Set it up with the options and the number of players that follow from `seed`."""
        choices = OPTIONS[game.name, game.rules_version]
        self.game = game
        self.seed = seed
        self.options = choices[seed % len(choices)]
        self.players = game.seats[seed % len(game.seats)]
        self.chance = Chance(seed)
        self.said = hashlib.sha256()
        self.state = set_up(game, seed, self.options, self.players)
        self.say(self.state)

    def say(self, *values: object) -> None:
        """Add to the digest."""
        for value in values:
            self.said.update(msgspec.json.encode(value) + b"\n")

    def move(self) -> None:
        """Let a random player try a move."""
        seat = self.chance.below(self.players)
        move = MOVES[self.game.name](self, seat)
        try:
            inputs = self.game.decide(self.state, seat, move)
        except InvalidMove:
            self.say("refused")
        else:
            for event in inputs:
                self.let_time_pass()
                self.apply(event)

    def let_time_pass(self) -> None:
        """Let clocks run for up to a second, in a game that has them."""
        if self.game.has_clocks:
            self.game.elapse(self.state, self.chance.below(1000))

    def time_out(self) -> None:
        """Let the time of a player be up."""
        if self.game.has_clocks:
            seat, event = self.game.timeout(self.state)
            self.say(seat)
            self.game.elapse(self.state, self.chance.below(1000))
            self.apply(event)

    def apply(self, event: Any) -> None:
        """Apply an input, which the rules may refuse when a clock has ended."""
        self.say(event)
        try:
            self.game.apply(self.state, event)
        except InvalidMove:
            self.say("refused")

    def play(self) -> str:
        """Play it to its end, or for a while; return the digest."""
        game = self.game
        for number in range(TICKS_MAX if game.tick_hz else INPUTS_MAX):
            if game.result(self.state) is not None:
                break
            if not game.tick_hz or self.seed % 2 or not self.chance.below(10):
                self.move()
            if not game.tick_hz and not self.chance.below(60) and game.result(self.state) is None:
                self.time_out()
            self.say(game.step(self.state), game.view(self.state, None))
            if number % 50 == 0 or not game.tick_hz:
                self.say(self.state, game.scores(self.state), game.remaining_ticks(self.state))
        self.say(self.state, game.scores(self.state), game.result(self.state))
        return self.said.hexdigest()[:16]


def name_of(game: Game) -> str:
    """Return the name of a version in the file."""
    return f"{game.name}-{game.rules_version}"


def digests_of(game: Game) -> list[str]:
    """Play all matches of a version of the rules."""
    return [Match(game, seed).play() for seed in range(SEEDS[game.name])]


def recorded() -> Digests:
    """Read the file."""
    return msgspec.json.decode(FILE.read_bytes(), type=Digests)


def main() -> None:
    """Add the digests of versions that the file does not have."""
    found = recorded() if FILE.exists() else {}
    for game in GAMES.registered:
        if name_of(game) not in found:
            found[name_of(game)] = digests_of(game)
            print(f"{name_of(game)}: added; commit {FILE.name}")  # noqa: T201 - it is a command
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")


if __name__ == "__main__":
    main()
