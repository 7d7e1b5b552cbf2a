"""Authorisation as one table, from which tests and docs/authorisation.md are generated.

`python -m tools.authorisation` writes the page, `--check` fails when what is committed is not that.
A cell is `YES` or the code of the error; the tests in `tests/unit/authorisation` carry each of them
out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from service.edge.api.routes import ROUTES
from service.edge.dialect import CLASSIC, SOCKET_IO, V1, Dialect

PAGE = Path(__file__).parent.parent / "docs" / "authorisation.md"

Role: TypeAlias = Literal["anyone", "kicked", "member", "seated", "host", "admin"]
Caller: TypeAlias = Literal["nobody", "revoked", "anyone", "player", "publish", "observe", "admin"]
Setting: TypeAlias = Literal["open", "private", "password", "locked", "playing"]

ROLES: dict[Role, str] = {
    "anyone": "is connected, and not in the room",
    "kicked": "was kicked from the room by its host",
    "member": "watches the room",
    "seated": "has a seat in the room",
    "host": "has a seat, and is the host",
    "admin": "is connected with a token that has the scopes of a service, which give nothing here",
}

CALLERS: dict[Caller, str] = {
    "nobody": "has no valid token",
    "revoked": "has a token from before their sessions were revoked",
    "anyone": "is a user who has not played the match",
    "player": "is a user who has played the match",
    "publish": "is a service with the scope `publish`",
    "observe": "is an operator with the scope `observe`",
    "admin": "is an operator with the scope `admin`",
}

YES = "yes"

ROOM, NEW_ROOM, OTHER_ROOM = "room", "new-room", "other-room"
OPPONENT, FRIEND = 20, 30
"""A player in the room, and an online user who is in no room."""

PASSWORD = "sesame"  # noqa: S105 - of a room in a test


class Row(msgspec.Struct, frozen=True):
    """The expected answer to a message, by role."""

    name: str
    message: dict[str, Any]
    cells: dict[Role, str]
    room: Setting = "open"

    @property
    def dialects(self) -> list[Dialect]:
        """The dialects that have the message."""
        return [one for one in (CLASSIC, SOCKET_IO, V1) if self.message["type"] in _types_of(one)]


class RestRow(msgspec.Struct, frozen=True):
    """The expected status of a request, by caller."""

    method: str
    path: str
    name: str
    cells: dict[Caller, int]
    query: str = ""
    body: dict[str, Any] | None = None
    private: bool = False
    """Whether the match was played in a room that is not public."""


def _types_of(dialect: Dialect) -> set[str]:
    return set(dialect.types.values())


def _all(code: str = YES, **others: str) -> dict[Role, str]:
    return {role: others.get(role, code) for role in ROLES}


def _outside(code: str) -> dict[Role, str]:
    """Expect a refusal for all who are not in the room."""
    return _all(anyone=code, kicked=code, admin=code)


def _not_seated(code: str) -> dict[Role, str]:
    return _all(anyone=code, kicked=code, admin=code, member=code)


def _host_only() -> dict[Role, str]:
    return _all("NOT_HOST", host=YES)


def _free() -> dict[Role, str]:
    """Refuse those who are needed in a room."""
    return _all(seated="ALREADY_IN_ROOM", host="ALREADY_IN_ROOM")


def _joins() -> Iterator[Row]:
    """Return each way into each kind of room."""
    wanted: list[tuple[Setting, str, str]] = [
        ("open", "", YES),
        ("private", "", YES),
        ("password", "", "WRONG_PASSWORD"),
        ("password", "wrong", "WRONG_PASSWORD"),
        ("password", PASSWORD, YES),
        ("locked", "", "ROOM_LOCKED"),
    ]
    for room, password, outsiders in wanted:
        for role in ("player", "spectator"):
            for or_create in (False, True):
                message = {"type": "room:join", "roomId": ROOM, "role": role, "game": "relay"}
                if or_create:
                    message["orCreate"] = True  # type: ignore[assignment]  # a value of JSON
                if password:
                    message["password"] = password
                how = {"": "", "wrong": " by a wrong password", PASSWORD: " by the password"}
                name = f"join a room that is {room} as {role}{how[password]}"
                cells = _all(anyone=outsiders, admin=outsiders, kicked="BANNED")
                yield Row(name + (", or create it" if or_create else ""), message, cells, room)


ROWS: tuple[Row, ...] = (
    Row("ping", {"type": "ping"}, _all()),
    Row("resume", {"type": "resume", "position": 0, "epoch": "e"}, _all()),
    Row("refresh one's token", {"type": "auth:refresh", "token": "t"}, _all()),
    Row("list users", {"type": "user:list:request"}, _all()),
    Row("list users", {"type": "user:sync"}, _all()),
    Row("set one's status", {"type": "user:status", "status": "away"}, _all()),
    Row("hide oneself", {"type": "user:status", "hidden": True}, _all()),
    Row("show the lobby", {"type": "lobby:join"}, _all()),
    Row("leave the lobby", {"type": "lobby:leave"}, _all()),
    Row("list the lobby", {"type": "lobby:request"}, _all()),
    Row("watch friends", {"type": "friends:subscribe", "friendIds": [FRIEND]}, _all()),
    Row("request the friends' status", {"type": "friends:status:request"}, _all()),
    Row("invite a user", {"type": "invite", "to": FRIEND, "game": "relay"}, _free()),
    Row("invite a user", {"type": "invite:send", "to": FRIEND, "game": "relay"}, _free()),
    Row("invite a player", {"type": "invite", "to": OPPONENT, "game": "relay"},
        _all("USER_BUSY", seated="ALREADY_IN_ROOM", host="ALREADY_IN_ROOM")),
    Row("accept a missing invite", {"type": "invite:accepted", "from": FRIEND},
        _all("INVITE_NOT_FOUND")),
    Row("decline a missing invite", {"type": "invite:declined", "from": FRIEND},
        _all("INVITE_NOT_FOUND")),
    Row("join a matchmaking queue", {"type": "matchmaking:join", "game": "relay"}, _free()),
    Row("leave the queue", {"type": "matchmaking:leave", "game": "relay"}, _all()),
    Row("accept a bot without an offer", {"type": "matchmaking:acceptBot", "game": "pong"},
        _all("NO_BOT_OFFERED")),
    Row("create a room", {"type": "room:create", "game": "relay"}, _free()),
    Row("create a room", {"type": "room:create", "game": "relay", "roomId": NEW_ROOM}, _free()),
    Row("create an existing room", {"type": "room:create", "game": "relay", "roomId": ROOM},
        _all("ROOM_EXISTS")),
    *_joins(),
    Row("watch a room while it plays", {"type": "room:join", "roomId": ROOM, "role": "spectator"},
        _all(kicked="BANNED"), "playing"),
    Row("sit down while it plays", {"type": "room:join", "roomId": ROOM},
        _all("ROOM_FULL", kicked="BANNED", seated=YES, host=YES), "playing"),
    Row("join a missing room", {"type": "room:join", "roomId": "nowhere"},
        _all("ROOM_NOT_FOUND")),
    Row("leave the room", {"type": "room:leave", "roomId": ROOM},
        _all(anyone="NOT_IN_ROOM", admin="NOT_IN_ROOM")),
    Row("leave the room", {"type": "game:leave", "roomId": ROOM},
        _all(anyone="NOT_IN_ROOM", admin="NOT_IN_ROOM")),
    Row("be ready", {"type": "room:ready", "roomId": ROOM}, _not_seated("NOT_IN_ROOM")),
    Row("kick a player", {"type": "room:kick", "roomId": ROOM, "userId": OPPONENT},
        _host_only()),
    Row("kick a player from a match", {"type": "room:kick", "roomId": ROOM, "userId": OPPONENT},
        _all("NOT_HOST", host="MATCH_ALREADY_STARTED"), "playing"),
    Row("kick an absent user",
        {"type": "room:kick", "roomId": ROOM, "userId": FRIEND},
        _all("NOT_HOST", host="NOT_IN_ROOM")),
    Row("add a bot to a game that has none", {"type": "room:addBot", "roomId": ROOM},
        _all("NOT_HOST", host="NO_SUCH_BOT")),
    Row("lock the room", {"type": "room:lock", "roomId": ROOM}, _host_only()),
    Row("unlock the room", {"type": "room:lock", "roomId": ROOM, "locked": False}, _host_only(),
        "locked"),
    Row("list rooms", {"type": "room:list"}, _all()),
    Row("watch the list of rooms", {"type": "room:subscribe"}, _all()),
    Row("unsubscribe from the list", {"type": "room:unsubscribe"}, _all()),
    Row("watch the lobby", {"type": "lobby:watch"}, _all()),
    Row("watch the lobby no longer", {"type": "lobby:unwatch"}, _all()),
    Row("say something in the lobby", {"type": "lobby:say", "text": "hello"},
        _all("NOT_IN_LOBBY")),
    Row("take a seat", {"type": "game:join", "roomId": ROOM}, _not_seated("NOT_IN_ROOM")),
    Row("start a match", {"type": "game:begin", "roomId": ROOM}, _not_seated("NOT_IN_ROOM")),
    Row("start a match twice", {"type": "game:begin", "roomId": ROOM},
        _all("NOT_IN_ROOM", seated="MATCH_ALREADY_STARTED", host="MATCH_ALREADY_STARTED"),
        "playing"),
    Row("move", {"type": "game:move", "roomId": ROOM, "direction": "w", "action": "down"},
        _not_seated("NOT_IN_ROOM"), "playing"),
    Row("move before the match", {"type": "game:move", "roomId": ROOM, "direction": "w",
        "action": "down"},
        _all("NOT_IN_ROOM", seated="MATCH_NOT_RUNNING", host="MATCH_NOT_RUNNING")),
    Row("read the moves so far", {"type": "game:history", "roomId": ROOM},
        _outside("NOT_IN_ROOM"), "playing"),
    Row("set one's frame rate", {"type": "frames:set", "frameHz": 30}, _all()),
    Row("signal to the room", {"type": "signal", "roomId": ROOM, "data": 1},
        _outside("NOT_IN_ROOM")),
    Row("signal to a player", {"type": "signal", "to": OPPONENT, "data": 1},
        _outside("NOTHING_SHARED")),
    Row("signal to a stranger", {"type": "signal", "to": FRIEND, "data": 1},
        _all("NOTHING_SHARED")),
    Row("say something to the room", {"type": "chat:send", "roomId": ROOM, "text": "hi"},
        _outside("NOT_IN_ROOM")),
    Row("say something to a user", {"type": "chat:send", "to": FRIEND, "text": "hi"}, _all()),
    Row("mute a user", {"type": "chat:mute", "userId": OPPONENT}, _all()),
)  # fmt: skip


def _rest(least: int = 200, **others: int) -> dict[Caller, int]:
    strangers = {"nobody": 401, "revoked": 401}
    return {caller: {**strangers, **others}.get(caller, least) for caller in CALLERS}


MATCH = "/matches/{matchId}"

REST_ROWS: tuple[RestRow, ...] = (
    RestRow("GET", "/games", "list games", _rest()),
    RestRow("GET", "/users", "list users", _rest()),
    RestRow("GET", "/rooms", "list rooms", _rest()),
    RestRow("GET", "/rooms/{roomId}", "show a room", _rest()),
    RestRow("GET", "/matches", "list matches", _rest()),
    RestRow("GET", "/players/{userId}", "see how somebody has played", _rest()),
    *(
        RestRow("GET", MATCH + path, name, _rest(anyone=404) if private else _rest(),
                private=private)
        for path, what in (("", "show"), ("/events", "list the events of"),
                           ("/verify", "verify"), ("/frames", "play again"),
                           ("/summary", "sum up"), ("/recording", "export"),
                           ("/legal-moves", "list one's moves in"))
        for private, name in ((False, f"{what} a match"),
                              (True, f"{what} a match of a room that was not public"))
    ),
    RestRow("DELETE", "/sessions", "send a user away", _rest(403, admin=204), query="?user=20"),
    RestRow("POST", "/messages", "publish a message", _rest(403, publish=200),
            body={"to": "all", "data": 1}),
    *(
        RestRow("GET", f"/admin/{path}", name, _rest(403, observe=200, admin=200))
        for path, name in (("figures", "see the figures"), ("nodes", "list the nodes"),
                           ("users", "list users with their sockets"),
                           ("rooms", "list all rooms"), ("log", "read the log"),
                           ("matches/{matchId}/state", "see a match at a tick"),
                           ("deliveries", "list deliveries"))
    ),
    *(
        RestRow("POST", f"/admin/{path}", name, _rest(403, admin=200), body=body)
        for path, name, body in (
            ("kick", "kick a member", {"roomId": ROOM, "user": OPPONENT}),
            ("close-room", "close a room", {"roomId": ROOM}),
            ("void-match", "void a match", {"matchId": f"{ROOM}-1"}),
            ("revoke", "revoke a user's sessions", {"user": OPPONENT}),
            ("message", "send a text to all", {"text": "hello"}),
            ("retry-delivery", "retry a delivery", {"matchId": f"{ROOM}-1"}),
            ("fork", "fork a match", {"matchId": f"{ROOM}-1", "tick": 0, "players": [901, 902]}),
        )
    ),
)  # fmt: skip


def cells() -> int:
    """Return the number of combinations that are tested."""
    sockets = sum(len(row.cells) * len(row.dialects) for row in ROWS)
    return sockets + sum(len(row.cells) for row in REST_ROWS)


def page() -> str:
    """Return the page."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield from (
        "# Authorisation",
        "",
        "Generated from `tools/authorisation.py` by `make reference`; do not edit. A test carries",
        f"out each of these {cells()} cells, the messages in every dialect that knows them.",
        "",
        "## Messages",
        "",
    )
    yield from (f"- **{role}** {meaning}." for role, meaning in ROLES.items())
    yield ""
    yield from _head("Message", "What", list(ROLES))
    for row in ROWS:
        name = row.name if row.room in {"open", *row.name.split()} else f"{row.name} ({row.room})"
        codes = (cell if cell == YES else f"`{cell}`" for cell in row.cells.values())
        yield f"| `{row.message['type']}` | {name} | {' | '.join(codes)} |"
    yield from ("", "## Requests", "")
    yield from (f"- **{caller}** {meaning}." for caller, meaning in CALLERS.items())
    yield ""
    yield from _head("Request", "What", list(CALLERS))
    for rest in REST_ROWS:
        statuses = " | ".join(str(status) for status in rest.cells.values())
        yield f"| `{rest.method} {rest.path}` | {rest.name} | {statuses} |"
    yield from _sight()


