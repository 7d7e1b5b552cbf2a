"""Reloads and late joiners get the current match, and pauses are charged."""

from __future__ import annotations

from typing import Any

from tests.acceptance.service_process import Client, Running, fresh_id


async def match_of(game: str, players: list[Client], **options: Any) -> str:
    ack = await players[0].command("room:create", game=game, options=options)
    room: str = ack["roomId"]
    for player in players[1:]:
        await player.command("room:join", roomId=room)
    for player in players:
        await player.command("room:ready", roomId=room)
    for player in players:
        await player.expect("game:start", roomId=room)
    return room


async def test_a_relay_match_survives_a_reload_and_late_joiners_get_its_history(
    service: Running,
) -> None:
    players = [await service.connect_v1(fresh_id()) for _ in range(2)]
    room = await match_of("relay", players, seats=2)
    for number in range(5):
        await players[0].command("game:move", roomId=room, move={"n": number})
    await players[1].drop()
    for user, role in ((players[1].user["id"], "player"), (fresh_id(), "spectator")):
        late = await service.connect_v1(user)
        await late.command("room:join", roomId=room, role=role)
        past = await late.expect("game:moves", roomId=room)
        assert [move["input"]["move"]["n"] for move in past["moves"]] == [0, 1, 2, 3, 4]
        assert (past["more"], past["next"]) == (False, None)
        page = await late.command("game:history", roomId=room, after=4)
        assert page["type"] == "ack"
        rest = await late.expect("game:moves", roomId=room)
        assert [move["tick"] for move in rest["moves"]] == [3, 4]


async def test_a_player_away_beyond_the_pause_budget_does_not_block_the_match(
    service: Running,
) -> None:
    players = [await service.connect_v1(fresh_id()) for _ in range(2)]
    room = await match_of("connect_four", players, pause_budget_s=0.2, turn_s=2)
    first = await players[0].expect("game:update")
    seat = first["state"]["turn"]
    assert 0 < first["turnEndsInMs"] <= 2000
    away, stays = players[seat], players[1 - seat]
    await away.drop()
    paused = await stays.expect("game:paused", roomId=room)
    assert paused["pauseLeftMs"] == {str(player.user["id"]): 200 for player in players}
    resumed = await stays.expect("game:resumed", roomId=room)
    assert 0 < resumed["turnEndsInMs"] == paused["turnLeftMs"] <= first["turnEndsInMs"]
    over = await stays.expect("game:over", roomId=room)
    assert (over["reason"], over["winner"]) == ("turn_timeout", 1 - seat)
