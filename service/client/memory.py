"""State that a client keeps across reconnects: cursor, greeting, joined rooms; no I/O."""

from __future__ import annotations

from typing import Any, TypeAlias

Message: TypeAlias = dict[str, Any]


class Cursor:
    """How far the log has been taken in; docs/protocol.md, "Resuming after a disconnect"."""

    def __init__(self) -> None:
        """Begin without a position: the first connection resumes nothing."""
        self.epoch: str | None = None
        self.position = 0
        self.is_resuming = False
        """Whether the present connection has asked to resume."""

    def forget(self) -> None:
        """Resume nothing: what stands has to come first, and whole."""
        self.epoch = None

    def query(self) -> dict[str, str]:
        """Return what the URL of the next connection asks for."""
        self.is_resuming = self.epoch is not None
        if self.epoch is None:
            return {}
        return {"since": str(self.position), "epoch": self.epoch}

    def take(self, message: Message) -> bool:
        """Move on by a message; tell whether it ends the greeting of its connection."""
        match message:
            case {"type": "welcome"} if self.is_resuming:
                # What was missed is still to come.
                pass
            case {"type": "welcome" | "resync", "epoch": epoch, "position": position}:
                self.epoch, self.position = epoch, position
            case {"type": "resumed", "to": position}:
                self.position = max(self.position, position)
            case {"type": "ack"}:
                # What another socket has caused up to there may be still to come.
                pass
            case {"position": position}:
                self.position = max(self.position, position)
            case _:
                pass
        end = {"resumed", "resync"} if self.is_resuming else {"user:list"}
        return message["type"] in end


class Greeting:
    """Buffers the greeting until it is complete.

    What is missing when the connection breaks would not be told by a resume, and what has come
    already would be told twice by a new start.
    """

    def __init__(self, cursor: Cursor) -> None:
        """Forget the `cursor` while what stands has not come."""
        self._cursor = cursor
        self._held: list[Message] | None = None
        self._features: list[str] = []

    def begin(self) -> None:
        """Begin a connection."""
        self._held = None

    def knows(self, feature: str) -> bool:
        """Tell whether the service has this feature."""
        return feature in self._features

    def take(self, message: Message) -> list[Message]:
        """Take a message, and return all that may be told now."""
        if message["type"] == "welcome":
            self._features = message.get("features", [])
        if self._held is not None:
            self._held.append(message)
            if message["type"] != "greeted":
                return []
            held, self._held = self._held, None
            return held
        if self._begins_what_stands(message["type"]):
            self._cursor.forget()
            self._held = [message]
            return []
        return [message]

    def _begins_what_stands(self, type_: str) -> bool:
        fresh = type_ == "welcome" and not self._cursor.is_resuming
        return (fresh or type_ == "resync") and self.knows("greeted")


class Joins:
    """The rooms that this client is in by its own commands, and how each is joined again."""

    def __init__(self) -> None:
        """Begin in no room."""
        self._joins: dict[str, Message] = {}
        self._seat: str | None = None

    def forget(self) -> None:
        """Be in no room: the user is another one."""
        self._joins = {}
        self._seat = None

    @property
    def has_seat(self) -> bool:
        """Whether a match may wait for this client."""
        return self._seat is not None or any(
            join.get("role") != "spectator" for join in self._joins.values()
        )

    def answered(self, command: Message, answer: Message) -> None:
        """Take a command that was carried out."""
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
        """Know of a room that is gone, or that this user is out of."""
        match message:
            case {"type": "room:left", "reason": "offline"}:
                # A spectator is out once disconnected, and comes back with their connection.
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
                # The seat was lost; to take one again is for the user to say.
                self._seat = None
                self._joins = {
                    room: join
                    for room, join in self._joins.items()
                    if join.get("role") == "spectator"
                }
            case _:
                pass

    def refused(self, room: str) -> None:
        """Know of a room that can't be joined again."""
        self._forget(room)

    def _forget(self, room: str) -> None:
        self._joins.pop(room, None)
        if self._seat == room:
            self._seat = None

    def again(self, unanswered: list[Message]) -> list[Message]:
        """Return what joins each room on another connection.

        To join a room that is being left would undo a leaving that may have happened.
        """
        leaving = {
            command["roomId"]
            for command in unanswered
            if command["type"] in {"room:leave", "game:leave"}
        }
        return [join for room, join in self._joins.items() if room not in leaving]
