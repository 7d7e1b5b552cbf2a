"""What `ws-service replay --live` shows of a room, where output is no terminal."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from service.cli.live import Watched, show
from service.cli.plain_frames import PlainFrames, ending_with_the_pipe
from service.games.connect_four import CONNECT_FOUR
from service.games.options import set_up
from service.games.pong import PONG
from service.games.sight import SPECTATOR, Views

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOM, USER = "r", "me"


def state_of(game: Any, **changed: Any) -> Any:

    view = Views(game, 2).view(set_up(game, 1, {}, 2), SPECTATOR)
    return msgspec.to_builtins(view) | changed


def start(game: str) -> dict[str, Any]:
    players = [{"id": 1, "name": "Ana"}, {"id": 2, "name": "Ben"}]
    return {"type": "game:start", "roomId": ROOM, "game": game, "players": players}


def update(tick: int, state: Any, run: int = 0) -> dict[str, Any]:
    return {"type": "game:update", "roomId": ROOM, "run": run, "tick": tick, "state": state}


def over(*scores: int) -> dict[str, Any]:
    return {"type": "game:over", "roomId": ROOM, "reason": "timeup", "scores": [*scores]}


def told(type_: str, **fields: Any) -> dict[str, Any]:
    return {"type": type_, "roomId": ROOM, **fields}


async def printed(capsys: pytest.CaptureFixture[str], *messages: dict[str, Any]) -> list[str]:
    """Return the frames that are printed as these messages come."""

    async def coming() -> AsyncIterator[dict[str, Any]]:
        for message in messages:
            yield message

    await show(coming(), Watched(ROOM, USER))
    return capsys.readouterr().out.split("\n\n")[:-1]


def last_lines(frames: list[str]) -> list[str]:
    return [re.sub(r"\s+", " ", frame.split("\n")[-1]) for frame in frames]


async def test_a_state_a_second_is_printed_and_each_change_of_the_score(
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = state_of(PONG)
    scored = state_of(PONG, s1=1)
    frames = await printed(
        capsys,
        start("pong"),
        *(update(tick, state) for tick in range(1, 130)),
        *(update(tick, scored) for tick in range(130, 181)),
        over(1, 0),
    )
    assert last_lines(frames) == [
        "waiting for a match",
        "0.0 s run 0 tick 1",
        "1.0 s run 0 tick 60",
        "2.0 s run 0 tick 120",
        "2.1 s run 0 tick 130",
        "3.0 s run 0 tick 180",
        "3.0 s run 0 tick 180 over: timeup 1 : 0",
    ]
    assert "Ana   0 : 0   Ben" in frames[3]
    assert "Ana   1 : 0   Ben" in frames[4]


async def test_each_move_of_a_turn_based_game_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = state_of(CONNECT_FOUR)
    frames = await printed(
        capsys,
        start("connect_four"),
        update(0, state),
        update(1, state),
        update(1, state),
        over(0, 0),
    )
    # An empty board has an empty line of its own above it.
    moves = re.findall(r"^move \d.*", "\n".join(frames), re.MULTILINE)
    assert moves == ["move 0", "move 1", "move 1   over: timeup   0 : 0"]


async def test_pauses_are_printed_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    state = state_of(PONG)
    frames = await printed(
        capsys,
        start("pong"),
        update(7, state),
        told("game:paused"),
        told("game:resumed"),
        update(8, state, run=1),
        told("room:closed"),
    )
    assert [line.partition("tick ")[2] for line in last_lines(frames)[1:]] == [
        "7",
        "7 paused: a player is away",
        "7",
        "8 the room was closed",
    ]


async def test_who_is_removed_from_the_room_watches_no_longer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    frames = await printed(
        capsys,
        told("room:left", userId="another", reason="left"),
        told("room:left", userId=USER, reason="offline"),
        told("room:left", userId=USER, reason="kicked"),
        start("pong"),
    )
    assert last_lines(frames) == ["waiting for a match", "no longer watching: kicked"]


async def test_a_match_of_a_game_that_is_not_here_is_shown_as_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    frames = await printed(capsys, start("gone"), update(3, {"here": "it is"}), over(1, 2))
    assert '"here": "it is"' in frames[1]
    assert last_lines(frames)[-1] == "run 0 tick 3 over: timeup 1 : 2"


async def test_a_pipe_that_nobody_reads_is_noticed_while_nothing_is_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    noticed = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGPIPE, noticed.set)
    try:
        with os.fdopen(writing, "w") as output:
            monkeypatch.setattr("sys.stdout", output)
            with ending_with_the_pipe():
                os.close(reading)
                async with asyncio.timeout(5):
                    await noticed.wait()
            monkeypatch.undo()
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGPIPE)


def test_a_frame_is_wanted_when_something_has_changed() -> None:
    frames = PlainFrames()
    said = [(0, [0, 0]), (0, [0, 0]), (1, [0, 0]), (1, [1, 0]), (1, [1, 0])]
    assert [frames.wants(second, scores) for second, scores in said] == [
        True,
        False,
        True,
        True,
        False,
    ]
