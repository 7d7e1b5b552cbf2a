"""Frame rates over the wire: each socket has its own, and no event is thinned."""

from itertools import pairwise
from typing import Any

from tests.acceptance.service_process import (
    Client,
    Running,
    StartService,
    of_type,
    subprotocols,
    token,
)


async def at_rate(service: Running, user: int, query: str) -> Client:
    """Open a tab that speaks protocol v1 and asks for a frame rate in its URL."""
    client = await service.connect(
        path=f"/?frameHz={query}",
        greeted=False,
        subprotocols=subprotocols("ws-service.v1", f"bearer.{token(user, f'U{user}')}"),
    )
    client.welcome = await client.expect("welcome")
    client.user = client.welcome["user"]
    return client


def states(client: Client) -> list[dict[str, Any]]:
    return of_type(client.received, "game:update")


def ticks(client: Client) -> set[int]:
    return {state["tick"] for state in states(client)}


def scores(state: dict[str, Any]) -> tuple[int, int]:
    return state["state"]["s1"], state["state"]["s2"]


async def test_a_match_is_shown_at_three_rates_from_its_start_to_its_end(
    start_service: StartService,
) -> None:
    service = start_service()
    ana = await service.connect_v1(1, "Ana")
    ben, cleo = await at_rate(service, 2, "30"), await at_rate(service, 3, "30")
    assert [one.welcome["frameHz"] for one in (ana, ben, cleo)] == [60, 30, 30]
    assert ana.welcome["frameHzAllowed"] == [60, 30, 20]
    assert "frame_hz" in ana.welcome["features"]
    assert (await cleo.command("frames:set", frameHz=20))["type"] == "ack"
    assert (await cleo.command("frames:set", frameHz=25))["code"] == "BAD_VALUE"

    room = (await ana.command("room:create", game="pong", options={"duration_s": 2}))["roomId"]
    await ben.command("room:join", roomId=room)
    await cleo.command("room:join", roomId=room, role="spectator")
    for player in (ana, ben):
        await player.command("room:ready", roomId=room)
    for client in (ana, ben, cleo):
        await client.expect("game:over", roomId=room)

    shown = states(ana)
    assert shown[-1]["tick"] >= 120
    # Fewer than all where ticks were caught up.
    assert len(states(ben)) < 0.65 * len(shown)
    assert len(states(cleo)) < 0.5 * len(shown)
    served = {
        after["tick"]
        for before, after in pairwise(shown)
        if ("ballX" in before["state"]) != ("ballX" in after["state"])
        or scores(before) != scores(after)
    }
    assert len(served) >= 2
    for client in (ben, cleo):
        assert ticks(client) <= ticks(ana)
        assert {0, shown[-1]["tick"]} | served <= ticks(client)
        assert len(of_type(client.received, "game:timer")) == len(
            of_type(ana.received, "game:timer")
        )
    by_tick = {state["tick"]: state["state"] for state in shown}
    assert all(state["state"] == by_tick[state["tick"]] for state in states(cleo))


async def test_a_rate_is_read_from_the_url_of_each_connection(start_service: StartService) -> None:
    service = start_service()
    for requested in ("25", "fast", ""):
        ana = await at_rate(service, 1, requested)
        assert ana.welcome["frameHz"] == 60
        await ana.expect("error", code="BAD_VALUE")
        types = [one["type"] for one in ana.received]
        assert types.index("greeted") < types.index("error")
    ana = await at_rate(service, 1, f"20&since={ana.cursor}&epoch={ana.welcome['epoch']}")
    await ana.expect("resumed")
    assert ana.welcome["frameHz"] == 20
    classic = await service.connect(
        path="/?frameHz=25",
        subprotocols=subprotocols("ws-service.classic", f"bearer.{token(2, 'Ben')}"),
    )
    assert of_type(await classic.sync(), "error") == []
