"""Live matches of several nodes: each runs on the owner of its room, and goes on when that is lost.

The nodes follow one log in memory; a node that dies stops following it.
"""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from service.domain.commands.hosting import CreateRoom, RoomPlan
from service.domain.commands.matchmaking import JoinQueue
from service.domain.commands.moves import Move
from service.domain.commands.nodes import DrainNode
from service.domain.commands.presence import CloseSocket, OpenSocket
from service.domain.commands.seats import SetReady, TakeSeat
from service.domain.events.matches import (
    MatchCheckpoint,
    MatchEnded,
    MatchInput,
    MatchPaused,
    MatchResumed,
    MatchRewound,
    MatchStarted,
)
from service.domain.events.nodes import NodeStarted
from service.domain.events.rooms import RoomCreated, RoomMoved
from service.errors import Unavailable
from service.games.catalogue import GAMES, Catalogue
from service.games.pong import KeysHeld
from service.runtime import ownership
from tests.integration.node_parts import CLIENT, Cluster

ANA, BEN = 1, 2
MATCH = "room-1"
PATIENCE_S = 10
DOWN = {"direction": "w", "action": "down"}
START_DELAY_TICKS = 61

GAMES_OF_BOTH_KINDS = pytest.mark.parametrize("game", ["pong", "connect_four"])


async def test_a_match_runs_on_the_owner_of_its_room_alone() -> None:
    cluster = Cluster("n1", "n2", "n3")
    one, two, three = await cluster.started()
    await cluster.play("pong", (ANA, two), (BEN, three), on=two)
    assert cluster.events(RoomCreated)[0].owner == two.owner
    assert (one.live(), two.live(), three.live()) == ([], [MATCH], [])
    await cluster.tick(START_DELAY_TICKS + 10)
    run, tick = two.shown.frames[-1]
    assert (run, 8 < tick < 14) == (0, True)


async def test_a_node_that_joins_pauses_nobody() -> None:
    cluster = Cluster("n1")
    (one,) = await cluster.started()
    await cluster.play("pong", (ANA, one), (BEN, one), on=one)
    two = await cluster.start("n2")
    assert (one.live(), two.live()) == ([MATCH], [])
    assert cluster.events(MatchPaused) == []
    assert [event.alone for event in cluster.events(NodeStarted)] == [True, False]


@GAMES_OF_BOTH_KINDS
async def test_a_match_whose_players_are_on_living_nodes_goes_on_at_once(game: str) -> None:
    cluster = Cluster("n1", "n2", "n3")
    one, two, three = await cluster.started()
    await cluster.play(game, (ANA, two), (BEN, three), on=one)
    await cluster.tick(START_DELAY_TICKS + 90)
    await cluster.settle()
    shown = one.shown.frames[-1]
    await cluster.kill(one, by=two)
    (resumed,) = cluster.events(MatchResumed)
    assert resumed.run == 1
    assert cluster.events(MatchPaused) == []
    (heir,) = (node for node in (two, three) if node.live())
    assert heir.owner == heir.world.nodes.owner_of("room")
    # It is shown before the start delay is over: no earlier run comes after it.
    assert heir.shown.frames == [(1, resumed.tick)]
    if game == "pong":
        (rewound,) = cluster.events(MatchRewound)
        assert 0 < rewound.tick == resumed.tick <= shown[1]
        await cluster.tick(START_DELAY_TICKS + 3)
        run, tick = heir.shown.frames[-1]
        assert (run, 0 < tick - resumed.tick < 7) == (1, True)


@GAMES_OF_BOTH_KINDS
async def test_a_match_is_paused_when_a_player_was_on_the_lost_node(game: str) -> None:
    cluster = Cluster("n1", "n2", "n3")
    one, two, three = await cluster.started()
    await cluster.play(game, (ANA, one), (BEN, two), on=one)
    await cluster.kill(one, by=two)
    assert len(cluster.events(MatchPaused)) == 1
    seats = two.world.rooms.rooms["room"].seats
    assert [(seat.away_since is None, seat.excused) for seat in seats] == [
        (False, True),
        (True, False),
    ]
    (heir,) = (node for node in (two, three) if node.live())
    await cluster.do(three, OpenSocket(ANA, "n3.1.77"))
    await cluster.do(heir, TakeSeat(ANA, "n3.1.77", "room"))
    (resumed,) = cluster.events(MatchResumed)
    # The time until the player was back is not the player's.
    assert resumed.spent_ms == [0, 0]


