"""Commands are carried out where they are decided, once, whatever the bus loses."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cluster import routing
from service.cluster.requests import Answer, Request
from service.cluster.routing import NotReached, OutcomeUnknown
from service.domain.commands.base import Command
from service.domain.commands.hosting import CreateRoom, JoinRoom, RoomPlan
from service.domain.commands.matchmaking import JoinQueue
from service.domain.commands.moves import Move
from service.domain.commands.nodes import LoseNode
from service.domain.commands.seats import LeaveRoom, SetReady, TakeSeat
from service.domain.errors import NotInRoom, RoomNotFound, WrongPassword
from service.domain.events.matches import MatchEnded, MatchInput
from service.domain.events.matchmaking import SearchStarted
from service.domain.events.rooms import PlayerReadied, SeatTaken
from service.errors import Unavailable
from service.eventstore.records import Origin
from service.games.connect_four import NotYourTurn
from service.runtime.pending import Executed
from tests.effort import effort
from tests.integration.node_parts import Cluster, Node
from tests.integration.routing_parts import Routes, error_of

ANA, BEN = 1, 2


async def begun(game: str, *names: str) -> tuple[Cluster, list[Node], Routes, dict[int, str]]:
    """Begin a match of Ana on the second node and Ben on the last one; the first one runs it."""
    cluster = Cluster(*names)
    nodes = await cluster.started()
    _, sockets = await cluster.play(game, (ANA, nodes[1]), (BEN, nodes[-1]), on=nodes[0])
    return cluster, nodes, Routes(cluster, nodes), sockets


def of(user: int, id_: str | None = None) -> Origin:
    """Return the origin of a command of a user."""
    return Origin(f"lane-{user}", user, id_)


async def test_a_move_is_carried_out_by_the_owner_and_answered_when_its_event_is_folded() -> None:
    cluster, (one, two), routes, sockets = await begun("relay", "n1", "n2")
    result = await routes.do(two, Move(ANA, sockets[ANA], "room", {"n": 1}), of(ANA, "id"))
    assert isinstance(result, Executed)
    assert result.is_elsewhere
    (moved,) = cluster.events(MatchInput)
    assert result.result.room == "room"
    assert two.world.position >= result.result.position == len(cluster.shared.rows)
    # The same as the owner tells a client of its own.
    again = await routes.do(one, Move(ANA, sockets[ANA], "room", {"n": 1}), of(ANA, "id"))
    assert isinstance(again, Executed)
    assert again.result == result.result
    assert moved.socket == sockets[ANA]


async def test_a_refusal_of_the_owner_has_its_code_and_its_text() -> None:
    _, (one, two, _three), routes, sockets = await begun("connect_four", "n1", "n2", "n3")
    move = Move(ANA, sockets[ANA], "room", {"column": 0})
    # Whoever begins, the second one is not theirs to make.
    await routes.do(two, move, of(ANA))
    refused = error_of(await routes.do(two, move, of(ANA)))
    assert (refused.code, refused.message) == (NotYourTurn.code, NotYourTurn().message)
    assert one.live() == ["room-1"]


async def test_a_room_that_this_node_has_not_folded_is_found_and_joined() -> None:
    cluster = Cluster("n1", "n2")
    one, two = await cluster.started()
    routes = Routes(cluster, [one, two])
    ana, ben = await cluster.open(ANA, one), await cluster.open(BEN, two)
    await cluster.do(one, CreateRoom(ANA, ana, "room", RoomPlan(game="relay")))
    results: list[Any] = []
    # Two has not folded the second one.
    one.engine.dispatch(LeaveRoom(ANA, "room"), of(ANA), results.append)
    one.engine.dispatch(CreateRoom(ANA, ana, "new", RoomPlan(game="relay")), of(ANA), print)
    one.log.commit()
    await asyncio.sleep(0)
    one.log.commit()
    assert "new" not in two.world.rooms.rooms
    joined = await routes.do(two, JoinRoom(BEN, ben, "new", "player", None, None), of(BEN))
    assert isinstance(joined, Executed)
    assert cluster.events(SeatTaken)[-1].user == BEN
    missing = await routes.do(two, TakeSeat(BEN, ben, "nowhere"), of(BEN))
    assert isinstance(missing, RoomNotFound)


async def test_a_password_is_refused_by_the_error_that_the_edge_tries_again_after() -> None:
    cluster = Cluster("n1", "n2")
    one, two = await cluster.started()
    routes = Routes(cluster, [one, two])
    ana, ben = await cluster.open(ANA, one), await cluster.open(BEN, two)
    plan = RoomPlan(game="relay", password="hashed")
    await cluster.do(one, CreateRoom(ANA, ana, "room", plan))
    join = JoinRoom(BEN, ben, "room", "player", "another", None)
    assert isinstance(await routes.do(two, join, of(BEN)), WrongPassword)
    right = msgspec.structs.replace(join, verified_password="hashed")
    assert isinstance(await routes.do(two, right, of(BEN)), Executed)


async def test_queues_are_joined_at_their_home_and_here_when_that_cannot_be_reached() -> None:
    cluster = Cluster("n1", "n2")
    nodes = await cluster.started()
    routes = Routes(cluster, nodes)
    home = nodes[0].world.nodes.home("queue:pong")
    (other,) = (node for node in nodes if node.owner != home)
    await cluster.open(ANA, other)
    asked: list[bytes] = []
    (subject,) = (one for one in routes.net.handlers if one.endswith(f"node.{home and home.node}"))
    serve = routes.net.handlers[subject]

    def note(data: bytes, reply: Callable[[bytes], None]) -> None:
        asked.append(data)
        serve(data, reply)

    routes.net.handlers[subject] = note
    assert isinstance(await routes.do(other, JoinQueue(ANA, "pong"), of(ANA)), Executed)
    assert len(asked) == 1
    routes.links[other.owner.node].bus.is_connected = False
    await cluster.open(BEN, other)
    assert isinstance(await routes.do(other, JoinQueue(BEN, "relay"), of(BEN)), Executed)
    assert len(cluster.events(SearchStarted)) == 2


async def test_a_command_waits_for_a_takeover_no_longer_than_for_another_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log may not be readable for long, and whoever asks wants an answer."""
    _, (one, *_), routes, sockets = await begun("relay", "n1", "n2")
    one.matches.expect("room")
    monkeypatch.setattr(routing, "PATIENCE_S", 0.01)
    answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    move = Move(ANA, sockets[ANA], "room", {"n": 1})
    routes.dispatch(one, move, answered.set_result, of(ANA, "id"))
    async with asyncio.timeout(5):
        assert isinstance(await answered, routing.NotTakenOver)
    one.matches.expect_no_longer("room")
    assert isinstance(await routes.do(one, move, of(ANA, "id")), Executed)


