"""Projection of invites: its state, and how it folds events."""

from __future__ import annotations

import msgspec

from service.domain.events.base import Position
from service.domain.events.invites import (
    InviteAccepted,
    InviteCooldownEnded,
    InviteDeclined,
    InviteExpired,
    InviteSent,
)
from service.domain.events.presence import NodeStarted, UserWentOffline
from service.domain.events.rooms import PlayerSeated, RoomCreated
from service.domain.ids import UserId


class Invite(msgspec.Struct, frozen=True):
    """An invite without an answer, and the event that asked."""

    since: Position
    game: str


class Invites(msgspec.Struct):
    """The invites without an answer, and those that were declined not long ago."""

    pending: dict[UserId, dict[UserId, Invite]] = {}
    """Inviter -> invitee -> what was asked."""
    declined: dict[UserId, dict[UserId, Position]] = {}
    """Inviter -> who has declined -> the event; a restart of the service ends all cooldowns."""

    def find(self, inviter: UserId, invitee: UserId) -> Invite | None:
        """Return what `inviter` asked `invitee`, or None when no invite waits."""
        return self.pending.get(inviter, {}).get(invitee)

    def received_by(self, invitee: UserId) -> list[UserId]:
        """Everyone whose invite waits for `invitee`'s answer."""
        return [inviter for inviter, asked in self.pending.items() if invitee in asked]

    def declined_since(self, inviter: UserId, invitee: UserId) -> Position | None:
        """Return the event from which on `inviter` can't invite `invitee`, or None."""
        return self.declined.get(inviter, {}).get(invitee)

    def on_invite_sent(self, event: InviteSent, position: Position) -> None:
        """Let it wait."""
        invite = Invite(position, event.game)
        self.pending.setdefault(event.inviter, {})[event.invitee] = invite

    def on_invite_closed(self, event: InviteAccepted | InviteExpired, _position: Position) -> None:
        """Let it wait no longer."""
        self._drop(event.inviter, event.invitee)

    def on_invite_declined(self, event: InviteDeclined, position: Position) -> None:
        """Let it wait no longer, and begin the cooldown."""
        self._drop(event.inviter, event.invitee)
        self.declined.setdefault(event.inviter, {})[event.invitee] = position

    def on_invite_cooldown_ended(self, event: InviteCooldownEnded, _position: Position) -> None:
        """Allow the next invite."""
        decliners = self.declined.get(event.inviter)
        if decliners is not None:
            decliners.pop(event.invitee, None)
            if not decliners:
                del self.declined[event.inviter]

    def on_node_started(self, _event: NodeStarted, _position: Position) -> None:
        """End all cooldowns: nobody measures them any more."""
        self.declined.clear()

    def on_user_went_offline(self, event: UserWentOffline, _position: Position) -> None:
        """Withdraw the invites that the user sent and received."""
        self._withdraw(event.user)

    def on_room_created(self, event: RoomCreated, _position: Position) -> None:
        """Withdraw all invites of those who now play."""
        for user in event.players:
            self._withdraw(user)

    def on_player_seated(self, event: PlayerSeated, _position: Position) -> None:
        """Withdraw all invites of who sat down elsewhere."""
        self._withdraw(event.user)

    def _withdraw(self, user: UserId) -> None:
        self.pending.pop(user, None)
        for inviter in self.received_by(user):
            self._drop(inviter, user)

    def _drop(self, inviter: UserId, invitee: UserId) -> None:
        asked = self.pending.get(inviter)
        if asked is not None:
            asked.pop(invitee, None)
            if not asked:
                del self.pending[inviter]


FOLD = {
    InviteSent: Invites.on_invite_sent,
    InviteAccepted: Invites.on_invite_closed,
    InviteDeclined: Invites.on_invite_declined,
    InviteExpired: Invites.on_invite_closed,
    InviteCooldownEnded: Invites.on_invite_cooldown_ended,
    NodeStarted: Invites.on_node_started,
    UserWentOffline: Invites.on_user_went_offline,
    RoomCreated: Invites.on_room_created,
    PlayerSeated: Invites.on_player_seated,
}
