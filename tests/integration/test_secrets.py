"""Two runs that differ only in a secret send all others the same bytes, but for ids and times."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from service.cli.seen_rows import SeenRows
from service.domain.commands.ending import FinishMatch
from service.domain.commands.seats import SetReady
from service.domain.commands.turns import TimeOutTurn
from service.domain.events.base import match_stream
from service.domain.events.matches import MatchEnded, MatchInput, MatchOutcome
from service.edge.api.match_events import events_after
from service.edge.api.routes import PUBLIC_FIELDS
from service.edge.dialect import CLASSIC, SOCKET_IO, V1
from service.errors import ClientError
from service.eventstore.read_models.match_history import PlayedMatch
from service.fanout.match_views import moved
from service.games.sight import FULL, SPECTATOR, Viewer, seated
from service.replay.export import ndjson
from service.replay.replay import Replay
from service.replay.seen import seen_by
from service.replay.summary import summarise
from tests.integration.node_parts import Node
from tests.integration.watched_parts import (
    ROOM,
    Client,
    WatchedCluster,
    WatchedNode,
    as_json,
    catalogue,
    masked,
    match_events_of,
    missed,
    refilled,
)
from tests.secret_games import HANDS, PHASE_MS

ANA, BEN, CLEO, DAN = 1, 2, 3, 4
"""Ana has the secret, in the first seat."""

MATCH = "room-1"

Move = dict[str, Any]


class Told:
    """What everybody but Ana was told in a run, by whom and by which door."""

    def __init__(self) -> None:
        self.by_door: dict[str, list[bytes]] = {}

    def __setitem__(self, door: str, texts: Sequence[bytes]) -> None:
        self.by_door[door] = list(texts)


class Run:
    """A match of a game with secrets, on one node or on two."""

    def __init__(self, game: str, names: Sequence[str] = ("n1",), seed: int = 7) -> None:
        self.game = game
        self.cluster = WatchedCluster(*names)
        self.seed = seed
        self.others: list[Client] = []
        self.visitors = 10
        self.turns = 0

    async def begin(self, **options: Any) -> None:
        nodes = await self.cluster.started()
        self.one: WatchedNode = nodes[0]
        self.two: WatchedNode = nodes[-1]
        for node in nodes:
            node.seed = self.seed
        players = (ANA, self.one), (BEN, self.two), (CLEO, self.one)
        _, sockets = await self.cluster.play(
            self.game, *players, on=self.one, begins=False, seats=3, **options
        )
        self.ana = self.cluster.clients[sockets[ANA]]
        self.others = [self.cluster.clients[sockets[user]] for user in (BEN, CLEO)]
        await self.look(DAN, self.two)
        for dialect in (CLASSIC, SOCKET_IO):
            await self.look(BEN, self.two, dialect)
        for user in (ANA, BEN, CLEO):
            await self.cluster.do(self.one, SetReady(user, ROOM, ready=True))

    async def look(self, user: int, node: Node, dialect: Any = V1) -> None:
        """Let one more socket look at the match."""
        self.others.append(await self.cluster.watch(user, node, dialect))

    async def do(self, step: tuple[Any, ...]) -> None:  # noqa: C901, PLR0912 - one case each
        """Take a step that all may know of."""
        match step:
            case "move", user, move:
                await self.cluster.move(self.one, user, move)
            case "visit", node:
                self.visitors += 1
                await self.look(self.visitors, (self.one, self.two)[node])
            case "tab", user:
                await self.look(user, self.two)
            case "history", number:
                open_ones = [
                    one for one in self.others if one.connection.socket in self.cluster.clients
                ]
                client = open_ones[number % len(open_ones)]
                with suppress(ClientError):
                    self._node_of(client).history.ask(client.connection, ROOM, 0)
            case "drop", user:
                sockets = [
                    one
                    for one in self.others
                    if one.connection.user == user and one.connection.socket in self.cluster.clients
                ]
                for client in sockets:
                    await self.cluster.drop(self._node_of(client), client)
                await self.cluster.tick(3)
                await self.look(user, self.two)
            case ("timeout",):
                self.cluster.time.now += PHASE_MS / 1000
                match = self.one.world.matches.live.get(MATCH)
                if match is not None:
                    await self.cluster.do(self.one, TimeOutTurn(MATCH, match.turn_since))
            case ("round",):
                for user, hand in ((ANA, "rock"), (BEN, "paper"), (CLEO, "rock")):
                    await self.cluster.move(self.one, user, {"hand": hand})
            case ("turn",):
                user = (ANA, BEN, CLEO)[self.turns % 3]
                self.turns += 1
                await self.cluster.move(self.one, user, {})
            case "rate", frame_hz:
                for client in self.others:
                    if client.connection.is_v1:
                        self._node_of(client).hub.set_frame_hz(client.connection, frame_hz)
            case "time", ticks:
                await self.cluster.tick(ticks)
            case ("cut",):
                self.cluster.is_cut = True
            case ("heal",):
                await self.cluster.heal()
            case _:
                raise AssertionError(step)
        await self.cluster.settle()

    def _node_of(self, client: Client) -> WatchedNode:
        name = client.connection.socket.partition(".")[0]
        node = self.cluster.nodes[name]
        assert isinstance(node, WatchedNode)
        return node

    async def told(self) -> Told:
        """Return what all others were told, by all doors."""
        await self.cluster.heal()
        found = Told()
        for number, client in enumerate(self.others):
            found[f"socket {number} of {client.connection.user}"] = client.texts
        for user in sorted({client.connection.user for client in self.others}, key=str):
            for node in (self.one, self.two):
                found[f"resume of {user} at {node.owner.node}"] = missed(node, int(user))
            found[f"resume of {user} after a start"] = refilled(self.one, int(user))
        for node in (self.one, self.two):
            preview = node.match_publisher.seen_by_spectators(self.room)
            found[f"lobby of {node.owner.node}"] = [as_json(preview)]
        for viewer in (seated(1), seated(2), SPECTATOR):
            await self.replays(viewer, found)
        found["log tail"] = await self._tail()
        return found

    async def _tail(self) -> list[bytes]:
        reader: Any = self.one
        seen = SeenRows(reader, lambda: None)
        found: list[bytes] = []
        async for rows in self.one.rows(stream=match_stream(MATCH)):
            for row in rows:
                data = await seen.data(row)
                found += [] if data is None else [row.type.encode() + masked(data)]
        return found

    @property
    def room(self) -> Any:
        return self.one.world.rooms.rooms[ROOM]

    async def replays(self, viewer: Viewer, found: Told) -> None:
        events = match_events_of(self.one, MATCH)
        ended = next((one for one in events if isinstance(one, MatchEnded)), None)
        replay = seen_by(Replay(events, catalogue(), [0] * len(events)), viewer)
        found[f"export for {viewer.key}"] = list(ndjson(replay, ["A", "B", "C"], None))
        found[f"summary for {viewer.key}"] = [as_json(summarise(replay))]
        found[f"events for {viewer.key}"] = [
            as_json(
                (
                    event.type,
                    {name: getattr(event, name) for name in PUBLIC_FIELDS[type(event)]},
                    event.tick,
                )
            )
            for event in await self._events(viewer, ended)
        ]
        found[f"states for {viewer.key}"] = [
            as_json(replay.view(replay.at(tick))) for tick in range(0, replay.ticks + 1, 3)
        ]
        moves = replay.game.legal_moves(replay.at(replay.ticks), viewer.seat or 0)
        found[f"moves for {viewer.key}"] = [as_json(moves)] if viewer.seat else []

    async def _events(self, viewer: Viewer, ended: MatchEnded | None) -> list[Any]:
        match = PlayedMatch(
            id=MATCH,
            game=self.game,
            rules_version=1,
            players=[],
            users=[],
            position=1,
            started_at=0,
            ended_at=None if ended is None else 1,
            ticks=None,
            reason=None,
            winner=None,
            scores=None,
        )
        reader: Any = self.one
        found, cursor = [], 0
        while page := await events_after(reader, match, viewer, cursor, 3):
            found += [event for _, event in page]
            cursor = page[-1][0].position
        return found


def assert_same(one: Told, other: Told) -> None:
    assert one.by_door.keys() == other.by_door.keys()
    for door, texts in one.by_door.items():
        assert texts == other.by_door[door], door


Secret = list[list[Move]]
"""What Ana does in secret before each step of a story."""


async def run_of(
    game: str, story: Sequence[tuple[Any, ...]], secret: Secret, **begin: Any
) -> tuple[Run, Told]:
    """Play a story with a secret."""
    run = Run(game, **begin)
    await run.begin()
    for number, step in enumerate(story):
        for move in secret[number] if number < len(secret) else ():
            await run.cluster.move(run.one, ANA, move)
        await run.do(step)
    return run, await run.told()


HAND = st.sampled_from(["rock", "paper", "scissors"])
NOTE = st.text(max_size=30)

STEP = st.one_of(
    st.tuples(st.just("move"), st.just(BEN), st.fixed_dictionaries({"hand": HAND})),
    st.tuples(st.just("visit"), st.sampled_from([0, 1])),
    st.tuples(st.just("tab"), st.sampled_from([BEN, CLEO, DAN])),
    st.tuples(st.just("history"), st.integers(0, 9)),
    st.tuples(st.just("time"), st.integers(1, 30)),
    st.tuples(st.just("drop"), st.just(BEN)),
    st.sampled_from([("cut",), ("heal",)]),
)

ROUND = ("round",)
"""All choose, so that everybody sees their hands."""

HIDDEN = st.lists(
    st.lists(st.fixed_dictionaries({"hand": HAND, "note": NOTE}), max_size=3), max_size=8
)


@settings(max_examples=8, deadline=None, phases=[Phase.generate])
@given(
    story=st.lists(STEP, max_size=6),
    before=st.integers(0, 1),
    secrets=st.tuples(HIDDEN, HIDDEN),
    game=st.sampled_from(["hands", "sealed_hands", "loose_hands"]),
    names=st.sampled_from([("n1",), ("n1", "n2")]),
)
def test_hidden_moves_tell_others_nothing_not_even_that_they_exist(
    story: list[tuple[Any, ...]],
    before: int,
    secrets: tuple[Secret, Secret],
    game: str,
    names: tuple[str, ...],
) -> None:
    steps = [*[ROUND] * before, *story]
    (_, one), (_, other) = (
        asyncio.run(run_of(game, steps, secret, names=names)) for secret in secrets
    )
    assert_same(one, other)


@settings(max_examples=5, deadline=None, phases=[Phase.generate])
@given(
    story=st.lists(
        st.one_of(
            st.just(("turn",)),
            st.tuples(st.just("visit"), st.sampled_from([0, 1])),
            st.tuples(st.just("tab"), st.sampled_from([BEN, CLEO])),
            st.tuples(st.just("move"), st.just(BEN), st.just({"play": 99})),
            st.tuples(st.just("drop"), st.just(BEN)),
            st.sampled_from([("cut",), ("heal",)]),
        ),
        max_size=6,
    ),
    seed=st.integers(0, 1000),
    names=st.sampled_from([("n1",), ("n1", "n2")]),
)
def test_cards_in_a_hand_are_told_to_nobody_else(
    story: list[tuple[Any, ...]], seed: int, names: tuple[str, ...]
) -> None:
    (_, one), (_, other) = (
        asyncio.run(run_of("cards", story, [], names=names, seed=2 * seed + secret))
        for secret in (0, 1)
    )
    assert_same(one, other)


@settings(max_examples=4, deadline=None, phases=[Phase.generate])
@given(
    story=st.lists(
        st.one_of(
            st.tuples(st.just("time"), st.integers(1, 45)),
            st.tuples(st.just("visit"), st.sampled_from([0, 1])),
            st.tuples(st.just("move"), st.just(BEN), st.just({"mark": "x"})),
        ),
        max_size=5,
    ),
    secrets=st.tuples(
        st.lists(st.lists(st.just({"mark": "here"}), max_size=2), max_size=5),
        st.lists(st.lists(st.just({"mark": "elsewhere"}), max_size=2), max_size=5),
    ),
    seeds=st.tuples(st.integers(0, 99), st.integers(0, 99)),
    frame_hz=st.sampled_from([20, 30, 60]),
    names=st.sampled_from([("n1",), ("n1", "n2")]),
)
def test_hidden_outcomes_and_inputs_of_a_game_with_ticks_tell_others_nothing(
    story: list[tuple[Any, ...]],
    secrets: tuple[Secret, Secret],
    seeds: tuple[int, int],
    frame_hz: int,
    names: tuple[str, ...],
) -> None:
    steps = [("rate", frame_hz), ("time", 70), *story]
    (_, one), (_, other) = (
        asyncio.run(run_of("digs", steps, [[], [], *secret], names=names, seed=seed))
        for secret, seed in zip(secrets, seeds, strict=True)
    )
    assert_same(one, other)


def test_a_game_that_shows_too_much_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: by a view, by what is shown, and by a hidden input that is told."""

    def differs() -> bool:
        told = [
            asyncio.run(run_of("hands", [("visit", 0)], [[{"hand": hand}]]))[1]
            for hand in ("rock", "paper")
        ]
        return told[0].by_door != told[1].by_door

    assert not differs()
    with monkeypatch.context() as patch:
        view = HANDS.view
        patch.setattr(type(HANDS), "view", lambda _self, state, _viewer: view(state, 0))
        assert differs()
    with monkeypatch.context() as patch:
        patch.setattr(type(HANDS), "shown", lambda _self, _state, event, _viewer: event)
        assert differs()


