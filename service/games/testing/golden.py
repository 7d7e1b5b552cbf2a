"""Golden recordings: matches of a version of the rules, kept in a file and played again by tests.

A file has a JSON object a line, each with a `kind`: `match` (how one begins), `move` (with the
inputs that the rules made of it), `outcome`, `state` (a hash), `end`. What was recorded once must
come out again for ever: matches of that version are replayed, and verified, years later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from service.games.protocol import Game, InvalidMove
from service.games.testing.playing import Pick, Played, Start, Table, fail, shortened, spread
from service.replay.run import state_hash

MATCHES = 2
TICKS_MAX = 2_000
"""How many ticks of a match are recorded."""
STATES = 20
"""How many hashes of its states are."""


def check_recordings(game: Game, file: Path, pick: Pick, seeds: Sequence[int]) -> None:
    """Play the recorded matches again; record some where there is no file, and fail."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"".join(_line(one) for one in record(game, pick, seeds)))
        fail(
            f"There was no recording of version {game.rules_version} of {game.name}: {file} has "
            "been made now. Commit it, and run the tests again."
        )
    recorded = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
    if not any(one.get("kind") == "end" for one in recorded):
        fail(f"{file} has no match: delete it, and run the tests again to make it.")
    for number, (before, now) in enumerate(zip_longest(recorded, play_again(game, recorded)), 1):
        if before != now:
            fail(
                f"The rules of {game.name} have changed, but their version is still "
                f"{game.rules_version}: line {number} of {file} is {shortened(before)}, and the "
                f"rules now make it {shortened(now)}. Matches that are recorded or live would no "
                "longer be replayed or go on as they were played. Give the new rules "
                f"`rules_version = {game.rules_version + 1}`, and keep the old ones beside them; "
                "or, as long as nobody has played them, delete the file."
            )


def record(game: Game, pick: Pick, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Play matches by chance, and yield the lines of a recording of them."""
    counts = [min(game.seats), max(game.seats)]
    for number, seed in enumerate(seeds[:MATCHES]):
        start = Start(seed, counts[number % 2])
        yield from _lines_of(game, Table(game, start, pick).finish(TICKS_MAX))


def play_again(game: Game, recorded: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Play the moves of a recording, and yield the lines that it has now."""
    for match in _matches(recorded):
        begin, *lines = match
        options = msgspec.convert(begin["options"], game.options_type)
        table = Table(game, Start(begin["seed"], begin["players"], options), _nobody)
        for one in lines:
            if one["kind"] != "move":
                continue
            _advance(table, one["tick"])
            try:
                table.move(one["seat"], one["move"], one.get("spentMs", UNSET))
            except InvalidMove as error:
                yield {**one, "inputs": None, "refused": error.message}
                return
        end = next((one["tick"] for one in lines if one["kind"] == "end"), 0)
        _advance(table, end)
        yield from _lines_of(game, table.end())


def _nobody(*_: object) -> None:
    """Choose no move: those that are recorded are made."""


def _advance(table: Table, tick: int) -> None:
    while table.game.tick_hz and table.run.tick < tick and not table.is_over:
        table.advance()


def _matches(recorded: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    match: list[dict[str, Any]] = []
    for one in recorded:
        if one.get("kind") == "match" and match:
            yield match
            match = []
        match.append(one)
    if match:
        yield match


def _lines_of(game: Game, played: Played) -> Iterator[dict[str, Any]]:
    start = played.start
    yield _as_read(
        {
            "kind": "match",
            "game": game.name,
            "version": game.rules_version,
            "seed": start.seed,
            "players": start.players,
            "options": start.options_of(game),
        }
    )
    for moved in played.moves:
        yield _as_read(
            {
                "kind": "move",
                "tick": moved.tick,
                "seat": moved.seat,
                "move": moved.move,
                "inputs": moved.inputs,
                **({} if moved.spent_ms is UNSET else {"spentMs": moved.spent_ms}),
            }
        )
    for tick, outcome in played.outcomes:
        yield _as_read({"kind": "outcome", "tick": tick, "outcome": msgspec.Raw(outcome)})
    for tick in spread(list(played.states), STATES):
        hash_ = state_hash(msgspec.Raw(played.states[tick]))
        yield {"kind": "state", "tick": tick, "hash": hash_}
    yield _as_read(
        {
            "kind": "end",
            "tick": max(played.states),
            "result": played.result,
            "scores": played.scores,
        }
    )


def _as_read(line: dict[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(line))
    return read


def _line(line: dict[str, Any]) -> bytes:
    return msgspec.json.encode(line) + b"\n"
