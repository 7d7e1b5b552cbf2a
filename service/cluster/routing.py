"""Have each command carried out where that is decided: at the owner of its room, or here.

The answer of another node is passed on when this node has folded what it depends on, as the answer
to a command that is carried out here. A command is carried out at most once, whatever is lost:
after a timeout only the node that owns the room by then is asked, with the same id.
"""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from service.bus.port import NoResponders, RequestTimeout
from service.cluster.requests import (
    Answer,
    Queued,
    Request,
    error_in,
    fields_of,
    is_routed,
)
from service.cluster.serving import RequestServer, awaits_match, called, folded, match_taken_over
from service.domain.commands.hosting import JoinRoom
from service.domain.commands.moves import Move
from service.domain.events.base import queue_stream
from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData
from service.errors import Unavailable
from service.eventstore.records import Origin
from service.runtime.idempotency import CommandResult
from service.runtime.pending import Executed
from service.tasks import Tasks

if TYPE_CHECKING:
    from service.cluster.requests import Routed
    from service.cluster.serving import Link
    from service.domain.commands.base import Command
    from service.domain.ids import Owner
    from service.runtime.engine import Engine
    from service.runtime.live_matches import LiveMatches
    from service.runtime.pending import OnResult

REQUEST_TIMEOUT_S = 1.0
"""How long one request may take; then it is not known whether it was carried out."""

PATIENCE_S = 10.0
"""How long a command is tried: longer than another node takes over from one that is lost."""

RETRY_AFTER_MS = 1000
"""When a client may try again after its node has lost the bus."""

PAUSE_S = 0.05
"""The pause after a node could not be reached."""


class NotReached(Unavailable):
    """The node that runs this room can't be reached, so nothing has changed; try again later."""


class NotTakenOver(Unavailable):
    """The match of this room is being taken over, so nothing has changed; try again later."""


class OutcomeUnknown(Unavailable):
    """The node that runs this room does not answer; what you sent may have been carried out."""


class _Errand(msgspec.Struct):
    """A command that may be carried out by another node."""

    command: Routed
    origin: Origin
    """With an idempotency key, but for moves that have none."""
    may_repeat: bool
    """Whether it may be sent again when it is not known whether it was carried out."""
    is_doubtful: bool = False
    """Whether it is not known whether another node has carried it out."""
    knows_head: bool = False
    """Whether this node has folded all that was in the log when the command came."""


