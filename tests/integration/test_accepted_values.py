"""Every value that any edge accepts can be stored, read, folded, restored, shown and verified."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, unquote

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.cli.verify import verify as log_verify
from service.domain.commands.presence import CloseSocket, OpenSocket
from service.domain.events.base import Event
from service.domain.events.presence import SocketOpened
from service.domain.ids import UserId, parse_user_id
from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData
from service.domain.projections.world import World
from service.edge.api.calls import Call
from service.edge.api.reading import read_parameters
from service.edge.api.routes import list_rooms, list_users, show_room
from service.edge.api.shapes import RoomParams, RoomsParams, UsersParams
from service.edge.backlog import Backlog
from service.edge.connection import Connection
from service.edge.dialect import CLASSIC, SOCKET_IO, V1, Dialect
from service.edge.frames import texts_of
from service.edge.greeting import Greeter
from service.edge.hub import Hub
from service.edge.refill_progress import RefillProgress
from service.edge.session.actions import Execute, RelaySignal
from service.edge.session.errors import MessageRefused
from service.edge.session.rate_limit import UserBudget
from service.edge.session.session import Session
from service.edge.socketio import packets
from service.edge.socketio.packets import InvalidPacket
from service.edge.socketio.polling import Polling
from service.errors import ClientError
from service.eventstore.codec import decode
from service.eventstore.plan import Append, Committed
from service.eventstore.records import Origin, propose
from service.fanout.audience import Delivery
from service.fanout.profiles import Profiles
from service.fanout.rules import after_fold, before_fold
from service.fanout.signals import route_signal
from service.replay.run import Run
from service.runtime.snapshots import dump, restore
from service.settings.sections.broadcasts import BroadcastLimits
from service.settings.sections.connections import (
    ConnectionLimits,
    SessionLimits,
    SlowLimits,
    UserLimits,
)
from service.settings.sections.storage import BacklogLimits
from service.telemetry import Metrics
from tests.command_line import pipes_kept
from tests.integration.log_file import LogFile
from tests.unit.domain.story import ROOM, Story

PLAYER, WATCHER, MAKER = 1, 2, 3


class SessionsWithStore:
    """A service without sockets: sessions at its front, a database at its back."""

    def __init__(self, path: Path) -> None:
        self.file = LogFile(path)
        self.store = self.file.store()
        self.profiles = Profiles()
        self.metrics = Metrics()
        self.story = Story()
        self.world = self.story.world
        self.position = 0
        self.accepted = 0
        self.read = World()
        """The world as a reader of the log folds it."""
        numbers = itertools.count(1)
        self.story.context = msgspec.structs.replace(
            self.story.context,
            new_token=lambda: f"token{next(numbers)}",
            new_room_id=lambda: f"room{next(numbers)}",
        )
        self.keep(self.story.events)
        done = len(self.story.events)
        self.match = self.story.match("relay", PLAYER, WATCHER, seats=2)
        self.story.open(MAKER)
        self.keep(self.story.events[done:])

    def keep(self, events: list[Event], personal_data: PersonalData = NO_PERSONAL_DATA) -> None:
        """Commit events, and fold what is read again."""
        if not events:
            return
        (done,) = self.store.commit([Append(propose(events, Origin("test", 1)), {}, personal_data)])
        assert isinstance(done, Committed)
        rows = self.file.query(
            "SELECT position, type, schema_version, data FROM events WHERE position > ?",
            self.position,
        )
        for (position, type_, version, data), event in zip(rows, events, strict=True):
            found = decode(type_, version, data)
            assert found == event
            self.read.fold(found, position)
            self.position = position

    def receive(self, user: UserId, socket: str, dialect: Dialect, text: str) -> None:
        """Let a client send a text, as its dialect writes it; carry out what is accepted."""
        budget = UserBudget(UserLimits(), 0)
        session = Session(
            user,
            socket,
            dialect,
            limits=SessionLimits(),
            budget=budget,
            new_token=self.story.context.new_token,
            now=0,
        )
        if dialect is SOCKET_IO:
            fields = json.loads(text)
            packet = "21" + json.dumps([fields.pop("type"), fields])
            try:
                text = packets.message_of(packets.read(packet))
            except InvalidPacket:
                return
        try:
            action = session.receive(text, 0).action
        except MessageRefused:
            return
        try:
            self.carry_out(action)
        except ClientError:
            return
        self.accepted += 1

    def carry_out(self, action: object) -> None:
        if isinstance(action, RelaySignal):
            delivery = route_signal(
                action.message,
                action.to,
                user=PLAYER,
                socket="n1.1.1a",
                world=self.world,
                sockets_of=lambda _: (),
            )
            self.tell([delivery])
        elif isinstance(action, Execute):
            events = list(action.command.decide(self.world, self.story.context))
            self.profiles.texts |= {
                chat: one.text for chat, one in action.personal_data.texts.items()
            }
            self.keep(events, action.personal_data)
            for event in events:
                self.tell(before_fold(event, self.world, self.profiles))
                self.story.fold(event)
                self.tell(after_fold(event, self.world, self.profiles))

    def tell(self, messages: Any) -> None:
        """Write every message for each kind of client."""
        for message in messages:
            if isinstance(message, Delivery):
                for dialect, one in ((CLASSIC, message.classic), (SOCKET_IO, message.classic)):
                    if one is not None:
                        read_frames(dialect, dialect.frame(one))
                if message.v1 is not None:
                    read_frames(V1, V1.frame(message.v1))

    def check(self, stranger: UserId) -> None:
        """Let all who come later take what there is."""
        assert dump(self.read) == dump(self.world)
        assert dump(restore(dump(self.world))) == dump(self.world)
        for user in (PLAYER, MAKER, stranger):
            for dialect in (CLASSIC, SOCKET_IO, V1):
                self.greet(user, dialect)
        asyncio.run(self.list())

    def greet(self, user: UserId, dialect: Dialect) -> None:
        metrics, backlog = self.metrics, Backlog(BacklogLimits())
        intervals = BroadcastLimits(user_list_ms=60_000, user_diff_ms=60_000)
        hub = Hub(self.world, self.profiles, backlog, intervals, metrics)
        greeter = Greeter(
            self.world,
            self.profiles,
            hub,
            backlog,
            ConnectionLimits(),
            invite_ttl_s=60,
            refill=RefillProgress(backlog),
            epoch="e",
            metrics=metrics,
        )
        transport = Polling(lambda: None)
        connection = Connection("n1.1.0", user, dialect, transport=transport, limits=SlowLimits())
        for frames in greeter.greet(connection, SocketOpened(user=user, socket="n1.1.0")):
            read_frames(dialect, frames)

    async def list(self) -> None:
        """Ask by REST for the users and rooms, and by its URL for each room."""
        parts: Any = SimpleNamespace(world=self.world, profiles=self.profiles)

        def call(asked: Any) -> Any:
            return Call(asked, SimpleNamespace(), SimpleNamespace())  # type: ignore[arg-type]

        for page in (
            await list_users(parts, call(UsersParams(limit=100))),
            await list_rooms(parts, call(RoomsParams(limit=100))),
        ):
            json.loads(msgspec.json.encode(page))
        for room in self.world.rooms.rooms:
            url = quote(room, safe="")
            assert url not in {".", ".."}
            asked = read_parameters(RoomParams, {"roomId": unquote(url)}, {})  # type: ignore[arg-type]
            json.loads(msgspec.json.encode(await show_room(parts, call(asked))))

    def run_again(self) -> None:
        """Play the match again from its recorded inputs."""
        run: Run = self.story.run_of(self.match)
        json.loads(msgspec.json.encode(run.game.view(run.state, None)))


def read_frames(dialect: Dialect, frames: bytes) -> None:
    """Read what a client gets, with a parser that is not the service's own."""
    for text in texts_of(frames):
        whole = text.decode()
        json.loads(
            whole.lstrip("0123456789") if dialect is SOCKET_IO else whole, parse_constant=int
        )


