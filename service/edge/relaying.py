"""Relay the signals of one client to others; they are not logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.fanout.signals import route_signal

if TYPE_CHECKING:
    from service.edge.backend import Relay
    from service.edge.connection import Connection
    from service.edge.session.actions import RelaySignal
    from service.runtime.dispatcher import Dispatcher


def relay_signal(
    action: RelaySignal, connection: Connection, engine: Dispatcher, relay: Relay
) -> None:
    """Send a signal of a connection by `relay`; raise the `ClientError` that refuses it."""
    delivery = route_signal(
        action.message,
        action.to,
        user=connection.user,
        socket=connection.socket,
        world=engine.world,
        sockets_of=relay.sockets_of,
        to_anybody=engine.context.rules.signals_to_anybody,
    )
    relay.deliver(delivery)
