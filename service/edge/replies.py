"""The replies that any message of a client may get: the ack of its id, or an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.errors import ClientError, InternalError
from service.protocol import classic, v1
from service.telemetry import Metrics, get_logger, note_fault

if TYPE_CHECKING:
    from service.domain.events.base import Position
    from service.domain.ids import RoomId
    from service.edge.connection import Connection
    from service.edge.hub import Hub

logger = get_logger(__name__)


class Replies:
    """Sends acks and errors to one connection, and logs and counts the errors."""

    __slots__ = ("_connection", "_correlation_id", "_hub", "_metrics")

    def __init__(
        self, connection: Connection, correlation_id: str, hub: Hub, metrics: Metrics
    ) -> None:
        """Send by `hub`; `correlation_id` appears in the logs."""
        self._connection = connection
        self._correlation_id = correlation_id
        self._hub = hub
        self._metrics = metrics

    def acknowledge(self, id_: str | None, position: Position, room: RoomId | None = None) -> None:
        """Confirm the message with this id, if it had one; `position` is that of its event."""
        if id_ is not None:
            ack = v1.Ack(id_, position, msgspec.UNSET if room is None else room)
            self._hub.send(self._connection, ack)

    def refuse(self, error: ClientError, id_: str | None) -> None:
        """Answer a message with an error; `id_` is that of the message, if it had one."""
        logger.debug(
            "message refused",
            correlation_id=self._correlation_id,
            error_type="validation_error",
            error_code=error.code,
        )
        self._metrics.refused(error.code)
        answer = classic.Error(
            error.code,
            error.message,
            msgspec.UNSET if id_ is None else id_,
            msgspec.UNSET if error.retry_after_ms is None else error.retry_after_ms,
            msgspec.UNSET if error.field is None else error.field,
        )
        self._hub.send(self._connection, answer)

    def fail(self, error: Exception, id_: str | None) -> None:
        """Report a fault of the service over one message, and answer it; the socket stays open.

        A `ClientError` is no fault, and is the answer itself.
        """
        if isinstance(error, ClientError):
            self.refuse(error, id_)
            return
        note_fault(self._metrics, "message", error, socket=self._connection.socket)
        self.refuse(InternalError(), id_)