async def played_out(game: str) -> Run:
    """Play a match of hands to its end."""
    run, _ = await run_of(game, [ROUND] * 3, [[{"hand": "paper", "note": "secret"}]])
    await run.cluster.do(run.one, FinishMatch(MATCH))
    await run.cluster.settle()
    return run


async def test_who_made_a_hidden_move_sees_it_at_once() -> None:
    run, _ = await run_of("hands", [("visit", 0)], [[{"hand": "rock", "note": "mine"}]])
    texts = b"".join(run.ana.texts)
    assert b'"kind":"chosen","seat":0,"hand":"rock","note":"mine"' in texts
    assert b'"own":"rock","note":"mine"' in texts
    assert not any(b"mine" in text for client in run.others for text in client.texts)


async def test_a_player_is_no_spectator_of_their_own_match() -> None:
    run, _ = await run_of("hands", [("tab", CLEO)], [[]])
    await run.cluster.move(run.one, CLEO, {"hand": "paper", "note": "of Cleo"})
    tab = run.others[-1]
    assert b"of Cleo" in tab.texts[-1]
    assert run.room.seat_of(CLEO) == 2
    assert CLEO not in run.room.spectators


async def test_a_state_that_was_lost_comes_again_to_those_who_were_to_be_shown_it() -> None:
    run = Run("hands", ("n1", "n2"))
    await run.begin()
    ben, cleo, dan = run.others[:3]
    for client in run.others:
        client.texts.clear()
    await run.do(("cut",))
    await run.do(("move", BEN, {"hand": "paper", "note": "of Ben"}))
    assert not any(b"game:update" in text for text in ben.texts)
    await run.do(("heal",))
    shown = [text for client in run.others for text in client.texts if b"game:update" in text]
    # To all three sockets of Ben, one of each dialect.
    assert len(shown) == 3
    assert all(b'"own":"paper"' in text for text in shown)
    assert not any(b"game:update" in text for text in [*cleo.texts, *dan.texts])
    await run.do(("round",))
    assert sum(b'"round":1' in text for text in dan.texts) == 1
    await run.do(("heal",))
    assert sum(b'"round":1' in text for text in dan.texts) == 1


