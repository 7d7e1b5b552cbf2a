"""Send what does not follow from the log to the sockets of other nodes.

These are the states of live matches, which their owner alone knows, and what clients and services
send to others. What has to be sent to one node within a turn of the loop, as by the matches of one
ticker slot, is one message. A node that can't be sent to for a while gets the newest states.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import msgspec

from service.bus.port import RequestFailed
from service.cluster.envelopes import (
    Envelope,
    Repeat,
    SeatState,
    Show,
    State,
    Wanted,
    encode,
    for_seat,
    seen_by,
    text_of,
)
from service.domain.ids import node_of
from service.fanout.audience import Delivery, Everyone, InRoom, Sockets, Users
from service.protocol import v1
from service.protocol.frame_rates import ALL_RATES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from service.cluster.envelopes import Part
    from service.cluster.serving import Link
    from service.domain.events.base import Position
    from service.domain.ids import MatchId, Owner, RoomId, SocketId, UserId
    from service.domain.projections.room import Room
    from service.domain.projections.world import World
    from service.fanout.audience import Audience, Message

SLOT_S = 1 / 60
"""How long what could not be sent waits for the next attempt."""

CONGESTED_BYTES = 512 * 1024
"""While the bus has so much unsent, states wait, and are replaced by newer ones."""

ENVELOPE_BYTES = 256 * 1024
"""The size of the parts of one message, beyond which another one begins."""

WAITING_BYTES_MAX = 4 * 1024 * 1024
"""How much may wait for one node; messages beyond it are dropped."""

PART_BYTES = 64
"""About what a part takes beside its texts, in bytes."""

ANNOUNCE_TIMEOUT_S = 1.0
"""How long another node may take to tell how many sockets an announcement has reached."""

ROOMS_SPARE = 1000
"""How many rooms that are closed may be remembered before they are forgotten."""


class LocalSockets(Protocol):
    """The sockets of this node."""

    def publish(self, message: Message, position: Position = 0, /) -> None:
        """Send a message to those of its audience."""

    def published(self, position: Position, /) -> None:
        """Called after all messages of an event."""

    def deliver(self, delivery: Delivery, /) -> None:
        """Send a message that follows from no event."""

    def frame_rates(self, room: RoomId, /) -> frozenset[int]:
        """Return the frame rates of those in a room."""

    def count(self, delivery: Delivery, /) -> int:
        """Return how many of them a delivery would reach."""


class _Elsewhere(msgspec.Struct):
    """The sockets in a room that other nodes have, as of its last change."""

    changed_at: Position
    players: frozenset[str]
    """The nodes of the players' sockets."""
    seats: list[frozenset[str]]
    """The same by seat."""
    spectators: frozenset[str]
    wanted: dict[str, frozenset[int]]
    """The frame rates of the sockets of each node, all of them until it has told."""
    rates: frozenset[int]
    """Those of all nodes."""

    def nodes(self, audience: InRoom) -> frozenset[str]:
        """Return the nodes that have sockets of an audience."""
        if audience.seat is not None:
            return self.seats[audience.seat]
        if audience.players and audience.spectators:
            return self.players | self.spectators
        return self.players if audience.players else self.spectators


class _Outbox:
    """What waits to be sent to one node, in order; a newer state replaces an older one."""

    def __init__(self) -> None:
        self.parts: dict[object, Part] = {}
        self._sizes: dict[object, int] = {}
        self.size = 0
        self._next = 0

    def add(self, part: Part, size: int) -> bool:
        """Add a part; return False if there is no room for it."""
        if isinstance(part, State | SeatState):
            state, seat = seen_by(part)
            key: object = (state.room, state.players, state.spectators, seat)
            older = self.parts.pop(key, None)
            if isinstance(older, State | SeatState):
                self.size -= self._sizes.pop(key)
                state.rates = _both(state.rates, seen_by(older)[0].rates)
        else:
            key = self._next = self._next + 1
        if self.size + size > WAITING_BYTES_MAX:
            return False
        self.parts[key] = part
        self._sizes[key] = size
        self.size += size
        return True

    def take(self) -> Iterable[list[Part]]:
        """Yield all parts, as many at once as make a message."""
        some: list[Part] = []
        size = 0
        for key, part in self.parts.items():
            if some and size + self._sizes[key] > ENVELOPE_BYTES:
                yield some
                some, size = [], 0
            some.append(part)
            size += self._sizes[key]
        yield some


