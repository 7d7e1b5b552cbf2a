"""Send the earlier moves of a relay match to sockets that join it late.

The moves are read from the log in pages, and never kept in memory. What is queued for the socket
after it has joined is held back until they are sent. Where spectators have a delay, it applies to
earlier moves as well.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from service.domain.errors import MatchNotRunning, NotInRoom
from service.domain.events.rooms import SeatTaken, SpectatorJoined
from service.edge.frames import frame
from service.edge.past_moves import PastMoves
from service.edge.session.costs import BYTES_PER_UNIT
from service.edge.session.errors import RateLimited
from service.games.sight import SPECTATOR, seated
from service.protocol import v1
from service.tasks import Tasks
from service.telemetry import note_fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.events.base import Event, Position
    from service.domain.ids import RoomId, SocketId
    from service.domain.projections.matches import Match
    from service.domain.projections.room import Room
    from service.domain.projections.world import World
    from service.edge.connection import Connection
    from service.edge.hub import Hub
    from service.eventstore.reader import Reader
    from service.games.sight import Viewer
    from service.telemetry import Metrics


class _Job(msgspec.Struct):
    """Moves to send to one socket: after the cursor `after`, up to the position `until`."""

    connection: Connection
    room: RoomId
    match: Match
    until: Position
    viewer: Viewer
    after: int = 0
    """The cursor of `PastMoves`."""
    is_first: bool = True


class MoveHistory:
    """Sends the earlier moves of live matches to the sockets of this node."""

    def __init__(  # noqa: PLR0913 - the parts are given by the composition root
        self,
        world: World,
        hub: Hub,
        reader: Reader,
        *,
        bytes_max: int,
        clock: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        """Send at most about `bytes_max` at once; `clock` is monotonic, in seconds."""
        self._world = world
        self._hub = hub
        self._reader = reader
        self._bytes_max = bytes_max
        self._clock = clock
        self._metrics = metrics
        self._jobs: dict[SocketId, deque[_Job]] = {}
        self._tasks = Tasks()
        self._began_at = clock()
        self._began: Position = world.position

    def observe(self, event: Event, position: Position) -> None:
        """Send the earlier moves to a socket that joins a match."""
        if isinstance(event, SeatTaken | SpectatorJoined):
            self._joined(event, position)

    def ask(self, connection: Connection, room_id: RoomId, after: int) -> None:
        """Send the moves after a cursor to a socket in a room.

        Raises `NotInRoom`, `MatchNotRunning`, or `RateLimited` while others are on their way.
        """
        room = self._world.rooms.get(room_id)
        if not room.has_joined(connection.user, connection.socket):
            raise NotInRoom("This socket has not joined the room; join it first.")
        match = self._world.matches.live.get(room.match or "")
        if match is None:
            raise MatchNotRunning
        if connection.socket in self._jobs:
            raise RateLimited("Moves are on their way already; wait for them.")
        until = self._seen(room, connection, self._world.position)
        viewer = _viewer(room, connection)
        self._send_soon(_Job(connection, room.id, match, until, viewer, after))

    async def stop(self) -> None:
        """Cancel what is being sent."""
        await self._tasks.stop()

    def _joined(self, event: SeatTaken | SpectatorJoined, position: Position) -> None:
        room = self._world.rooms.rooms[event.room]
        match = self._world.matches.live.get(room.match or "")
        connection = self._hub.connection(event.socket)
        if match is None or match.pace != "free" or connection is None or not connection.is_v1:
            return
        until, viewer = self._seen(room, connection, position), _viewer(room, connection)
        job = _Job(connection, room.id, match, until, viewer)
        self._send_soon(job)
        if job.until < self._began:
            # The service started less than the delay ago: what was before is due later.
            wait_s = self._began_at + _delay_s(room, connection) - self._clock()
            asyncio.get_running_loop().call_later(max(0, wait_s), self._send_rest, job)

    def _send_rest(self, job: _Job) -> None:
        """Send the moves from before the start of the service."""
        room = self._world.rooms.rooms.get(job.room)
        connection = job.connection
        if room is not None and room.has_joined(connection.user, connection.socket):
            job.until, job.is_first = self._began, False
            self._send_soon(job)

    def _seen(self, room: Room, connection: Connection, position: Position) -> Position:
        """Return the position up to which a socket may see the log; newer moves follow live."""
        delay_s = _delay_s(room, connection)
        if not delay_s:
            return position
        is_late_enough = self._clock() >= self._began_at + delay_s
        return max(self._hub.shown_late(room.id), self._began if is_late_enough else 0)

    def _send_soon(self, job: _Job) -> None:
        """Hold back what is queued for the socket from now on, until `job` is done."""
        job.connection.begin_hold()
        socket = job.connection.socket
        if socket in self._jobs:
            self._jobs[socket].append(job)
            return
        self._jobs[socket] = deque([job])
        self._tasks.spawn(self._work(socket))

    async def _work(self, socket: SocketId) -> None:
        jobs = self._jobs[socket]
        try:
            while jobs:
                job = jobs.popleft()
                try:
                    await self._send(job)
                except Exception as error:  # noqa: BLE001 - it costs this history alone
                    note_fault(self._metrics, "delivery", error, socket=socket, match=job.match.id)
                job.connection.end_hold()
                self._hub.send_frames(job.connection, ())
        finally:
            del self._jobs[socket]

    async def _send(self, job: _Job) -> None:
        sent, is_over = 0, False
        pages = PastMoves(self._reader, job.match, job.viewer, job.until, job.after)
        while not is_over:
            moves = await pages.page()
            is_over, job.after = pages.is_over, pages.after
            data, size = self._page(job, moves, is_over=is_over, sent=sent)
            sent += size
            if moves or (is_over and job.is_first):
                self._hub.send_before_hold(job.connection, data)
            if sent >= self._bytes_max or job.connection.transport.is_closing():
                break
        job.connection.spend(sent / BYTES_PER_UNIT)

    def _page(
        self, job: _Job, moves: list[v1.PastMove], *, is_over: bool, sent: int
    ) -> tuple[bytes, int]:
        """Return a page as a frame, and its size; the last one has the next cursor."""
        after = None if is_over else job.after
        page = v1.GameMoves(job.room, job.match.id, moves, more=not is_over, next=after)
        data = frame(page)
        if not is_over and sent + len(data) >= self._bytes_max:
            data = frame(msgspec.structs.replace(page, more=False))
        return data, len(data)


def _viewer(room: Room, connection: Connection) -> Viewer:
    seat = room.seat_of(connection.user)
    return SPECTATOR if seat is None else seated(seat)


def _delay_s(room: Room, connection: Connection) -> float:
    """Return the delay of this socket in a room, in seconds."""
    if room.seat_of(connection.user) is not None:
        return 0
    return room.options.spectator_delay_s