async def test_a_node_is_sent_only_what_its_own_sockets_may_see() -> None:
    run = Run("hands", ("n1", "n2"))
    await run.begin()
    sent: list[bytes] = []
    publish = run.one.link.bus.publish

    def noted(subject: str, data: bytes) -> bool:
        sent.append(data)
        return publish(subject, data)

    run.one.link.bus.publish = noted  # type: ignore[method-assign]  # the test listens
    await run.cluster.move(run.one, ANA, {"hand": "rock", "note": "of Ana"})
    assert sent == []
    await run.cluster.move(run.one, BEN, {"hand": "paper", "note": "of Ben"})
    assert b"of Ben" in b"".join(sent)
    await run.cluster.move(run.one, CLEO, {"hand": "rock", "note": "of Cleo"})
    assert b"of Ana" not in b"".join(sent)
    assert b"of Cleo" not in b"".join(sent)


@pytest.mark.parametrize(("game", "is_shown"), [("hands", True), ("sealed_hands", False)])
async def test_everything_is_seen_after_the_end_where_the_game_says_so(
    game: str, *, is_shown: bool
) -> None:
    run = await played_out(game)
    found = Told()
    await run.replays(SPECTATOR, found)
    for door in ("export", "events"):
        texts = b"".join(found.by_door[f"{door} for spectators"])
        assert (b"secret" in texts) is is_shown, door
        assert (b'"seed":7' in texts) is (is_shown and door == "export")
    events = match_events_of(run.one, MATCH)
    replay = seen_by(Replay(events, catalogue()), SPECTATOR)
    assert (replay.views(replay.at(1)) is not None) is is_shown
    assert seen_by(Replay(events, catalogue()), FULL).verify() is None
    assert replay.verify() is None