async def test_without_the_bus_commands_for_rooms_of_others_are_unavailable() -> None:
    _, (_, two), routes, sockets = await begun("relay", "n1", "n2")
    routes.links["n2"].bus.is_connected = False
    refused = await routes.do(two, Move(ANA, sockets[ANA], "room", {"n": 1}), of(ANA))
    assert isinstance(refused, NotReached)
    assert refused.retry_after_ms


async def test_a_command_that_timed_out_is_sent_again_with_its_id_and_carried_out_once() -> None:
    cluster = Cluster("n1", "n2")
    one, two = await cluster.started()
    routes = Routes(cluster, [one, two])
    ana, ben = await cluster.open(ANA, one), await cluster.open(BEN, two)
    await cluster.do(one, CreateRoom(ANA, ana, "room", RoomPlan(game="relay")))
    await cluster.do(one, JoinRoom(BEN, ben, "room", "player", None, None))
    results: list[Any] = []
    routes.dispatch(two, SetReady(BEN, "room", ready=True), results.append, of(BEN))
    await routes.turn()
    routes.net.carry(routes.net.requests.pop())
    await cluster.settle()
    # It was carried out, and the answer is lost.
    routes.net.answers.clear()
    assert results == []
    routes.net.give_up(0)
    await routes.until(lambda: bool(results))
    assert isinstance(results[0], Executed)
    assert len(cluster.events(PlayerReadied)) == 1


