"""Carry out the commands that other nodes send to this one, which owns their rooms."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Protocol

import msgspec

from service.cluster.requests import (
    Answer,
    Queued,
    Request,
    UnknownRequest,
    command_in,
    refusal_of,
)
from service.domain.events.base import room_stream
from service.errors import ClientError, InternalError, Unavailable
from service.eventstore.records import Origin
from service.runtime.pending import Executed
from service.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.bus.port import Bus, Reply
    from service.cluster.requests import Routed
    from service.domain.events.base import Position
    from service.domain.ids import Owner
    from service.runtime.engine import Engine
    from service.runtime.live_matches import LiveMatches

BEHIND_S = 1.0
"""How long a request may wait until this node has folded what the asking one has."""

LANES_MAX = 20_000
"""How many connections of other nodes the last request is remembered of."""


class Link(Protocol):
    """What connects this node with the others: the bus, and the log that all of them follow."""

    @property
    def bus(self) -> Bus:
        """The bus."""

    @property
    def node(self) -> Owner:
        """This incarnation of this node."""

    @property
    def realm(self) -> str:
        """The name that subjects of this cluster begin with."""

    def is_suspended(self) -> bool:
        """Whether nothing may be sent to clients, since this node may have been declared lost."""

    def when_folded(self, position: Position, done: Callable[[], None]) -> None:
        """Call `done` once `position` is folded, which is known to be in the log."""

    def sync(self, done: Callable[[], None]) -> None:
        """Call `done` once all is folded that is in the log now."""


class _Job(msgspec.Struct, frozen=True):
    """A request that is being carried out."""

    request: Request
    command: Routed
    reply: Reply

    def answer(self, answer: Answer) -> None:
        self.reply(msgspec.msgpack.encode(answer))


class RequestServer:
    """Answers the requests of other nodes."""

    def __init__(
        self,
        engine: Engine,
        matches: LiveMatches,
        link: Link,
        is_elsewhere: Callable[[Routed], bool],
    ) -> None:
        """Carry out by `engine` what is not decided elsewhere."""
        self._engine = engine
        self._world = engine.world
        self._matches = matches
        self._link = link
        self._is_elsewhere = is_elsewhere
        self._lanes: OrderedDict[str, int] = OrderedDict()
        """The number of the last request that was carried out, by its lane."""
        self._tasks = Tasks()

    async def stop(self) -> None:
        """Withdraw what waits for the fold."""
        await self._tasks.stop()

    def serve(self, data: bytes, reply: Reply) -> None:
        """Carry out a request, and answer it."""
        try:
            request = msgspec.msgpack.decode(data, type=Request)
            job = _Job(request, command_in(request), reply)
        except (msgspec.DecodeError, UnknownRequest) as error:
            reply(msgspec.msgpack.encode(refusal_of(Unavailable(str(error)), 0)))
            return
        is_recalled = request.id is None or not self._engine.recall.is_under_way
        is_folded = request.seen <= self._world.position
        if is_folded and is_recalled and not awaits_match(job.command, self._matches):
            self._begin(job)
        else:
            self._tasks.spawn(self._begin_later(job))

    async def _begin_later(self, job: _Job) -> None:
        """Carry out a request once this node has what it needs."""
        try:
            async with asyncio.timeout(BEHIND_S):
                await folded(self._link, job.request.seen)
                if job.request.id is not None:
                    await self._engine.recall.ended()
                await match_taken_over(job.command, self._matches)
        except TimeoutError:
            job.answer(Answer("again"))
        except ClientError as error:
            job.answer(refusal_of(error, self._world.position))
        else:
            self._begin(job)

    def _begin(self, job: _Job) -> None:
        """Dispatch the command of a request, if this is the node that decides it."""
        request = job.request
        if self._is_elsewhere(job.command):
            job.answer(Answer("again", self._world.position))
        elif request.number > self._lanes.get(request.lane, 0):
            # Else it is a copy, which the asking node does not wait for.
            self._note(request)
            origin = Origin(request.correlation_id, request.actor, request.id, request.digest)
            try:
                self._engine.dispatch(job.command, origin, partial(self._conclude, job))
            except Exception as error:  # noqa: BLE001 - the log is closing
                self._conclude(job, error)

    def _note(self, request: Request) -> None:
        """Refuse earlier requests of the same lane from now on."""
        self._lanes[request.lane] = request.number
        self._lanes.move_to_end(request.lane)
        if len(self._lanes) > LANES_MAX:
            self._lanes.popitem(last=False)

    def _conclude(self, job: _Job, result: Executed | Exception) -> None:
        position = self._world.position
        if isinstance(result, Executed):
            done = result.result
            job.answer(Answer("done", done.position, done.room, bool(result.events)))
        elif isinstance(result, Unavailable) and self._is_elsewhere(job.command):
            job.answer(Answer("again", position))
        elif isinstance(result, ClientError):
            job.answer(refusal_of(result, position))
        else:
            job.answer(refusal_of(InternalError(), position))


async def folded(link: Link, position: Position) -> None:
    """Wait until this node has folded a position."""
    await called(partial(link.when_folded, position))


async def called(wait: Callable[[Callable[[], None]], None]) -> None:
    """Wait until the callback that is passed to `wait` is called."""
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    wait(lambda: None if waiter.done() else waiter.set_result(None))
    await waiter


def awaits_match(command: Routed, matches: LiveMatches) -> bool:
    """Return whether the match in the room of a command is being taken over."""
    if isinstance(command, Queued):
        return False
    return matches.is_expected(command.room)


async def match_taken_over(command: Routed, matches: LiveMatches) -> None:
    """Wait while the match in the room of a command is being taken over."""
    if not isinstance(command, Queued) and matches.is_expected(command.room):
        await matches.settled({room_stream(command.room)})
