"""Messages about invites."""

from __future__ import annotations

from service.domain.ids import UserId
from service.protocol.base import ToClientMessage
from service.protocol.classic import User


class InviteReceived(
    ToClientMessage, frozen=True, tag="invite:received", rename={"inviter": "from"}
):
    """A user invites you to a match; has a `position`."""

    inviter: User
    game: str


class InviteSent(ToClientMessage, frozen=True, tag="invite:sent"):
    """A pending invite of your own; part of the present state, as after a reload."""

    to: User
    game: str


class InviteExpired(ToClientMessage, frozen=True, tag="invite:expired", rename={"inviter": "from"}):
    """An invite expired without an answer; sent to both users; has a `position`."""

    inviter: UserId
    to: UserId
