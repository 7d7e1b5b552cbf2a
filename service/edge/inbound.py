"""Handle messages in the read callback, without waking a task for each.

What they cause is flushed at the end of that callback. Frames that a server must refuse, and that
aiohttp's reader accepts, are refused here (`frame_check`).

This uses private parts of aiohttp, in this module only. Where they have changed, messages go
through the task as usual, and a test fails.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import WebSocketError, WSMessage, WSMsgType, web, web_ws

from service.edge.frame_check import PROTOCOL_ERROR, FrameCheck
from service.telemetry import get_logger

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from service.edge.channel import Count, Handle

logger = get_logger(__name__)

_QUEUE, _READER = "WebSocketDataQueue", "WebSocketReader"
_Queue: Any = getattr(web_ws, _QUEUE, None)
_Reader: Any = getattr(web_ws, _READER, None)

IS_EAGER = all(
    hasattr(part, name)
    for part, names in (
        (_Queue, ("feed_data", "set_exception", "_buffer")),
        (_Reader, ("feed_data",)),
        (
            web.WebSocketResponse,
            ("_post_start", "_on_data_received", "_heartbeat_when", "_pong_response_cb"),
        ),
    )
    for name in names
)
"""Whether aiohttp has the private attributes that this module uses."""

_TEXT = WSMsgType.TEXT
_CONTROL = (WSMsgType.PING, WSMsgType.PONG)

PING = b"\x89\x00"
"""A ping frame without payload."""


async def is_set_within(event: asyncio.Event, within_s: float) -> bool:
    """Wait for `event`; return whether it was set in time."""
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return False
    return True


class EagerResponse(web.WebSocketResponse):
    """A WebSocket that handles messages in the read callback, and keeps the others for its task."""

    # In a `__dict__` they would be one too many for aiohttp's, which would double in size.
    __slots__ = ("_received", "_scope")

    def __init__(self, scope: AbstractContextManager[None] | None = None, **options: Any) -> None:
        """Enter `scope` around each read callback; the options are those of aiohttp."""
        super().__init__(**options)
        self._scope = scope
        self._received: asyncio.Event | None = None
        """Set by any received data; created when `answers` is called first."""

    async def answers(self, within_s: float) -> bool:
        """Ping the client; return whether any data is received in time."""
        transport = None if self._req is None else self._req.transport
        if transport is None:
            return False
        if self._received is None:
            self._received = asyncio.Event()
        self._received.clear()
        # Not by `ping`, which waits while the write buffer is full.
        transport.write(PING)
        return await is_set_within(self._received, within_s)

    def set_message_handler(self, handle: Handle, count: Count) -> None:
        """Call `handle` in the read callback (`Channel`); drop control frames without `count`."""
        if isinstance(self._reader, _EagerQueue):
            self._reader.handle = handle
            self._reader.count = count
            self._parser.scope = self._scope  # type: ignore[union-attr]  # it is `_EagerReader`

    def texts(self) -> _Texts:
        """Iterate over the frames that were kept for the task (`Channel`)."""
        return _Texts(self)

    def _post_start(self, *arguments: Any) -> None:
        if not IS_EAGER:
            super()._post_start(*arguments)
            return
        setattr(web_ws, _QUEUE, _EagerQueue)
        setattr(web_ws, _READER, _EagerReader)
        try:
            super()._post_start(*arguments)
        finally:
            setattr(web_ws, _QUEUE, _Queue)
            setattr(web_ws, _READER, _Reader)

    def _on_data_received(self) -> None:
        """Postpone the next ping, without the callback that aiohttp schedules for that."""
        if self._received is not None:
            self._received.set()
        if not IS_EAGER:
            super()._on_data_received()
        elif self._heartbeat is not None and self._loop is not None:
            self._heartbeat_when = self._loop.time() + self._heartbeat
            if self._pong_response_cb is not None:
                self._cancel_pong_response_cb()


class _Texts:
    """Iterates over the data frames of a WebSocket; an async generator would have to be closed."""

    __slots__ = ("_receive",)

    def __init__(self, ws: EagerResponse) -> None:
        self._receive = ws.receive

    def __aiter__(self) -> _Texts:
        return self

    async def __anext__(self) -> str | None:
        frame = await self._receive()
        if frame.type is _TEXT:
            text: str = frame.data
            return text
        if frame.type is WSMsgType.BINARY:
            return None
        raise StopAsyncIteration


class _EagerReader(_Reader if IS_EAGER else object):  # type: ignore[misc]  # private base class
    """Parses the frames of one socket, within the flush scope."""

    __slots__ = ("_check", "_errors", "scope")

    def __init__(self, queue: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(queue, *arguments, **options)
        self.scope: AbstractContextManager[None] | None = None
        self._errors = queue
        self._check = FrameCheck()

    def feed_data(self, data: bytes) -> Any:
        """Parse received data, up to the first invalid frame."""
        if self._check.error is not None:
            return True, b""
        good = self._check.check(data)
        if good < len(data):
            self._read(data[:good])
            self._errors.set_exception(WebSocketError(PROTOCOL_ERROR, str(self._check.error)))
            return True, b""
        return self._read(data)

    def _read(self, data: bytes) -> Any:
        if self.scope is None:
            return super().feed_data(data)
        with self.scope:
            return super().feed_data(data)


class _EagerQueue(_Queue if IS_EAGER else object):  # type: ignore[misc]  # private base class
    """The bounded queue between aiohttp's parser and the task."""

    __slots__ = ("count", "handle")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.count: Count | None = None
        self.handle: Handle | None = None

    def feed_data(self, data: WSMessage, size: int) -> None:
        """Handle a text at once, or queue it; aiohttp pauses reading when the queue is long."""
        if data.type is _TEXT:
            if self.handle is not None and not self._buffer:
                try:
                    if self.handle(data.data):
                        return
                except Exception as error:
                    logger.exception("message failed", error_type="internal_error")
                    self.set_exception(error)
                    return
        elif data.type in _CONTROL and self.count is not None and not self.count():
            return
        super().feed_data(data, size)
