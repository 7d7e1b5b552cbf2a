"""Bots of the service in live matches: seated by the host or by matchmaking, run by their node."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from service.domain.events.matches import MatchEnded, MatchInput
from service.domain.ids import is_bot
from service.eventstore.read_models.match_history import match_events
from service.games.catalogue import GAMES
from service.replay.replay import Replay
from tests.acceptance.service_process import SECRET
from tests.integration.stage import Message, Stage, Tab, Theatre, holds


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    with Theatre.opened(tmp_path_factory.mktemp("bots"), WS_BOT_AFTER_S=5) as theatre:
        yield theatre


async def recorded(stage: Stage, match: str) -> list[Any]:
    """Return the events of a match."""
    return await match_events(stage.service.parts.reader, match)


async def host(stage: Stage, game: str = "pong", **options: object) -> tuple[Tab, str]:
    ana = await stage.connect()
    answer = await ana.insist("room:create", game=game, options=options)
    return ana, answer["roomId"]


def seats(state: Message) -> list[tuple[Any, Any]]:
    return [
        (None if seat["user"] is None else seat["user"]["id"], seat.get("bot"))
        for seat in state["seats"]
    ]


def test_a_bot_takes_a_seat_and_plays_a_whole_match_that_verifies(theatre: Theatre) -> None:
    async def story(stage: Stage) -> None:
        ana, room = await host(stage, duration_s=12)
        await ana.insist("room:ready", roomId=room)
        await ana.insist("room:addBot", roomId=room, level=3)
        start = await ana.until("game:start")
        assert [user["name"] for user in start["players"]] == [f"U{ana.user}", "Ada (bot, level 3)"]
        state = await ana.until(
            lambda one: one["type"] == "room:state" and one["phase"] == "playing"
        )
        assert seats(state) == [(ana.user, None), ("bot:ada:3", 3)]
        over = await ana.until("game:over")
        events = await recorded(stage, over["matchId"])
        moved = [one for one in events if isinstance(one, MatchInput)]
        assert {(one.seat, one.socket) for one in moved} == {(1, None)}
        assert Replay(events, GAMES).verify() is None
        assert not [one for one in ana.of("user:list") if any(map(is_bot_entry, one["users"]))]
        assert await listed(stage, ana.user) == [("U", None), ("Ada (bot, level 3)", 3)]
        # A rematch needs nobody else to be ready.
        since = len(ana.got)
        await ana.insist("room:ready", roomId=room)
        again = await ana.until("game:start", since)
        assert again["matchId"] != over["matchId"]
        await ana.insist("room:leave", roomId=room)

    theatre.runner.run(story(theatre.stage))


async def listed(stage: Stage, user: int) -> list[tuple[str, int | None]]:
    """Return the players of the user's last match, by the HTTP API."""
    token = jwt.encode({"id": user, "exp": time.time() + 600}, SECRET)
    url = f"{stage.service.url}/api/v1/matches?user={user}&limit=1"
    async with stage.http.get(url, headers={"Authorization": f"Bearer {token}"}) as answer:
        (match,) = (await answer.json())["matches"]
    return [(one["name"].rstrip("0123456789"), one.get("bot")) for one in match["players"]]


def is_bot_entry(user: Message) -> bool:
    return is_bot(user["id"])


def test_a_bot_is_kicked_like_anybody_and_may_be_added_again(theatre: Theatre) -> None:
    async def story(stage: Stage) -> None:
        ana, room = await host(stage)
        await ana.insist("room:addBot", roomId=room)
        await ana.insist("room:kick", roomId=room, userId="bot:ada:1")
        await ana.insist("room:addBot", roomId=room, level=2)
        assert (await ana.ask("room:addBot", roomId=room))["code"] == "ROOM_FULL"
        await ana.insist("room:leave", roomId=room)
        await holds(lambda: room not in stage.service.parts.world.rooms.rooms, "the room is closed")

    theatre.runner.run(story(theatre.stage))


