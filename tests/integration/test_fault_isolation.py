"""An exception in rules, deliveries, observers or greetings affects one thing only."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from service.domain.commands.moves import Move
from service.domain.events.matches import MatchEnded, MatchStarted
from service.domain.events.rooms import SeatTaken, SpectatorJoined
from service.eventstore.records import Origin
from service.fanout.rules import _AFTER_FOLD, _BEFORE_FOLD
from service.games.catalogue import GAMES, Catalogue
from service.games.shield import shielded
from tests.acceptance.service_process import SECRET
from tests.integration.stage import Message, Stage, Tab, Theatre, holds, room_of
from tests.unit.games.faulty_games import Nim

DIVIDED = "division by zero"


class Broken:
    """A rule that raises while `raises` is set."""

    def __init__(self, rule: Callable[..., Any]) -> None:
        self._rule = rule
        self.raises = False
        self.times = 0

    def __call__(self, *arguments: Any) -> Any:
        if self.raises:
            self.times += 1
            raise ZeroDivisionError(DIVIDED)
        return self._rule(*arguments)


def broken(patch: pytest.MonkeyPatch, game: str, rule: str) -> Broken:
    made = Broken(getattr(GAMES[game], rule))
    patch.setattr(GAMES[game], rule, made, raising=True)
    return made


def faults(stage: Stage) -> float:
    registry = stage.service.parts.metrics.registry
    return sum(
        sample.value
        for family in registry.collect()
        if family.name == "ws_faults"
        for sample in family.samples
    )


async def bystander(stage: Stage) -> Tab:
    """Return a user who plays alone, in a game without faults."""
    tab = await stage.connect()
    await room_of((tab,), "relay", seats=1)
    return tab


async def plays_on(tab: Tab, stage: Stage) -> None:
    """Make sure that the bystander has noticed nothing."""
    room = stage.service.parts.world.rooms.seated[tab.user]
    await tab.insist("game:move", roomId=room, move={"a": 1})
    async with stage.http.get(f"{stage.service.url}/readyz") as response:
        assert response.status == 200
    await tab.insist("room:leave", roomId=room)


MOVES: dict[str, dict[str, Any]] = {
    "key_in": {"direction": "w", "action": "down"},
    "hold": {"direction": "s", "action": "down"},
    "connect_four": {"move": {"column": 0}},
    "relay": {"move": {"x": 1}},
}

DECIDING = {"key_in", "hold", "decide"}
"""The rules that a move alone asks; a few such moves are forgiven."""


async def act(game: str, rule: str, room: str, tabs: list[Tab]) -> None:
    """Do what the rule is asked for, where that is not the clock's."""
    move = MOVES.get(rule) or MOVES.get(game)
    if move is not None:
        for _ in range(3 if rule in DECIDING else 1):
            for tab in tabs:
                await tab.ask("game:move", roomId=room, **move)


@pytest.mark.parametrize(
    ("game", "rule"),
    [
        *(("pong", one) for one in ("key_in", "hold", "apply", "step", "result", "scores")),
        *(("pong", one) for one in ("view", "remaining_ticks")),
        *(("connect_four", one) for one in ("decide", "apply", "step", "result", "view")),
        *(("relay", one) for one in ("decide", "apply", "step", "result")),
    ],
)
def test_a_match_whose_rules_fail_is_void_and_its_players_can_play_on(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch, game: str, rule: str
) -> None:
    async def story(stage: Stage) -> None:
        other = await bystander(stage) if game != "relay" else None
        ana, ben = await stage.connect(), await stage.connect()
        rules = broken(monkeypatch, game, rule)
        options = {"duration_s": 1} if game == "pong" else {}
        room = await room_of((ana, ben), game, **options)
        if rule == "apply" and game == "pong":
            await ana.ask("game:move", roomId=room, direction="w", action="down")
        before = faults(stage)
        rules.raises = True
        await act(game, rule, room, [ana, ben])
        for tab in (ana, ben):
            over = await tab.until("game:over")
            assert (over["reason"], over["winner"], over["scores"]) == ("void", None, [0, 0])
        rules.raises = False
        assert rules.times
        assert faults(stage) > before
        for tab in (ana, ben):
            assert tab.is_open
            await tab.insist("room:leave", roomId=room)
        if other is not None:
            await plays_on(other, stage)

    theatre.runner.run(story(theatre.stage))


