"""Nodes of a cluster: users on different nodes meet, and a client resumes on another node."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.acceptance.service_process import Client, Running, fresh_id, of_type
from tests.cluster.cluster import Cluster, StartCluster
from tests.nats_server import NatsServer, running
from tests.postgres import Postgres
from tests.proxy import Proxy

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def nodes(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, nats: NatsServer
) -> Iterator[Cluster]:
    """Two nodes for the tests that hurt neither; each uses users of its own."""
    directory = tmp_path_factory.mktemp("pair")
    cluster = Cluster(
        directory, postgres, nats, {"WS_PRESENCE_GRACE_S": "0.3", "WS_CHAT_BURST": "100"}
    )
    cluster.start("n1", "n2")
    yield cluster
    cluster.stop()
    assert not cluster.failures, "\n".join(cluster.failures)


async def pair(nodes: Cluster) -> tuple[Client, Client]:
    """Connect two users, on a node each, who know of each other."""
    ana = await nodes["n1"].connect_v1(fresh_id(), "Ana")
    ben = await nodes["n2"].connect_v1(fresh_id(), "Ben")
    await joins(ana, ben)
    return ana, ben


async def done(client: Client, type_: str, **fields: Any) -> dict[str, Any]:
    """Carry out a command; return its ack."""
    answer = await client.command(type_, **fields)
    assert answer["type"] == "ack", answer
    return answer


async def joins(client: Client, *others: Client) -> None:
    """Wait until a client is shown others, with their names."""
    await is_shown(client, {other.id: other.user["name"] for other in others})


async def is_shown(client: Client, names: dict[Any, str]) -> None:
    """Wait until a client is shown these users by these names."""
    known: dict[Any, str] = {}

    def learn(message: dict[str, Any]) -> None:
        users = [user for part in ("users", "joins", "updates") for user in message.get(part, ())]
        known.update({user["id"]: user["name"] for user in users})

    for message in of_type(client.received, "user:list", "user:diff"):
        learn(message)
    while not names.items() <= known.items():
        learn(await client.expect("user:diff"))


async def test_users_on_different_nodes_see_each_other_come_and_go(nodes: Cluster) -> None:
    ana, ben = await pair(nodes)
    await joins(ben, ana)
    await ben.close()
    await ana.expect("user:diff", where=lambda one: ben.id in one["leaves"])
    await ana.drop()
    cleo = await nodes["n2"].connect_v1(fresh_id(), "Cleo")
    await cleo.expect("user:diff", where=lambda one: ana.id in one["leaves"])


async def test_an_invite_is_accepted_on_another_node(nodes: Cluster) -> None:
    ana, ben = await pair(nodes)
    for client in (ana, ben):
        await done(client, "lobby:join")
    await done(ana, "invite", to=ben.id)
    invite = await ben.expect("invite:received")
    assert invite["from"]["name"] == "Ana"
    await done(ben, "invite:accepted", **{"from": ana.id})
    rooms = [await client.expect("room:start") for client in (ana, ben)]
    assert rooms[0]["roomId"] == rooms[1]["roomId"]


async def test_users_of_a_queue_are_paired_across_nodes(nodes: Cluster) -> None:
    ana, ben = await pair(nodes)
    await done(ana, "matchmaking:join", game="connect_four")
    await done(ben, "matchmaking:join", game="connect_four")
    rooms = [await client.expect("room:start") for client in (ana, ben)]
    assert rooms[0]["roomId"] == rooms[1]["roomId"]


async def test_chat_reaches_users_and_rooms_on_another_node(nodes: Cluster) -> None:
    ana, ben = await pair(nodes)
    await done(ana, "chat:send", to=ben.id, text="hello")
    await ben.expect("chat:message", text="hello")
    room = (await done(ana, "room:create", game="relay"))["roomId"]
    await done(ben, "room:join", roomId=room)
    await done(ben, "chat:send", roomId=room, text="to all")
    message = await ana.expect("chat:message", text="to all")
    assert message["from"]["name"] == "Ben"


async def test_a_new_name_is_shown_on_all_nodes(nodes: Cluster) -> None:
    ana, ben = await pair(nodes)
    again = await nodes["n2"].connect_v1(ana.id, "Ana Lovelace")
    for client in (ana, ben, again):
        await is_shown(client, {ana.id: "Ana Lovelace"})


async def test_a_repeated_id_is_answered_on_any_node(nodes: Cluster) -> None:
    ana, _ = await pair(nodes)
    first = await ana.command("room:create", id_="once", game="relay")
    elsewhere = await nodes["n2"].connect_v1(ana.id, "Ana")
    assert await elsewhere.command("room:create", id_="once", game="relay") == first
    assert (await elsewhere.command("room:create", id_="once", game="pong"))["code"] == "ID_REUSED"
    said = await asyncio.gather(
        *(
            client.command("chat:send", id_="said", roomId=first["roomId"], text="hello")
            for client in (ana, elsewhere)
        )
    )
    assert said[0] == said[1]
    assert (
        len([one for one in nodes.events(after=first["position"]) if one.type == "chat.said"]) == 1
    )


async def test_a_client_resumes_on_another_node_with_nothing_missed_or_twice(
    nodes: Cluster,
) -> None:
    ana, ben = await pair(nodes)
    room = (await done(ana, "room:create", game="relay"))["roomId"]
    await done(ben, "room:join", roomId=room)
    expected, received = [], list[str]()
    node, position, epoch = 0, ben.cursor, ben.welcome["epoch"]
    for number in range(20):
        text = f"message {number}"
        expected.append(text)
        await done(ana, "chat:send", roomId=room, text=text)
        if number % 3:
            continue
        received += [one["text"] for one in of_type(ben.received, "chat:message")]
        position = ben.cursor
        await ben.drop()
        node = 1 - node
        ben = await nodes[f"n{node + 1}"].connect_v1(ben.id, "Ben", since=position, epoch=epoch)
        await ben.expect("resumed")
    await ben.expect("chat:message", text=expected[-1])
    received += [one["text"] for one in of_type(ben.received, "chat:message")]
    assert received == expected


async def readiness(node: Running) -> dict[str, Any]:
    """Ask a node for its readiness."""
    async with aiohttp.ClientSession(node.url) as http, http.get("/readyz") as answer:
        body: dict[str, Any] = await answer.json()
        return body


async def test_readiness_tells_of_the_node_and_the_bus(nodes: Cluster) -> None:
    for name in ("n1", "n2"):
        ready = await readiness(nodes[name])
        assert (ready["status"], ready["node"], ready["bus"]) == ("ready", name, "connected")


async def test_a_node_that_stops_leaves_and_one_that_dies_is_declared_lost(
    cluster: StartCluster,
) -> None:
    nodes = cluster("n1", "n2", WS_PRESENCE_GRACE_S="0.2")
    ana, ben = await pair(nodes)
    assert await nodes["n2"].terminate() == 0
    assert (await ben.closed())[0] == 4001
    await ana.expect("user:diff", where=lambda one: ben.id in one["leaves"])
    # It comes back as a new incarnation.
    await asyncio.to_thread(nodes["n2"].restart)
    await nodes["n2"].connect_v1(ben.id, "Ben")
    joined = {ben.id}
    await ana.expect("user:diff", where=lambda one: joined <= {user["id"] for user in one["joins"]})
    nodes["n2"].kill()
    await ana.expect("user:diff", where=lambda one: ben.id in one["leaves"])
    told = [
        (one.type, one.data["incarnation"])
        for one in nodes.events()
        if one.type.startswith("node.") and one.data["node"] == "n2"
    ]
    assert told == [
        ("node.started", 1),
        ("node.draining", 1),
        ("node.lost", 1),
        ("node.started", 2),
        ("node.lost", 2),
    ]


async def test_a_node_that_was_stopped_for_long_sends_nothing_and_leaves(
    cluster: StartCluster,
) -> None:
    nodes = cluster("n1", "n2", WS_PRESENCE_GRACE_S="0.2")
    ana, ben = await pair(nodes)
    room = (await done(ben, "room:create", game="relay"))["roomId"]
    os.kill(nodes["n2"].pid, signal.SIGSTOP)
    await ben.send("chat:send", id="late", roomId=room, text="too late")
    await ana.expect("user:diff", where=lambda one: ben.id in one["leaves"])
    seen = len(ben.received)
    os.kill(nodes["n2"].pid, signal.SIGCONT)
    assert (await ben.closed())[0] == 4001
    assert [one["type"] for one in ben.received[seen:]] == ["server:draining"]
    assert not [one for one in nodes.events() if one.type == "chat.said"]
    assert await asyncio.to_thread(nodes["n2"].wait) == 1
    assert "LeaseLost" in nodes["n2"].output


async def test_a_node_that_is_cut_from_the_database_acknowledges_nothing_and_sends_clients_away(
    cluster: StartCluster,
) -> None:
    nodes = cluster("n1", WS_PRESENCE_GRACE_S="0.2")
    database = urlsplit(nodes["n1"].settings["WS_DATABASE_URL"])
    assert database.port is not None
    async with Proxy(database.port) as proxy:
        url = database._replace(netloc=f"postgres@127.0.0.1:{proxy.port}").geturl()
        await asyncio.to_thread(nodes.start, "n2", WS_DATABASE_URL=url)
        ana, ben = await pair(nodes)
        for way in (proxy.to_server, proxy.to_client):
            way.flows.clear()
        await ben.send("lobby:join", id="cut off")
        await ana.expect("user:diff", where=lambda one: ben.id in one["leaves"])
        assert (await ben.closed())[0] == 4001
        assert not [one for one in ben.received if one.get("id") == "cut off"]
        nodes["n2"].kill()


async def test_a_node_without_the_bus_goes_on_by_the_database(
    tmp_path: Path, postgres: Postgres
) -> None:
    with running() as nats:
        nodes = Cluster(tmp_path, postgres, nats, {})
        nodes.start("n1", "n2")
        try:
            ana, ben = await pair(nodes)
            room = (await done(ana, "room:create", game="relay"))["roomId"]
            nats.kill()
            await done(ana, "chat:send", to=ben.id, text="by polling")
            await ben.expect("chat:message", text="by polling")
            assert (await readiness(nodes["n1"]))["bus"] == "disconnected"
            # The owner of the room, the other node, can't be asked.
            refused = await ben.command("room:join", roomId=room)
            assert (refused["code"], refused["retryAfterMs"]) == ("UNAVAILABLE", 1000)
            nats.start()
            await done(ben, "chat:send", to=ana.id, text="again")
            await ana.expect("chat:message", text="again")
        finally:
            nodes.stop()
