"""Matches of players who are connected to different nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.service_process import Client, fresh_id, of_type
from tests.cluster.cluster import Cluster
from tests.nats_server import NatsServer
from tests.postgres import Postgres

pytestmark = pytest.mark.postgres


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


async def test_pong_is_played_to_the_end_by_players_on_two_nodes(nodes: Cluster) -> None:
    room, ana, ben = await begin(nodes, "pong", duration_s=5)
    for player in (ana, ben):
        await done(player, "game:move", roomId=room, direction="w", action="down")
    over = [await client.expect("game:over", timeout=20) for client in (ana, ben)]
    assert over[0]["scores"] == over[1]["scores"]
    for client in (ana, ben):
        moments = [(one["run"], one["tick"]) for one in of_type(client.received, "game:update")]
        assert moments == sorted(moments)
        # At 60 Hz, but for what is lost to a busy machine.
        assert len(moments) > 100
    left, right = (of_type(client.received, "game:update")[-1]["state"] for client in (ana, ben))
    assert left == right
