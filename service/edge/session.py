"""Sans-I/O session of one client: a frame in, actions out.

All dialects take this one way: what a client of another one can't send, its decoder refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

import msgspec

from service.domain.commands.base import Command
from service.domain.commands.chat import Mute, Say, digest_of
from service.domain.commands.hosting import CreateRoom, JoinRoom, KickFromRoom, LockRoom, RoomPlan
from service.domain.commands.invites import AcceptInvite, DeclineInvite, SendInvite
from service.domain.commands.lobby import JoinLobby, LeaveLobby
from service.domain.commands.matchmaking import JoinQueue, LeaveQueue
from service.domain.commands.moves import Move
from service.domain.commands.presence import SetStatus
from service.domain.commands.seats import BeginMatch, LeaveRoom, SetReady, TakeSeat
from service.domain.events.base import Position
from service.domain.ids import RoomId, SocketId, UserId, normalise
from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData, Text
from service.edge import guard, salvage
from service.edge.budget import Bucket, Rate
from service.edge.close_codes import CloseCode
from service.edge.costs import BYTES_PER_UNIT, LOGGED_OVERHEAD_BYTES, PLAIN, cost_of
from service.edge.dialect import CLASSIC, SOCKET_IO, Dialect
from service.errors import ClientError, UnknownField
from service.protocol import FromClient, classic, v1
from service.protocol.base import COMMAND_ID_LENGTH_MAX

if TYPE_CHECKING:
    from service.edge.budget import UserBudget
    from service.edge.costs import Cost


class BadJson(ClientError):
    """The frame is not JSON, or not valid Unicode; send one JSON object a text frame."""

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


class TooLarge(ClientError):
    """The message is longer than one of its type may be; the message says how long that is."""

    code = "TOO_LARGE"


class ResumeFrom(msgspec.Struct, frozen=True):
    """How far a client that was away had come, in which epoch of the log."""

    position: Position
    epoch: str


class Execute(msgspec.Struct, frozen=True):
    """Carry out a command; `message` is what asked for it."""

    command: Command
    message: FromClient
    beside: PersonalData = NO_PERSONAL_DATA
    password: str | None = None
    """What has to be hashed before `command` can be decided."""


class ShowUsers(msgspec.Struct, frozen=True):
    """Answer with `user:list`."""


class ShowLobby(msgspec.Struct, frozen=True):
    """Answer with `lobby:list`."""


class ShowRooms(msgspec.Struct, frozen=True):
    """Answer with a page of rooms."""

    game: str | None
    after: RoomId | None
    limit: int


class SubscribeRooms(msgspec.Struct, frozen=True):
    """Tell of changes of the list of rooms from now on, or no longer."""

    game: str | None
    wanted: bool


class ShowFriends(msgspec.Struct, frozen=True):
    """Answer with the status of the user's friends, as the user service knows them."""

    id: str | None
    """Acknowledged when the answer is there, which may take a while."""


class WatchFriends(msgspec.Struct, frozen=True):
    """Answer with the status of these users, and tell of each change from now on."""

    friends: frozenset[UserId]


class PassSignal(msgspec.Struct, frozen=True):
    """Pass a signal on."""

    message: v1.SendSignal
    to: UserId | None


class ShowMoves(msgspec.Struct, frozen=True):
    """Answer with the moves of the match in a room."""

    room: RoomId
    after: int


class SendMissed(msgspec.Struct, frozen=True):
    """Send again what was missed."""

    wanted: ResumeFrom


class RefreshToken(msgspec.Struct, frozen=True):
    """Take a newer token."""

    token: str


class Answer(msgspec.Struct, frozen=True):
    """Send a message back at once."""

    message: v1.Pong


class Close(msgspec.Struct, frozen=True):
    """Close the connection."""

    code: CloseCode
    reason: str


Action: TypeAlias = (
    Execute
    | ShowUsers
    | ShowLobby
    | ShowRooms
    | SubscribeRooms
    | ShowFriends
    | WatchFriends
    | PassSignal
    | SendMissed
    | ShowMoves
    | RefreshToken
    | Answer
    | Close
)


class Request(msgspec.Struct, frozen=True):
    """What a frame asks for, and the id under which it wants to be answered."""

    action: Action
    id: str | None = None


class SessionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one session may do."""

    messages: Rate = Rate(120, 240)
    """Of one socket; what a user may do over all of their sockets stands in `UserLimits`."""
    chat_length_max: int = 500
    friends_max: int = 1000
    move_bytes_max: int = 4096
    signal_bytes_max: int = 16 * 1024
    room_bytes_max: int = 4096
    """For the options of a room, and the same for its metadata."""


class MessageRefused(Exception):
    """A frame asks for what nobody can ask; `error` says why."""

    def __init__(self, error: ClientError, id_: str | None) -> None:
        """Take the error, and the id under which the frame wants to be answered."""
        super().__init__(error.message)
        self.error = error
        self.id = id_


class _Head(msgspec.Struct):
    type: str
    id: Any = None


_head_decoder = msgspec.json.Decoder(_Head)
_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Session:
    """What one connection of a user may ask, and how often."""

    def __init__(  # noqa: PLR0913 - what a session is
        self,
        user: UserId,
        socket: SocketId,
        dialect: Dialect,
        *,
        limits: SessionLimits,
        budget: UserBudget,
        new_token: Callable[[], str],
        now: float,
    ) -> None:
        """Begin at `now`, in seconds of a monotonic clock; `new_token` makes ids of texts.

        `budget` is shared by all sockets of the user.
        """
        self.user = user
        self.socket = socket
        self.type_received = ""
        """The type of the message in hand; empty when the frame could not be read."""
        self._dialect = dialect
        self._decode = dialect.decoder.decode
        self._types = dialect.types
        self._unchecked = dialect.unchecked
        self._limits = limits
        self._new_token = new_token
        self._budget = budget
        self._messages = Bucket(limits.messages, now)
        self._refused = 0
        self._now = now
        self._size = 0
        """How many bytes the message in hand has."""

    def receive(self, text: str | None, now: float) -> Request:
        """Say what a text frame asks for; raise `MessageRefused` for what nobody can ask.

        None is a binary frame, which asks for nothing, but counts like any other.
        """
        self._now = now
        self.type_received = ""
        units = 1 if text is None or len(text) < BYTES_PER_UNIT else self._units_of(text)
        if not (self._messages.take(now, units) and self._budget.messages.take(now, units)):
            return self._limited(None if text is None else self._id_in(text), units=units)
        if text is None:
            raise MessageRefused(BinaryFrame(), None)
        if self._refused and self._messages.is_full_enough:
            self._refused = 0
        try:
            message: FromClient = self._decode(text)
            if "\\" in text:
                guard.check_text(text)
        except (msgspec.DecodeError, RecursionError, UnicodeError, guard.BadValue) as error:
            raise MessageRefused(self._explain(text, error), self._id_in(text)) from error
        self.type_received = self._types[message.__class__]
        id_ = None if message.id is None else self._id_of(message.id)
        if message.__class__ in self._unchecked:
            self._check_names(text, id_)
        self._size = len(text) if text.isascii() else len(text.encode())
        try:
            cost = cost_of(message)
            if cost is not PLAIN:
                self._charge(cost)
            return Request(self._action(message, id_), id_)
        except RateLimited as error:
            return self._limited(id_, error)
        except ClientError as error:
            raise MessageRefused(error, id_) from error

    def _units_of(self, text: str) -> int:
        """Return what a long message costs to be read at all."""
        return int(min(1 + len(text) // BYTES_PER_UNIT, self._messages.burst))

    def count(self, now: float) -> Close | bool:
        """Count a control frame, and tell whether it is allowed; too many close the connection."""
        if self._messages.take(now) and self._budget.messages.take(now):
            return True
        self._refused += 1
        return self._close_if_it_goes_on() or False

    def spend(self, units: float) -> None:
        """Charge what a message has turned out to cost; the next ones may have to wait for it."""
        self._messages.spend(units)
        self.spend_list(units)

    def spend_list(self, units: float) -> None:
        """Charge what a list has turned out to cost to the user alone.

        It may be longer than what one socket has, whose next messages are not to wait for it.
        """
        self._budget.messages.spend(units)

    def _limited(
        self, id_: str | None, error: RateLimited | None = None, *, units: int = 1
    ) -> Request:
        """Refuse a message that is one too many, and close the connection if it goes on."""
        self._refused += units
        close = self._close_if_it_goes_on()
        if close is not None:
            return Request(close)
        if error is None:
            wait_ms = max(self._messages.wait_ms(units), self._budget.messages.wait_ms(units))
            error = RateLimited(retry_after_ms=wait_ms)
        raise MessageRefused(error, id_)

    def _close_if_it_goes_on(self) -> Close | None:
        if self._refused <= self._limits.messages.burst:
            return None
        return Close(CloseCode.RATE_LIMITED, "Rate limited")

    def _charge(self, cost: Cost) -> None:
        """Take what a message costs from the buckets; raise `RateLimited` when one is empty."""
        now, budget = self._now, self._budget
        if cost.units > 1:
            more = cost.units - 1
            _take(self._messages, now, more, "Too many messages of this kind at once; slow down.")
            _take(budget.messages, now, more, "Too many messages of this kind at once; slow down.")
        if cost.rooms:
            _take(budget.rooms(now), now, cost.rooms, "You make rooms too fast; wait a little.")
        if cost.invites:
            _take(budget.invites(now), now, cost.invites, "You invite too fast; wait a little.")
        if cost.is_logged:
            logged = self._size + LOGGED_OVERHEAD_BYTES
            _take(budget.logged(now), now, logged, "You send too much that is kept; slow down.")

    def _id_of(self, raw: Any) -> str | None:
        """Read the id of a message; classic clients have none, whatever they write there."""
        if self._dialect is CLASSIC or raw is None:
            return None
        if self._dialect is SOCKET_IO:
            return str(raw)
        if not isinstance(raw, str) or not 1 <= len(raw) <= COMMAND_ID_LENGTH_MAX:
            # One that is too long can be read all the same, so that its client can match the error.
            raise MessageRefused(
                BadMessage(f"An `id` is a text of 1 to {COMMAND_ID_LENGTH_MAX} characters."),
                raw if isinstance(raw, str) and raw else None,
            )
        return raw

    def _id_in(self, text: str) -> str | None:
        """Read the id of a message that is wrong otherwise."""
        try:
            return self._id_of(salvage.id_in(text))
        except MessageRefused as refused:
            return refused.id

    def _check_names(self, text: str, id_: str | None) -> None:
        unknown = self._unknown_field(text, self.type_received)
        if unknown is not None:
            raise MessageRefused(unknown, id_)

    def _unknown_field(self, text: str, type_: str) -> UnknownField | None:
        known = self._dialect.fields[type_]
        for name in _fields_decoder.decode(text):
            if name not in known:
                return UnknownField(type_, name, known)
        return None

    def _explain(self, text: str, error: Exception) -> ClientError:
        """Say what is wrong with a message that could not be read."""
        if isinstance(error, ClientError):
            return error
        if isinstance(error, RecursionError):
            return BadJson(guard.TOO_DEEP)
        if not isinstance(error, msgspec.ValidationError):
            return BadJson()
        try:
            type_ = _head_decoder.decode(text).type
        except msgspec.ValidationError:
            return BadMessage("A message is a JSON object with a text `type`.")
        except (msgspec.DecodeError, RecursionError):
            return BadJson()
        return self._explain_fields(text, type_, error)

    def _explain_fields(self, text: str, type_: str, error: Exception) -> ClientError:
        if type_ not in self._dialect.fields:
            return UnknownType(f"There is no message of the type {type_[:40]!r}.")
        if self._dialect.is_strict and (unknown := self._unknown_field(text, type_)):
            return unknown
        if type_ in {"invite", "invite:send"}:
            return BadInvite(f"{error}.")
        return BadMessage(f"{type_}: {error}.")

    def _action(self, message: FromClient, id_: str | None) -> Action:  # noqa: C901, PLR0911, PLR0912 - one a message
        match message:
            # First what comes most often: a pattern costs time even where it does not match.
            case v1.SendSignal():
                return self._signal(message)
            case classic.GameMove() | v1.GameMove():
                self._check_size(self._limits.move_bytes_max, "A move")
                return Execute(
                    Move(self.user, self.socket, message.room_id, _move(message)), message
                )
            case v1.Ping():
                return Answer(v1.Pong() if id_ is None else v1.Pong(id_))
            case classic.UserListRequest() | v1.UserSync():
                return ShowUsers()
            case classic.LobbyRequest():
                return ShowLobby()
            case classic.FriendsSubscribe():
                return self._watch(message)
            case classic.FriendsStatusRequest():
                return ShowFriends(id_)
            case v1.RoomList():
                return ShowRooms(message.game, message.cursor, message.limit)
            case v1.RoomSubscribe():
                return SubscribeRooms(message.game, wanted=True)
            case v1.RoomUnsubscribe():
                return SubscribeRooms(None, wanted=False)
            case v1.Resume():
                return SendMissed(ResumeFrom(message.position, message.epoch))
            case v1.GameHistory():
                return ShowMoves(message.room_id, message.after)
            case v1.AuthRefresh():
                return RefreshToken(message.token)
            case v1.ChatSend():
                return self._say(message)
            case v1.RoomCreate() | v1.RoomJoin():
                return Execute(self._command(message), message, password=message.password)
            case _:
                return Execute(self._command(message), message)

    def _command(self, message: _Commanding) -> Command:  # noqa: C901, PLR0911, PLR0912 - one a message
        user, socket = self.user, self.socket
        match message:
            case classic.LobbyJoin():
                return JoinLobby(user, socket)
            case classic.LobbyLeave():
                return LeaveLobby(user, socket)
            case classic.Invite() | classic.InviteSend():
                return SendInvite(user, _invitee(message), message.game)
            case classic.InviteAcceptedByClient():
                return AcceptInvite(normalise(message.inviter), user)
            case classic.InviteDeclinedByClient():
                return DeclineInvite(normalise(message.inviter), user)
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
                return CreateRoom(user, socket, message.room_id, self._plan(message))
            case v1.RoomJoin():
                plan = self._plan(message)
                wanted = plan if message.or_create else None
                return JoinRoom(user, socket, message.room_id, message.role, None, wanted)
            case v1.RoomReady():
                return SetReady(user, message.room_id, message.ready)
            case v1.RoomKick():
                return KickFromRoom(user, message.room_id, normalise(message.user_id))
            case v1.RoomLock():
                return LockRoom(user, message.room_id, message.locked)
            case v1.ChatMute():
                return Mute(user, normalise(message.user_id), message.muted)
            case _:
                assert_never(message)

    def _check_size(self, bytes_max: int, what: str) -> None:
        if self._size > bytes_max:
            raise TooLarge(f"{what} is at most {bytes_max} bytes long, and this one {self._size}.")

    def _plan(self, message: v1.RoomSettings) -> RoomPlan:
        bytes_max = self._limits.room_bytes_max
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

    def _watch(self, message: classic.FriendsSubscribe) -> Action:
        friends = frozenset(normalise(friend) for friend in message.friend_ids)
        if len(friends) > self._limits.friends_max:
            raise TooManyFriends(f"At most {self._limits.friends_max} friends can be watched.")
        return WatchFriends(friends)

    def _signal(self, message: v1.SendSignal) -> Action:
        if (message.to is None) == (message.room_id is None):
            raise BadMessage("signal: send it to one of `to` and `roomId`.")
        self._check_size(self._limits.signal_bytes_max, "A signal")
        signals = self._budget.signals(self._now)
        _take(signals, self._now, self._size, "You send too many bytes to others; slow down.")
        guard.check_raw(message.data)
        return PassSignal(message, None if message.to is None else normalise(message.to))

    def _say(self, message: v1.ChatSend) -> Action:
        if (message.to is None) == (message.room_id is None):
            raise BadMessage("chat:send: say it to one of `to` and `roomId`.")
        if len(message.text) > self._limits.chat_length_max:
            raise BadMessage(f"chat:send: at most {self._limits.chat_length_max} characters.")
        _take(
            self._budget.chat(self._now), self._now, 1, "You say too much at once; wait a little."
        )
        chat, salt = self._new_token(), self._new_token()
        digest = digest_of(salt, message.text)
        to = None if message.to is None else normalise(message.to)
        say = Say(self.user, chat, digest, message.room_id, to)
        return Execute(say, message, PersonalData(texts={chat: Text(salt, message.text)}))


_Commanding: TypeAlias = (
    classic.LobbyJoin
    | classic.LobbyLeave
    | classic.Invite
    | classic.InviteSend
    | classic.InviteAcceptedByClient
    | classic.InviteDeclinedByClient
    | classic.MatchmakingJoin
    | classic.MatchmakingLeave
    | classic.GameJoin
    | classic.GameBegin
    | classic.GameLeave
    | v1.UserStatus
    | v1.RoomCreate
    | v1.RoomJoin
    | v1.RoomLeave
    | v1.RoomReady
    | v1.RoomKick
    | v1.RoomLock
    | v1.ChatMute
)
"""The messages that ask for a command and nothing beside it."""


def _invitee(message: classic.Invite) -> UserId:
    invitee = message.to if message.to is not None else message.to_user_id
    if invitee is None:
        raise BadInvite
    return normalise(invitee)


def _move(message: classic.GameMove | v1.GameMove) -> dict[str, Any]:
    if isinstance(message, v1.GameMove) and message.move is not None:
        guard.check_fields(message.move)
        return message.move
    if message.direction is None or message.action is None:
        raise BadMessage("game:move: send `move`, or both `direction` and `action`.")
    return {"direction": message.direction, "action": message.action}


def _take(bucket: Bucket, now: float, count: float, message: str) -> None:
    """Take so many tokens; raise `RateLimited` with `message` when they are not there."""
    if not bucket.take(now, min(count, bucket.burst)):
        raise RateLimited(message, retry_after_ms=bucket.wait_ms(count))
