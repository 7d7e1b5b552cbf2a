"""Events of operators."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from service.domain.events.base import Event
from service.domain.ids import MatchId, RoomId, UserId

OPERATORS_STREAM = "operators"

OperatorAction: TypeAlias = Literal[
    "kick", "close_room", "void_match", "revoke", "message", "retry_delivery", "fork"
]


class OperatorActed(Event, frozen=True):
    """An operator did something; the events that follow from it are in the same append.

    Who it was is the actor of the event. The text of a message is not logged.
    """

    type: ClassVar[str] = "operator.acted"
    needs_level: ClassVar[int] = 3
    action: OperatorAction
    room: RoomId | None = None
    user: UserId | None = None
    match: MatchId | None = None
    reason: str = ""
    """Why, in the operator's words."""

    @property
    def stream(self) -> str:
        """The stream of all operators."""
        return OPERATORS_STREAM
