"""A state that is lost between nodes is asked for, where no other one follows by itself."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec

from service.cluster.envelopes import Repeat, Show
from service.cluster.missed import PATIENCE_S, PAUSE_MAX_S
from service.domain.commands.hosting import JoinRoom
from service.domain.commands.moves import Move
from service.domain.commands.presence import CloseSocket
from service.domain.commands.seats import SetReady
from service.fanout.audience import Delivery, InRoom, Sockets
from service.protocol import v1
from tests.integration.test_frames_of_a_cluster import ANA, BEN, CLEO, Pair, Site


async def begun(*names: str, **options: Any) -> Pair:
    """Begin a match of connect four, whose first state is shown on all nodes."""
    pair = await Pair.begun(*(names or ("n1", "n2")), game="connect_four", **options)
    pair.one.state(0)
    await pair.carry()
    return pair


async def move(pair: Pair) -> None:
    """Let the player whose turn it is move, which the owner of the room decides."""
    node, live = next(
        (site.node, live)
        for site in pair.sites
        for live in [site.node.matches.get("room-1")]
        if live is not None
    )
    user: Any = live.room.seats[live.run.state.turn].user
    command = Move(user, pair.sockets[user], "room", {"column": 3})
    (result,) = await pair.cluster.do(node, command)
    assert not isinstance(result, Exception), result


async def asked(pair: Pair, site: Site, after_s: float = PATIENCE_S) -> list[Any]:
    """Return what a node asks for when so much time has passed."""
    pair.cluster.time.now += after_s
    site.receiver.missed.check()
    return [part for _, envelope in await pair.carry() for part in envelope.parts]


async def test_a_state_that_is_lost_is_asked_for_and_comes_again() -> None:
    pair = await begun()
    await move(pair)
    pair.one.state(1)
    assert len(await pair.sent()) == 1
    # It was lost.
    assert await asked(pair, pair.two, PATIENCE_S / 2) == []
    assert await asked(pair, pair.two, PATIENCE_S / 2) == [Repeat("room", 1)]
    assert pair.one.repeated == [1]
    pair.one.state(1, audience=InRoom("room", spectators=False, seat=1))
    await pair.carry()
    assert pair.two.local.ticks == [0, 1]
    assert await asked(pair, pair.two, 100) == []


async def test_a_state_that_comes_is_not_asked_for() -> None:
    pair = await begun()
    await move(pair)
    pair.one.state(1)
    await pair.carry()
    await move(pair)
    pair.one.state(2)
    await pair.carry()
    assert await asked(pair, pair.two, 100) == []


async def test_the_first_state_of_a_match_is_asked_for() -> None:
    pair = await Pair.begun("n1", "n2", game="connect_four", begins=False)
    for user in (ANA, BEN):
        await pair.cluster.do(pair.one.node, SetReady(user, "room", ready=True))
    assert await asked(pair, pair.two) == [Repeat("room", 1)]


async def test_an_older_state_does_not_take_the_place_of_the_one_that_is_lost() -> None:
    pair = await begun()
    await move(pair)
    pair.one.state(0)
    await pair.carry()
    assert await asked(pair, pair.two) == [Repeat("room", 1)]


async def test_a_lost_state_is_asked_for_more_and_more_rarely() -> None:
    pair = await begun()
    await move(pair)
    steps = range(int(40 / PATIENCE_S))
    times = [step * PATIENCE_S for step in steps if await asked(pair, pair.two)]
    pauses = [after - before for before, after in pairwise(times)]
    assert pauses[:5] == [PATIENCE_S, 2 * PATIENCE_S, 4 * PATIENCE_S, 8 * PATIENCE_S, PAUSE_MAX_S]


async def test_nothing_is_asked_for_while_nothing_can_be_sent() -> None:
    pair = await begun()
    await move(pair)
    pair.two.link.bus.is_connected = False
    assert await asked(pair, pair.two) == []
    pair.two.link.bus.is_connected = True
    pair.two.link.suspended = True
    assert await asked(pair, pair.two) == []
    pair.two.link.suspended = False
    assert await asked(pair, pair.two, 0) == [Repeat("room", 1)]


async def test_the_owner_by_then_is_asked() -> None:
    pair = await begun("n1", "n2", "n3")
    await move(pair)
    assert await pair.cluster.hand_over("room", pair.one.node, pair.sites[2].node)
    assert await asked(pair, pair.two) == [Repeat("room", 1)]
    assert (pair.one.repeated, pair.sites[2].repeated) == ([], [1])


async def test_a_node_that_has_taken_the_match_over_shows_its_own_sockets_what_they_missed() -> (
    None
):
    pair = await begun()
    other_tab = await pair.cluster.open(BEN, pair.two.node)
    await pair.cluster.do(pair.one.node, JoinRoom(BEN, other_tab, "room", "player", None, None))
    await move(pair)
    assert await pair.cluster.hand_over("room", pair.one.node, pair.two.node)
    live = pair.two.node.matches.get("room-1")
    assert live is not None
    pair.two.node.matches.remove("room-1")
    # It has to be read from the log first.
    assert await asked(pair, pair.two) == []
    pair.two.node.matches.add(live)
    assert await asked(pair, pair.two, 2 * PATIENCE_S) == []
    assert pair.two.repeated == [1, 1]
    assert pair.two.shown == 2 * [("room", 1, other_tab)]
    assert await asked(pair, pair.two, 100) == []
    assert len(pair.two.repeated) == len(pair.two.shown) == 2


async def test_only_for_sockets_that_are_there_a_state_is_asked_for() -> None:
    pair = await begun("n1", "n2", "n3")
    await move(pair)
    await pair.cluster.do(pair.two.node, CloseSocket(BEN, pair.sockets[BEN], 1006))
    assert await asked(pair, pair.two) == []
    assert await asked(pair, pair.sites[2]) == []


async def test_spectators_are_asked_for_apart() -> None:
    pair = await begun()
    cleo = await pair.cluster.open(CLEO, pair.two.node)
    await pair.cluster.do(pair.one.node, JoinRoom(CLEO, cleo, "room", "spectator", None, None))
    pair.two.receiver.missed.match_shown([cleo])
    await move(pair)
    pair.one.state(1, audience=InRoom("room", spectators=False))
    await pair.carry()
    assert await asked(pair, pair.two) == [Repeat("room", None)]
    pair.one.state(1, audience=InRoom("room", players=False), delay_s=3.0)
    await pair.carry()
    assert await asked(pair, pair.two, 100) == []


async def test_nothing_is_asked_for_in_a_match_with_ticks() -> None:
    pair = await Pair.begun("n1", "n2")
    assert await asked(pair, pair.two, 100) == []


async def test_who_is_shown_nothing_of_a_move_is_not_asked_for() -> None:
    pair = await begun()
    match = pair.two.node.world.matches.live["room-1"]
    await move(pair)
    pair.one.state(1)
    await pair.carry()
    (recorded,) = [one for one in pair.cluster.recorded("room-1") if one.type == "match.input"]
    nothing = {"1": msgspec.Raw(b"null")}
    hidden = msgspec.structs.replace(recorded, tick=1, shown=nothing)
    pair.two.receiver.missed.observe(hidden, 99)
    assert await asked(pair, pair.two, 100) == []
    # Of the next one they are: for them it is the first after that of tick 1.
    match.hidden["1"] = 1
    pair.two.receiver.missed.observe(msgspec.structs.replace(recorded, tick=2), 100)
    assert await asked(pair, pair.two) == [Repeat("room", 1)]
    pair.one.state(2, audience=InRoom("room", spectators=False, seat=1))
    await pair.carry()
    assert await asked(pair, pair.two, 100) == []


async def test_a_socket_that_joins_a_live_match_is_shown_it_in_the_end() -> None:
    pair = await begun()
    other_tab = await pair.cluster.open(BEN, pair.two.node)
    await pair.cluster.do(pair.one.node, JoinRoom(BEN, other_tab, "room", "player", None, None))
    assert await asked(pair, pair.two) == [Show("room", BEN, other_tab)]
    assert pair.one.shown == [("room", 1, other_tab)]
    shown = v1.GameStart("room", "room-1", "connect_four", None, 1, [])
    pair.one.sender.publish(Delivery(Sockets((other_tab,)), v1=shown))
    await pair.carry()
    assert await asked(pair, pair.two, 100) == []
    # Nor is one that has gone, or of another node.
    third_tab = await pair.cluster.open(BEN, pair.two.node)
    await pair.cluster.do(pair.one.node, JoinRoom(BEN, third_tab, "room", "player", None, None))
    await pair.cluster.do(pair.two.node, CloseSocket(BEN, third_tab, 1006))
    elsewhere = await pair.cluster.open(ANA, pair.one.node)
    await pair.cluster.do(pair.one.node, JoinRoom(ANA, elsewhere, "room", "player", None, None))
    assert await asked(pair, pair.two, 100) == []
    assert await asked(pair, pair.one, 100) == []
