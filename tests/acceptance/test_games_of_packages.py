"""Games of packages, beside the wheel of the service: installed, tested, played, recovered."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.acceptance.service_process import (
    PATIENCE_S,
    Client,
    Running,
    clean_environment,
    fresh_id,
)
from tests.acceptance.test_page_room import Come, browser, come, two_at  # noqa: F401 - fixtures
from tests.game_venv import EXAMPLES, GameVenv, run

RACERS = 3


@pytest.fixture(scope="module")
def venv(game_venv: GameVenv) -> GameVenv:
    """An environment with the wheel, both examples, and a new game."""
    directory = game_venv.directory
    game_venv.ws_service("games", "new", "dice_duel", cwd=directory)
    game_venv.install(EXAMPLES / "race", EXAMPLES / "rock_paper_scissors", directory / "dice_duel")
    return game_venv


@pytest.fixture
def service(venv: GameVenv, tmp_path: Path) -> Iterator[Running]:
    """The service of the wheel."""
    running = Running(tmp_path / "data", {"WS_CHECKPOINT_S": "0.4"}, dev=False)
    running.command = [str(venv.python), "-m", "service"]
    running.start()
    yield running
    running.stop()


def test_a_new_game_is_installed_and_passes_its_tests_at_once(venv: GameVenv) -> None:
    directory = venv.directory
    listed = json.loads(venv.ws_service("games", "--json", cwd=directory))
    packages = {game["name"]: game["package"] for game in listed["games"]}
    assert packages["dice_duel"] == "ws-game-dice_duel"
    assert packages.keys() >= {"race", "rock_paper_scissors", "pong"}
    assert listed["faults"] == []
    assert " passed" in pytest_of(venv, Path("dice_duel"), directory)


def pytest_of(venv: GameVenv, package: Path, directory: Path | None = None) -> str:
    """Run the tests of a package, without the plugins of this project."""
    # The tests of this process have put their own settings of pytest into the environment.
    environment = {"PATH": os.environ["PATH"], "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = (venv.python, "-m", "pytest", "-p", "no:cacheprovider", package)
    return run(*command, cwd=directory, environment=environment)


async def room_of(players: list[Client], game: str, **options: object) -> str:
    """Open a room in which the players are ready; return it once their match has begun."""
    host, *others = players
    options["seats"] = len(players)
    ack = await host.command("room:create", game=game, options=options)
    assert ack["type"] == "ack", ack
    room: str = ack["roomId"]
    for other in others:
        assert (await other.command("room:join", roomId=room))["type"] == "ack"
    for player in players:
        assert (await player.command("room:ready", roomId=room))["type"] == "ack"
    for player in players:
        await player.expect("game:start", roomId=room)
    return room


async def test_they_are_played_recover_from_a_kill_and_verify(
    service: Running, venv: GameVenv
) -> None:
    ids = [fresh_id() for _ in range(2 + RACERS)]
    tabs = [await service.connect_v1(user) for user in ids]
    hands, racers = tabs[:2], tabs[2:]
    duel = await room_of(hands, "rock_paper_scissors", wins=2)
    race = await room_of(racers, "race", length_m=20)
    await throw(hands[0], duel, "rock")
    # The other one learns nothing of it, not even that it was made.
    assert not [one for one in await hands[1].sync() if one["type"].startswith("game:moved")]
    for racer in racers:
        await racer.expect("game:update", where=lambda one: one["state"]["runners"][0]["at"] > 0)
    jump = await racers[2].command("game:move", roomId=race, move={"jump": True})
    assert jump["type"] == "ack", jump
    service.kill()

    service.restart()
    tabs = [await service.connect_v1(user) for user in ids]
    hands, racers = tabs[:2], tabs[2:]
    for room, players in ((duel, hands), (race, racers)):
        for player in players:
            assert (await player.command("room:join", roomId=room))["type"] == "ack"
    await hands[1].expect("game:resumed", roomId=duel)
    overs = [asyncio.create_task(racer.expect("game:over", roomId=race)) for racer in racers]
    await throw(hands[1], duel, "paper")
    await throw(hands[0], duel, "scissors")
    await throw(hands[1], duel, "rock")
    over = await hands[0].expect("game:over", roomId=duel)
    assert (over["winner"], over["reason"]) == (1, "finished")
    assert len({json.dumps(one["scores"]) for one in await asyncio.gather(*overs)}) == 1
    await service.terminate()

    ended = {one.data["match"] for one in service.events() if one.type == "match.ended"}
    assert {match.rpartition("-")[0] for match in ended} == {duel, race}
    for match in ended:
        assert f"ok: match {match}" in run_command(venv, service, "replay", match, "--verify")
    assert "ok" in run_command(venv, service, "log", "verify")


async def throw(player: Client, room: str, hand: str) -> None:
    """Choose a hand."""
    ack = await player.command("game:move", roomId=room, move={"hand": hand})
    assert ack["type"] == "ack", ack


def run_command(venv: GameVenv, service: Running, *arguments: str) -> str:
    """Run a command of the wheel on the log of the service."""
    return run(
        "env",
        "-i",
        *[f"{name}={text}" for name, text in clean_environment(service.settings).items()],
        venv.bin / "ws-service",
        *arguments,
        cwd=service.data_dir,
    )


async def test_in_development_changed_rules_are_played_by_new_matches(
    venv: GameVenv, tmp_path: Path
) -> None:
    venv.ws_service("games", "new", "coin_duel", cwd=tmp_path)
    rules = tmp_path / "coin_duel" / "coin_duel" / "rules.py"
    venv.install("--editable", tmp_path / "coin_duel")
    service = Running(tmp_path / "data", {}, dev=True)
    service.command = [str(venv.python), "-m", "service"]
    service.start()
    try:
        tabs = [await service.connect_v1(fresh_id()) for _ in range(4)]
        before = await room_of(tabs[:2], "coin_duel")
        old = rules.read_text()
        rules.write_text(old.replace("(1, 2, 3)", "(1, 2, 3, 4"))
        await logged(service, "game not reloaded")
        rules.write_text(old.replace("(1, 2, 3)", "(1, 2, 3, 40)"))
        await logged(service, "games reloaded")
        after = await room_of(tabs[2:], "coin_duel")
        for players, room, answer in ((tabs[:2], before, "error"), (tabs[2:], after, "ack")):
            turn = (await players[0].expect("game:update", roomId=room))["state"]["turn"]
            ack = await players[turn].command("game:move", roomId=room, move={"number": 40})
            assert ack["type"] == answer, ack
    finally:
        service.stop()


async def logged(service: Running, message: str) -> None:
    """Wait until the service has logged a message."""
    async with asyncio.timeout(PATIENCE_S):
        while not any(message in line for line in service.lines):  # noqa: ASYNC110 - read by a thread
            await asyncio.sleep(0.02)


def jumps(service: Running) -> list[Any]:
    """Return the jumps in the log."""
    return [
        one for one in service.events() if one.type == "match.input" and "jumped" in str(one.data)
    ]


@pytest.mark.browser
async def test_the_page_draws_the_games_of_packages(
    service: Running,
    come: Come,  # noqa: F811 - the fixture
) -> None:
    ana, ben = await two_at(service, come, "rock_paper_scissors", options={"wins": 1})
    for person in (ana, ben):
        await person.phase("playing")
    await ana.page.get_by_role("button", name="rock").click()
    await expect(ana.page.locator("#stage")).to_contain_text("You chose rock.")
    await expect(ben.page.locator("#stage")).to_contain_text("Round 1: 0 to 0.")
    await ben.presses("2")
    assert (await ana.result(), await ben.result()) == ("You lost", "You won")

    cleo, dan = await two_at(service, come, "race", options={"length_m": 60, "seats": 2})
    for person in (cleo, dan):
        await person.phase("playing")
        await expect(person.page.locator("#stage svg rect")).not_to_have_count(0)
    # A key may come while the runner lies on the ground, or before the start.
    async with asyncio.timeout(20):
        while not (jumped := jumps(service)):
            await dan.presses(" ")
            await dan.page.wait_for_timeout(50)
    assert jumped[0].data["seat"] == 1
    await cleo.result()
    assert {one.data["seat"] for one in jumps(service)} == {1}
    assert ana.complaints + ben.complaints + cleo.complaints + dan.complaints == []
