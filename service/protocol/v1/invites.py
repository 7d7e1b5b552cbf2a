"""Messages about invites."""

from __future__ import annotations

from service.domain.ids import UserId
from service.protocol.base import ToClientMessage
from service.protocol.classic import User


class InviteReceived(
    ToClientMessage, frozen=True, tag="invite:received", rename={"inviter": "from"}
):
    """Somebody asks you to a match; has a `position`."""

    inviter: User
    game: str


class InviteSent(ToClientMessage, frozen=True, tag="invite:sent"):
    """An invite of yours has no answer yet; told with what stands, as after a reload."""

    to: User
    game: str


class InviteExpired(ToClientMessage, frozen=True, tag="invite:expired", rename={"inviter": "from"}):
    """Nobody answered an invite in time; to both; has a `position`."""

    inviter: UserId
    to: UserId
