"""Users of `ws-service bots`: clients from outside that meet, play, and leave by themselves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from pathlib import Path

import jwt
import pytest

from service.cli import bot_user
from service.cli.bot_user import BotUser, Tally
from service.cli.bots import legal_moves_of
from service.client import connect
from service.games.catalogue import GAMES
from service.games.chance import Chance
from service.games.protocol import Move, Sight
from tests.acceptance.service_process import SECRET
from tests.integration.stage import Stage, holds, users


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot_user, "PAUSE_S", 0.02)
    monkeypatch.setattr(bot_user, "MOVE_S", 0.01)


def run(tmp_path: Path, story: Callable[[Stage], Coroutine[None, None, None]]) -> None:
    """Run a story with a service, by the clock on the wall: clients have patience of their own."""

    async def main() -> None:
        async with Stage(tmp_path, WS_MATCH_DURATION_S=1) as stage:
            await story(stage)

    asyncio.run(main())


async def be_one(stage: Stage, game: str, tally: Tally) -> None:
    user = next(users)
    token = jwt.encode({"id": user, "exp": time.time() + 600}, SECRET)
    url = stage.service.url.replace("http", "ws")
    async with connect(url, token) as client:
        one = BotUser(
            client,
            GAMES[game],
            2,
            tally=tally,
            chance=Chance(user),
            legal_moves=partial(legal_moves_of, stage.http, url, token),
        )
        await one.run()


@pytest.mark.parametrize("game", ["pong", "connect_four"])
def test_two_of_them_find_each_other_play_and_search_again(tmp_path: Path, game: str) -> None:
    async def story(stage: Stage) -> None:
        tally = Tally()
        both = [asyncio.create_task(be_one(stage, game, tally)) for _ in range(2)]
        await holds(lambda: tally.played >= 4, f"two matches were played: {tally}")
        assert (tally.refused, tally.last_refusal) == (0, "")
        for one in both:
            one.cancel()
            with suppress(asyncio.CancelledError):
                await one
        assert (tally.online, tally.playing) == (0, 0)
        world = stage.service.parts.world
        await holds(lambda: not world.presence.sockets, "both are gone at once")

    run(tmp_path, story)


def test_one_who_waits_accepts_an_invite(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        tally = Tally()
        one = asyncio.create_task(be_one(stage, "pong", tally))
        await holds(lambda: tally.online == 1, "it is online")
        (user,) = stage.service.parts.world.presence.online()
        ana = await stage.connect()
        await ana.insist("invite", to=user, game="pong")
        start = await ana.until("room:start")
        await ana.insist("game:join", roomId=start["roomId"])
        await ana.until("game:start")
        await holds(lambda: tally.playing == 1, "it plays")
        one.cancel()
        with suppress(asyncio.CancelledError):
            await one
        await ana.close()

    run(tmp_path, story)


def test_bots_that_choose_among_legal_moves_ask_the_service_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def any_move(sight: Sight, _level: int, chance: Chance) -> list[Move]:
        return [chance.choice(sight.moves)] if sight.moves else []

    async def story(stage: Stage) -> None:
        monkeypatch.setattr(GAMES["connect_four"], "bot", any_move)
        tally = Tally()
        both = [asyncio.create_task(be_one(stage, "connect_four", tally)) for _ in range(2)]
        await holds(lambda: tally.played >= 2, f"a match was played: {tally}")
        for one in both:
            one.cancel()
            with suppress(asyncio.CancelledError):
                await one

    run(tmp_path, story)