text = st.text(st.characters(), max_size=12) | st.sampled_from(
    [
        "\0",
        "a\0b",
        "\ud83d",
        ".",
        "..",
        "r\n",
        "~",
        "\u2028",
        "\x1b[2J",
        "\u202e",
        "__proto__",
        "../x",
    ]
)
nests = st.builds(
    lambda depth, opening: json.loads(opening[0] * depth + "0" + opening[1] * depth),
    st.integers(1, 60),
    st.sampled_from([("[", "]"), ('{"x":', "}")]),
)
many = st.integers(1, 1100).map(lambda count: {str(key): 0 for key in range(count)})
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
    | nests,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(text, values, max_size=3) | many
users = st.integers(-1, 2**54) | text | st.sampled_from([PLAYER, WATCHER, MAKER])
rooms = st.sampled_from([ROOM, ".", "..", "a", "a\n", "-", "~"]) | text
options = st.fixed_dictionaries(
    {},
    optional={
        "seats": values | st.integers(1, 16),
        "seats_min": values | st.integers(1, 16),
        "reconnect_grace_s": values | st.floats(0, 60),
        "pause_budget_s": values,
        "spectator_delay_s": values,
        "frame_ms": values | st.sampled_from([0, 16]),
        "duration_s": values,
        "turn_s": values,
    },
)


