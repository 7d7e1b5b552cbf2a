"""Requests of one client are handled in frame order, one at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.domain.commands.base import Command
from service.domain.commands.chat import Say
from service.domain.projections.world import World
from service.edge.backend import Backend
from service.edge.close_codes import CloseCode
from service.edge.connection import Connection
from service.edge.conversation import Conversation
from service.edge.dialect import V1
from service.edge.frames import texts_of
from service.edge.session.actions import Resume
from service.edge.session.rate_limit import UserBudget
from service.edge.session.session import Session
from service.edge.socketio.polling import Polling
from service.runtime.idempotency import CommandResult, CommandResults
from service.runtime.pending import Executed
from service.runtime.recall import Recall
from service.settings.sections.connections import Rate, SlowLimits
from service.tasks import Tasks
from service.telemetry import Metrics
from tests.limits import session_limits, user_limits
from tests.unit.edge.test_hub_dialects import make_node

PLENTY = Rate(1, 1000)

Done = Callable[[Executed | Exception], None]


class FakeEngine:
    """Keeps commands until a test commits them."""

    def __init__(self) -> None:
        self.world = World()
        self.dispatched: list[tuple[Command, Done]] = []
        self.fault: Exception | None = None
        self.recall = Recall(CommandResults())

    def check_unused(self, _user: object, _id: object) -> None:
        pass

    def dispatch(self, command: Command, _origin: object, done: Done, **_: object) -> None:
        if self.fault is not None:
            raise self.fault
        self.dispatched.append((command, done))

    def commit(self, error: Exception | None = None) -> None:
        """Conclude the command that was dispatched first."""
        _, done = self.dispatched.pop(0)
        done(error or Executed([cast(Any, "event")], CommandResult(1)))


class FakePasswords:
    """Hashes when a test lets it."""

    def __init__(self) -> None:
        self.may_go_on = asyncio.Event()

    async def execute(self, _command: object, _password: str, _execute: object) -> Executed:
        await self.may_go_on.wait()
        return Executed([cast(Any, "event")], CommandResult(2))


class FakeChannel:
    """Queues what is not handled at once, as `Channel` requires."""

    close_code = None

    def __init__(self) -> None:
        self.closed: list[int] = []
        self.handled: Callable[[str | None], bool] | None = None
        self.kept: list[str | None] = []
        self._news = asyncio.Event()

    def set_message_handler(
        self, handle: Callable[[str | None], bool], _count: Callable[[], bool]
    ) -> None:
        self.handled = handle

    def feed(self, *messages: dict[str, object]) -> None:
        """Receive frames in one callback."""
        assert self.handled is not None
        for message in messages:
            text = json.dumps(message)
            if self.kept or not self.handled(text):
                self.kept.append(text)
                self._news.set()

    def exception(self) -> None:
        pass

    async def answers(self, _within_s: float) -> bool:
        return True

    async def close(self, *, code: int, message: bytes) -> bool:
        assert message
        self.closed.append(code)
        # A client keeps sending until it receives the close frame.
        self.feed(ping("late"))
        return True

    def texts(self) -> FakeChannel:
        return self

    def __aiter__(self) -> FakeChannel:
        return self

    async def __anext__(self) -> str | None:
        while not self.kept:
            self._news.clear()
            await self._news.wait()
        return self.kept.pop(0)


class Dialogue:
    """A conversation whose channel, engine and hashes are those of the test."""

    def __init__(self, messages: Rate = PLENTY) -> None:
        self.engine = FakeEngine()
        self.channel = FakeChannel()
        self.passwords = FakePasswords()
        self.resumed: list[Resume] = []
        self.refilled = asyncio.Event()
        self.refilled.set()
        node = make_node(self.engine.world)
        self.transport = Polling(lambda: None)
        self.connection = Connection("n1.1.1", 7, V1, transport=self.transport, limits=SlowLimits())
        self._texts: list[bytes] = []
        session = Session(
            7,
            "n1.1.1",
            V1,
            limits=session_limits(messages),
            budget=UserBudget(user_limits(messages=PLENTY), 0),
            new_token=lambda: "token",
            now=0,
        )
        backend = Backend(
            cast(Any, self.engine),
            node.hub,
            node.hub,
            cast(Any, self),
            cast(Any, None),
            cast(Any, self.passwords),
            cast(Any, SimpleNamespace(of=lambda _message: b"")),
            Tasks(),
            Metrics(),
        )
        self.conversation = Conversation(
            cast(Any, self.channel), self.connection, session, "c", backend
        )
        self.task = asyncio.get_running_loop().create_task(self.conversation.run())

    # What the conversation needs of `Queries`.

    def answer(self, query: object, _connection: object) -> None:
        if not isinstance(query, Resume):
            raise ZeroDivisionError
        self.resumed.append(query)

    def is_awaited(self, _wanted: object) -> bool:
        return not self.refilled.is_set()

    async def reached(self, _wanted: object) -> None:
        await self.refilled.wait()

    def answered(self) -> list[str]:
        """Return what was answered by now: the ids, or the codes of errors."""
        frames = self.transport.drain() + b"".join(self.connection.frames)
        self.connection.frames.clear()
        self._texts += texts_of(frames)
        messages = [json.loads(text) for text in self._texts]
        return [str(one.get("code") or one.get("id")) for one in messages]


def ping(id_: str) -> dict[str, object]:
    return {"type": "ping", "id": id_}


def say(id_: str) -> dict[str, object]:
    return {"type": "chat:send", "id": id_, "roomId": "r", "text": "hello"}


async def settled() -> None:
    """Let the tasks that are ready go on."""
    for _ in range(5):
        await asyncio.sleep(0)


async def begun(messages: Rate = PLENTY) -> Dialogue:
    dialogue = Dialogue(messages)
    await settled()
    return dialogue


async def test_a_request_that_waits_for_nothing_is_answered_in_the_callback_that_reads_it() -> None:
    dialogue = await begun()
    dialogue.channel.feed(ping("a"), ping("b"))
    assert dialogue.answered() == ["a", "b"]


async def test_a_command_is_dispatched_in_the_callback_that_reads_it() -> None:
    dialogue = await begun()
    dialogue.channel.feed(say("a"))
    assert [type(command) for command, _ in dialogue.engine.dispatched] == [Say]
    dialogue.engine.commit()
    assert dialogue.answered() == ["a"]


async def test_after_a_start_messages_with_ids_wait_until_the_ids_used_before_are_known() -> None:
    dialogue = await begun()
    dialogue.engine.recall.begin()
    unnamed = say("a")
    del unnamed["id"]
    dialogue.channel.feed(unnamed)
    assert len(dialogue.engine.dispatched) == 1
    dialogue.engine.commit()
    dialogue.channel.feed(say("b"), ping("c"))
    await settled()
    assert (dialogue.answered(), dialogue.engine.dispatched) == ([], [])
    dialogue.engine.recall.end()
    await settled()
    assert len(dialogue.engine.dispatched) == 1
    dialogue.engine.commit()
    await settled()
    assert dialogue.answered() == ["b", "c"]


async def test_messages_with_ids_are_refused_when_the_service_stops_before_it_knows_the_ids() -> (
    None
):
    dialogue = await begun()
    dialogue.engine.recall.begin()
    dialogue.channel.feed(say("a"))
    await settled()
    dialogue.engine.recall.abort()
    await settled()
    assert (dialogue.answered(), dialogue.engine.dispatched) == (["UNAVAILABLE"], [])


async def test_a_resume_of_events_that_are_still_refilled_waits_and_what_follows_it_too() -> None:
    dialogue = await begun()
    dialogue.refilled.clear()
    dialogue.channel.feed(
        ping("a"), {"type": "resume", "id": "b", "position": 3, "epoch": "e"}, ping("c")
    )
    await settled()
    assert (dialogue.answered(), dialogue.resumed) == (["a"], [])
    dialogue.refilled.set()
    await settled()
    assert (dialogue.answered(), len(dialogue.resumed)) == (["a", "b", "c"], 1)


async def test_later_frames_wait_in_the_channel_until_a_command_is_committed() -> None:
    dialogue = await begun()
    dialogue.channel.feed(say("a"), ping("b"), say("c"), ping("d"))
    await settled()
    assert dialogue.answered() == []
    assert len(dialogue.engine.dispatched) == 1
    dialogue.engine.commit()
    await settled()
    assert dialogue.answered() == ["a", "b"]
    dialogue.engine.commit()
    await settled()
    assert dialogue.answered() == ["a", "b", "c", "d"]


async def test_a_frame_does_not_overtake_one_whose_task_has_not_woken_up_yet() -> None:
    dialogue = await begun()
    dialogue.channel.feed(say("a"), ping("b"))
    await settled()
    # The task has taken "b" from the channel, which is empty, and waits for its turn.
    dialogue.engine.commit()
    dialogue.channel.feed(ping("c"))
    assert dialogue.answered() == ["a"]
    await settled()
    assert dialogue.answered() == ["a", "b", "c"]


async def test_a_request_that_awaits_is_handled_before_later_frames() -> None:
    dialogue = await begun()
    room: dict[str, object] = {
        "type": "room:create",
        "id": "a",
        "game": "relay",
        "password": "sesame",
    }
    dialogue.channel.feed(room, ping("b"))
    await settled()
    dialogue.channel.feed(ping("c"))
    assert dialogue.answered() == []
    dialogue.passwords.may_go_on.set()
    await settled()
    assert dialogue.answered() == ["a", "b", "c"]


async def test_nothing_is_carried_out_after_the_service_has_decided_to_close() -> None:
    dialogue = await begun(Rate(0.001, 2))
    dialogue.channel.feed(*(ping(str(number)) for number in range(6)))
    await settled()
    assert dialogue.channel.closed == [CloseCode.RATE_LIMITED]
    assert dialogue.conversation.end_code == CloseCode.RATE_LIMITED
    assert dialogue.answered() == ["0", "1", "RATE_LIMITED", "RATE_LIMITED"]
    assert dialogue.task.done()


@pytest.mark.parametrize("message", [say("a"), {"type": "room:list", "id": "a"}])
async def test_a_fault_costs_one_message_and_ends_its_turn(message: dict[str, object]) -> None:
    dialogue = await begun()
    dialogue.engine.fault = ZeroDivisionError()
    dialogue.channel.feed(message, ping("b"))
    assert dialogue.answered() == ["INTERNAL_ERROR", "b"]


async def test_a_refused_command_ends_its_turn() -> None:
    dialogue = await begun()
    dialogue.channel.feed(say("a"), ping("b"))
    dialogue.engine.commit(ZeroDivisionError())
    await settled()
    assert dialogue.answered() == ["INTERNAL_ERROR", "b"]


async def test_a_cancelled_conversation_survives_the_result_of_its_command() -> None:
    dialogue = await begun()
    dialogue.channel.feed(say("a"), ping("b"))
    await settled()
    dialogue.task.cancel()
    await settled()
    dialogue.engine.commit()
    assert dialogue.answered() == ["a"]
