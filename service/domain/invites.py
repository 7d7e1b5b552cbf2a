"""Invites: one user asks another to a match; both may ask each other, the first answer counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from service.domain.event import Event, Position, user_stream
from service.domain.ids import UserId
from service.domain.presence import NodeStarted, UserOffline, UserWentOffline
from service.domain.rooms import PlayerSeated, RoomCreated, UserBusy
from service.domain.seats import check_game, room_for
from service.errors import ClientError

if TYPE_CHECKING:
    from service.domain.command import Context
    from service.domain.world import World


class SelfInvite(ClientError):
    """You cannot invite yourself; open a second tab with another name to try a match."""

    code = "SELF_INVITE"


class UserNotInLobby(ClientError):
    """That user is not in the lobby just now; try again when he is."""

    code = "USER_NOT_IN_LOBBY"


class AlreadyInvited(ClientError):
    """You have invited this user already; wait for the answer."""

    code = "ALREADY_INVITED"


class InviteNotWanted(ClientError):
    """That user takes no invites of yours just now; they have declined one, or muted you."""

    code = "INVITE_NOT_WANTED"


class InviteNotFound(ClientError):
    """There is no such invite, or it has been answered, withdrawn or expired."""

    code = "INVITE_NOT_FOUND"


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

    def sent(self, event: InviteSent, position: Position) -> None:
        """Let it wait."""
        invite = Invite(position, event.game)
        self.pending.setdefault(event.inviter, {})[event.invitee] = invite

    def answered(self, event: InviteAccepted | InviteExpired, _position: Position) -> None:
        """Let it wait no longer."""
        self._drop(event.inviter, event.invitee)

    def was_declined(self, event: InviteDeclined, position: Position) -> None:
        """Let it wait no longer, and begin the cooldown."""
        self._drop(event.inviter, event.invitee)
        self.declined.setdefault(event.inviter, {})[event.invitee] = position

    def cooldown_ended(self, event: InviteCooldownEnded, _position: Position) -> None:
        """Allow the next invite."""
        decliners = self.declined.get(event.inviter)
        if decliners is not None:
            decliners.pop(event.invitee, None)
            if not decliners:
                del self.declined[event.inviter]

    def node_started(self, _event: NodeStarted, _position: Position) -> None:
        """End all cooldowns: nobody measures them any more."""
        self.declined.clear()

    def went_offline(self, event: UserWentOffline, _position: Position) -> None:
        """Withdraw what the user asked and what he was asked."""
        self._withdraw(event.user)

    def room_created(self, event: RoomCreated, _position: Position) -> None:
        """Withdraw all invites of those who now play."""
        for user in event.players:
            self._withdraw(user)

    def player_seated(self, event: PlayerSeated, _position: Position) -> None:
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


class _InviteCommand(msgspec.Struct, frozen=True):
    inviter: UserId
    invitee: UserId

    def streams(self, _world: World) -> set[str]:
        """Both users."""
        return {user_stream(self.inviter), user_stream(self.invitee)}


class SendInvite(_InviteCommand, frozen=True):
    """Ask a user to a match."""

    game: str

    def decide(self, world: World, context: Context) -> list[Event]:
        """Ask, when the other can see it and could come."""
        if self.inviter == self.invitee:
            raise SelfInvite
        check_game(self.game, context)
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
    """Say yes."""

    def streams(self, world: World) -> set[str]:
        """Both users, and the finished rooms that they leave for the new one."""
        both = (self.inviter, self.invitee)
        return super().streams(world) | world.rooms.streams_of(both)

    def decide(self, world: World, context: Context) -> list[Event]:
        """Make the room, inviter first, when both are here and free; else the invite stays."""
        invite = world.invites.find(self.inviter, self.invitee)
        if invite is None:
            raise InviteNotFound
        world.rooms.check_free(self.invitee)
        if world.rooms.is_busy(self.inviter):
            raise UserBusy
        # In a grace nobody is here: who accepts would wait for nothing.
        world.presence.check_here((self.inviter, self.invitee))
        accepted = InviteAccepted(inviter=self.inviter, invitee=self.invitee)
        players = [self.inviter, self.invitee]
        return [accepted, *room_for(players, invite.game, world, context)]


class DeclineInvite(_InviteCommand, frozen=True):
    """Say no."""

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Decline what was asked."""
        if world.invites.find(self.inviter, self.invitee) is None:
            raise InviteNotFound
        return [InviteDeclined(inviter=self.inviter, invitee=self.invitee)]


class ExpireInvite(_InviteCommand, frozen=True):
    """The time to answer the invite sent at `since` is over."""

    since: Position

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Expire it, unless it was answered."""
        invite = world.invites.find(self.inviter, self.invitee)
        if invite is None or invite.since != self.since:
            return []
        return [InviteExpired(inviter=self.inviter, invitee=self.invitee)]


class EndInviteCooldown(_InviteCommand, frozen=True):
    """The cooldown that began with the decline at `since` is over."""

    since: Position

    def decide(self, world: World, _context: Context) -> list[Event]:
        """End it, unless another one has begun."""
        if world.invites.declined_since(self.inviter, self.invitee) != self.since:
            return []
        return [InviteCooldownEnded(inviter=self.inviter, invitee=self.invitee)]


FOLD = {
    InviteSent: Invites.sent,
    InviteAccepted: Invites.answered,
    InviteDeclined: Invites.was_declined,
    InviteExpired: Invites.answered,
    InviteCooldownEnded: Invites.cooldown_ended,
    NodeStarted: Invites.node_started,
    UserWentOffline: Invites.went_offline,
    RoomCreated: Invites.room_created,
    PlayerSeated: Invites.player_seated,
}