async def test_the_owner_pauses_a_match_whose_player_was_on_a_lost_node() -> None:
    cluster = Cluster("n1", "n2")
    one, two = await cluster.started()
    await cluster.play("pong", (ANA, one), (BEN, two), on=one)
    await cluster.kill(two, by=one)
    assert len(cluster.events(MatchPaused)) == 1
    assert cluster.events(MatchRewound) == []
    assert one.live() == [MATCH]


async def test_the_owner_does_not_pause_for_a_player_with_another_socket() -> None:
    cluster = Cluster("n1", "n2")
    one, two = await cluster.started()
    _, sockets = await cluster.play("pong", (ANA, one), (BEN, two), on=one)
    await cluster.do(one, OpenSocket(BEN, "n1.1.77"), TakeSeat(BEN, "n1.1.77", "room"))
    await cluster.tick(START_DELAY_TICKS + 5)
    await cluster.do(one, Move(BEN, sockets[BEN], "room", DOWN))
    await cluster.kill(two, by=one)
    assert cluster.events(MatchPaused) == []
    # The keys that the lost socket held are released.
    pressed, released = cluster.events(MatchInput)
    assert (pressed.held, released.held) == ({sockets[BEN]: ["up"]}, {})
    assert released.socket is None


async def test_a_match_that_goes_on_elsewhere_releases_the_keys_of_lost_sockets() -> None:
    cluster = Cluster("n1", "n2", "n3")
    one, two, three = await cluster.started()
    _, sockets = await cluster.play("pong", (ANA, one), (BEN, two), on=one)
    await cluster.do(three, OpenSocket(ANA, "n3.1.77"))
    await cluster.do(one, TakeSeat(ANA, "n3.1.77", "room"))
    await cluster.tick(START_DELAY_TICKS + 5)
    await cluster.do(one, Move(ANA, sockets[ANA], "room", DOWN))
    await cluster.kill(one, by=two)
    _, released = cluster.events(MatchInput)
    assert bytes(released.input) == msgspec.json.encode(KeysHeld(0, up=False, down=False))
    assert len(cluster.events(MatchResumed)) == 1


@GAMES_OF_BOTH_KINDS
async def test_the_owner_decides_what_the_end_of_a_socket_elsewhere_means(game: str) -> None:
    cluster = Cluster("n1", "n2")
    one, two = await cluster.started()
    _, sockets = await cluster.play(game, (ANA, one), (BEN, two), on=one)
    await cluster.do(two, CloseSocket(BEN, sockets[BEN], 1006))
    assert len(cluster.events(MatchPaused)) == 1
    # Once, also when the owner's own node has closed it.
    await cluster.do(one, CloseSocket(ANA, sockets[ANA], 1006))
    assert len(cluster.events(MatchPaused)) == 2


async def test_the_owner_releases_the_keys_of_a_socket_that_was_closed_elsewhere() -> None:
    cluster = Cluster("n1", "n2")
    one, two = await cluster.started()
    _, sockets = await cluster.play("pong", (ANA, one), (BEN, two), on=one)
    await cluster.do(two, OpenSocket(BEN, "n2.1.77"))
    await cluster.do(one, TakeSeat(BEN, "n2.1.77", "room"))
    await cluster.tick(START_DELAY_TICKS + 5)
    await cluster.do(one, Move(BEN, sockets[BEN], "room", DOWN))
    await cluster.do(two, CloseSocket(BEN, sockets[BEN], 1006))
    assert [event.held for event in cluster.events(MatchInput)] == [{sockets[BEN]: ["up"]}, {}]
    assert cluster.events(MatchPaused) == []


async def test_commands_on_a_room_wait_until_its_match_is_taken_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also while the database can't be read: then it is tried again."""
    monkeypatch.setattr(ownership, "LOG_RETRY_S", 0.01)
    cluster = Cluster("n1", "n2")
    one, two = await cluster.started()
    await cluster.play("pong", (ANA, one), (BEN, two), on=one)
    two.unreadable = 2
    await cluster.kill(one, by=two)
    assert cluster.events(MatchPaused) == []
    answers: list[object] = []
    two.engine.dispatch(OpenSocket(ANA, "n2.1.77"), CLIENT, answers.append)
    await cluster.settle()
    two.engine.dispatch(TakeSeat(ANA, "n2.1.77", "room"), CLIENT, answers.append)
    await cluster.settle()
    assert len(answers) == 1
    async with asyncio.timeout(PATIENCE_S):
        while len(answers) == 1:
            await asyncio.sleep(0.01)
            await cluster.settle()
    assert two.live() == [MATCH]
    # All are here, so it goes on at once.
    assert len(cluster.events(MatchResumed)) == 1
    assert cluster.events(MatchPaused) == []


