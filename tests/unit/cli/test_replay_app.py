"""The terminal of a replay, by textual's pilot: keys, timeline, and what stays at the end."""

from __future__ import annotations

from textual.widgets import Static

from service.cli.replay_app import ReplayApp
from service.replay.replay import Replay
from tests.unit.replay.test_summary import connect_four, pong

NAMES = ["Ana", "Ben"]
SIZE = (80, 24)


def shown(app: ReplayApp) -> str:
    return str(app.query_one(Static).render())


def paused(replay: Replay) -> ReplayApp:
    app = ReplayApp(replay, NAMES)
    app.set_reactive(ReplayApp.paused, True)  # noqa: FBT003 - the value of a property
    return app


async def test_keys_step_seek_and_go_to_the_ends() -> None:
    replay = pong()
    app = paused(replay)
    async with app.run_test(size=SIZE) as pilot:
        for keys, tick in (
            ((".",), 1),
            ((".", ","), 1),
            (("right",), 301),
            (("left", "left"), 0),
            (("end",), replay.ticks),
            ((".",), replay.ticks),
            (("home",), 0),
        ):
            await pilot.press(*keys)
            assert app.tick == tick, keys
            assert f"tick {tick} of {replay.ticks}" in shown(app)


async def test_the_keys_for_points_go_from_one_to_the_next_and_to_the_ends() -> None:
    replay = pong()
    points = [tick for tick, state in replay.frames() if _is_new(replay, tick, state)]
    app = paused(replay)
    async with app.run_test(size=SIZE) as pilot:
        for tick in points[:3]:
            await pilot.press("n")
            assert app.tick == tick
        for tick in (points[1], points[0], 0):
            await pilot.press("p")
            assert app.tick == tick
        await pilot.press("end", "p")
        assert app.tick == points[-1]
        await pilot.press("n")
        assert app.tick == replay.ticks


def _is_new(replay: Replay, tick: int, state: object) -> bool:
    return tick > 0 and replay.scores(state) != replay.scores(replay.at(tick - 1))


async def test_a_turn_based_game_is_stepped_through_by_moves() -> None:
    app = paused(connect_four(1, 7, 3))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("n")
        assert app.tick == 1
        assert "move 1 of 3" in shown(app)
        assert "moves" in shown(app)


async def test_it_plays_to_the_end_stays_there_and_plays_again() -> None:
    app = ReplayApp(connect_four(1, 7), NAMES, speed=1000)
    async with app.run_test(size=SIZE) as pilot:
        while "over" not in shown(app):
            await pilot.pause()
        assert app.is_running
        app.paused = True
        await pilot.press("space")
        assert app.tick < 2 or not app.paused
        await pilot.press("q")
    assert app.return_code == 0
    assert "Ana" in app.last_picture()


async def test_the_smallest_terminal_shows_something() -> None:
    app = paused(pong())
    async with app.run_test(size=(10, 4)) as pilot:
        await pilot.press(".")
        assert shown(app)
