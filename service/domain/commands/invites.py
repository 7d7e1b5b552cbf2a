"""Commands of invites."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.commands.room_options import check_pair
from service.domain.commands.seats import check_game, create_room_for
from service.domain.errors import (
    AlreadyInvited,
    InviteNotFound,
    InviteNotWanted,
    SelfInvite,
    UserBusy,
    UserNotInLobby,
    UserOffline,
)
from service.domain.events.base import Event, Position, user_stream
from service.domain.events.invites import (
    InviteAccepted,
    InviteCooldownEnded,
    InviteDeclined,
    InviteExpired,
    InviteSent,
)
from service.domain.ids import UserId

if TYPE_CHECKING:
    from service.domain.commands.base import Context
    from service.domain.projections.world import World


class _InviteCommand(msgspec.Struct, frozen=True):
    inviter: UserId
    invitee: UserId

    def streams(self, _world: World) -> set[str]:
        """Both users."""
        return {user_stream(self.inviter), user_stream(self.invitee)}


class SendInvite(_InviteCommand, frozen=True):
    """Invite a user to a match."""

    game: str

    def decide(self, world: World, context: Context) -> list[Event]:
        """Send it, if the invitee is online, free, and accepts invites from the inviter."""
        if self.inviter == self.invitee:
            raise SelfInvite
        check_pair(check_game(self.game, context))
        if not world.presence.is_online(self.invitee):
            raise UserOffline("That user is not online, so nobody would see the invite.")
        if context.rules.invite_needs_lobby and self.invitee not in world.lobby.members:
            raise UserNotInLobby
        world.rooms.check_free(self.inviter)
        if world.rooms.is_busy(self.invitee):
            raise UserBusy
        if world.invites.find(self.inviter, self.invitee) is not None:
            raise AlreadyInvited
        is_muted = not world.chat.hears(self.invitee, self.inviter)
        if is_muted or world.invites.declined_since(self.inviter, self.invitee) is not None:
            raise InviteNotWanted
        return [InviteSent(inviter=self.inviter, invitee=self.invitee, game=self.game)]


class AcceptInvite(_InviteCommand, frozen=True):
    """Accept an invite."""

    def streams(self, world: World) -> set[str]:
        """Both users, and the finished rooms that they leave."""
        both = (self.inviter, self.invitee)
        return super().streams(world) | world.rooms.streams_of(both)

    def decide(self, world: World, context: Context) -> list[Event]:
        """Create the room, inviter first, if both are connected and free; else the invite stays."""
        invite = world.invites.find(self.inviter, self.invitee)
        if invite is None:
            raise InviteNotFound
        world.rooms.check_free(self.invitee)
        if world.rooms.is_busy(self.inviter):
            raise UserBusy
        # A user in their grace period has no socket: the room would wait for them in vain.
        world.presence.check_connected((self.inviter, self.invitee))
        accepted = InviteAccepted(inviter=self.inviter, invitee=self.invitee)
        players = [self.inviter, self.invitee]
        return [accepted, *create_room_for(players, invite.game, world, context)]


class DeclineInvite(_InviteCommand, frozen=True):
    """Decline an invite."""

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Decline it, if it is pending."""
        if world.invites.find(self.inviter, self.invitee) is None:
            raise InviteNotFound
        return [InviteDeclined(inviter=self.inviter, invitee=self.invitee)]


class ExpireInvite(_InviteCommand, frozen=True):
    """Expire the invite that was sent at `since`."""

    since: Position

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Expire it, unless it was answered."""
        invite = world.invites.find(self.inviter, self.invitee)
        if invite is None or invite.since != self.since:
            return []
        return [InviteExpired(inviter=self.inviter, invitee=self.invitee)]


class EndInviteCooldown(_InviteCommand, frozen=True):
    """End the cooldown that the decline at `since` started."""

    since: Position

    def decide(self, world: World, _context: Context) -> list[Event]:
        """End it, unless another one has begun."""
        if world.invites.declined_since(self.inviter, self.invitee) != self.since:
            return []
        return [InviteCooldownEnded(inviter=self.inviter, invitee=self.invitee)]
