"""Users of `ws-service bots`: clients from outside that meet, play, and leave by themselves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress

import jwt
import pytest

from service.cli.bot_user import BotUser, Tally
from service.client import connect
from service.games.catalogue import GAMES
from service.games.chance import Chance
from tests.acceptance.service_process import SECRET
from tests.integration.stage import Stage, Theatre, holds, users


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    with Theatre.opened(tmp_path_factory.mktemp("users"), WS_MATCH_DURATION_S=2) as theatre:
        yield theatre


async def be_one(stage: Stage, game: str, tally: Tally) -> None:
    user = next(users)
    token = jwt.encode({"id": user, "exp": time.time() + 600}, SECRET)
    url = stage.service.url.replace("http", "ws")
    async with connect(url, token) as client:
        await BotUser(client, GAMES[game], 2, tally, Chance(user)).run()


@pytest.mark.parametrize("game", ["pong", "connect_four"])
def test_two_of_them_find_each_other_play_and_search_again(theatre: Theatre, game: str) -> None:
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

    theatre.runner.run(story(theatre.stage))


def test_one_who_waits_accepts_an_invite(theatre: Theatre) -> None:
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

    theatre.runner.run(story(theatre.stage))
