"""What a connection has had that takes over from another one."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from service.client.errors import Closed
from service.client.link import Link
from service.client.state import Cursor
from service.client.successor import Successor, in_time

WELCOME = {"type": "welcome", "position": 5}


def chat(position: int) -> dict[str, Any]:
    return {"type": "chat:message", "position": position}


def state(run: int, tick: int) -> dict[str, Any]:
    return {"type": "game:update", "roomId": "r1", "run": run, "tick": tick}


def cursor(position: int, *seen: dict[str, Any]) -> Cursor:
    made = Cursor()
    made.position = position
    for message in seen:
        made.take(message)
    return made


def successor(*messages: dict[str, Any]) -> Successor:
    return Successor(cast("Link", None), list(messages))


def test_messages_that_the_former_connection_has_had_are_left_out() -> None:
    frame, ack = state(1, 5), {"type": "ack", "position": 2}
    one = successor(WELCOME, chat(3), chat(4), frame, ack, {"type": "resumed", "to": 4})
    assert one.after(cursor(3)) == [WELCOME, chat(4), frame, ack, {"type": "resumed", "to": 4}]


def test_nothing_is_left_out_of_a_state_that_begins_anew() -> None:
    messages = [WELCOME, {"type": "resync", "position": 3}, chat(3), {"type": "greeted"}]
    assert successor(*messages).after(cursor(9)) == messages


def test_states_that_are_older_than_those_shown_are_left_out() -> None:
    one = successor(WELCOME, state(0, 6), state(0, 20), state(1, 3))
    assert one.after(cursor(3, state(0, 20))) == [WELCOME, state(0, 20), state(1, 3)]
    begun = {"type": "game:start", "roomId": "r1", "position": 3}
    assert one.after(cursor(3, state(0, 20), begun))[1] == state(0, 6)


async def test_a_successor_is_opened_again_while_that_fails() -> None:
    refusals: list[Exception] = [Closed(1013), OSError(), TimeoutError()]
    opened = successor(WELCOME)

    async def open_() -> Successor:
        if refusals:
            raise refusals.pop()
        return opened

    assert await in_time(open_, lambda: 0.0, 1) is opened


async def test_opening_a_successor_can_be_cancelled() -> None:
    async def open_() -> Successor:
        raise OSError

    opening = asyncio.create_task(in_time(open_, lambda: 0.0, 1))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
