"""Room passwords are checked off the event loop, and guesses are limited."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from service.domain.commands.hosting import CreateRoom, JoinRoom, RoomPlan
from service.domain.events.rooms import PlayerSeated, RoomCreated
from service.domain.passwords import hash_password, verify_password
from service.domain.projections.world import World
from service.edge.passwords import FORGET_S, KEPT_MAX, PAUSE_S_MAX, Guesses, Passwords
from service.edge.session.errors import RateLimited
from service.settings.sections.connections import GuessLimits

LIMITS = GuessLimits(free=5, pause_s=1)


def refused(guesses: Guesses, now: float, user: int = 7, room: str = "r") -> int | None:
    """Return how long to wait, or None when the guess may be checked."""
    try:
        guesses.begin(user, room, now)
    except RateLimited as error:
        return error.retry_after_ms
    return None


def test_wrong_guesses_beyond_the_free_ones_double_the_pause() -> None:
    guesses = Guesses(LIMITS)
    assert [refused(guesses, 0) for _ in range(5)] == [None] * 5
    now, pauses = 0.0, []
    for _ in range(12):
        wait_ms = refused(guesses, now)
        assert wait_ms is not None
        pauses.append(wait_ms // 1000)
        now += wait_ms / 1000
        assert refused(guesses, now) is None
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert max(pauses) == PAUSE_S_MAX


def test_guesses_are_counted_per_user_and_room() -> None:
    guesses = Guesses(LIMITS)
    for _ in range(6):
        refused(guesses, 0)
    assert refused(guesses, 0)
    assert refused(guesses, 0, user=8) is None
    assert refused(guesses, 0, room="other") is None


def test_guesses_are_reset_by_the_right_password_or_by_time() -> None:
    guesses = Guesses(LIMITS)
    for _ in range(6):
        refused(guesses, 0)
    guesses.right(7, "r")
    assert [refused(guesses, 0) for _ in range(6)][:5] == [None] * 5
    assert [refused(guesses, FORGET_S + 1) for _ in range(5)] == [None] * 5


def test_the_number_of_remembered_guesses_is_bounded() -> None:
    guesses = Guesses(LIMITS)
    for number in range(KEPT_MAX + 100):
        refused(guesses, 0, room=f"r{number}")
    assert len(guesses) == KEPT_MAX


def world_with(sealed: str | None) -> World:
    world = World()
    world.fold(
        RoomCreated(
            room="r",
            game="relay",
            players=[],
            options={},
            seats_min=2,
            seats_max=2,
            host=1,
            password=sealed,
            visibility="public" if sealed is None else "password",
        ),
        1,
    )
    world.fold(PlayerSeated(room="r", user=1, seat=0), 2)
    return world


@pytest.fixture
def made() -> Iterator[list[Passwords]]:
    """Stop the threads at the end."""
    passwords: list[Passwords] = []
    yield passwords
    for one in passwords:
        one.stop()


def passwords_of(world: World, made: list[Passwords]) -> Passwords:
    made.append(Passwords(world, LIMITS, new_salt=lambda: "salt", clock=lambda: 0))
    return made[-1]


def join(user: int = 2, **plan: Any) -> JoinRoom:
    return JoinRoom(
        user, "n1.1.2", "r", "player", None, RoomPlan(game="relay", **plan) if plan else None
    )


async def test_the_right_password_reaches_the_command_as_its_hash(
    made: list[Passwords],
) -> None:
    sealed = hash_password("sesame", "pepper")
    passwords = passwords_of(world_with(sealed), made)
    right = await passwords.prepare(join(), "sesame")
    wrong = await passwords.prepare(join(), "open")
    assert isinstance(right, JoinRoom)
    assert isinstance(wrong, JoinRoom)
    assert (right.verified_password, wrong.verified_password) == (sealed, None)


async def test_concurrent_guesses_are_counted_one_by_one(made: list[Passwords]) -> None:
    passwords = passwords_of(world_with(hash_password("sesame", "pepper")), made)
    tried = await asyncio.gather(
        *(passwords.prepare(join(), "no") for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(one, RateLimited) for one in tried) == 15


async def test_members_and_rooms_without_password_are_not_checked(made: list[Passwords]) -> None:
    passwords = passwords_of(world_with(hash_password("sesame", "pepper")), made)
    opened = passwords_of(world_with(None), made)
    for _ in range(20):
        await passwords.prepare(join(user=1), "whatever")
        await opened.prepare(join(), "whatever")


async def test_the_password_of_a_new_room_is_hashed(made: list[Passwords]) -> None:
    passwords = passwords_of(World(), made)
    create = CreateRoom(1, "n1.1.1", None, RoomPlan(game="relay"))
    for command in (create, join(visibility="password")):
        prepared = await passwords.prepare(command, "sesame")
        assert prepared.plan is not None
        assert verify_password(prepared.plan.password or "", "sesame")


async def test_hashing_does_not_block_the_event_loop(
    made: list[Passwords], monkeypatch: pytest.MonkeyPatch
) -> None:
    where: list[int] = []

    def hash_(_sealed: str, _password: str) -> bool:
        where.append(threading.get_ident())
        return False

    monkeypatch.setattr("service.edge.passwords.verify_password", hash_)
    await passwords_of(world_with("sealed"), made).prepare(join(), "no")
    assert where
    assert where[0] != threading.get_ident()