def test_a_result_withdrawn_at_once_does_not_block_the_end_of_matches(theatre: Theatre) -> None:
    async def story(stage: Stage) -> None:
        ana, ben = await stage.connect(), await stage.connect()
        room = await room_of((ana, ben), "relay", seats=2)
        claims = [{"result": {"winner": seat, "scores": [1 - seat, seat]}} for seat in (0, 1)]
        await ana.ask("game:move", roomId=room, move=claims[0])
        # Both are in one commit, so that the end which the first one brings about comes after both.
        service: Any = stage.service
        (socket,) = service.parts.world.rooms.rooms[room].seats[1].sockets
        for claim in claims:
            command = Move(ben.user, socket, room, claim)
            service.parts.engine.dispatch(command, Origin(), lambda _: None)
        await ben.ask("game:move", roomId=room, move={"still": "here"})
        assert not ben.of("game:over")
        await ana.ask("game:move", roomId=room, move=claims[1])
        over = await ana.until("game:over")
        assert (over["reason"], over["winner"]) == ("finished", 1)

    theatre.runner.run(story(theatre.stage))


@pytest.mark.parametrize("rule", ["setup", "clock"])
def test_a_match_that_cannot_start_fails_only_its_command(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    async def story(stage: Stage) -> None:
        other = await bystander(stage)
        ana, ben = await stage.connect(), await stage.connect()
        room = (await ana.ask("room:create", game="connect_four"))["roomId"]
        await ben.ask("room:join", roomId=room)
        await ana.ask("room:ready", roomId=room)
        rules = broken(monkeypatch, "connect_four", rule)
        rules.raises = True
        answer = await ben.ask("room:ready", roomId=room)
        assert (answer["type"], answer["code"]) == ("error", "INTERNAL_ERROR")
        rules.raises = False
        assert (await ben.ask("room:ready", roomId=room))["type"] == "ack"
        await ana.until("game:start")
        await plays_on(other, stage)

    theatre.runner.run(story(theatre.stage))


def test_rules_failing_on_a_move_fail_only_that_move(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(stage: Stage) -> None:
        ana, ben = await stage.connect(), await stage.connect()
        room = await room_of((ana, ben), "connect_four")
        rules = broken(monkeypatch, "connect_four", "decide")
        for _ in range(4):
            rules.raises = True
            failed = [
                await tab.ask("game:move", roomId=room, move={"column": 0}) for tab in (ana, ben)
            ]
            assert {one["code"] for one in failed} == {"INTERNAL_ERROR"}
            rules.raises = False
            # Who is next moves, and then the other one.
            for tab in (ana, ben, ana):
                await tab.ask("game:move", roomId=room, move={"column": 0})
        assert not ana.of("game:over")

    theatre.runner.run(story(theatre.stage))


def test_rules_failing_on_a_pause_void_the_match_and_the_socket_closes(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(stage: Stage) -> None:
        ana, ben = await stage.connect(), await stage.connect()
        room = await room_of((ana, ben), "pong", duration_s=30)
        await ana.ask("game:move", roomId=room, direction="w", action="down")
        broken(monkeypatch, "pong", "hold").raises = True
        await ana.drop()
        assert (await ben.until("game:over"))["reason"] == "void"
        world = stage.service.parts.world
        await holds(lambda: ana.user not in world.presence.sockets, "the user stays online")

    theatre.runner.run(story(theatre.stage))


def test_rules_failing_on_a_turn_timeout_void_the_match(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(stage: Stage) -> None:
        ana, ben = await stage.connect(), await stage.connect()
        broken(monkeypatch, "connect_four", "timeout").raises = True
        await room_of((ana, ben), "connect_four", turn_s=1)
        assert (await ben.until("game:over"))["reason"] == "void"

    theatre.runner.run(story(theatre.stage))


@pytest.mark.parametrize("classic", [True, False])
def test_a_void_match_is_announced_in_each_dialect(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch, *, classic: bool
) -> None:
    async def story(stage: Stage) -> None:
        ana, ben = await stage.connect(classic=classic), await stage.connect()
        room = await _classic_room(ana, ben) if classic else await room_of((ana, ben), "pong")
        broken(monkeypatch, "pong", "step").raises = True
        if classic:
            over = await ana.until("game:timeup")
            assert over == {
                "type": "game:timeup",
                "roomId": room,
                "winner": "draw",
                "scores": {"s1": 0, "s2": 0},
            }
        await ben.until("game:over")

    theatre.runner.run(story(theatre.stage))


async def _classic_room(ana: Tab, ben: Tab) -> str:
    await ben.ask("invite", to=ana.user)
    await ana.until("invite:received")
    await ana.send("invite:accepted", **{"from": ben.user})
    room = str((await ana.until("room:start"))["roomId"])
    for tab in (ana, ben):
        await tab.send("game:join", roomId=room)
    await ana.until("game:ready")
    await ana.send("game:begin", roomId=room)
    await ana.until("game:start")
    return room


@pytest.mark.parametrize(
    ("rules", "kind"),
    [(_AFTER_FOLD, SeatTaken), (_BEFORE_FOLD, MatchEnded), (_AFTER_FOLD, SpectatorJoined)],
    ids=["seat.taken", "match.ended", "spectator.joined"],
)
def test_a_failing_delivery_rule_loses_only_the_messages_of_its_event(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch, rules: dict[type, Any], kind: type
) -> None:
    async def story(stage: Stage) -> None:
        rule = Broken(rules[kind])
        monkeypatch.setitem(rules, kind, rule)
        rule.raises = True
        before = faults(stage)
        ana, ben, cleo = [await stage.connect() for _ in range(3)]
        room = await room_of((ana, ben), "connect_four")
        await cleo.insist("room:join", roomId=room, role="spectator")
        for tab in (ana, ben, cleo):
            await tab.insist("room:leave", roomId=room)
        assert rule.times
        assert faults(stage) > before
        world = stage.service.parts.world
        await holds(lambda: room not in world.rooms.rooms, "the room stays")

    theatre.runner.run(story(theatre.stage))


def test_a_failing_observer_does_not_affect_other_observers(theatre: Theatre) -> None:
    async def story(stage: Stage) -> None:
        engine: Any = stage.service.parts.ticker._engine._projector  # noqa: SLF001 - one of them is to fail
        failing = Broken(lambda *_: None)

        def observe(event: object, _position: int) -> None:
            failing.raises = isinstance(event, MatchStarted | SeatTaken)
            failing()

        engine._observers.insert(0, observe)  # noqa: SLF001 - as above
        try:
            ana, ben = await stage.connect(), await stage.connect()
            await room_of((ana, ben), "pong", duration_s=1)
            assert (await ana.until("game:over"))["reason"] == "timeup"
        finally:
            engine._observers.remove(observe)  # noqa: SLF001 - as above
        assert failing.times

    theatre.runner.run(story(theatre.stage))


def test_a_socket_is_usable_after_a_failed_greeting(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(stage: Stage) -> None:
        greeter: Any = stage.service.parts.greeter
        other = await bystander(stage)
        ana = await stage.connect()
        await ana.ask("room:create", game="pong")
        monkeypatch.setattr(greeter, "_own_room_state", Broken(greeter._own_room_state))  # noqa: SLF001 - as above
        greeter._own_room_state.raises = True  # noqa: SLF001 - as above
        again = await stage.connect(ana.user)
        assert (await again.until("error"))["code"] == "INTERNAL_ERROR"
        assert (await again.ask("lobby:join"))["type"] == "ack"
        await plays_on(other, stage)

    theatre.runner.run(story(theatre.stage))


@pytest.mark.parametrize(
    ("part", "name", "message"),
    [
        ("match_publisher", "show_again", {"type": "room:join"}),
        ("hub", "users", {"type": "user:list:request"}),
    ],
)
def test_an_internal_error_is_answered_with_the_command_id(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch, part: str, name: str, message: Message
) -> None:
    async def story(stage: Stage) -> None:
        ana = await stage.connect()
        room = (await ana.ask("room:create", game="pong"))["roomId"]
        failing: Any = Broken(lambda *_: None)
        failing.raises = True
        failing.frames = failing
        monkeypatch.setattr(getattr(stage.service.parts, part), name, failing)
        fields = {"roomId": room} if message["type"] == "room:join" else {}
        answer = await ana.ask(message["type"], **fields)
        assert (answer["type"], answer["code"]) == ("error", "INTERNAL_ERROR")
        monkeypatch.undo()
        assert (await ana.ask("lobby:join"))["type"] == "ack"

    theatre.runner.run(story(theatre.stage))


def test_an_unencodable_append_does_not_fail_its_batch(theatre: Theatre) -> None:
    async def story(stage: Stage) -> None:
        ana, ben = await stage.connect(), await stage.connect()
        log: Any = stage.service.parts.log
        commit = log._store.commit  # noqa: SLF001 - as above

        def fails(batch: Any) -> Any:
            if any("poison" in str(one.personal_data.texts.values()) for one in batch):
                raise OverflowError
            return commit(batch)

        log._store.commit = fails  # noqa: SLF001 - as above
        try:
            bad, good = await asyncio.gather(
                ana.ask("chat:send", to=ben.user, text="poison"), ben.ask("lobby:join")
            )
        finally:
            log._store.commit = commit  # noqa: SLF001 - as above
        assert (bad["type"], good["type"]) == ("error", "ack")
        assert bad["code"] == "INTERNAL_ERROR"

    theatre.runner.run(story(theatre.stage))


@pytest.mark.parametrize("rule", ["decide", "apply", "result", "view", "legal_moves"])
def test_rules_of_a_package_that_exit_end_no_more_than_their_match(
    theatre: Theatre, rule: str
) -> None:
    async def story(stage: Stage) -> None:
        other = await bystander(stage)
        nim: Any = Nim()
        ana, ben = await stage.connect(), await stage.connect()
        exits = [False]
        real = getattr(nim, rule)
        setattr(nim, rule, lambda *given: sys.exit(1) if exits[0] else real(*given))
        stage.service.parts.games.replace(Catalogue([*GAMES.registered, shielded(nim)]), {})
        room = await room_of((ana, ben), "nim")
        exits[0] = True
        if rule == "legal_moves":
            assert await listed(stage, ana.user, f"{room}-1") == 409
        for _ in range(3):
            await ana.ask("game:move", roomId=room, move={"number": 1})
        if rule != "legal_moves":
            assert (await ben.until("game:over"))["reason"] == "void"
        exits[0] = False
        await ana.insist("room:leave", roomId=room)
        await ben.insist("room:leave", roomId=room)
        await plays_on(other, stage)

    theatre.runner.run(story(theatre.stage))


async def listed(stage: Stage, user: int, match: str) -> int:
    """Ask for the legal moves of a user, and return the status of the answer."""
    token = jwt.encode({"id": user, "exp": time.time() + 600}, SECRET)
    url = f"{stage.service.url}/api/v1/matches/{match}/legal-moves"
    async with stage.http.get(url, headers={"Authorization": f"Bearer {token}"}) as answer:
        return answer.status