# Handover


async def test_a_match_that_is_handed_over_goes_on_without_an_event_and_without_a_delay() -> None:
    cluster = Cluster("n1", "n2")
    one, two = await cluster.started()
    await cluster.play("pong", (ANA, one), (BEN, two), on=one)
    await cluster.tick(START_DELAY_TICKS + 37)
    await cluster.settle()
    last = one.shown.frames[-1]
    assert await cluster.hand_over("room", one, two)
    assert (one.live(), two.live()) == ([], [MATCH])
    await cluster.tick(5)
    assert one.shown.frames[-1] == last
    await cluster.tick(2)
    run, tick = two.shown.frames[0]
    assert (run, 0 < tick - last[1] <= 2) == (0, True)
    assert cluster.events(MatchPaused, MatchResumed, MatchRewound) == []
    assert cluster.events(MatchCheckpoint)[-1].tick == last[1]
    assert cluster.events(RoomMoved)[-1].owner == two.owner


async def test_a_turn_goes_on_with_what_was_left_of_it() -> None:
    cluster = Cluster("n1", "n2")
    one, two = await cluster.started()
    _, sockets = await cluster.play("connect_four", (ANA, one), (BEN, two), on=one, turn_s=20)
    cluster.time.now += 7
    assert await cluster.hand_over("room", one, two)
    (live,) = two.matches
    assert live.clock.turn_left_ms(cluster.time.now) == 13_000
    for user, socket in sockets.items():
        await cluster.do(two, Move(user, socket, "room", {"column": 3}))
    # The first move was of either of them, and then it was the turn of the other one.
    assert len(cluster.events(MatchInput)) in {1, 2}


async def test_a_paused_match_stays_paused_when_it_is_handed_over() -> None:
    cluster = Cluster("n1", "n2")
    one, two = await cluster.started()
    _, sockets = await cluster.play("pong", (ANA, one), (BEN, two), on=one)
    await cluster.do(two, CloseSocket(BEN, sockets[BEN], 1006))
    assert await cluster.hand_over("room", one, two)
    cluster.time.now += 3
    await cluster.tick(30)
    assert two.shown.frames == []
    await cluster.do(two, OpenSocket(BEN, "n2.1.77"), TakeSeat(BEN, "n2.1.77", "room"))
    (resumed,) = cluster.events(MatchResumed)
    # The new owner has measured the absence, from when it took over; the delay comes to it.
    assert resumed.spent_ms[1] == pytest.approx(4500, abs=100)


async def test_a_match_goes_on_here_when_it_cannot_be_handed_over() -> None:
    cluster = Cluster("n1", "n2")
    one, two = await cluster.started()
    await cluster.play("pong", (ANA, one), (BEN, two), on=one)
    await cluster.tick(START_DELAY_TICKS + 5)
    await cluster.kill(two, by=one)
    await cluster.do(one, OpenSocket(BEN, "n1.1.77"), TakeSeat(BEN, "n1.1.77", "room"))
    await cluster.tick(START_DELAY_TICKS + 5)
    before = one.shown.frames[-1]
    assert not await cluster.hand_over("room", one, two)
    await cluster.tick(4)
    assert one.live() == [MATCH]
    assert one.shown.frames[-1][1] >= before[1] + 3


async def test_a_room_without_a_match_is_handed_over() -> None:
    cluster = Cluster("n1", "n2")
    one, two = await cluster.started()
    socket = await cluster.open(ANA, one)

    await cluster.do(one, CreateRoom(ANA, socket, "room", RoomPlan(game="pong")))
    assert await cluster.hand_over("room", one, two)
    assert one.world.nodes.owner_of("room") == two.world.nodes.owner_of("room") == two.owner


