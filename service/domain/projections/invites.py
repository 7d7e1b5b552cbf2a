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
from service.domain.events.nodes import NodeStarted
from service.domain.events.presence import UserWentOffline
from service.domain.events.rooms import PlayerSeated, RoomCreated
from service.domain.ids import UserId


class Invite(msgspec.Struct, frozen=True):
    """A pending invite, and the position of its event."""

    since: Position
    game: str


class Invites(msgspec.Struct):
    """Pending invites, and the cooldowns of declined ones."""

    pending: dict[UserId, dict[UserId, Invite]] = {}
    """Inviter -> invitee -> invite."""
    declined: dict[UserId, dict[UserId, Position]] = {}
    """Inviter -> invitee -> position of the decline; a restart of the service ends cooldowns."""

    def find(self, inviter: UserId, invitee: UserId) -> Invite | None:
        """Return the pending invite of `inviter` to `invitee`, or None."""
        return self.pending.get(inviter, {}).get(invitee)

    def received_by(self, invitee: UserId) -> list[UserId]:
        """Return the users whose invites to `invitee` are pending."""
        return [inviter for inviter, invites in self.pending.items() if invitee in invites]

    def declined_since(self, inviter: UserId, invitee: UserId) -> Position | None:
        """Return the position of the decline whose cooldown blocks new invites, or None."""
        return self.declined.get(inviter, {}).get(invitee)

    def on_invite_sent(self, event: InviteSent, position: Position) -> None:
        """Add a pending invite."""
        invite = Invite(position, event.game)
        self.pending.setdefault(event.inviter, {})[event.invitee] = invite

    def on_invite_closed(self, event: InviteAccepted | InviteExpired, _position: Position) -> None:
        """Remove the invite."""
        self._drop(event.inviter, event.invitee)

    def on_invite_declined(self, event: InviteDeclined, position: Position) -> None:
        """Remove the invite and start the cooldown."""
        self._drop(event.inviter, event.invitee)
        self.declined.setdefault(event.inviter, {})[event.invitee] = position

    def on_invite_cooldown_ended(self, event: InviteCooldownEnded, _position: Position) -> None:
        """Remove the cooldown."""
        decliners = self.declined.get(event.inviter)
        if decliners is not None:
            decliners.pop(event.invitee, None)
            if not decliners:
                del self.declined[event.inviter]

    def on_node_started(self, event: NodeStarted, _position: Position) -> None:
        """End all cooldowns at a start of the service: their deadlines are not armed again."""
        if event.alone:
            self.declined.clear()

    def on_user_went_offline(self, event: UserWentOffline, _position: Position) -> None:
        """Remove the invites that the user sent and received."""
        self._remove_invites_of(event.user)

    def on_room_created(self, event: RoomCreated, _position: Position) -> None:
        """Remove all invites of the players."""
        for user in event.players:
            self._remove_invites_of(user)

    def on_player_seated(self, event: PlayerSeated, _position: Position) -> None:
        """Remove all invites of the player."""
        self._remove_invites_of(event.user)

    def _remove_invites_of(self, user: UserId) -> None:
        self.pending.pop(user, None)
        for inviter in self.received_by(user):
            self._drop(inviter, user)

    def _drop(self, inviter: UserId, invitee: UserId) -> None:
        invites = self.pending.get(inviter)
        if invites is not None:
            invites.pop(invitee, None)
            if not invites:
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
