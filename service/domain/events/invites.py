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
        """The stream of the user who asked."""
        return user_stream(self.inviter)


class InviteSent(_InviteEvent, frozen=True):
    """A user asked another to a match."""

    type: ClassVar[str] = "invite.sent"
    game: str


class InviteAccepted(_InviteEvent, frozen=True):
    """The invited user said yes; their room is created by the same commit."""

    type: ClassVar[str] = "invite.accepted"


class InviteDeclined(_InviteEvent, frozen=True):
    """The invited user said no."""

    type: ClassVar[str] = "invite.declined"


class InviteExpired(_InviteEvent, frozen=True):
    """Nobody answered in time."""

    type: ClassVar[str] = "invite.expired"


class InviteCooldownEnded(_InviteEvent, frozen=True):
    """Some time after an invite was declined, its sender may invite the same user again."""

    type: ClassVar[str] = "invite.cooldown_ended"
