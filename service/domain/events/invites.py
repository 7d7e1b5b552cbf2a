"""Events of invites."""

from __future__ import annotations

from typing import ClassVar

from service.domain.events.base import Event, user_stream
from service.domain.ids import UserId


class _InviteEvent(Event, frozen=True):
    inviter: UserId
    invitee: UserId

    @property
    def stream(self) -> str:
        """The inviter's stream."""
        return user_stream(self.inviter)


class InviteSent(_InviteEvent, frozen=True):
    """A user invited another one to a match."""

    type: ClassVar[str] = "invite.sent"
    game: str


class InviteAccepted(_InviteEvent, frozen=True):
    """The invitee accepted; the room is created in the same commit."""

    type: ClassVar[str] = "invite.accepted"


class InviteDeclined(_InviteEvent, frozen=True):
    """The invitee declined."""

    type: ClassVar[str] = "invite.declined"


class InviteExpired(_InviteEvent, frozen=True):
    """The invite expired without an answer."""

    type: ClassVar[str] = "invite.expired"


class InviteCooldownEnded(_InviteEvent, frozen=True):
    """The cooldown after a declined invite is over: the inviter may invite the same user again."""

    type: ClassVar[str] = "invite.cooldown_ended"