def message(type_: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"type": st.just(type_), **fields})


games = st.sampled_from(["relay", "relay", "pong", "connect_four"]) | text
messages = st.one_of(
    message("room:create", roomId=rooms, game=games, options=options, metadata=objects),
    message("room:create", metadata=objects, maxSpectators=st.integers(-1, 2**64), id=text),
    message(
        "room:join",
        roomId=rooms,
        game=games,
        orCreate=st.just(value=True),
        role=st.sampled_from(["player", "spectator"]),
        metadata=objects,
    ),
    message("game:move", roomId=st.just(ROOM), move=objects),
    message("signal", roomId=st.just(ROOM), data=values),
    message("signal", to=users, data=values),
    message("chat:send", roomId=st.just(ROOM), text=text),
    message("chat:send", to=users, text=text),
    message("chat:mute", userId=users),
    message("invite", to=users, game=games),
    message("matchmaking:join", game=games),
    message("room:kick", roomId=rooms, userId=users),
    message("user:status", status=st.sampled_from(["away", "busy"])),
    message("lobby:join"),
    message("lobby:leave"),
)


@pytest.fixture
def sessions(migrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SessionsWithStore:
    path = tmp_path / "ws-service.db"
    shutil.copy(migrated, path)
    monkeypatch.setenv("WS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("JWT_SECRET", "a secret of this test that is long enough")
    return SessionsWithStore(path)


def test_every_accepted_value_can_be_encoded_by_every_later_codec(
    sessions: SessionsWithStore,
) -> None:
    @settings(
        max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([PLAYER, WATCHER, MAKER]),
                st.sampled_from([V1, V1, CLASSIC, SOCKET_IO]),
                messages,
            ),
            min_size=6,
            max_size=12,
        ),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=128),
    )
    def some(sent: list[tuple[int, Dialect, dict[str, Any]]], stranger: str) -> None:
        user, number = parse_user_id(stranger), sessions.position
        opened = sessions.story.do(OpenSocket(user, f"n1.1.{number}x"))
        sessions.keep(opened)
        for sender, dialect, one in sent:
            sessions.receive(sender, f"n1.1.{sender}a", dialect, json.dumps(one))
        sessions.check(user)
        seat = sessions.world.rooms.seated.get(MAKER, "")
        leave = json.dumps({"type": "room:leave", "roomId": seat})
        sessions.receive(MAKER, f"n1.1.{MAKER}a", V1, leave)
        sessions.keep(sessions.story.do(CloseSocket(user, f"n1.1.{number}x", 1000)))

    some()
    assert sessions.accepted > 10
    sessions.run_again()
    sessions.store.close()
    with pipes_kept():
        log_verify()
