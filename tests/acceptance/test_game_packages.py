"""Games of installed packages, over deploys of other versions of their rules."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

import pytest

from service.client import Client, Message, connect
from tests.acceptance.service_process import (
    PATIENCE_S,
    SECRET,
    Running,
    StartService,
    clean_environment,
    fresh_id,
    make_token,
    token,
)
from tests.acceptance.test_api import ask, get
from tests.ports import free_port

MODULE = """
from typing import Annotated, Any

import msgspec

from service.games.protocol import (
    GameEvent, InvalidMove, NoTurnClock, OnlyInputs, OpenToAll, Result, SimpleBots,
)


class Added(GameEvent, frozen=True, tag="added"):
    seat: int
    amount: int


class CountOptions(msgspec.Struct, frozen=True):
    target: Annotated[int, msgspec.Meta(ge=1, le=99, description="Who reaches it wins.")] = 3


class Count(msgspec.Struct):
    target: int
    total: int = 0
    last: int = 0


class Counting(OpenToAll, NoTurnClock, OnlyInputs, SimpleBots):
    name = "counting"
    title = "Counting"
    rules_version = 1
    seats = range(2, 3)
    options_type = CountOptions
    ordered = True
    state_type = Count
    event_type: Any = Added
    step_by = 1

    def setup(self, seed, options, players):
        return Count(options.target)

    def decide(self, state, seat, move):
        if move.get("add") is not True:
            raise InvalidMove("Send `add`: true.")
        return [Added(seat, self.step_by)]

    def apply(self, state, event):
        state.total += event.amount
        state.last = event.seat

    def result(self, state):
        return Result(state.last) if state.total >= state.target else None

    def scores(self, state):
        return [int(state.total >= state.target and state.last == seat) for seat in (0, 1)]

    def view(self, state, viewer):
        return state


class Counting2(Counting):
    rules_version = 2
    step_by = 2


VERSIONS = [Counting(), Counting2()]
"""


class Package:
    """A package with a game, as it is installed: a module and its metadata."""

    def __init__(self, directory: Path) -> None:
        self.path = directory
        metadata = directory / "counting-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n")
        entry = "[ws_service.games]\ncounting = counting_game:VERSIONS\n"
        (metadata / "entry_points.txt").write_text(entry)

    def write(self, versions: str, module: str = MODULE) -> None:
        """Install these versions of the rules, as an expression of Python."""
        (self.path / "counting_game.py").write_text(f"{module}\nVERSIONS = {versions}\n")


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return Package(tmp_path / "packages")


class Players:
    """Two clients who play, also over restarts of the service."""

    def __init__(self, service: Running) -> None:
        self._service = service
        self._stack = AsyncExitStack()
        self.room = ""
        self._users = fresh_id(), fresh_id()

    async def __aenter__(self) -> Self:
        await self._connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _connect(self) -> None:
        url = self._service.ws_url
        self.first, self.second = [
            await self._stack.enter_async_context(connect(url, token(user))) for user in self._users
        ]

    async def come_back(self) -> None:
        """Connect to the service after its restart."""
        await self._stack.aclose()
        await self._connect()
        for one in (self.first, self.second):
            await one.command("room:join", roomId=self.room)

    async def begin(self, **options: int) -> None:
        """Open a room and begin a match."""
        made = await self.first.command("room:create", game="counting", options=options)
        self.room = made["roomId"]
        await self.second.command("room:join", roomId=self.room)
        await self.again()

    async def again(self) -> None:
        """Begin a match in the same room."""
        for one in (self.first, self.second):
            await one.command("room:ready", roomId=self.room, ready=True)

    async def add(self) -> None:
        await self.first.command("game:move", roomId=self.room, move={"add": True})


async def over(client: Client) -> Message:
    async with asyncio.timeout(PATIENCE_S):
        async for message in client:
            if message["type"] == "game:over":
                return message
    raise AssertionError


async def test_a_match_ends_under_the_version_of_its_rules_that_it_began_with(
    start_service: StartService, package: Package
) -> None:
    package.write("[Counting()]")
    service = start_service(PYTHONPATH=str(package.path))
    async with Players(service) as players:
        await players.begin(target=3)
        await players.add()

        # Deployed: version 2 adds two at once. The live match goes on under version 1.
        package.write("[Counting(), Counting2()]")
        service.restart()
        await players.come_back()
        await players.add()
        await players.add()
        assert (await over(players.first))["scores"] == [1, 0]
        first = f"{players.room}-1"
        assert (await get(service, f"/matches/{first}/verify"))["holds"]
        assert (await get(service, f"/matches/{first}/summary"))["rulesVersion"] == 1

        await players.again()
        await players.add()
        await players.add()
        assert (await over(players.first))["scores"] == [1, 0]
        second = f"{players.room}-2"
        assert (await get(service, f"/matches/{second}/summary"))["rulesVersion"] == 2
        (game,) = [
            one for one in (await get(service, "/games"))["games"] if one["name"] == "counting"
        ]
        assert (game["rulesVersion"], game["versions"]) == (2, [1, 2])

        # Rolled back while a match of version 2 is live: it is void, and all else goes on.
        await players.again()
        await players.add()
        package.write("[Counting()]")
        service.restart()
        await players._stack.aclose()  # noqa: SLF001 - the room is over for them
        shown = await get(service, f"/matches/{players.room}-3")
        assert shown["reason"] == "void"
        gone = await ask(service, f"/matches/{players.room}-3/summary")
        assert (gone.status, gone.json["code"]) == (409, "NOT_REPLAYABLE")
        assert "version 2" in gone.json["detail"]
        assert (await get(service, f"/matches/{first}/verify"))["holds"]


async def test_a_room_that_was_played_in_tells_its_players_that_the_match_is_void(
    start_service: StartService, package: Package
) -> None:
    package.write("[Counting(), Counting2()]")
    service = start_service(PYTHONPATH=str(package.path), WS_PORT=str(free_port()))
    async with Players(service) as players:
        await players.begin(target=9)
        package.write("[Counting()]")
        service.restart()
        # The client resumes by itself.
        ended = await over(players.first)
        assert ended["reason"] == "void"
        assert "version 2 of the rules of counting" in ended["message"]


def test_a_strict_service_does_not_start_without_a_game(package: Package, tmp_path: Path) -> None:
    package.write("[1]")
    settings = {
        "PYTHONPATH": str(package.path),
        "WS_DATA_DIR": str(tmp_path / "data"),
        "WS_GAMES_STRICT": "true",
        "JWT_SECRET": SECRET,
        "WS_PORT": "0",
    }
    done = subprocess.run(
        [sys.executable, "-m", "service", "serve"],
        env=clean_environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 2
    assert "counting" in done.stderr


async def test_only_the_games_that_are_chosen_are_offered(
    start_service: StartService, package: Package
) -> None:
    package.write("[Counting()]")
    service = start_service(PYTHONPATH=str(package.path), WS_GAMES="counting,pong")
    names = [game["name"] for game in (await get(service, "/games"))["games"]]
    assert names == ["counting", "pong"]
    async with connect(service.ws_url, make_token({"id": fresh_id()})) as client:
        with pytest.raises(Exception, match="UNKNOWN_GAME"):
            await client.command("room:create", game="relay")