async def test_of_moves_without_an_id_only_held_keys_are_sent_again() -> None:
    cluster, (_, two), routes, sockets = await begun("relay", "n1", "n2")
    results: list[Any] = []
    routes.dispatch(two, Move(ANA, sockets[ANA], "room", {"n": 1}), results.append, of(ANA))
    await routes.turn()
    routes.net.give_up(0)
    await routes.turn()
    assert isinstance(results[0], OutcomeUnknown)
    assert cluster.events(MatchInput) == []


async def test_a_key_is_not_pressed_by_a_request_that_comes_after_a_later_one() -> None:
    cluster, (_, two), routes, sockets = await begun("pong", "n1", "n2")
    await cluster.tick(70)
    results: list[Any] = []
    down, up = ({"direction": "w", "action": action} for action in ("down", "up"))
    routes.dispatch(two, Move(ANA, sockets[ANA], "room", down), results.append, of(ANA))
    await routes.turn()
    delayed = routes.net.requests.pop()
    routes.net.give_up(0)
    await routes.turn()
    # It is sent again, since keys may be pressed twice.
    await routes.until(lambda: bool(results))
    assert isinstance(results[0], Executed)
    assert isinstance(await routes.do(two, Move(ANA, sockets[ANA], "room", up), of(ANA)), Executed)
    routes.net.carry(delayed)
    await cluster.settle()
    assert [event.held for event in cluster.events(MatchInput)] == [{sockets[ANA]: ["up"]}, {}]
    assert routes.net.answers == []


@pytest.mark.parametrize(
    "request_",
    [
        b"\xc1",
        msgspec.msgpack.encode(
            Request("Fly", msgspec.Raw(b"\x80"), 0, "lane", 1, "c", ANA, None, None)
        ),
        msgspec.msgpack.encode(
            Request("SetReady", msgspec.Raw(b"\x80"), 0, "lane", 1, "c", ANA, None, None)
        ),
    ],
)
async def test_what_another_version_asks_for_is_refused_as_unavailable(request_: bytes) -> None:
    _, _, routes, _ = await begun("relay", "n1", "n2")
    answers: list[bytes] = []
    routes.net.handlers["ws.test.node.n1"](request_, answers.append)
    answer = msgspec.msgpack.decode(answers[0], type=Answer)
    assert (answer.kind, answer.code) == ("refused", Unavailable.code)


async def test_a_request_waits_for_what_the_asking_node_has_folded() -> None:
    cluster, (one, two), routes, _ = await begun("relay", "n1", "n2")
    third = await cluster.open(ANA, two)
    results: list[Any] = []
    two.engine.dispatch(TakeSeat(ANA, third, "room"), of(ANA), print)
    two.log.commit()
    await asyncio.sleep(0)
    assert two.world.position > one.world.position
    routes.dispatch(two, Move(ANA, third, "room", {"n": 1}), results.append, of(ANA))
    await routes.turn()
    routes.net.deliver_all()
    await routes.turn()
    assert not routes.net.answers
    await routes.until(lambda: bool(results))
    assert cluster.events(MatchInput)[0].socket == third


# Any interleaving

Step = tuple[str, int]

KINDS = [
    *["commit", "deliver"] * 3,
    *["send", "send", "request", "request", "again", "answer", "answer", "lose"],
    *["give up", "hand over", "no id", "kill"],
]

steps = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5)), min_size=5, max_size=60)


class Player:
    """A client: each of its commands is sent after the answer to the one before."""

    def __init__(self, user: int, node: Node, socket: str, routes: Routes) -> None:
        self.user, self.node, self.socket, self.routes = user, node, socket, routes
        self.waiting: deque[tuple[Command, Origin]] = deque()
        self.numbers: list[int] = []
        self.results: list[Executed | Exception] = []
        self.is_busy = False

    def send(self, number: int, id_: str | None) -> None:
        """Send a move that is known by its number."""
        self.numbers.append(number)
        move = Move(self.user, self.socket, "room", {"n": number})
        self.waiting.append((move, of(self.user, id_)))
        self._next()

    def _next(self) -> None:
        if self.waiting and not self.is_busy:
            self.is_busy = True
            command, origin = self.waiting.popleft()
            self.routes.dispatch(self.node, command, self._answered, origin)

    def _answered(self, result: Executed | Exception) -> None:
        self.results.append(result)
        self.is_busy = False
        self._next()


