"""Takes a client's messages in the callback that reads them, without waking a task for each.

This needs private parts of aiohttp, which are used in this module alone. Where they are not as
expected, messages are read by the task as usual, and a test fails loudly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import WSMessage, WSMsgType, web, web_ws

from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

logger = get_logger(__name__)

_NAME = "WebSocketDataQueue"
_Queue: Any = getattr(web_ws, _NAME, None)

IS_EAGER = _Queue is not None and all(
    hasattr(_Queue, name) for name in ("feed_data", "set_exception", "_buffer")
)
"""Whether aiohttp has what this module needs."""


class EagerResponse(web.WebSocketResponse):
    """A WebSocket whose messages may be taken when they are read; the rest waits for the task."""

    def take_by(self, take: Callable[[WSMessage], WSMessage | None]) -> None:
        """Give text messages to `take`; what that returns, and whatever follows it, waits.

        It is not called while an earlier message waits, so the order is kept.
        """
        if isinstance(self._reader, _EagerQueue):
            self._reader.take = take

    def _post_start(self, *arguments: Any) -> None:
        if not IS_EAGER:
            super()._post_start(*arguments)
            return
        setattr(web_ws, _NAME, _EagerQueue)
        try:
            super()._post_start(*arguments)
        finally:
            setattr(web_ws, _NAME, _Queue)


class _EagerQueue(_Queue if IS_EAGER else object):  # type: ignore[misc]
    """The queue between aiohttp's parser and the task."""

    take: Callable[[WSMessage], WSMessage | None] | None = None

    def feed_data(self, data: WSMessage, size: int) -> None:
        """Offer a message before it has to wait."""
        left: WSMessage | None = data
        if self.take is not None and not self._buffer and data.type is WSMsgType.TEXT:
            try:
                left = self.take(data)
            except Exception as error:
                logger.exception("message failed", error_type="internal_error")
                self.set_exception(error)
                return
        if left is not None:
            super().feed_data(left, size)
