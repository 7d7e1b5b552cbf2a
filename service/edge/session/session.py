"""Decode the frames of one client into actions, within its rate limits; sans-I/O.

All dialects take this one path: a message that a dialect does not have, its decoder refuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from service.domain.commands.chat import Say, digest_of
from service.domain.commands.moves import Move
from service.domain.ids import RoomId, SocketId, UserId, parse_user_id
from service.domain.personal_data import PersonalData, Text
from service.edge.close_codes import CloseCode
from service.edge.dialect import CLASSIC, SOCKET_IO, Dialect
from service.edge.session import guard, salvage
from service.edge.session.actions import (
    Close,
    Execute,
    RefreshToken,
    RelaySignal,
    Reply,
    Request,
    Resume,
    ResumeFrom,
    SetFrameHz,
    ShowFriends,
    ShowLobby,
    ShowMoves,
    ShowRooms,
    ShowUsers,
    SubscribeRooms,
    WatchFriends,
    WatchLobby,
)
from service.edge.session.commands import command_of, move_of
from service.edge.session.costs import (
    BYTES_PER_UNIT,
    COSTS,
    LOGGED_OVERHEAD_BYTES,
    PLAIN,
    cost_of,
)
from service.edge.session.errors import (
    BadMessage,
    BinaryFrame,
    MessageRefused,
    RateLimited,
    TooLarge,
    TooManyFriends,
)
from service.edge.session.explain import explain, unknown_field
from service.edge.session.frame_rate import frame_rate
from service.edge.session.rate_limit import Bucket
from service.errors import ClientError
from service.protocol import FromClient, classic, v1
from service.protocol.base import COMMAND_ID_LENGTH_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.commands.base import Command
    from service.edge.session.actions import Action
    from service.edge.session.commands import CommandMessage
    from service.edge.session.costs import Cost
    from service.edge.session.rate_limit import UserBudget
    from service.settings.sections.connections import SessionLimits


class Session:
    """Decodes, validates and rate-limits what one connection of a user sends."""

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
        """Begin at `now`, in seconds of a monotonic clock; `new_token` makes ids of chat texts.

        `budget` is shared by all sockets of the user.
        """
        self.user = user
        self.socket = socket
        self.type_received = ""
        """The type of the last message; empty if it could not be decoded."""
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
        """The size of the last message, in bytes."""

    def receive(self, text: str | None, now: float) -> Request:
        """Return what a text frame asks for; raise `MessageRefused` with the error to answer.

        None is a binary frame, which asks for nothing, but counts like any other.
        """
        self._now = now
        self.type_received = ""
        units = 1 if text is None or len(text) < BYTES_PER_UNIT else self._units_of(text)
        if not (self._messages.take(now, units) and self._budget.messages.take(now, units)):
            return self._limited(None if text is None else self._id_in(text), units=units)
        if text is None:
            raise MessageRefused(BinaryFrame(), None)
        if self._refused and self._messages.is_half_full:
            self._refused = 0
        try:
            message: FromClient = self._decode(text)
            if "\\" in text:
                guard.check_text(text)
        except (msgspec.DecodeError, RecursionError, UnicodeError, guard.BadValue) as error:
            raise MessageRefused(explain(text, error, self._dialect), self._id_in(text)) from error
        kind = message.__class__
        self.type_received = self._types[kind]
        id_ = None if message.id is None else self._id_of(message.id)
        if kind in self._unchecked:
            self._check_fields(text, id_)
        self._size = len(text) if text.isascii() else len(text.encode())
        try:
            if COSTS[kind] is not PLAIN:
                self._charge(cost_of(message))
            act = self._FREQUENT.get(kind)
            action = self._action(message, id_) if act is None else act(self, message, id_)
            return Request(action, id_)
        except RateLimited as error:
            return self._limited(id_, error)
        except ClientError as error:
            raise MessageRefused(error, id_) from error

    def _units_of(self, text: str) -> int:
        """Return the cost of decoding a long message."""
        return int(min(1 + len(text) // BYTES_PER_UNIT, self._messages.burst))

    def count(self, now: float) -> Close | bool:
        """Charge a control frame; return whether it is allowed, or the close after too many."""
        if self._messages.take(now) and self._budget.messages.take(now):
            return True
        self._refused += 1
        return self._close_after_too_many() or False

    def spend(self, units: float) -> None:
        """Charge a cost that became known afterwards, to the socket and to the user."""
        self._messages.spend(units)
        self.spend_list(units)

    def spend_list(self, units: float) -> None:
        """Charge the cost of a list to the user alone.

        It may be longer than what one socket has, whose next messages are not to wait for it.
        """
        self._budget.messages.spend(units)

    def _limited(
        self, id_: str | None, error: RateLimited | None = None, *, units: int = 1
    ) -> Request:
        """Refuse a message above the rate limit; close the connection after a burst of them."""
        self._refused += units
        close = self._close_after_too_many()
        if close is not None:
            return Request(close)
        if error is None:
            wait_ms = max(self._messages.wait_ms(units), self._budget.messages.wait_ms(units))
            error = RateLimited(retry_after_ms=wait_ms)
        raise MessageRefused(error, id_)

    def _close_after_too_many(self) -> Close | None:
        if self._refused <= self._limits.messages.burst:
            return None
        return Close(CloseCode.RATE_LIMITED, "Rate limited")

    def _charge(self, cost: Cost) -> None:
        """Charge the cost of a message; raise `RateLimited` if a bucket has too little."""
        now, budget = self._now, self._budget
        if cost.units > 1:
            more = cost.units - 1
            _take(self._messages, now, more, "Too many messages of this kind at once; slow down.")
            _take(budget.messages, now, more, "Too many messages of this kind at once; slow down.")
        if cost.rooms:
            _take(budget.rooms(now), now, cost.rooms, "You create rooms too fast; wait a little.")
        if cost.invites:
            _take(budget.invites(now), now, cost.invites, "You invite too fast; wait a little.")
        if cost.is_logged:
            logged = self._size + LOGGED_OVERHEAD_BYTES
            _take(
                budget.logged(now),
                now,
                logged,
                "Your commands add too many bytes to the log; slow down.",
            )

    def _id_of(self, raw: Any) -> str | None:
        """Return the id of a message; classic clients have none, whatever their `id` contains."""
        if self._dialect is CLASSIC or raw is None:
            return None
        if self._dialect is SOCKET_IO:
            return str(raw)
        if not isinstance(raw, str) or not 1 <= len(raw) <= COMMAND_ID_LENGTH_MAX:
            # An id that is too long is still returned, so that the client can match the error.
            raise MessageRefused(
                BadMessage(f"An `id` is a text of 1 to {COMMAND_ID_LENGTH_MAX} characters."),
                raw if isinstance(raw, str) and raw else None,
            )
        return raw

    def _id_in(self, text: str) -> str | None:
        """Return the id of a message that is wrong otherwise, to match the error."""
        try:
            return self._id_of(salvage.id_in(text))
        except MessageRefused as refused:
            return refused.id

    def _check_fields(self, text: str, id_: str | None) -> None:
        unknown = unknown_field(text, self.type_received, self._dialect)
        if unknown is not None:
            raise MessageRefused(unknown, id_)

    def _action(self, message: FromClient, id_: str | None) -> Action:  # noqa: C901, PLR0911, PLR0912 - one case per message
        match message:
            case classic.UserListRequest() | v1.UserSync():
                return ShowUsers()
            case classic.LobbyRequest():
                return ShowLobby()
            case classic.FriendsSubscribe():
                return self._watch_friends(message)
            case classic.FriendsStatusRequest():
                return ShowFriends(id_)
            case v1.RoomList():
                return ShowRooms(message.game, message.cursor, message.limit)
            case v1.RoomSubscribe():
                return SubscribeRooms(message.game, wanted=True)
            case v1.RoomUnsubscribe():
                return SubscribeRooms(None, wanted=False)
            case v1.LobbyWatch() | v1.LobbyUnwatch():
                return WatchLobby(isinstance(message, v1.LobbyWatch))
            case v1.Resume():
                return Resume(ResumeFrom(message.position, message.epoch))
            case v1.FramesSet():
                return SetFrameHz(frame_rate(message.frame_hz))
            case v1.GameHistory():
                return ShowMoves(message.room_id, message.after)
            case v1.AuthRefresh():
                return RefreshToken(message.token)
            case v1.ChatSend():
                return self._chat(message)
            case v1.LobbySay():
                return self._say(message, message.text, None, None)
            case v1.SendSignal() | v1.Ping() | classic.GameMove() | v1.GameMove():
                raise AssertionError(message)
            case v1.RoomCreate() | v1.RoomJoin():
                return Execute(self._command_of(message), message, password=message.password)
            case _:
                return Execute(self._command_of(message), message)

    def _move(self, message: classic.GameMove | v1.GameMove, _id: str | None) -> Action:
        self._check_size(self._limits.move_bytes_max, "A move")
        return Execute(Move(self.user, self.socket, message.room_id, move_of(message)), message)

    def _ping(self, _message: v1.Ping, id_: str | None) -> Action:
        return Reply(v1.Pong() if id_ is None else v1.Pong(id_))

    def _command_of(self, message: CommandMessage) -> Command:
        return command_of(message, self.user, self.socket, self._limits.room_bytes_max)

    def _check_size(self, bytes_max: int, what: str) -> None:
        if self._size > bytes_max:
            raise TooLarge(f"{what} is at most {bytes_max} bytes long, and this one {self._size}.")

    def _watch_friends(self, message: classic.FriendsSubscribe) -> Action:
        friends = frozenset(parse_user_id(friend) for friend in message.friend_ids)
        if len(friends) > self._limits.friends_max:
            raise TooManyFriends(f"At most {self._limits.friends_max} friends can be watched.")
        return WatchFriends(friends)

    def _signal(self, message: v1.SendSignal, _id: str | None) -> Action:
        if (message.to is None) == (message.room_id is None):
            raise BadMessage("signal: send it to one of `to` and `roomId`.")
        self._check_size(self._limits.signal_bytes_max, "A signal")
        signals = self._budget.signals(self._now)
        _take(signals, self._now, self._size, "You send too many bytes to others; slow down.")
        guard.check_raw(message.data)
        return RelaySignal(message, None if message.to is None else parse_user_id(message.to))

    def _chat(self, message: v1.ChatSend) -> Action:
        if (message.to is None) == (message.room_id is None):
            raise BadMessage("chat:send: send it to one of `to` and `roomId`.")
        to = None if message.to is None else parse_user_id(message.to)
        return self._say(message, message.text, message.room_id, to)

    def _say(
        self, message: FromClient, text: str, room: RoomId | None, to: UserId | None
    ) -> Action:
        if len(text) > self._limits.chat_length_max:
            raise BadMessage(
                f"{self.type_received}: at most {self._limits.chat_length_max} characters."
            )
        _take(
            self._budget.chat(self._now),
            self._now,
            1,
            "You send chat messages too fast; wait a little.",
        )
        chat, salt = self._new_token(), self._new_token()
        say = Say(self.user, chat, digest_of(salt, text), room, to)
        return Execute(say, message, PersonalData(texts={chat: Text(salt, text)}))

    _FREQUENT: ClassVar[dict[type[FromClient], Callable[[Session, Any, str | None], Action]]] = {
        v1.SendSignal: _signal,
        classic.GameMove: _move,
        v1.GameMove: _move,
        v1.Ping: _ping,
    }
    """The most frequent messages; `_action` compares each other one with all patterns."""


def _take(bucket: Bucket, now: float, count: float, message: str) -> None:
    """Take `count` tokens; raise `RateLimited` with `message` if there are too few."""
    if not bucket.take(now, min(count, bucket.burst)):
        raise RateLimited(message, retry_after_ms=bucket.wait_ms(count))
