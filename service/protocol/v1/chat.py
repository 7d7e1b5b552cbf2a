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
    """Passes `data` on to a user, one of their sockets, or all others in a room; it is not kept."""

    data: msgspec.Raw
    to: WireUserId | None = None
    session_id: SocketId | None = None
    room_id: WireRoomId | None = None


class ChatSend(V1Command, frozen=True, tag="chat:send"):
    """Says something to a room or to a user."""

    text: Annotated[str, msgspec.Meta(min_length=1)]
    room_id: WireRoomId | None = None
    to: WireUserId | None = None


class ChatMute(V1Command, frozen=True, tag="chat:mute"):
    """Hears no more chat and signals of a user, or hears them again."""

    user_id: WireUserId
    muted: bool = True


class Signal(
    ToClientMessage,
    frozen=True,
    tag="signal",
    omit_defaults=True,
    rename={"sender": "from", "session_id": "sessionId", "room_id": "roomId"},
):
    """What another client has sent by `signal`; `sessionId` is the socket that it came from."""

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
    """Somebody says something in your room, or to you; has a `position`, but not in a history."""

    chat_id: str
    author: User
    text: str
    room_id: RoomId | UnsetType = UNSET
    to: UserId | UnsetType = UNSET


class ChatHistory(ToClientMessage, frozen=True, tag="chat:history"):
    """The last that was said in a room which you have joined."""

    room_id: RoomId
    messages: list[ChatMessage]