async def test_what_is_recorded_as_shown_of_an_input_is_for_each_viewer() -> None:
    run, _ = await run_of("hands", [("move", BEN, {"hand": "paper"})], [[{"hand": "rock"}]])
    inputs = [one for one in match_events_of(run.one, MATCH) if isinstance(one, MatchInput)]
    assert [one.hidden_from for one in inputs] == [
        ["1", "2", "spectators"],
        ["0", "2", "spectators"],
    ]
    match = run.one.world.matches.live[MATCH]
    assert match.hidden == {"0": 1, "1": 1, "2": 2, "spectators": 2}


async def test_an_input_without_a_record_of_what_is_shown_is_shown_to_nobody() -> None:
    run, _ = await run_of("hands", [("visit", 0)], [])
    bare = MatchInput(MATCH, 0, 0, "s", msgspec.Raw(b'{"kind":"chosen","seat":0}'))
    match = run.one.world.matches.live[MATCH]
    assert list(moved(bare, run.room, match)) == []


async def test_outcomes_record_what_is_shown_of_them() -> None:
    run, _ = await run_of("digs", [("time", 180)], [])
    outcomes = [one for one in match_events_of(run.one, MATCH) if isinstance(one, MatchOutcome)]
    kinds = {msgspec.json.decode(one.outcome)["kind"]: one.hidden_from for one in outcomes}
    assert kinds == {"found": ["1", "2", "spectators"], "bell": []}