class Story:
    """Plays a random story on three nodes: the room is handed over, and one of them may die."""

    def __init__(
        self, cluster: Cluster, nodes: list[Node], routes: Routes, sockets: dict[int, str]
    ) -> None:
        self.cluster, self.nodes, self.routes, self.net = cluster, nodes, routes, routes.net
        self.players = [
            Player(user, node, sockets[user], routes)
            for user, node in ((ANA, nodes[1]), (BEN, nodes[2]))
        ]
        self.sent = 0
        self.moves: list[tuple[Node, asyncio.Task[bool]]] = []
        self.lost: list[Executed | Exception] = []

    def step(self, kind: str, which: int) -> None:
        """Take one step."""
        node = self.nodes[which % len(self.nodes)]
        match kind:
            case "commit":
                node.log.commit()
            case "deliver":
                node.log.deliver(node.world.position + 1 + which)
            case "send" | "no id":
                self.sent += 1
                id_ = f"id {self.sent}" if kind == "send" else None
                self.players[which % 2].send(self.sent, id_)
            case "give up":
                self.net.give_up(which)
            case "hand over":
                self.hand_over(node)
            case "kill":
                self.kill()
            case _:
                self.carry(kind, which)

    def hand_over(self, to: Node) -> None:
        """Let the node that owns the room hand it over, as another one knows."""
        for node in self.nodes:
            if node.owner == to.world.nodes.owner_of("room"):
                move = node.ownership.hand_over("room", to.owner)
                self.moves.append((node, asyncio.create_task(move)))

    def kill(self) -> None:
        """Let the first node die, with all that it has under way; no player is connected to it."""
        if len(self.nodes) < len(self.cluster.names):
            return
        dead, other, _ = self.nodes
        self.nodes.remove(dead)
        del self.cluster.nodes[dead.owner.node]
        handler = self.net.handlers.pop(f"ws.test.node.{dead.owner.node}")
        self.net.requests = [one for one in self.net.requests if one.handler != handler]
        for node, move in self.moves:
            if node is dead:
                # It waits for its commit; the loop cancels it once more at its end.
                move.cancel()
        lost = LoseNode(dead.owner.node, dead.owner.incarnation)
        other.engine.dispatch(lost, Origin("cluster"), self.lost.append)

    def carry(self, kind: str, which: int) -> None:
        """Let something arrive, or not."""
        kept = self.net.requests if kind in {"request", "again"} else self.net.answers
        if not kept:
            return
        sent = kept[which % len(kept)]
        if kind != "again":
            kept.remove(sent)
        if kind != "lose":
            self.net.carry(sent)

    def is_over(self) -> bool:
        """Return whether all commands have been answered."""
        answered = all(len(one.results) == len(one.numbers) for one in self.players)
        return answered and all(move.done() for node, move in self.moves if node in self.nodes)


async def play(steps: list[Step]) -> None:
    story = Story(*await begun("relay", "n1", "n2", "n3"))
    for kind, which in steps:
        story.step(kind, which)
        await story.routes.turn()
    await story.routes.until(story.is_over)
    for node, move in story.moves:
        if node in story.nodes:
            move.result()
    check(story.cluster, story.players)


def check(cluster: Cluster, players: list[Player]) -> None:
    """Each command is in the log once if it was acknowledged, else never or at most once."""
    logged = Counter(
        msgspec.json.decode(event.input)["move"]["n"] for event in cluster.events(MatchInput)
    )
    assert cluster.events(MatchEnded) == []
    for player in players:
        for number, result in zip(player.numbers, player.results, strict=True):
            if isinstance(result, Executed):
                assert logged[number] == 1, (number, result)
            elif isinstance(result, OutcomeUnknown):
                assert logged[number] <= 1, number
            else:
                assert isinstance(result, Unavailable | NotInRoom), result
                assert logged[number] == 0, (number, result)


@effort(60)
@given(steps)
def test_no_command_is_carried_out_twice_and_none_is_lost_after_its_ack(story: list[Step]) -> None:
    asyncio.run(play(story))
