"""Show what other nodes send to the sockets of this one, once it has folded what that follows."""

from __future__ import annotations

import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from service.cluster.envelopes import (
    Envelope,
    Repeat,
    SeatState,
    Show,
    State,
    Text,
    ToSockets,
    UnknownPart,
    Wanted,
    decode,
    delivery_of,
    delivery_of_state,
    seen_by,
)
from service.cluster.frames import ROOMS_SPARE
from service.cluster.missed import MissedStates, Shows
from service.domain.events.matches import room_of
from service.domain.ids import Owner
from service.protocol import v1
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.bus.port import Reply
    from service.cluster.frames import FrameSender
    from service.domain.ids import MatchId, RoomId

WAITING_BYTES_MAX = 8 * 1024 * 1024
"""How much of one node may wait for the fold; beyond it the oldest is dropped."""

logger = get_logger(__name__)


class _Waiting:
    """What one node has sent, and this one may not show yet."""

    def __init__(self) -> None:
        self.envelopes: deque[tuple[Envelope, int]] = deque()
        self.size = 0

    def add(self, envelope: Envelope, size: int) -> None:
        self.envelopes.append((envelope, size))
        self.size += size
        while self.size > WAITING_BYTES_MAX:
            self.take()

    def take(self) -> Envelope:
        envelope, size = self.envelopes.popleft()
        self.size -= size
        return envelope


class FrameReceiver:
    """Receives what other nodes send to the sockets of this one."""

    def __init__(
        self, sender: FrameSender, shows: Shows, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Show it to the sockets of `sender`; matches that this node runs are shown by `shows`."""
        link = sender.link
        self._sender = sender
        self._local = sender.local
        self._world = sender.world
        self._link = link
        self._shows = shows
        self._waiting: dict[Owner, _Waiting] = {}
        self._newest: dict[tuple[RoomId, bool, int | None], tuple[MatchId, int, int]] = {}
        """The match, run and tick that were shown last, by room; apart for spectators and seats."""
        self.missed = MissedStates(sender.world, link.node, sender, shows, clock)
        link.bus.subscribe(f"ws.{link.realm}.to.{link.node.node}", self._receive)
        link.bus.serve(f"ws.{link.realm}.announce.{link.node.node}", self._announce)

    def _receive(self, data: bytes) -> None:
        try:
            envelope = decode(data)
        except UnknownPart as error:
            logger.warning("message of another node not read", metadata={"reason": error.message})
            return
        node = Owner(envelope.node, envelope.incarnation)
        if node not in self._waiting and envelope.after <= self._world.position:
            self._show(node, envelope)
            return
        self._waiting.setdefault(node, _Waiting()).add(envelope, len(data))
        self._link.when_folded(envelope.after, partial(self._show_waiting, node))

    def _show_waiting(self, node: Owner) -> None:
        waiting = self._waiting.get(node)
        while waiting is not None and waiting.envelopes:
            if waiting.envelopes[0][0].after > self._world.position:
                return
            self._show(node, waiting.take())
        self._waiting.pop(node, None)

    def _show(self, node: Owner, envelope: Envelope) -> None:
        """Show what a node has sent, unless it is lost by now."""
        if not self._world.nodes.is_live(node):
            return
        for part in envelope.parts:
            match part:
                case State() | SeatState():
                    self._show_state(node, *seen_by(part))
                case Text():
                    self._show_text(node, part)
                case Wanted():
                    self._sender.note_wanted(node.node, part.room, part.rates)
                case Show():
                    self._show_match(part)
                case Repeat():
                    self._repeat(part)

    def _show_state(self, node: Owner, part: State, seat: int | None) -> None:
        """Show a state, to one seat or to all that it names, unless it is outdated.

        Then a newer one was shown, or another node runs the match by now.
        """
        if not self._is_run_by(node, part.match):
            return
        audience = {"players": part.players, "spectators": part.spectators}
        self.missed.state_shown(part.match, part.tick, seat, **audience)
        key, moment = (part.room, not part.players, seat), (part.match, part.run, part.tick)
        newest = self._newest.get(key)
        if newest is not None and newest[0] == part.match and moment < newest:
            return
        if len(self._newest) > 2 * len(self._world.rooms.rooms) + ROOMS_SPARE:
            self._newest.clear()
        self._newest[key] = moment
        self._local.deliver(delivery_of_state(part, seat))
        rates = self._local.frame_rates(part.room)
        if rates and rates != frozenset(part.assumed):
            self._sender.tell_wanted(part.room, node, rates)

    def _show_text(self, node: Owner, part: Text) -> None:
        if part.match is not None and not self._is_run_by(node, part.match):
            return
        try:
            delivery = delivery_of(part)
        except UnknownPart as error:
            logger.warning("message of another node not read", metadata={"reason": error.message})
            return
        match = self._world.matches.live.get(part.match or "")
        if isinstance(delivery.v1, v1.GamePaused) and match is not None and not match.paused:
            # This node has folded, and told, that it goes on.
            return
        if part.match is not None and isinstance(part.audience, ToSockets):
            self.missed.match_shown(part.audience.sockets)
        self._local.deliver(delivery)

    def _show_match(self, part: Show) -> None:
        room = self._world.rooms.rooms.get(part.room)
        if room is not None and room.has_joined(part.user, part.socket):
            self._shows.show(room, room.seat_of(part.user), part.socket)

    def _repeat(self, part: Repeat) -> None:
        room = self._world.rooms.rooms.get(part.room)
        if room is not None and (part.seat is None or part.seat < len(room.seats)):
            self._shows.repeat(room, part.seat)

    def _is_run_by(self, node: Owner, match: MatchId) -> bool:
        """Return whether a match is live, and run by a node."""
        is_live = match in self._world.matches.live
        return is_live and self._world.nodes.owner_of(room_of(match)) == node

    def _announce(self, data: bytes, reply: Reply) -> None:
        """Deliver the message of another service, and tell how many sockets it reaches."""
        count = 0
        try:
            deliveries = [
                delivery_of(part) for part in decode(data).parts if isinstance(part, Text)
            ]
        except UnknownPart as error:
            logger.warning("message of another node not read", metadata={"reason": error.message})
            deliveries = []
        for delivery in deliveries:
            count += self._local.count(delivery)
            self._local.deliver(delivery)
        reply(msgspec.msgpack.encode(count))
