"""Play the same matches in other processes, in which Python orders sets in another way.

`python -m service.games.testing.processes` reads a `Request` from standard input, and prints a
digest of the states of its matches.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from service.games.protocol import Game
from service.games.testing.playing import Moved, Played, Start, Subject, Table, fail

HASH_SEEDS = ("1", "2")
MATCHES = 2
TIMEOUT_S = 60


class Match(msgspec.Struct):
    """A match to play again: how it begins, and its moves as (tick, seat, move, time)."""

    seed: int
    players: int
    moves: list[tuple[int, int, dict[str, Any], int | None]]
    end: int
    """The tick at which it ended."""


class Request(msgspec.Struct):
    """Which game, and the matches."""

    module: str
    file: str
    paths: list[str]
    """Where Python looks for modules."""
    name: str
    """The name of the game in its module."""
    matches: list[Match]


def check_other_processes(subject: Subject) -> None:
    """A match goes the same way in other processes, whatever the hashes of texts are there."""
    played = subject.matches[:MATCHES]
    request = msgspec.json.encode(_request(subject.game, played))
    expected = [_digest(one) for one in played]
    running = [_start(seed) for seed in HASH_SEEDS]
    answers = [process.communicate(request, timeout=TIMEOUT_S) for process in running]
    for process, (printed, errors) in zip(running, answers, strict=True):
        if process.returncode:
            fail(f"The game can't be played in another process: {errors.decode()}")
        if msgspec.json.decode(printed) != expected:
            fail(
                "The same match goes another way in another process. Do the rules iterate over a "
                "set, sort by hash() or id(), or read the environment? Sort, or use a list or a "
                "dict, which keep their order."
            )


def _start(hash_seed: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - this module itself
        [sys.executable, "-m", __name__],
        env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _request(game: Game, played: list[Played]) -> Request:
    module = inspect.getmodule(type(game))
    if module is None or module.__file__ is None:
        fail(f"{game!r} is not made in a file, so that no other process can load it")
    names = [name for name, value in vars(module).items() if value is game or value is type(game)]
    # The game itself, rather than its class.
    names.sort(key=lambda name: vars(module)[name] is not game)
    if not names:
        fail(f"{module.__name__} must have the game as a module-level name, as in RULES = Rules()")
    return Request(
        module.__name__,
        module.__file__,
        sys.path,
        names[0],
        [
            Match(
                one.start.seed,
                one.start.players,
                [_told(moved) for moved in one.moves],
                max(one.states),
            )
            for one in played
        ],
    )


def _told(moved: Moved) -> tuple[int, int, dict[str, Any], int | None]:
    spent_ms = None if moved.spent_ms is UNSET else moved.spent_ms
    return moved.tick, moved.seat, dict(moved.move), spent_ms


def _digest(played: Played) -> str:
    return hashlib.sha256(b"\n".join(played.states.values())).hexdigest()


def _load(request: Request) -> Game:
    try:
        module = importlib.import_module(request.module)
    except ImportError:
        # A test that was loaded as a file, and is not on the path.
        spec = importlib.util.spec_from_file_location(request.module, request.file)
        if spec is None or spec.loader is None:
            raise
        module = importlib.util.module_from_spec(spec)
        sys.modules[request.module] = module
        spec.loader.exec_module(module)
    found = getattr(module, request.name)
    game: Game = found() if isinstance(found, type) else found
    return game


def _nobody(*_: object) -> Mapping[str, Any] | None:
    """Choose no move: those of the request are made."""


def _play(game: Game, match: Match) -> str:
    table = Table(game, Start(match.seed, match.players), _nobody)
    for tick, seat, move, spent_ms in match.moves:
        _advance(table, tick)
        table.move(seat, move, UNSET if spent_ms is None else spent_ms)
    _advance(table, match.end)
    return _digest(table.end())


def _advance(table: Table, tick: int) -> None:
    while table.game.tick_hz and table.run.tick < tick:
        table.advance()


if __name__ == "__main__":
    REQUEST = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    GAME = _load(REQUEST)
    sys.stdout.buffer.write(msgspec.json.encode([_play(GAME, one) for one in REQUEST.matches]))
