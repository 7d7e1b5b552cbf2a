"""State that a client keeps across reconnects: cursor, greeting, joined rooms; no I/O."""

from __future__ import annotations

from typing import Any, TypeAlias

Message: TypeAlias = dict[str, Any]

FRAME_HZ = 60
"""The frame rate of a service that says none."""


class Cursor:
    """The position to resume from; see docs/protocol.md, "Resuming after a disconnect"."""

    def __init__(self) -> None:
        """Start without a position: the first connection resumes nothing."""
        self.epoch: str | None = None
        self.position = 0
        self.is_resuming = False
        """Whether the current connection resumes."""
        self.shown: dict[str, tuple[int, int]] = {}
        """The run and the tick of the newest state of each room."""

    def forget(self) -> None:
        """Drop the position: the next connection needs a whole greeting."""
        self.epoch = None

    def query(self) -> dict[str, str]:
        """Return the query parameters of the next connection."""
        self.is_resuming = self.epoch is not None
        if self.epoch is None:
            return {}
        return {"since": str(self.position), "epoch": self.epoch}

    def take(self, message: Message) -> bool:
        """Advance by a message; return whether it ends the greeting of its connection."""
        match message:
            case {"type": "welcome"} if self.is_resuming:
                # The missed messages follow.
                pass
            case {"type": "welcome" | "resync", "epoch": epoch, "position": position}:
                self.epoch, self.position = epoch, position
            case {"type": "resumed", "to": position}:
                self.position = max(self.position, position)
            case {"type": "game:update", "roomId": room, "run": run, "tick": tick}:
                self.shown[room] = run, tick
            case {"type": "game:start" | "room:closed", "roomId": room}:
                self.shown.pop(room, None)
                self.position = max(self.position, message.get("position", 0))
            case {"type": "ack"}:
                # Messages caused by other sockets may follow with lower positions.
                pass
            case {"position": position}:
                self.position = max(self.position, position)
            case _:
                pass
        end = {"resumed", "resync"} if self.is_resuming else {"user:list"}
        return message["type"] in end


class FrameRate:
    """The requested frame rate of states, and the one in effect."""

    def __init__(self, wanted_hz: int | None) -> None:
        """Ask for `wanted_hz`; with None, for none."""
        self.hz = FRAME_HZ
        self._wanted_hz = wanted_hz

    def query(self) -> dict[str, str]:
        """Return the query parameters of the next connection; an older service ignores them."""
        return {} if self._wanted_hz is None else {"frameHz": str(self._wanted_hz)}

    def take_welcome(self, welcome: Message) -> None:
        """Take the rate that the service has granted."""
        self.hz = welcome.get("frameHz", FRAME_HZ)

    def answered(self, command: Message) -> None:
        """Keep the rate of a `frames:set` that was carried out, for later connections as well."""
        if command["type"] == "frames:set":
            self.hz = self._wanted_hz = command["frameHz"]


class GreetingBuffer:
    """Buffers the greeting until it is complete.

    If the connection breaks before that, a resume would not repeat the missing part, and a new
    greeting would repeat the received part.
    """

    def __init__(self, cursor: Cursor) -> None:
        """Reset `cursor` while a greeting is incomplete."""
        self._cursor = cursor
        self._held: list[Message] | None = None
        self._features: list[str] = []

    def begin(self) -> None:
        """Start a connection."""
        self._held = None

    def knows(self, feature: str) -> bool:
        """Return whether the service announced this feature in `welcome`."""
        return feature in self._features

    def take(self, message: Message) -> list[Message]:
        """Take a message; return the messages that may be delivered now."""
        if message["type"] == "welcome":
            self._features = message.get("features", [])
        if self._held is not None:
            self._held.append(message)
            if message["type"] != "greeted":
                return []
            held, self._held = self._held, None
            return held
        if self._begins_greeting(message["type"]):
            self._cursor.forget()
            self._held = [message]
            return []
        return [message]

    def _begins_greeting(self, type_: str) -> bool:
        fresh = type_ == "welcome" and not self._cursor.is_resuming
        return (fresh or type_ == "resync") and self.knows("greeted")


class JoinedRooms:
    """The rooms that this client has joined, and the commands that join them again."""

    def __init__(self) -> None:
        """Start without rooms."""
        self._joins: dict[str, Message] = {}
        self._seat: str | None = None

    def forget(self) -> None:
        """Drop all rooms, since the user is another one."""
        self._joins = {}
        self._seat = None

    @property
    def has_seat(self) -> bool:
        """Whether a match may wait for this client."""
        return self._seat is not None or any(
            join.get("role") != "spectator" for join in self._joins.values()
        )

    def answered(self, command: Message, answer: Message) -> None:
        """Update the rooms by a command that was carried out."""
        match command:
            case {"type": "room:create" | "room:join"}:
                room = command.get("roomId") or answer["roomId"]
                join = {name: command[name] for name in ("role", "password") if name in command}
                self._joins[room] = join | {"type": "room:join", "roomId": room}
            case {"type": "game:join", "roomId": room}:
                self._joins[room] = {"type": "game:join", "roomId": room}
            case {"type": "room:leave" | "game:leave", "roomId": room}:
                self._forget(room)
            case _:
                pass

    def take(self, message: Message, user: int | str) -> None:
        """Update the rooms by a message: rooms that closed, or that this user left."""
        match message:
            case {"type": "room:left", "reason": "offline"}:
                # A disconnected spectator has left the room, and joins again on reconnect.
                pass
            case {"type": "room:left", "userId": gone, "roomId": room} if gone == user:
                self._forget(room)
            case {"type": "room:closed", "roomId": room}:
                self._forget(room)
            case {"type": "session:state", "inRoom": in_room, "roomId": room}:
                self._seat = room if in_room else None
            case {"type": "room:start", "roomId": room}:
                self._seat = room
            case {"type": "session:kickIntro"}:
                # The seat was lost; taking one again is the user's decision.
                self._seat = None
                self._joins = {
                    room: join
                    for room, join in self._joins.items()
                    if join.get("role") == "spectator"
                }
            case _:
                pass

    def refused(self, room: str) -> None:
        """Drop a room that could not be joined again."""
        self._forget(room)

    def _forget(self, room: str) -> None:
        self._joins.pop(room, None)
        if self._seat == room:
            self._seat = None

    def again(self, unanswered: list[Message]) -> list[Message]:
        """Return the commands that join each room again on a new connection.

        A room with an unanswered leave command is left out: joining could undo the leave.
        """
        leaving = {
            command["roomId"]
            for command in unanswered
            if command["type"] in {"room:leave", "game:leave"}
        }
        return [join for room, join in self._joins.items() if room not in leaving]