SIGHT_ROWS = (
    ("a player, by all sockets and the API", "what their seat sees", "what their seat saw"),
    ("a spectator, or who may see the match", "what spectators see", "what spectators saw"),
    ("a player who has left it", "what spectators see", "what their seat saw"),
    ("a service with the scope `publish`", "what spectators see", "what spectators saw"),
    ("`replay`, `at`, `log tail`", "what spectators see", "what spectators saw"),
    ("an operator with `observe`, by `/admin`", "no state, and empty events", "everything"),
    ("an operator with `admin`, by `/admin`", "everything", "everything"),
    ("who has the database, or `--secrets`", "everything", "everything"),
)
"""Who sees what of a live match, and of one that is over whose game keeps its secrets."""


def _sight() -> Iterator[str]:
    yield from ("", "## What a viewer sees of a match", "")
    yield "Without secrets all see the same. In a game with secrets (`has_secrets`):"
    yield ""
    yield from _head("Who", "of a live match", ["of one that is over", "if the game keeps secrets"])
    for who, live, kept in SIGHT_ROWS:
        yield f"| {who} | {live} | everything | {kept} |"
    yield ""
    yield "[Decision 41](decisions/0041-what-a-viewer-is-shown-is-recorded.md) has the reasons."


def _head(first: str, second: str, others: list[Any]) -> Iterator[str]:
    yield f"| {first} | {second} | {' | '.join(others)} |"
    yield "|" + " --- |" * (2 + len(others))


def main() -> None:
    """Write the page, or with `--check` compare it."""
    missing = {(str(route.method), route.path) for route in ROUTES} - {
        (row.method, row.path) for row in REST_ROWS
    }
    missing |= {("message", type_) for one in (CLASSIC, V1) for type_ in _types_of(one)} - {
        ("message", row.message["type"]) for row in ROWS
    }
    if missing:
        sys.exit(f"the table of rights has no row for {sorted(missing)}")
    if sys.argv[1:] != ["--check"]:
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        sys.exit(f"{PAGE.name} is not what the table says: run `make reference`")


if __name__ == "__main__":
    main()
