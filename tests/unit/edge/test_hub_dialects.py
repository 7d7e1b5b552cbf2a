from typing import NamedTuple

from service.domain.events.presence import SocketOpened
from service.domain.projections.world import World
from service.edge.backlog import Backlog
from service.edge.connection import Connection
from service.edge.dialect import CLASSIC, SOCKET_IO, Dialect
from service.edge.frames import texts_of
from service.edge.greeting import Greeter
from service.edge.hub import Hub
from service.edge.refill_progress import RefillProgress
from service.edge.socketio.polling import Polling
from service.fanout.audience import Delivery, Everyone
from service.fanout.profiles import Profiles
from service.protocol import classic
from service.settings.sections.broadcasts import BroadcastLimits
from service.settings.sections.connections import ConnectionLimits, SlowLimits
from service.settings.sections.storage import BacklogLimits
from service.telemetry import Metrics


class Node(NamedTuple):
    """A hub, and what greets its sockets."""

    hub: Hub
    greeter: Greeter
    backlog: Backlog
    refill: RefillProgress

    def open(self, connection: Connection, *, kicked: bool = False) -> Connection:
        """Commit the opening of a socket."""
        user, socket = connection.user, connection.socket
        opened = SocketOpened(user=user, socket=socket, kicked=kicked)
        position = int(socket.rpartition(".")[2])
        self.hub.expect(connection)
        self.hub.observe(opened, position)
        self.greeter.observe(opened, position)
        return connection


def make_node(world: World | None = None) -> Node:
    world, people, metrics = world or World(), Profiles(), Metrics()
    backlog = Backlog(BacklogLimits())
    intervals = BroadcastLimits(user_list_ms=60_000, user_diff_ms=60_000)
    hub = Hub(world, people, backlog, intervals, metrics)
    hub.start()
    refill = RefillProgress(backlog)
    return Node(
        hub,
        Greeter(
            world,
            people,
            hub,
            backlog,
            ConnectionLimits(),
            invite_ttl_s=60,
            refill=refill,
            epoch="e",
            metrics=metrics,
        ),
        backlog,
        refill,
    )


def come(node: Node, number: int, dialect: Dialect) -> Connection:
    """Open a socket of a new user."""
    transport = Polling(lambda: None)
    socket = f"n1.1.{number}"
    return node.open(Connection(socket, number, dialect, transport=transport, limits=SlowLimits()))


async def test_a_broadcast_is_encoded_once_for_all_socketio_clients() -> None:
    node = make_node()
    hub = node.hub
    plain, *others = [
        come(node, number, dialect)
        for number, dialect in enumerate((CLASSIC, SOCKET_IO, SOCKET_IO, SOCKET_IO), 1)
    ]
    hub.publish(Delivery(Everyone(), classic=classic.UserOnline(7)))
    frames = [connection.frames[-1] for connection in others]
    assert frames[0] is frames[1] is frames[2]
    assert list(texts_of(frames[0])) == [b'42["user:online",{"userId":7}]']
    assert list(texts_of(plain.frames[-1])) == [b'{"type":"user:online","userId":7}']
    hub.flush()
