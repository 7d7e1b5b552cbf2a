"""Keep a promise for a command that is repeated by another socket, after its answer was lost.

It is carried out once, for the socket that sent it first, and that one is gone. Who is told that
they have joined a room has to be in it by the socket that is told so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.commands.hosting import CreateRoom, JoinRoom
from service.domain.commands.seats import TakeSeat
from service.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.commands.base import Command
    from service.domain.projections.world import World
    from service.edge.connection import Connection
    from service.eventstore.records import Origin
    from service.runtime.dispatcher import Dispatcher
    from service.runtime.pending import Executed, OnResult


SEATING = CreateRoom | JoinRoom | TakeSeat
"""Commands by which a socket may join the seat of its user."""


def missed_seat(
    command: Command, result: Executed, connection: Connection, world: World
) -> TakeSeat | None:
    """Return what lets a socket join the seat that its user took by a command before.

    None if there is nothing to do: the command was carried out now, or the socket is in the room,
    or the user has no seat there any more. Spectators have left with their last socket.
    """
    if result.events or result.is_elsewhere or not isinstance(command, SEATING):
        return None
    user, socket = connection.user, connection.socket
    room = world.rooms.rooms.get(result.result.room or "")
    if room is None or room.seat_of(user) is None or room.has_joined(user, socket):
        return None
    return TakeSeat(user, socket, room.id)


def with_seat(
    command: Command,
    done: OnResult,
    connection: Connection,
    engine: Dispatcher,
    origin: Callable[[], Origin],
) -> OnResult:
    """Return what calls `done` with the result of a command, once its socket has its seat.

    `done` gets `Unavailable` if the seat can't be joined for now, so that the client tries again.
    """

    def conclude(result: Executed | Exception) -> None:
        seat = None
        if not isinstance(result, Exception):
            seat = missed_seat(command, result, connection, engine.world)
        if seat is None:
            done(result)
            return

        def joined(outcome: Executed | Exception) -> None:
            done(outcome if isinstance(outcome, Unavailable) else result)

        try:
            engine.dispatch(seat, origin(), joined)
        except Unavailable as error:
            done(error)

    return conclude
