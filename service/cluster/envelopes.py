"""What nodes send each other for the sockets of their clients, and for live matches.

Later versions may append fields to each struct, and kinds of parts: what a node does not know, it
passes over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec
from msgspec import UNSET

from service.domain.events.base import Position
from service.domain.ids import MatchId, RoomId, SocketId, UserId
from service.errors import ServiceError
from service.fanout.audience import Delivery, Everyone, InRoom, Sockets, Users
from service.protocol import ToClassicClient, ToV1Client, classic, v1

if TYPE_CHECKING:
    from service.fanout.audience import Audience
    from service.protocol import ToClient

_classic = msgspec.json.Decoder(ToClassicClient)
_v1 = msgspec.json.Decoder(ToV1Client)


class UnknownPart(ServiceError):
    """Another version of the service has sent what this one does not know."""


class ToRoom(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The sockets in a room; see `InRoom`."""

    room: RoomId
    players: bool
    spectators: bool
    excluding: SocketId | None


class ToSockets(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """These sockets."""

    sockets: list[SocketId]


class ToUsers(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """All sockets of these users."""

    users: list[UserId]


class ToEveryone(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """All sockets."""


class State(msgspec.Struct, array_like=True, tag=1):
    """The state of a live match, from the node that runs it."""

    room: RoomId
    match: MatchId
    run: int
    tick: int
    state: bytes
    """The view of the state, as JSON."""
    turn_ends_in_ms: int | None
    players: bool
    spectators: bool
    rates: list[int] | None
    """The frame rates whose sockets get it; None for all."""
    delay_s: float
    assumed: list[int]
    """The frame rates that the sender believes the sockets in the room have."""
    clocks_ms: list[int] = []
    """What each seat has left on its clock; empty without clocks."""


class SeatState(msgspec.Struct, array_like=True, tag=5):
    """What the player in one seat alone may see of the state of a live match.

    A node that does not know of secrets passes it over.
    """

    seat: int
    state: State


class Text(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Another message."""

    audience: ToRoom | ToSockets | ToUsers | ToEveryone
    classic: bytes | None
    """The message to classic clients as JSON; None if there is none."""
    v1: bytes | None
    """The message to clients of protocol v1; None if there is none."""
    is_same: bool
    """Whether `v1` is the message to classic clients as well."""
    frame_ms: float
    delay_s: float
    match: MatchId | None
    """The live match that the sender has to run; None if anybody may send this."""


class Wanted(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Which frame rates the sockets of the sender in a room have."""

    room: RoomId
    rates: list[int]


class Show(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """A wish to send the live match of a room to a socket of the sender."""

    room: RoomId
    user: UserId
    socket: SocketId


class Repeat(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """A wish to send the state of the live match of a room again, to the sockets of a seat."""

    room: RoomId
    seat: int | None
    """None for the spectators."""


Part: TypeAlias = State | SeatState | Text | Wanted | Show | Repeat


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """What one node sends to another one at once."""

    node: str
    incarnation: int
    after: Position
    """What the receiver has to have folded before it shows this."""
    parts: list[Part]


class _Unread(msgspec.Struct, frozen=True, array_like=True):
    node: str
    incarnation: int
    after: Position
    parts: list[msgspec.Raw]


_encode = msgspec.msgpack.Encoder().encode
_envelope = msgspec.msgpack.Decoder(Envelope)
_unread = msgspec.msgpack.Decoder(_Unread)
_part: msgspec.msgpack.Decoder[Part] = msgspec.msgpack.Decoder(Part)


def encode(envelope: Envelope) -> bytes:
    """Encode an envelope."""
    return _encode(envelope)


def decode(data: bytes) -> Envelope:
    """Decode an envelope, without the parts that are not known; raise `UnknownPart`."""
    try:
        return _envelope.decode(data)
    except msgspec.DecodeError:
        pass
    try:
        unread = _unread.decode(data)
    except msgspec.DecodeError as error:
        raise UnknownPart from error
    parts: list[Part] = []
    for raw in unread.parts:
        try:
            parts.append(_part.decode(raw))
        except msgspec.DecodeError:
            continue
    return Envelope(unread.node, unread.incarnation, unread.after, parts)


def text_of(delivery: Delivery, audience: Audience, match: MatchId | None) -> Text:
    """Return the part by which `audience` gets the messages of a delivery."""
    is_same = delivery.classic is not None and delivery.classic is delivery.v1
    return Text(
        _written(audience),
        None if is_same else _json(delivery.classic),
        _json(delivery.v1),
        is_same,
        delivery.frame_ms,
        delivery.delay_s,
        match,
    )


def delivery_of(part: Text) -> Delivery:
    """Return what a part delivers to the sockets of this node; raise `UnknownPart`."""
    try:
        to_v1 = None if part.v1 is None else _v1.decode(part.v1)
        to_classic: ToClient | None = (
            None if part.classic is None else _classic.decode(part.classic)
        )
    except msgspec.DecodeError as error:
        raise UnknownPart from error
    return Delivery(
        _read(part.audience),
        to_v1 if part.is_same else to_classic,
        to_v1,
        frame_ms=part.frame_ms,
        delay_s=part.delay_s,
    )


def for_seat(state: State, seat: int | None) -> State | SeatState:
    """Return the part by which a state gets to one seat, or with None to all that it names."""
    return state if seat is None else SeatState(seat, state)


def seen_by(part: State | SeatState) -> tuple[State, int | None]:
    """Return a state, and the seat that alone may see it, if it is for one."""
    return (part.state, part.seat) if isinstance(part, SeatState) else (part, None)


def delivery_of_state(part: State, seat: int | None = None) -> Delivery:
    """Return the delivery of a state to the sockets of this node, or to one seat's."""
    state = msgspec.Raw(part.state)
    ends_in_ms = UNSET if part.turn_ends_in_ms is None else part.turn_ends_in_ms
    return Delivery(
        InRoom(part.room, part.players, part.spectators, seat=seat),
        classic.GameUpdate(part.room, state),
        v1.GameUpdate(part.room, part.run, part.tick, state, ends_in_ms, part.clocks_ms or UNSET),
        delay_s=part.delay_s,
        rates=None if part.rates is None else frozenset(part.rates),
    )


def _json(message: ToClient | None) -> bytes | None:
    return None if message is None else msgspec.json.encode(message)


def _written(audience: Audience) -> ToRoom | ToSockets | ToUsers | ToEveryone:
    match audience:
        case InRoom():
            if audience.seat is not None:
                # Older nodes would show it to all players.
                raise AssertionError(audience)
            return ToRoom(audience.room, audience.players, audience.spectators, audience.excluding)
        case Sockets():
            return ToSockets(list(audience.sockets))
        case Users():
            return ToUsers(list(audience.users))
        case Everyone():
            return ToEveryone()
        case _:
            raise AssertionError(audience)


def _read(audience: ToRoom | ToSockets | ToUsers | ToEveryone) -> Audience:
    match audience:
        case ToRoom():
            return InRoom(audience.room, audience.players, audience.spectators, audience.excluding)
        case ToSockets():
            return Sockets(tuple(audience.sockets))
        case ToUsers():
            return Users(tuple(audience.users))
        case ToEveryone():
            return Everyone()
