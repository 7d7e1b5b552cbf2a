"""One client's session, without any I/O: a frame goes in, what is to be done comes out."""

from __future__ import annotations

from typing import ClassVar, TypeAlias, assert_never

import msgspec

from service import messages as wire
from service.domain.command import Command
from service.domain.ids import SocketId, UserId, normalise
from service.domain.invites import GAME, AcceptInvite, DeclineInvite, SendInvite
from service.domain.lobby import JoinLobby, LeaveLobby
from service.domain.matches import Move
from service.domain.matchmaking import JoinQueue, LeaveQueue
from service.domain.rooms import BeginMatch, LeaveRoom, TakeSeat
from service.edge.close_codes import CloseCode
from service.errors import ClientError


class BadJson(ClientError):
    """The frame is not JSON; send one JSON object a text frame."""

    code = "BAD_JSON"


class BadMessage(ClientError):
    """The message has no `type`, or its fields are missing or wrong."""

    code = "BAD_MESSAGE"


class BadInvite(ClientError):
    """The invite names no user; send `to` with the id of one."""

    code = "BAD_INVITE"


class UnknownType(ClientError):
    """There is no message of this type."""

    code = "UNKNOWN_TYPE"


class BinaryFrame(ClientError):
    """Binary frames are not understood; send JSON in text frames."""

    code = "BINARY_FRAME"


class TooManyFriends(ClientError):
    """More friends than one socket may watch."""

    code = "TOO_MANY_FRIENDS"


class RateLimited(ClientError):
    """Too many messages; this one was not carried out. Slow down, or the connection is closed."""

    code = "RATE_LIMITED"


class Execute(msgspec.Struct, frozen=True):
    """Carry out a command; `message` is what asked for it."""

    command: Command
    message: wire.FromClient


class ShowUsers(msgspec.Struct, frozen=True):
    """Answer with `user:list`."""


class ShowLobby(msgspec.Struct, frozen=True):
    """Answer with `lobby:list`."""


class ShowFriends(msgspec.Struct, frozen=True):
    """Answer with the status of the user's friends, when the user service has told who they are."""


class WatchFriends(msgspec.Struct, frozen=True):
    """Answer with the status of these users, and tell of each change from now on."""

    friends: frozenset[UserId]


class Close(msgspec.Struct, frozen=True):
    """Close the connection."""

    code: CloseCode
    reason: str


Action: TypeAlias = Execute | ShowUsers | ShowLobby | ShowFriends | WatchFriends | Close


class SessionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one session may do."""

    messages_per_s: float = 120
    messages_burst: float = 240
    friends_max: int = 1000


class _Head(msgspec.Struct):
    type: str


_decoder = msgspec.json.Decoder(wire.FromClient)
_head_decoder = msgspec.json.Decoder(_Head)
_TYPES: frozenset[str] = frozenset(
    message.__struct_config__.tag for message in wire.FromClient.__args__
)


def decode(text: str) -> wire.FromClient:
    """Read a message; raise the `ClientError` that says what is wrong with it."""
    try:
        message: wire.FromClient = _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise _explain(text, error) from error
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise BadJson from error
    return message


def _explain(text: str, error: msgspec.ValidationError) -> ClientError:
    try:
        type_ = _head_decoder.decode(text).type
    except msgspec.ValidationError:
        return BadMessage("A message is a JSON object with a text `type`.")
    except (msgspec.DecodeError, RecursionError):
        return BadJson()
    if type_ not in _TYPES:
        return UnknownType(f"There is no message of the type {type_[:40]!r}.")
    if type_ in {"invite", "invite:send"}:
        return BadInvite(f"{error}.")
    return BadMessage(f"{type_}: {error}.")


class Session:
    """What one connection of a user may ask, and how often."""

    binary_frame: ClassVar[ClientError] = BinaryFrame()

    def __init__(self, user: UserId, socket: SocketId, limits: SessionLimits, now: float) -> None:
        """Begin at `now`, in seconds of a monotonic clock."""
        self.user = user
        self.socket = socket
        self._limits = limits
        self._tokens = float(limits.messages_burst)
        self._refused = 0
        self._at = now

    def receive(self, text: str, now: float) -> Action:
        """Say what a text frame asks for; raise a `ClientError` for what nobody can ask."""
        if not self._allowed(now):
            self._refused += 1
            if self._refused > self._limits.messages_burst:
                return Close(CloseCode.RATE_LIMITED, "Rate limited")
            raise RateLimited
        return self._action(decode(text))

    def _allowed(self, now: float) -> bool:
        """Take a token from the bucket, which refills with time (token bucket)."""
        limits = self._limits
        refill = (now - self._at) * limits.messages_per_s
        self._tokens = min(limits.messages_burst, self._tokens + refill)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        if self._tokens > limits.messages_burst / 2:
            self._refused = 0
        return True

    def _action(self, message: wire.FromClient) -> Action:
        match message:
            case wire.UserListRequest():
                return ShowUsers()
            case wire.LobbyRequest():
                return ShowLobby()
            case wire.FriendsSubscribe():
                return self._watch(message)
            case wire.FriendsStatusRequest():
                return ShowFriends()
            case _:
                return Execute(self._command(message), message)

    def _command(self, message: wire.FromClient) -> Command:  # noqa: C901, PLR0911, PLR0912 - one a message
        user, socket = self.user, self.socket
        match message:
            case wire.LobbyJoin():
                return JoinLobby(user, socket)
            case wire.LobbyLeave():
                return LeaveLobby(user, socket)
            case wire.Invite() | wire.InviteSend():
                return SendInvite(user, _invitee(message))
            case wire.InviteAcceptedByClient():
                return AcceptInvite(normalise(message.inviter), user)
            case wire.InviteDeclinedByClient():
                return DeclineInvite(normalise(message.inviter), user)
            case wire.MatchmakingJoin():
                return JoinQueue(user, GAME)
            case wire.MatchmakingLeave():
                return LeaveQueue(user, GAME)
            case wire.GameJoin():
                return TakeSeat(user, socket, message.room_id)
            case wire.GameBegin():
                return BeginMatch(user, message.room_id)
            case wire.GameMove():
                move = {"direction": message.direction, "action": message.action}
                return Move(user, socket, message.room_id, move)
            case wire.GameLeave():
                return LeaveRoom(user, message.room_id)
            case (
                wire.UserListRequest()
                | wire.LobbyRequest()
                | wire.FriendsSubscribe()
                | wire.FriendsStatusRequest()
            ):
                raise AssertionError(message)
            case _:
                assert_never(message)

    def _watch(self, message: wire.FriendsSubscribe) -> Action:
        friends = frozenset(normalise(friend) for friend in message.friend_ids)
        if len(friends) > self._limits.friends_max:
            raise TooManyFriends(f"At most {self._limits.friends_max} friends can be watched.")
        return WatchFriends(friends)


def _invitee(message: wire.Invite) -> UserId:
    invitee = message.to if message.to is not None else message.to_user_id
    if invitee is None:
        raise BadInvite
    return normalise(invitee)
