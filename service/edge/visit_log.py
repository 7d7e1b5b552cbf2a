"""The log lines of connections, and the count of how they ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.edge.close_codes import CloseCode, label_of
from service.telemetry import FrequentLine, get_logger

if TYPE_CHECKING:
    from service.edge.conversation import Conversation
    from service.telemetry import Metrics

# Logs of connections have had this name since 0.1.0; searches rely on it.
_LOGGER_NAME = "service.edge.endpoint"

logger = get_logger(_LOGGER_NAME)

_CONNECTED = "correlation_id", "user.id", "metadata.socket", "metadata.protocol"
_connected = FrequentLine(_LOGGER_NAME, "connected", *_CONNECTED)

_DISCONNECTED = (
    "correlation_id",
    "user.id",
    "event.duration",
    "metadata.socket",
    "metadata.close_code",
)
_disconnected = FrequentLine(_LOGGER_NAME, "disconnected", *_DISCONNECTED)


def log_opened(conversation: Conversation) -> None:
    """Log that a connection was opened."""
    connection = conversation.connection
    _connected.write(
        conversation.correlation_id,
        str(connection.user),
        connection.socket,
        connection.dialect.protocol,
    )


def log_end(conversation: Conversation, lasted_s: float, metrics: Metrics) -> None:
    """Log and count how a connection ended, by the code that says most."""
    connection, code = conversation.connection, conversation.end_code
    if connection.aborted:
        code = CloseCode.TOO_SLOW
        metrics.slow_client_dropped()
    elif isinstance(conversation.channel.exception(), TimeoutError):
        code = CloseCode.NO_PONG
        logger.warning(
            "client did not answer a ping",
            correlation_id=conversation.correlation_id,
            error_type="websocket_error",
            error_code=str(int(code)),
        )
    metrics.disconnected(label_of(code))
    _disconnected.write(
        conversation.correlation_id,
        str(connection.user),
        # ECS counts in nanoseconds.
        int(lasted_s * 1e9),
        connection.socket,
        int(code),
    )