async def test_an_input_of_the_earlier_owner_is_refused_after_the_move() -> None:
    cluster = Cluster("n1", "n2")
    one, two = await cluster.started()
    await cluster.play("pong", (ANA, one), (BEN, two), on=one)
    await cluster.tick(START_DELAY_TICKS + 5)
    await cluster.hand_over("room", one, two)
    (refused,) = await cluster.do(one, Move(ANA, "n1.1.1", "room", DOWN))
    assert isinstance(refused, Unavailable)
    await cluster.do(two, Move(ANA, "n1.1.1", "room", DOWN))
    assert len(cluster.events(MatchInput)) == 1


async def test_a_node_that_drains_hands_all_its_rooms_over() -> None:
    cluster = Cluster("n1", "n2", "n3")
    one, two, three = await cluster.started()
    await cluster.play("pong", (ANA, one), (BEN, two), on=one)
    sockets = [await cluster.open(user, one) for user in range(10, 30)]
    for user, socket in enumerate(sockets, start=10):
        await cluster.do(one, CreateRoom(user, socket, f"room{user}", RoomPlan(game="pong")))
    await cluster.do(one, DrainNode("n1", 1))
    draining = asyncio.create_task(one.ownership.hand_over_all())
    while not draining.done():
        await cluster.settle()
    assert await draining == 0
    assert set(two.world.nodes.owners.values()) == {two.owner, three.owner}
    assert one.live() == []
    assert [*two.live(), *three.live()] == [MATCH]
    assert cluster.events(MatchPaused) == []


async def test_the_last_node_keeps_its_rooms_while_it_drains() -> None:
    cluster = Cluster("n1")
    (one,) = await cluster.started()
    await cluster.play("pong", (ANA, one), (BEN, one), on=one)
    await cluster.do(one, DrainNode("n1", 1))
    assert await one.ownership.hand_over_all() == 1
    assert one.live() == [MATCH]


# Rules


async def test_a_match_whose_rules_nobody_runs_is_void() -> None:
    cluster = Cluster("n1")
    (one,) = await cluster.started()
    without = Catalogue([game for game in GAMES.values() if game.name != "pong"])
    two = await cluster.start("n2", without)
    await cluster.play("pong", (ANA, one), (BEN, two), on=one)
    await cluster.kill(one, by=two)
    (ended,) = cluster.events(MatchEnded)
    assert ended.reason == "void"
    assert two.live() == []


async def test_a_match_is_inherited_by_a_node_that_runs_its_rules() -> None:
    cluster = Cluster("n1", "n2")
    one, two = await cluster.started()
    without = Catalogue([game for game in GAMES.values() if game.name != "pong"])
    others = [await cluster.start(f"m{number}", without) for number in range(5)]
    await cluster.play("pong", (ANA, one), (BEN, others[0]), on=one)
    assert len(cluster.events(MatchStarted)) == 1
    await cluster.kill(one, by=two)
    assert two.live() == [MATCH]
    assert cluster.events(MatchEnded) == []


async def test_a_match_that_was_begun_by_rules_of_another_node_is_handed_to_it() -> None:
    """As in a rolling deploy, where the owner is older than the node that began a rematch."""
    without = Catalogue([game for game in GAMES.values() if game.name != "pong"])
    cluster = Cluster()
    one = await cluster.start("n1", without)
    two = await cluster.start("n2")
    await cluster.play("pong", (ANA, two), (BEN, two), on=two, begins=False)
    assert await cluster.hand_over("room", two, one)
    for user in (ANA, BEN):
        await cluster.do(two, SetReady(user, "room", ready=True))
    assert len(cluster.events(MatchStarted)) == 1
    assert (one.live(), two.live()) == ([], [MATCH])
    assert cluster.events(MatchEnded) == []


async def test_a_room_is_made_where_its_game_runs_also_for_a_player_at_another_node() -> None:
    without = Catalogue([game for game in GAMES.values() if game.name != "pong"])
    cluster = Cluster()
    one = await cluster.start("n1", without)
    two = await cluster.start("n2")
    await cluster.open(ANA, two)
    await cluster.open(BEN, two)
    await cluster.do(two, JoinQueue(ANA, "pong"))
    # Rooms are made near the newest socket of their first player.
    await cluster.open(ANA, one)
    await cluster.do(two, JoinQueue(BEN, "pong"))
    (made,) = cluster.events(RoomCreated)
    assert made.owner == two.owner
