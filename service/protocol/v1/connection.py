"""Messages about the connection: greeting, acknowledgement, resume, token, drain."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from service.domain.ids import RoomId, SocketId
from service.protocol.base import ToClientMessage
from service.protocol.classic import User
from service.protocol.features import FEATURE_NAMES, Feature
from service.protocol.frame_rates import FRAME_HZ, FRAME_HZ_MAX, FrameHz
from service.protocol.v1.base import V1Command, Whole

ResyncReason: TypeAlias = Literal["too_old", "wrong_epoch", "from_the_future"]


class Ping(V1Command, frozen=True, tag="ping"):
    """Asks for a `pong`, to measure the round trip."""


class Resume(V1Command, frozen=True, tag="resume"):
    """Asks for the messages missed after `position`; the same as `?since=` in the URL."""

    position: Whole
    epoch: str


class AuthRefresh(V1Command, frozen=True, tag="auth:refresh"):
    """Replaces the token of the socket by a newer one of the same user."""

    token: str


class FramesSet(V1Command, frozen=True, tag="frames:set"):
    """Sets the frame rate of this socket; the same as `?frameHz=` in the URL.

    It takes effect with the next state of each live match. `BAD_VALUE` if it is not allowed.
    """

    frame_hz: FrameHz


class Ack(ToClientMessage, frozen=True, tag="ack", omit_defaults=True):
    """The command `id` was carried out; its events are in the log up to `position`."""

    id: str
    position: int
    room_id: RoomId | UnsetType = UNSET


class Pong(ToClientMessage, frozen=True, tag="pong", omit_defaults=True):
    """Answers `ping`."""

    id: str | UnsetType = UNSET


class Limits(msgspec.Struct, frozen=True, rename="camel"):
    """The limits of what a client may send."""

    message_bytes_max: int
    messages_per_s: float
    messages_burst: float
    chat_length_max: int
    move_bytes_max: int
    signal_bytes_max: int
    room_bytes_max: int
    invite_ttl_ms: int


class Welcome(ToClientMessage, frozen=True, tag="welcome"):
    """The first message: your user, the head of the log, and the limits.

    `features` lists what the service supports beyond 0.1.0; ignore unknown names. `frameHz` is the
    frame rate of this socket, one of those in `frameHzAllowed`. `games` can be played;
    `GET /api/v1/games` describes them.
    """

    user: User
    session_id: SocketId
    protocol: str
    epoch: str
    position: int
    heartbeat_ms: int
    limits: Limits
    features: tuple[Feature, ...] = FEATURE_NAMES
    frame_hz: FrameHz = FRAME_HZ_MAX
    frame_hz_allowed: tuple[FrameHz, ...] = FRAME_HZ
    games: tuple[str, ...] = ()


class Heartbeat(ToClientMessage, frozen=True, tag="heartbeat"):
    """There are no messages for you up to `position`; resume from there."""

    position: int


class Resumed(ToClientMessage, frozen=True, tag="resumed", rename={"after": "from"}):
    """All messages for you after `from`, up to `to`, have been sent."""

    after: int
    to: int


class Resync(ToClientMessage, frozen=True, tag="resync"):
    """You can't resume; drop your state, the present state follows."""

    reason: ResyncReason
    epoch: str
    position: int


class Greeted(ToClientMessage, frozen=True, tag="greeted"):
    """The present state at the position `to` has been sent, after `welcome` or `resync`.

    Do not resume before it: a resume would not repeat the missing part of the state.
    """

    to: int


class TokenExpiring(ToClientMessage, frozen=True, tag="token:expiring"):
    """Your token is about to expire; send `auth:refresh` with a newer one."""

    expires_in_ms: int


class ServerDraining(ToClientMessage, frozen=True, tag="server:draining"):
    """The service is stopping; connect again after a random part of `retryMs`.

    With `closesInMs` this connection lasts that long: connect again before it is closed.
    """

    retry_ms: int
    closes_in_ms: int | UnsetType = UNSET


class ServerMessage(ToClientMessage, frozen=True, tag="server:message"):
    """A message of another service of the platform to you, your room or all users."""

    data: msgspec.Raw
