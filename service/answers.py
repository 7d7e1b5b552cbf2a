"""Which commands were carried out already: a bounded projection, so that an id counts once."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    from service.domain.event import Position
    from service.domain.ids import RoomId
    from service.log.records import RecordedEvent

KEPT_US = 5 * 60 * 1_000_000
"""For how long an id is remembered, by the times of the log."""

PER_USER_MAX = 500
"""How many ids of one user are remembered; the oldest are forgotten."""

CommandKey: TypeAlias = "tuple[str, str]"
"""Whose command it is, and the id that he gave to it."""


class Answer(msgspec.Struct, frozen=True):
    """What a command that was carried out is answered with."""

    position: Position
    """That of its last event."""
    room: RoomId | None = None
    """The room of its first event, if that is in one."""


class Answers:
    """The answers to the commands of the last minutes, as the log has them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._of_users: dict[str, OrderedDict[str, Answer]] = {}
        self._ages: deque[tuple[int, CommandKey]] = deque()

    def find(self, key: CommandKey) -> Answer | None:
        """Return how the command was answered, or None when it was not carried out."""
        user, command = key
        answers = self._of_users.get(user)
        return None if answers is None else answers.get(command)

    def take(self, recorded: RecordedEvent) -> None:
        """Remember the command that `recorded` begins, and forget what is too old."""
        while self._ages and self._ages[0][0] < recorded.recorded_at - KEPT_US:
            self._forget(self._ages.popleft()[1])
        if recorded.meta is None or recorded.actor is None:
            return
        key = (recorded.actor, recorded.meta.command)
        answers = self._of_users.setdefault(recorded.actor, OrderedDict())
        answers[recorded.meta.command] = Answer(
            recorded.position + recorded.meta.events - 1, getattr(recorded.event, "room", None)
        )
        self._ages.append((recorded.recorded_at, key))
        if len(answers) > PER_USER_MAX:
            answers.popitem(last=False)

    def _forget(self, key: CommandKey) -> None:
        user, command = key
        answers = self._of_users.get(user)
        if answers is not None:
            answers.pop(command, None)
            if not answers:
                del self._of_users[user]
