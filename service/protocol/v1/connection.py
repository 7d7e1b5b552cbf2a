"""Messages about the connection: greeting, acknowledgement, resume, token, drain."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from service.domain.ids import RoomId, SocketId
from service.protocol.base import ToClientMessage
from service.protocol.classic import User
from service.protocol.features import FEATURE_NAMES, Feature
from service.protocol.v1.base import V1Command, Whole

ResyncReason: TypeAlias = Literal["too_old", "wrong_epoch", "from_the_future"]


class Ping(V1Command, frozen=True, tag="ping"):
    """Asks for a `pong`, to measure the round trip."""


class Resume(V1Command, frozen=True, tag="resume"):
    """Asks for what was missed after `position`; `?since=` in the URL does so at once, in order."""

    position: Whole
    epoch: str


class AuthRefresh(V1Command, frozen=True, tag="auth:refresh"):
    """Brings a newer token of the same user."""

    token: str


class Ack(ToClientMessage, frozen=True, tag="ack", omit_defaults=True):
    """The command `id` was carried out; its events are in the log up to `position`."""

    id: str
    position: int
    room_id: RoomId | UnsetType = UNSET


class Pong(ToClientMessage, frozen=True, tag="pong", omit_defaults=True):
    """Answers `ping`."""

    id: str | UnsetType = UNSET


class Limits(msgspec.Struct, frozen=True, rename="camel"):
    """What a client may send."""

    message_bytes_max: int
    messages_per_s: float
    messages_burst: float
    chat_length_max: int
    move_bytes_max: int
    signal_bytes_max: int
    room_bytes_max: int


class Welcome(ToClientMessage, frozen=True, tag="welcome"):
    """The first message: who you are, where the log is, and what you may do.

    `features` names what the service knows beyond 0.1.0; a client ignores names it does not know.
    """

    user: User
    session_id: SocketId
    protocol: str
    epoch: str
    position: int
    heartbeat_ms: int
    limits: Limits
    features: tuple[Feature, ...] = FEATURE_NAMES


class Heartbeat(ToClientMessage, frozen=True, tag="heartbeat"):
    """Nothing has happened for you up to `position`; go on from there when you resume."""

    position: int


class Resumed(ToClientMessage, frozen=True, tag="resumed", rename={"after": "from"}):
    """Everything for you after `from` and up to `to` has been sent again."""

    after: int
    to: int


class Resync(ToClientMessage, frozen=True, tag="resync"):
    """You can't resume; forget what you know, snapshots of all follow."""

    reason: ResyncReason
    epoch: str
    position: int


class Greeted(ToClientMessage, frozen=True, tag="greeted"):
    """All that stands at the position `to` has been sent, after `welcome` or `resync`.

    Before it a client must not resume: what is still missing would never be sent again.
    """

    to: int


class TokenExpiring(ToClientMessage, frozen=True, tag="token:expiring"):
    """Your token ends; send `auth:refresh` with a newer one."""

    expires_in_ms: int


class ServerDraining(ToClientMessage, frozen=True, tag="server:draining"):
    """The service is about to stop; connect again after a random part of `retryMs`."""

    retry_ms: int


class ServerMessage(ToClientMessage, frozen=True, tag="server:message"):
    """Something that another service of the platform says to you, your room or everybody."""

    data: msgspec.Raw
