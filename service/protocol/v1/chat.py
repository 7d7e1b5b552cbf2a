"""Messages of chat, and signals from client to client."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from service.domain.ids import RoomId, SocketId, UserId, WireUserId
from service.protocol.base import ToClientMessage, WireRoomId
from service.protocol.classic import User
from service.protocol.v1.base import V1Command


class SendSignal(V1Command, frozen=True, tag="signal"):
    """Sends `data` to a user, one of their sockets, or all others in a room; it is not logged."""

    data: msgspec.Raw
    to: WireUserId | None = None
    session_id: SocketId | None = None
    room_id: WireRoomId | None = None


class ChatSend(V1Command, frozen=True, tag="chat:send"):
    """Sends a chat message to a room or to a user."""

    text: Annotated[str, msgspec.Meta(min_length=1)]
    room_id: WireRoomId | None = None
    to: WireUserId | None = None


class ChatMute(V1Command, frozen=True, tag="chat:mute"):
    """Mutes the chat and the signals of a user, or unmutes them."""

    user_id: WireUserId
    muted: bool = True


class Signal(
    ToClientMessage,
    frozen=True,
    tag="signal",
    omit_defaults=True,
    rename={"sender": "from", "session_id": "sessionId", "room_id": "roomId"},
):
    """A signal of another client; `sessionId` is the socket that sent it."""

    sender: UserId
    session_id: SocketId
    data: msgspec.Raw
    room_id: RoomId | UnsetType = UNSET


class ChatMessage(
    ToClientMessage,
    frozen=True,
    tag="chat:message",
    omit_defaults=True,
    rename={"author": "from", "chat_id": "chatId", "room_id": "roomId"},
):
    """A chat message in your room, or to you; has a `position`, except in a history."""

    chat_id: str
    author: User
    text: str
    room_id: RoomId | UnsetType = UNSET
    to: UserId | UnsetType = UNSET


class ChatHistory(ToClientMessage, frozen=True, tag="chat:history"):
    """The last chat messages of a room that you have joined."""

    room_id: RoomId
    messages: list[ChatMessage]
