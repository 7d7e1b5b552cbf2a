"""Each message in each dialect by each role: docs/authorisation.md holds."""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec
import pytest

from service.domain.commands.hosting import CreateRoom, JoinRoom, KickFromRoom, LockRoom, RoomPlan
from service.domain.commands.seats import SetReady
from service.domain.errors import NotInRoom
from service.domain.passwords import hash_password, verify_password
from service.edge.dialect import Dialect
from service.edge.session.actions import Execute, RelaySignal, ShowMoves
from service.edge.session.errors import MessageRefused
from service.edge.session.rate_limit import UserBudget
from service.edge.session.session import Session
from service.errors import ClientError
from service.fanout.signals import route_signal
from service.settings.sections.connections import SessionLimits, UserLimits
from tests.unit.domain.story import Story
from tools.authorisation import (
    FRIEND,
    NEW_ROOM,
    OPPONENT,
    PAGE,
    PASSWORD,
    ROLES,
    ROOM,
    ROWS,
    YES,
    Role,
    Row,
    Setting,
    cells,
    page,
)

HOST = 10
USERS: dict[Role, int] = {
    "anyone": 80,
    "kicked": 60,
    "member": 50,
    "seated": 40,
    "host": HOST,
    "admin": 70,
}
SEALED = hash_password(PASSWORD, "salt")

CASES = [(row, dialect, role) for row in ROWS for dialect in row.dialects for role in ROLES]


def socket_of(user: int) -> str:
    return f"n1.1.{user}a"


def told(setting: Setting) -> Story:
    """Make a room with a host, two more players, a spectator, and one who was sent out."""
    story = Story()
    for user in (*USERS.values(), OPPONENT, FRIEND):
        story.open(user)
    story.context = msgspec.structs.replace(story.context, new_room_id=lambda: NEW_ROOM)
    plan = RoomPlan(
        game="relay",
        options={"seats": 5, "seats_min": 2},
        visibility="private" if setting == "private" else None,
        password=SEALED if setting == "password" else None,
    )
    story.do(CreateRoom(HOST, socket_of(HOST), ROOM, plan))
    for user in (OPPONENT, USERS["seated"], USERS["kicked"]):
        story.do(JoinRoom(user, socket_of(user), ROOM, "player", SEALED, None))
    story.do(JoinRoom(USERS["member"], socket_of(USERS["member"]), ROOM, "spectator", SEALED, None))
    story.do(KickFromRoom(HOST, ROOM, USERS["kicked"]))
    if setting == "locked":
        story.do(LockRoom(HOST, ROOM, locked=True))
    if setting == "playing":
        for user in (HOST, OPPONENT, USERS["seated"]):
            story.do(SetReady(user, ROOM, ready=True))
    return story


def session_of(user: int, dialect: Dialect) -> Session:
    return Session(
        user,
        socket_of(user),
        dialect,
        limits=SessionLimits(),
        budget=UserBudget(UserLimits(), 0),
        new_token=lambda: "token",
        now=0,
    )


def answer(story: Story, user: int, dialect: Dialect, message: dict[str, Any]) -> str:
    """Carry a message out as the edge does, and return `YES` or the code of the error."""
    try:
        action = session_of(user, dialect).receive(json.dumps(message), 0).action
        if isinstance(action, Execute):
            execute(story, action)
        elif isinstance(action, RelaySignal):
            route_signal(
                action.message,
                action.to,
                user=user,
                socket=socket_of(user),
                world=story.world,
                sockets_of=lambda one: tuple(story.world.presence.sockets.get(one, ())),
            )
        elif isinstance(action, ShowMoves) and not _shows(story, action.room, user):
            raise NotInRoom
    except MessageRefused as refused:
        return refused.error.code
    except ClientError as error:
        return error.code
    return YES


def _shows(story: Story, room: str, user: int) -> bool:
    """Check what `service.edge.moves` checks before it reads the moves of a match."""
    return story.world.rooms.get(room).has_joined(user, socket_of(user))


def execute(story: Story, action: Execute) -> None:
    command = action.command
    if isinstance(command, JoinRoom) and action.password is not None:
        room = story.world.rooms.rooms.get(command.room)
        if room is not None and room.password and verify_password(room.password, action.password):
            command = msgspec.structs.replace(command, verified_password=room.password)
    story.do(command)


@pytest.mark.parametrize(
    ("row", "dialect", "role"),
    [
        pytest.param(row, dialect, role, id=f"{dialect.protocol}-{row.message['type']}-{n}-{role}")
        for n, (row, dialect, role) in enumerate(CASES)
    ],
)
def test_each_role_is_authorised_as_the_table_says(row: Row, dialect: Dialect, role: Role) -> None:
    story = told(row.room)
    assert answer(story, USERS[role], dialect, row.message) == row.cells[role]


def test_a_refused_command_changes_nothing() -> None:
    for row in ROWS:
        for role, code in row.cells.items():
            if code != YES:
                story = told(row.room)
                before = len(story.events)
                answer(story, USERS[role], row.dialects[-1], row.message)
                assert len(story.events) == before


def test_the_table_has_at_least_four_hundred_cells(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        sys.stdout.write(f" {cells()} cells of authorisation ")
    assert cells() >= 400


def test_the_authorisation_page_matches_the_table() -> None:
    assert PAGE.read_text() == page(), "run `make reference`"
