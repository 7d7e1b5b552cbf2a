"""Build the command that a message asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

import msgspec

from service.domain.commands.bots import AcceptBot, AddBot
from service.domain.commands.chat import Mute
from service.domain.commands.hosting import CreateRoom, JoinRoom, KickFromRoom, LockRoom, RoomPlan
from service.domain.commands.invites import AcceptInvite, DeclineInvite, SendInvite
from service.domain.commands.lobby import JoinLobby, LeaveLobby
from service.domain.commands.matchmaking import JoinQueue, LeaveQueue
from service.domain.commands.presence import SetStatus
from service.domain.commands.seats import BeginMatch, LeaveRoom, SetReady, TakeSeat
from service.domain.ids import parse_user_id
from service.edge.session import guard
from service.edge.session.errors import BadInvite, BadMessage
from service.protocol import classic, v1

if TYPE_CHECKING:
    from service.domain.commands.base import Command
    from service.domain.ids import SocketId, UserId

CommandMessage: TypeAlias = (
    classic.LobbyJoin
    | classic.LobbyLeave
    | classic.Invite
    | classic.InviteSend
    | classic.InviteAcceptedByClient
    | classic.InviteDeclinedByClient
    | classic.MatchmakingJoin
    | classic.MatchmakingLeave
    | v1.MatchmakingAcceptBot
    | classic.GameJoin
    | classic.GameBegin
    | classic.GameLeave
    | v1.UserStatus
    | v1.RoomCreate
    | v1.RoomJoin
    | v1.RoomLeave
    | v1.RoomReady
    | v1.RoomKick
    | v1.RoomAddBot
    | v1.RoomLock
    | v1.ChatMute
)
"""Messages that map to one command each, with nothing else to check."""


def command_of(  # noqa: C901, PLR0911, PLR0912 - one case per message
    message: CommandMessage, user: UserId, socket: SocketId, room_bytes_max: int
) -> Command:
    """Return the command that `user` asks for from `socket`; raise the `ClientError` of a field.

    `room_bytes_max` limits the options of a room, and its metadata, in bytes of JSON.
    """
    match message:
        case classic.LobbyJoin():
            return JoinLobby(user, socket)
        case classic.LobbyLeave():
            return LeaveLobby(user, socket)
        case classic.Invite() | classic.InviteSend():
            return SendInvite(user, _invitee(message), message.game)
        case classic.InviteAcceptedByClient():
            return AcceptInvite(parse_user_id(message.inviter), user)
        case classic.InviteDeclinedByClient():
            return DeclineInvite(parse_user_id(message.inviter), user)
        case classic.MatchmakingJoin():
            return JoinQueue(user, message.game)
        case classic.MatchmakingLeave():
            return LeaveQueue(user, message.game)
        case classic.GameJoin():
            return TakeSeat(user, socket, message.room_id)
        case classic.GameBegin():
            return BeginMatch(user, message.room_id)
        case classic.GameLeave() | v1.RoomLeave():
            return LeaveRoom(user, message.room_id)
        case v1.UserStatus():
            return SetStatus(user, message.status, message.hidden)
        case v1.RoomCreate():
            return CreateRoom(user, socket, message.room_id, _plan(message, room_bytes_max))
        case v1.RoomJoin():
            plan = _plan(message, room_bytes_max)
            wanted = plan if message.or_create else None
            return JoinRoom(user, socket, message.room_id, message.role, None, wanted)
        case v1.RoomReady():
            return SetReady(user, message.room_id, message.ready)
        case v1.MatchmakingAcceptBot():
            return AcceptBot(user, message.game, message.level)
        case v1.RoomAddBot():
            return AddBot(user, message.room_id, message.level)
        case v1.RoomKick():
            return KickFromRoom(user, message.room_id, parse_user_id(message.user_id))
        case v1.RoomLock():
            return LockRoom(user, message.room_id, message.locked)
        case v1.ChatMute():
            return Mute(user, parse_user_id(message.user_id), message.muted)
        case _:
            assert_never(message)


def move_of(message: classic.GameMove | v1.GameMove) -> dict[str, Any]:
    """Return the move of a player, in the one form that the rules of games get."""
    if isinstance(message, v1.GameMove) and message.move is not None:
        guard.check_fields(message.move)
        return message.move
    if message.direction is None or message.action is None:
        raise BadMessage("game:move: send `move`, or both `direction` and `action`.")
    return {"direction": message.direction, "action": message.action}


def _plan(message: v1.RoomSettings, bytes_max: int) -> RoomPlan:
    for name, extra in (("options", message.options), ("metadata", message.metadata)):
        guard.check_fields(extra)
        if len(msgspec.json.encode(extra)) > bytes_max:
            raise BadMessage(f"The {name} of a room are at most {bytes_max} bytes.")
    return RoomPlan(
        game=message.game,
        options=message.options,
        metadata=message.metadata,
        visibility=message.visibility,
        spectators_max=message.max_spectators,
    )


def _invitee(message: classic.Invite) -> UserId:
    invitee = message.to if message.to is not None else message.to_user_id
    if invitee is None:
        raise BadInvite
    return parse_user_id(invitee)