class Router:
    """The engine of a node of a cluster, as its clients see it; see `Engine` for the contract."""

    def __init__(self, engine: Engine, matches: LiveMatches, link: Link) -> None:
        """Carry commands out by `engine`, and serve the requests of other nodes."""
        self.world = engine.world
        self.profiles = engine.profiles
        self.context = engine.context
        self.recall = engine.recall
        self.check_unused = engine.check_unused
        self._engine = engine
        self._matches = matches
        self._bus = link.bus
        self._link = link
        self._node = engine.context.node
        self._subject = f"ws.{link.realm}.node."
        self._numbers = itertools.count(1)
        self._tasks = Tasks()
        self._server = RequestServer(engine, matches, link, self._is_elsewhere)
        link.bus.serve(self._subject + self._node.node, self._server.serve)

    async def stop(self) -> None:
        """Ask and answer no more."""
        await self._tasks.stop()
        await self._server.stop()

    def dispatch(
        self,
        command: Command,
        origin: Origin,
        done: OnResult,
        *,
        personal_data: PersonalData = NO_PERSONAL_DATA,
    ) -> None:
        """Carry out `command`, and call `done` once with the result or the error."""
        if not is_routed(command):
            self._engine.dispatch(command, origin, done, personal_data=personal_data)
        elif self._place_of(command) == self._node and not awaits_match(command, self._matches):
            self._engine.dispatch(command, origin, partial(self._pass, command, origin, done))
        else:
            self._tasks.spawn(self._report(command, origin, done))

    async def execute(
        self, command: Command, origin: Origin, *, personal_data: PersonalData = NO_PERSONAL_DATA
    ) -> Executed:
        """Carry out `command`; return the result or raise the error."""
        if is_routed(command):
            return await self._route(command, origin)
        return await self._engine.execute(command, origin, personal_data=personal_data)

    def _pass(
        self, command: Routed, origin: Origin, done: OnResult, result: Executed | Exception
    ) -> None:
        """Pass a result on, unless this node could not decide since the room was moved."""
        if isinstance(result, Unavailable) and self._is_elsewhere(command):
            self._tasks.spawn(self._report(command, origin, done))
        else:
            done(result)

    async def _report(self, command: Routed, origin: Origin, done: OnResult) -> None:
        outcome: Executed | Exception
        try:
            outcome = await self._route(command, origin)
        except Exception as error:  # noqa: BLE001 - reported to `done`
            outcome = error
        done(outcome)

    # Where a command is carried out

    def _place_of(self, command: Routed) -> Owner | None:
        """Return the node that carries a command out; None if there is no such room."""
        nodes = self.world.nodes
        if isinstance(command, Queued):
            return nodes.home(queue_stream(command.game))
        return nodes.owner_of(command.room)

    def _is_elsewhere(self, command: Routed) -> bool:
        """Return whether another node carries a command out."""
        place = self._place_of(command)
        return place is not None and place != self._node

    async def _route(self, command: Routed, origin: Origin) -> Executed:
        """Have a command carried out where that is to be, however often that changes meanwhile."""
        loop = asyncio.get_running_loop()
        until, errand = loop.time() + PATIENCE_S, self._errand(command, origin)
        while loop.time() < until and (errand.may_repeat or not errand.is_doubtful):
            try:
                done = await self._attempt(errand)
            except NoResponders:
                done = await self._without(errand)
            except RequestTimeout:
                errand.is_doubtful = True
                continue
            if done is not None:
                return done
        raise OutcomeUnknown if errand.is_doubtful else NotReached

    async def _attempt(self, errand: _Errand) -> Executed | None:
        """Have a command carried out; return None if it has to be tried again."""
        place = self._place_of(errand.command)
        if place is None and not errand.knows_head and not _may_create(errand.command):
            # The room may be so new that this node has not folded it.
            await called(self._link.sync)
            errand.knows_head = True
            return None
        if place is None or place == self._node:
            return await self._carry_out(errand)
        answer = await self._ask(place, errand)
        await folded(self._link, answer.position)
        if answer.kind == "again":
            return None
        if answer.kind != "done":
            raise error_in(answer)
        result = CommandResult(answer.position, answer.room)
        return Executed((), result, is_elsewhere=answer.has_changed)

    async def _without(self, errand: _Errand) -> Executed | None:
        """Decide what follows when the other node can't be reached, and has not got the request."""
        if not errand.is_doubtful:
            if isinstance(errand.command, Queued):
                # The home of a queue only makes conflicts rare.
                return await self._engine.execute(errand.command, errand.origin)
            if not self._bus.is_connected:
                raise NotReached(retry_after_ms=RETRY_AFTER_MS)
        await asyncio.sleep(PAUSE_S)
        return None

    async def _carry_out(self, errand: _Errand) -> Executed | None:
        """Carry a command out here; return None if this node is not the one any more."""
        command = errand.command
        try:
            async with asyncio.timeout(PATIENCE_S):
                await match_taken_over(command, self._matches)
        except TimeoutError:
            raise NotTakenOver from None
        try:
            return await self._engine.execute(command, errand.origin)
        except Unavailable:
            if self._is_elsewhere(command):
                return None
            raise

    def _errand(self, command: Routed, origin: Origin) -> _Errand:
        """Give a command an id, by which it is carried out once however often it is sent.

        Moves get none, since they are many; keys that are held may be set again without harm.
        """
        if origin.command is not None:
            return _Errand(command, origin, may_repeat=True)
        if isinstance(command, Move):
            return _Errand(command, origin, may_repeat=self._sets_key(command))
        id_ = f"{self._node.node}.{self._node.incarnation}/{next(self._numbers)}"
        return _Errand(command, msgspec.structs.replace(origin, command=id_), may_repeat=True)

    def _sets_key(self, move: Move) -> bool:
        """Return whether a move presses or releases a key, which may be done again."""
        room = self.world.rooms.rooms.get(move.room)
        match = self.world.matches.live.get(room.match or "") if room is not None else None
        if match is None:
            return False
        game = self.context.games.rules(match.game, match.rules_version, match.id)
        try:
            return game is not None and game.key_in(move.move) is not None
        except Exception:  # noqa: BLE001 - its owner refuses the move
            return False

    # Asking

    async def _ask(self, place: Owner, errand: _Errand) -> Answer:
        """Return the answer of another node; raise `NoResponders` or `RequestTimeout`."""
        command, origin = errand.command, errand.origin
        request = Request(
            command=type(command).__name__,
            fields=fields_of(command),
            seen=self.world.position,
            lane=f"{self._node.node}.{self._node.incarnation}/{origin.correlation_id}",
            number=next(self._numbers),
            correlation_id=origin.correlation_id,
            actor=origin.actor,
            id=origin.command,
            digest=origin.digest,
        )
        data = msgspec.msgpack.encode(request)
        answer = await self._bus.request(self._subject + place.node, data, REQUEST_TIMEOUT_S)
        return msgspec.msgpack.decode(answer, type=Answer)


def _may_create(command: Routed) -> bool:
    """Return whether a command creates its room if there is none."""
    return isinstance(command, JoinRoom) and command.plan is not None
