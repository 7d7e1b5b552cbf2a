"""Matches of players who are connected to different nodes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from operator import ne
from typing import Any

import aiohttp
import pytest

from tests.acceptance.service_process import Client, Running, fresh_id, make_token, of_type
from tests.cluster.cluster import Cluster
from tests.nats_server import NatsServer
from tests.postgres import Postgres

pytestmark = pytest.mark.postgres

SERVICE = make_token({"scope": "admin publish"})

NO_CONTENT = 204


@pytest.fixture(scope="module")
def nodes(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, nats: NatsServer
) -> Iterator[Cluster]:
    """Three nodes for the tests that hurt none of them; each uses users of its own."""
    directory = tmp_path_factory.mktemp("matches")
    cluster = Cluster(directory, postgres, nats, {"WS_PRESENCE_GRACE_S": "0.3"})
    cluster.start("n1", "n2", "n3")
    yield cluster
    cluster.stop()
    assert not cluster.failures, "\n".join(cluster.failures)


async def done(client: Client, type_: str, **fields: Any) -> dict[str, Any]:
    """Carry out a command; return its ack."""
    answer = await client.command(type_, **fields)
    assert answer["type"] == "ack", answer
    return answer


async def state_after(client: Client, tick: int) -> dict[str, Any]:
    """Wait until a client is shown the state at a tick or later."""
    return await client.expect("game:update", where=lambda one: bool(one["tick"] >= tick))


async def begin(nodes: Cluster, game: str, **options: Any) -> tuple[str, Client, Client]:
    """Begin a match of two users on the first two nodes; the first one owns the room."""
    ana = await nodes["n1"].connect_v1(fresh_id(), "Ana")
    ben = await nodes["n2"].connect_v1(fresh_id(), "Ben")
    room = str((await done(ana, "room:create", game=game, options=options))["roomId"])
    await done(ben, "room:join", roomId=room)
    for client in (ben, ana):
        await done(client, "room:ready", roomId=room)
    for client in (ana, ben):
        await client.expect("game:start")
    return room, ana, ben


async def drop_discs(room: str, watching: list[Client], players: tuple[Client, Client]) -> None:
    """Play connect four until the player who begins wins, and check what everybody is shown."""
    state = (await state_after(players[0], 0))["state"]
    for number in range(7):
        await done(players[state["turn"]], "game:move", roomId=room, move={"column": number % 2})
        shown = [await state_after(client, number + 1) for client in watching]
        assert all(one["state"] == shown[0]["state"] for one in shown)
        state = shown[0]["state"]
    overs = [await client.expect("game:over") for client in watching]
    assert all(one["winner"] == overs[0]["winner"] is not None for one in overs)


async def test_connect_four_is_played_and_watched_on_three_nodes_and_played_again(
    nodes: Cluster,
) -> None:
    room, ana, ben = await begin(nodes, "connect_four")
    cleo = await nodes["n3"].connect_v1(fresh_id(), "Cleo")
    await done(cleo, "room:join", roomId=room, role="spectator")
    await drop_discs(room, [ana, ben, cleo], (ana, ben))
    await done(ben, "chat:send", roomId=room, text="again?")
    for client in (ana, cleo):
        await client.expect("chat:message", text="again?")
    for client in (ana, ben):
        await done(client, "room:ready", roomId=room)
    for client in (ana, ben, cleo):
        again = await client.expect("game:start")
        assert again["matchId"] == f"{room}-2"
    await drop_discs(room, [cleo, ben, ana], (ana, ben))
    await done(ben, "room:leave", roomId=room)


def moments(client: Client) -> list[tuple[int, int]]:
    """Return the run and the tick of all states that a client was shown."""
    return [(one["run"], one["tick"]) for one in of_type(client.received, "game:update")]


async def test_pong_is_shown_on_each_node_at_the_rates_of_its_sockets_to_the_end(
    nodes: Cluster,
) -> None:
    room, ana, ben = await begin(nodes, "pong", duration_s=5)
    cleo = await nodes["n3"].connect_v1(fresh_id(), "Cleo")
    await done(cleo, "frames:set", frameHz=20)
    await done(ben, "frames:set", frameHz=30)
    await done(cleo, "room:join", roomId=room, role="spectator")
    for player in (ana, ben):
        await done(player, "game:move", roomId=room, direction="w", action="down")
    watching = (ana, ben, cleo)
    overs = [await client.expect("game:over") for client in watching]
    assert all(one["scores"] == overs[0]["scores"] for one in overs)
    for client in watching:
        assert moments(client) == sorted(moments(client))
    # Fewer than all where ticks were caught up.
    counts = [len(set(moments(client))) for client in watching]
    assert counts[0] > 100
    assert counts[1] < 0.7 * counts[0]
    assert counts[2] < 0.8 * counts[1]
    last = [of_type(client.received, "game:update")[-1]["state"] for client in watching]
    assert last[0] == last[1] == last[2]


async def test_a_player_comes_back_on_another_node_and_the_match_goes_on(nodes: Cluster) -> None:
    room, ana, ben = await begin(nodes, "pong", duration_s=5)
    position, epoch = ben.cursor, ben.welcome["epoch"]
    await ben.drop()
    await ana.expect("game:paused", roomId=room)
    back = await nodes["n3"].connect_v1(int(ben.id), "Ben", since=position, epoch=epoch)
    await back.expect("resumed")
    await done(back, "room:join", roomId=room)
    await back.expect("game:start", roomId=room, playerIndex=1)
    await ana.expect("game:resumed", roomId=room)
    for client in (ana, back):
        await client.expect("game:update", run=1)
    await done(back, "game:move", roomId=room, direction="w", action="down")
    # A repeated join shows the match again, by the node that runs it.
    await done(back, "room:join", roomId=room)
    await back.expect("game:start", roomId=room, playerIndex=1)
    overs = [await client.expect("game:over") for client in (ana, back)]
    assert overs[0]["scores"] == overs[1]["scores"]
    assert overs[0]["reason"] == "timeup"


async def test_classic_clients_on_two_nodes_play_a_match(nodes: Cluster) -> None:
    ana = await nodes["n1"].connect(fresh_id(), "Ana")
    ben = await nodes["n2"].connect(fresh_id(), "Ben")
    for client in (ana, ben):
        await client.send("lobby:join")
        await client.expect("lobby:list")
    await ana.send("invite", to=ben.id)
    await ben.expect("invite:received")
    await ben.send("invite:accepted", **{"from": ana.id})
    room = (await ben.expect("room:start"))["roomId"]
    await ana.expect("room:start", roomId=room)
    for client in (ana, ben):
        await client.send("game:join", roomId=room)
    for client in (ana, ben):
        await client.expect("game:ready", roomId=room)
    await ben.send("game:begin", roomId=room)
    for client in (ana, ben):
        await client.expect("game:start", roomId=room)
        first = await client.expect("game:update", roomId=room)
        await client.expect("game:update", where=partial(ne, first))
    await ben.send("game:leave", roomId=room)
    await ana.expect("game:end", roomId=room, winner="you")


async def test_signals_reach_users_and_rooms_on_other_nodes(nodes: Cluster) -> None:
    room, ana, ben = await begin(nodes, "relay")
    await done(ana, "signal", to=ben.id, data={"offer": 1})
    signal = await ben.expect("signal", data={"offer": 1})
    assert signal["from"] == ana.id
    await done(ben, "signal", roomId=room, data={"answer": 2})
    await ana.expect("signal", data={"answer": 2}, roomId=room)
    assert not [one for one in await ben.sync() if one["type"] == "signal"]
    # To one of the user's tabs alone.
    tab = await nodes["n3"].connect_v1(int(ben.id), "Ben")
    await done(tab, "signal", to=ana.id, data="hello")
    session = (await ana.expect("signal", data="hello"))["sessionId"]
    assert session == tab.welcome["sessionId"]
    await done(ana, "signal", to=ben.id, sessionId=session, data={"offer": 3})
    await tab.expect("signal", data={"offer": 3})
    assert not [one for one in await ben.sync() if one["type"] == "signal"]


async def ask(node: Running, method: str, path: str, **options: Any) -> tuple[int, Any]:
    """Send a request of a service to the API of a node."""
    headers = {"Authorization": f"Bearer {SERVICE}"}
    async with (
        aiohttp.ClientSession(node.url, headers=headers) as http,
        http.request(method, f"/api/v1{path}", **options) as answer,
    ):
        return answer.status, await answer.json() if answer.status != NO_CONTENT else None


async def test_the_api_of_any_node_reaches_all_of_them(nodes: Cluster) -> None:
    room, ana, ben = await begin(nodes, "relay")
    node = nodes["n3"]
    status, shown = await ask(node, "GET", f"/rooms/{room}")
    assert (status, shown["phase"]) == (200, "playing")
    for to in ({"roomId": room}, {"user": ben.id}, "all"):
        status, published = await ask(node, "POST", "/messages", json={"to": to, "data": "hello"})
        assert status == 200
        await ben.expect("server:message", data="hello")
        if isinstance(to, dict):
            assert published["sockets"] == (2 if "roomId" in to else 1)
        else:
            assert published["sockets"] >= 2
    await ana.expect("server:message", data="hello")
    assert await ask(node, "DELETE", f"/sessions?user={ben.id}") == (NO_CONTENT, None)
    assert (await ben.closed())[0] == 4503
