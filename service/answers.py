"""Which commands were carried out already: a bounded projection, so that an id counts once."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    from service.domain.event import Event, Position
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
    """The room of its last event, if that is in one: where the command has led to."""


def answer_of(last: Event, position: Position) -> Answer:
    """Make the answer to a command from its last event."""
    return Answer(position, getattr(last, "room", None))


class Answers:
    """The answers to the commands of the last minutes, as the log has them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._of_users: dict[str, OrderedDict[str, Answer]] = {}
        self._ages: deque[tuple[int, CommandKey]] = deque()
        self._begun: tuple[CommandKey, Position] | None = None
        """The command whose events are being taken, and the position of its last one."""

    def find(self, key: CommandKey) -> Answer | None:
        """Return how the command was answered, or None when it was not carried out."""
        user, command = key
        answers = self._of_users.get(user)
        return None if answers is None else answers.get(command)

    def take(self, recorded: RecordedEvent) -> None:
        """Remember the command that `recorded` ends, and forget what is too old."""
        while self._ages and self._ages[0][0] < recorded.recorded_at - KEPT_US:
            self._forget(self._ages.popleft()[1])
        if recorded.meta is not None and recorded.actor is not None:
            last = recorded.position + recorded.meta.events - 1
            self._begun = ((recorded.actor, recorded.meta.command), last)
        if self._begun is not None and self._begun[1] == recorded.position:
            self._remember(self._begun[0], recorded)
            self._begun = None

    def _remember(self, key: CommandKey, last: RecordedEvent) -> None:
        user, command = key
        answers = self._of_users.setdefault(user, OrderedDict())
        answers[command] = answer_of(last.event, last.position)
        self._ages.append((last.recorded_at, key))
        if len(answers) > PER_USER_MAX:
            answers.popitem(last=False)

    def _forget(self, key: CommandKey) -> None:
        user, command = key
        answers = self._of_users.get(user)
        if answers is not None:
            answers.pop(command, None)
            if not answers:
                del self._of_users[user]
