"""What a client keeps from one connection to the next; no I/O."""

from __future__ import annotations

from typing import Any, TypeAlias

Message: TypeAlias = dict[str, Any]


class Cursor:
    """How far the log has been taken in; docs/protocol.md, "One number resumes everything"."""

    def __init__(self) -> None:
        """Begin without a position: the first connection resumes nothing."""
        self.epoch: str | None = None
        self.position = 0
        self._resuming = False

    def query(self) -> dict[str, str]:
        """Return what the URL of the next connection asks for."""
        self._resuming = self.epoch is not None
        if self.epoch is None:
            return {}
        return {"since": str(self.position), "epoch": self.epoch}

    def take(self, message: Message) -> bool:
        """Move on by a message; tell whether it ends the greeting of its connection."""
        match message:
            case {"type": "welcome"} if self._resuming:
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
        end = {"resumed", "resync"} if self._resuming else {"user:list"}
        return message["type"] in end


class Joins:
    """The rooms that this client is in by its own commands, and how each is joined again."""

    def __init__(self) -> None:
        """Begin in no room."""
        self._joins: dict[str, Message] = {}

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
                self._joins.pop(room, None)
            case _:
                pass

    def take(self, message: Message, user: int | str) -> None:
        """Know of a room that is gone, or that this user is out of."""
        match message:
            case {"type": "room:left", "reason": "offline"}:
                # Whoever watches is out as soon as he is gone, and comes back with his connection.
                pass
            case {"type": "room:left", "userId": gone, "roomId": room} if gone == user:
                self._joins.pop(room, None)
            case {"type": "room:closed", "roomId": room}:
                self._joins.pop(room, None)
            case {"type": "session:kickIntro"}:
                # The seat was lost; to take one again is for the user to say.
                self._joins = {
                    room: join
                    for room, join in self._joins.items()
                    if join.get("role") == "spectator"
                }
            case _:
                pass

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
