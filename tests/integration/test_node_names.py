"""The only node may get another name: nothing of the earlier one stays behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from service.domain.ids import Owner
from tests.integration.log_file import LogFile
from tests.integration.stage import Stage, Theatre, holds, room_of


def test_a_node_with_another_name_declares_the_earlier_one_lost(tmp_path: Path) -> None:
    async def before(stage: Stage) -> tuple[str, int, int]:
        ana, ben = await stage.connect(), await stage.connect()
        room = await room_of((ana, ben), "pong")
        nodes = stage.service.parts.world.nodes
        assert nodes.owner_of(room) == Owner("n1", 1)
        return room, ana.user, ben.user

    async def after(stage: Stage, room: str, *users: int) -> None:
        world = stage.service.parts.world
        assert set(world.nodes.live) == {"web-1"}
        assert world.nodes.owner_of(room) == Owner("web-1", 1)
        # The stop did not record the ends of the sockets: no ghost may stay.
        assert [world.presence.sockets[user] for user in users] == [set(), set()]
        (match,) = world.matches.live.values()
        assert match.paused
        tabs = [await stage.connect(user) for user in users]
        assert all(tab.of("session:state")[0]["inRoom"] for tab in tabs)
        for tab in tabs:
            await tab.insist("room:join", roomId=room)
        await holds(lambda: not match.paused, "the match goes on")
        sockets = world.presence.sockets.values()
        assert all(socket.startswith("web-1.1.") for each in sockets for socket in each)

    with Theatre.opened(tmp_path) as theatre:
        room, *users = theatre.runner.run(before(theatre.stage))
    named: Any = {"WS_NODE": "web-1"}
    with Theatre.opened(tmp_path, **named) as theatre:
        theatre.runner.run(after(theatre.stage, room, *users))
    log = LogFile(tmp_path / "ws-service.db")
    nodes = log.query("SELECT type, stream, node FROM events WHERE type LIKE 'node.%'")
    assert nodes == [
        ("node.started", "node:n1", "n1"),
        ("node.lost", "node:n1", "web-1"),
        ("node.started", "node:web-1", "web-1"),
    ]