def test_bots_alone_play_for_a_host_who_watches(theatre: Theatre) -> None:
    async def story(stage: Stage) -> None:
        ana = await stage.connect()
        joined = {"game": "pong", "role": "spectator", "orCreate": True}
        await ana.insist("room:join", roomId="bots", options={"duration_s": 20}, **joined)
        for level in (1, 3):
            await ana.insist("room:addBot", roomId="bots", level=level)
        assert not ana.of("game:start")
        await ana.insist("room:ready", roomId="bots")
        over = await ana.until("game:over")
        assert over["reason"] == "timeup"
        events = await recorded(stage, over["matchId"])
        assert {one.seat for one in events if isinstance(one, MatchInput)} == {0, 1}
        assert Replay(events, GAMES).verify() is None
        await ana.insist("room:leave", roomId="bots")

    theatre.runner.run(story(theatre.stage))


def test_a_match_of_bots_that_nobody_watches_is_abandoned(theatre: Theatre) -> None:
    async def story(stage: Stage) -> None:
        ana = await stage.connect()
        joined = {"game": "pong", "role": "spectator", "orCreate": True}
        await ana.insist("room:join", roomId="left", options={"duration_s": 3600}, **joined)
        for _ in range(2):
            await ana.insist("room:addBot", roomId="left")
        await ana.insist("room:ready", roomId="left")
        match = (await ana.until("game:start"))["matchId"]
        await ana.insist("room:leave", roomId="left")
        world = stage.service.parts.world
        await holds(lambda: match not in world.matches.live, "the match is over")
        events = await recorded(stage, match)
        assert [one.reason for one in events if isinstance(one, MatchEnded)] == ["abandoned"]
        assert "left" not in world.rooms.rooms

    theatre.runner.run(story(theatre.stage))


def test_a_bot_that_fails_forfeits_and_harms_nobody_else(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> list[Any]:
        raise ZeroDivisionError

    async def story(stage: Stage) -> None:
        monkeypatch.setattr(GAMES["pong"], "bot", failing)
        ana, room = await host(stage)
        await ana.insist("room:ready", roomId=room)
        await ana.insist("room:addBot", roomId=room)
        over = await ana.until("game:over")
        assert (over["reason"], over["winner"]) == ("forfeit", 0)
        await ana.insist("room:leave", roomId=room)

    theatre.runner.run(story(theatre.stage))


def test_a_bot_that_never_returns_is_stopped(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(*_: object) -> list[Any]:
        while True:
            pass

    async def story(stage: Stage) -> None:
        monkeypatch.setattr(GAMES["pong"], "bot", endless)
        monkeypatch.setattr(stage.service.parts.bots._thread, "_budget_s", 0.05)  # noqa: SLF001
        ana, room = await host(stage)
        await ana.insist("room:ready", roomId=room)
        await ana.insist("room:addBot", roomId=room)
        over = await ana.until("game:over")
        assert (over["reason"], over["winner"]) == ("forfeit", 0)
        monkeypatch.undo()
        await ana.insist("room:leave", roomId=room)

    theatre.runner.run(story(theatre.stage))


def test_matchmaking_offers_a_bot_to_who_finds_nobody(theatre: Theatre) -> None:
    async def story(stage: Stage) -> None:
        ana = await stage.connect()
        refused = await ana.ask("matchmaking:acceptBot", game="pong", level=2)
        assert refused["code"] == "NO_BOT_OFFERED"
        await ana.insist("matchmaking:join", game="pong")
        offer = await ana.until("matchmaking:botOffer")
        assert (offer["game"], offer["levels"]) == ("pong", 3)
        assert offer["position"]
        refused = await ana.ask("matchmaking:acceptBot", game="pong", level=4)
        assert refused["code"] == "NO_SUCH_BOT"
        await ana.insist("matchmaking:acceptBot", game="pong", level=2)
        start = await ana.until("room:start")
        assert [user["id"] for user in start["players"]] == [ana.user, "bot:ada:2"]
        await ana.insist("game:join", roomId=start["roomId"])
        await ana.insist("game:begin", roomId=start["roomId"])
        await ana.until("game:update")
        match = str(stage.service.parts.world.rooms.rooms[start["roomId"]].match)
        await ana.insist("room:leave", roomId=start["roomId"])
        ended = (await recorded(stage, match))[-1]
        assert (ended.reason, ended.winner) == ("left", 1)

    theatre.runner.run(story(theatre.stage))