class FrameSender:
    """Publishes to the sockets of this node and of others."""

    def __init__(self, local: LocalSockets, world: World, link: Link) -> None:
        """Send what is for sockets of this node by `local`, and all else by the bus of `link`."""
        self.local = local
        self.world = world
        self.link = link
        self._node = link.node
        self._subject = f"ws.{link.realm}."
        self._rooms: dict[RoomId, _Elsewhere] = {}
        self._outboxes: dict[str, _Outbox] = {}
        self._is_scheduled = False
        self.published = local.published

    # As `Hub`

    def publish(self, message: Message, position: Position = 0) -> None:
        """Send a message of a live match that this node runs."""
        if not isinstance(message, Delivery):
            self.local.publish(message, position)
            return
        audience, update = message.audience, message.v1
        if isinstance(audience, InRoom) and isinstance(update, v1.GameUpdate):
            self._publish_state(message, audience, update)
            return
        self.local.publish(message, position)
        self._send(message, self._match_in(message))

    def deliver(self, delivery: Delivery) -> None:
        """Send a message of a client to others."""
        self.local.deliver(delivery)
        self._send(delivery, None)

    def frame_rates(self, room: RoomId) -> frozenset[int]:
        """Return the frame rates of the sockets in a room, on any node."""
        local, elsewhere = self.local.frame_rates(room), self._elsewhere(room)
        if elsewhere is None or elsewhere.rates <= local:
            return local
        return elsewhere.rates | local

    def sockets_of(self, user: UserId) -> tuple[SocketId, ...]:
        """Return the open sockets of a user, on any node."""
        return tuple(self.world.presence.sockets.get(user, ()))

    async def announce(self, delivery: Delivery) -> int:
        """Send a message of another service; return how many sockets of all nodes it reached."""
        count = self.local.count(delivery)
        self.local.deliver(delivery)
        asked = (
            self._announce(node, text)
            for node, audience in self._parts_of(delivery.audience)
            for text in [text_of(delivery, audience, None)]
        )
        return count + sum(await asyncio.gather(*asked))

    async def _announce(self, node: str, text: Part) -> int:
        data = encode(self._envelope([text]))
        try:
            reply = await self.link.bus.request(
                f"{self._subject}announce.{node}", data, ANNOUNCE_TIMEOUT_S
            )
            return msgspec.msgpack.decode(reply, type=int)
        except (RequestFailed, msgspec.DecodeError):
            return 0

    # Between the nodes

    def ask_to_show(self, room: RoomId, user: UserId, socket: SocketId) -> None:
        """Ask the owner of a room to send its live match to a socket of this node."""
        self._ask_owner(room, Show(room, user, socket))

    def ask_to_repeat(self, room: RoomId, seat: int | None) -> None:
        """Ask the owner of a room to send the state of its live match to a seat again."""
        self._ask_owner(room, Repeat(room, seat))

    def _ask_owner(self, room: RoomId, part: Show | Repeat) -> None:
        owner = self.world.nodes.owner_of(room)
        if owner is not None and owner != self._node:
            self._add(owner.node, part, PART_BYTES)

    @property
    def can_send(self) -> bool:
        """Whether anything can be sent to other nodes now."""
        return self.link.bus.is_connected and not self.link.is_suspended()

    def tell_wanted(self, room: RoomId, owner: Owner, rates: frozenset[int]) -> None:
        """Tell the owner of a room which frame rates the sockets of this node in it have."""
        self._add(owner.node, Wanted(room, sorted(rates)), PART_BYTES)

    def note_wanted(self, node: str, room: RoomId, rates: Collection[int]) -> None:
        """Take note of the frame rates of the sockets of another node in a room."""
        elsewhere = self._elsewhere(room)
        if elsewhere is not None and node in elsewhere.wanted and rates:
            elsewhere.wanted[node] = frozenset(rates) & ALL_RATES or ALL_RATES
            elsewhere.rates = frozenset().union(*elsewhere.wanted.values())

    def _publish_state(self, delivery: Delivery, audience: InRoom, update: v1.GameUpdate) -> None:
        elsewhere = self._elsewhere(audience.room)
        nodes = None if elsewhere is None else elsewhere.nodes(audience)
        if elsewhere is None or not nodes:
            self.local.publish(delivery)
            return
        # It is encoded once, for this node and for all others.
        state = msgspec.Raw(msgspec.json.encode(update.state))
        update = msgspec.structs.replace(update, state=state)
        to_classic = delivery.classic
        if to_classic is not None:
            to_classic = msgspec.structs.replace(to_classic, state=state)
        self.local.publish(msgspec.structs.replace(delivery, classic=to_classic, v1=update))
        match = self.world.rooms.rooms[audience.room].match or ""
        for node in nodes:
            wanted = elsewhere.wanted[node]
            if delivery.rates is None or not wanted.isdisjoint(delivery.rates):
                part = State(
                    audience.room,
                    match,
                    update.run,
                    update.tick,
                    bytes(state),
                    None if update.turn_ends_in_ms is msgspec.UNSET else update.turn_ends_in_ms,
                    audience.players,
                    audience.spectators,
                    None if delivery.rates is None else sorted(delivery.rates),
                    delivery.delay_s,
                    sorted(wanted),
                    update.clocks_ms or [],
                )
                self._add(node, for_seat(part, audience.seat), PART_BYTES + len(part.state))

    def _send(self, delivery: Delivery, match: MatchId | None) -> None:
        """Send a message to the sockets of its audience on other nodes."""
        for node, audience in self._parts_of(delivery.audience):
            part = text_of(delivery, audience, match)
            self._add(node, part, PART_BYTES + len(part.classic or b"") + len(part.v1 or b""))

    def _match_in(self, delivery: Delivery) -> MatchId | None:
        """Return the live match that a message shows, by its room."""
        room_id = getattr(delivery.v1 or delivery.classic, "room_id", None)
        room = self.world.rooms.rooms.get(room_id or "")
        return None if room is None else room.match

    def _parts_of(self, audience: Audience) -> list[tuple[str, Audience]]:
        """Return the other nodes with sockets of an audience, each with its part of it."""
        match audience:
            case InRoom():
                elsewhere = self._elsewhere(audience.room)
                nodes: Iterable[str] = () if elsewhere is None else elsewhere.nodes(audience)
                return [(node, audience) for node in nodes]
            case Sockets():
                by_node: dict[str, list[SocketId]] = {}
                for socket in audience.sockets:
                    by_node.setdefault(node_of(socket).node, []).append(socket)
                by_node.pop(self._node.node, None)
                return [(node, Sockets(tuple(sockets))) for node, sockets in by_node.items()]
            case Users():
                tabs = [tab for user in audience.users for tab in self.sockets_of(user)]
                nodes = {node_of(tab).node for tab in tabs} - {self._node.node}
                return [(node, audience) for node in nodes]
            case Everyone():
                nodes = self.world.nodes.live.keys() - {self._node.node}
                return [(node, audience) for node in nodes]
            case _:
                raise AssertionError(audience)

    def _elsewhere(self, room_id: RoomId) -> _Elsewhere | None:
        """Return the sockets in a room that other nodes have; None if they have none."""
        room = self.world.rooms.rooms.get(room_id)
        if room is None:
            return None
        known = self._rooms.get(room_id)
        if known is None or known.changed_at != room.changed_at:
            if len(self._rooms) > len(self.world.rooms.rooms) + ROOMS_SPARE:
                self._rooms.clear()
            known = self._rooms[room_id] = self._find_elsewhere(room)
        return known if known.wanted else None

    def _find_elsewhere(self, room: Room) -> _Elsewhere:
        here = {self._node.node}
        players = frozenset(node_of(one).node for one in room.player_sockets) - here
        seats = [frozenset(node_of(one).node for one in seat.sockets) - here for seat in room.seats]
        spectators = frozenset(node_of(one).node for one in room.spectator_sockets) - here
        wanted = dict.fromkeys(players | spectators, ALL_RATES)
        rates = ALL_RATES if wanted else frozenset[int]()
        return _Elsewhere(room.changed_at, players, seats, spectators, wanted, rates)

    # Sending

    def _add(self, node: str, part: Part, size: int) -> None:
        outbox = self._outboxes.get(node)
        if outbox is None:
            outbox = self._outboxes[node] = _Outbox()
        outbox.add(part, size)
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _envelope(self, parts: list[Part]) -> Envelope:
        return Envelope(self._node.node, self._node.incarnation, self.world.position, parts)

    def _flush(self) -> None:
        """Send what waits, unless the bus has too much unsent."""
        bus = self.link.bus
        if bus.is_connected and bus.queued_bytes > CONGESTED_BYTES:
            asyncio.get_running_loop().call_later(SLOT_S, self._flush)
            return
        self._is_scheduled = False
        outboxes, self._outboxes = self._outboxes, {}
        if self.link.is_suspended():
            return
        for node, outbox in outboxes.items():
            for parts in outbox.take():
                bus.publish(f"{self._subject}to.{node}", encode(self._envelope(parts)))


def _both(rates: list[int] | None, others: list[int] | None) -> list[int] | None:
    return None if rates is None or others is None else sorted({*rates, *others})
