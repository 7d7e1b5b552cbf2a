"""Handle messages in the read callback, without waking a task for each.

What they cause is flushed at the end of that callback. Frames that a server must refuse, and that
aiohttp's reader accepts, are refused here (`frame_check`).

Where aiohttp's private parts have changed (`internals`), messages go through the task as usual.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import WebSocketError, WSMessage, WSMsgType, web, web_ws

from service.edge import internals
from service.edge.frame_check import PROTOCOL_ERROR, FrameCheck
from service.telemetry import get_logger

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from service.edge.channel import Count, Handle
    from service.edge.wire.interface import ReadTexts

logger = get_logger(__name__)

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
    __slots__ = ("_read_texts", "_received", "_scope")

    def __init__(
        self,
        scope: AbstractContextManager[None] | None = None,
        read_texts: ReadTexts | None = None,
        **options: Any,
    ) -> None:
        """Enter `scope` around each read callback; read texts by `read_texts` where it is given.

        The options are those of aiohttp.
        """
        super().__init__(**options)
        self._scope = scope
        self._read_texts = read_texts
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
        if isinstance(self._reader, EagerQueue):
            self._reader.handle = handle
            self._reader.count = count
            self._parser.scope = self._scope  # type: ignore[union-attr]  # it is `EagerReader`
            self._parser.read_texts = self._read_texts  # type: ignore[union-attr]  # the same

    def release(self) -> None:
        """Drop the references that make it part of cycles, when its handler ends.

        Else a closed connection would stay in memory until a full garbage collection.
        """
        if isinstance(self._reader, EagerQueue):
            self._reader.handle = self._reader.count = None
        if self._req is not None and hasattr(self._req.protocol, internals.CALLBACK):
            setattr(self._req.protocol, internals.CALLBACK, None)

    def texts(self) -> _Texts:
        """Iterate over the frames that were kept for the task (`Channel`)."""
        return _Texts(self)

    def _post_start(self, *arguments: Any) -> None:
        if not internals.IS_EAGER:
            super()._post_start(*arguments)
            return
        setattr(web_ws, internals.QUEUE, EagerQueue)
        setattr(web_ws, internals.READER, EagerReader)
        try:
            super()._post_start(*arguments)
        finally:
            setattr(web_ws, internals.QUEUE, internals.DataQueue)
            setattr(web_ws, internals.READER, internals.Reader)

    def _on_data_received(self) -> None:
        """Postpone the next ping, without the callback that aiohttp schedules for that."""
        if self._received is not None:
            self._received.set()
        if not internals.IS_EAGER:
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


class EagerReader(internals.Reader if internals.IS_EAGER else object):  # type: ignore[misc]  # private
    """Parses the frames of one socket, within the flush scope."""

    __slots__ = (
        "_check",
        "_is_over",
        "_queue",
        "_text_bytes_max",
        "_waiting",
        "read_texts",
        "scope",
    )

    def __init__(self, queue: Any, max_msg_size: int, **options: Any) -> None:
        """Take what aiohttp's own reader takes."""
        super().__init__(queue, max_msg_size, **options)
        self.scope: AbstractContextManager[None] | None = None
        self.read_texts: ReadTexts | None = None
        """What reads text frames before aiohttp parses the rest; None: aiohttp parses all."""
        self._queue = queue
        self._waiting = queue._buffer  # noqa: SLF001 - aiohttp has no public name for it
        self._text_bytes_max = max_msg_size - 1
        self._check = FrameCheck()
        self._is_over = False

    def feed_data(self, data: bytes) -> Any:
        """Parse received data, up to the first invalid frame."""
        if self.scope is None:
            return self._feed(data)
        with self.scope:
            return self._feed(data)

    def _feed(self, data: bytes) -> Any:
        if self._is_over:
            return True, b""
        check = self._check
        if self.read_texts is not None and check.is_between and not self._waiting:
            read = self.read_texts(data, self._text_bytes_max, self._queue.offer)
            if read == len(data):
                return False, b""
            data = data[read:] if read else data
        good = check.check(data)
        answer = super().feed_data(data if check.error is None else data[:good])
        if check.error is not None:
            self._queue.set_exception(WebSocketError(PROTOCOL_ERROR, check.error))
            answer = True, b""
        self._is_over = answer[0]
        return answer


class EagerQueue(internals.DataQueue if internals.IS_EAGER else object):  # type: ignore[misc]  # private
    """The bounded queue between aiohttp's parser and the task."""

    __slots__ = ("count", "handle")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Take what aiohttp's own queue takes."""
        super().__init__(*arguments, **options)
        self.count: Count | None = None
        self.handle: Handle | None = None

    def feed_data(self, data: WSMessage, size: int) -> None:
        """Handle a text at once, or queue it; aiohttp pauses reading when the queue is long."""
        if data.type is _TEXT:
            if not self._buffer and self._is_handled(data.data):
                return
        elif data.type in _CONTROL and self.count is not None and not self.count():
            return
        super().feed_data(data, size)

    def offer(self, text: str) -> bool:
        """Offer a text that was read without aiohttp; return False if it is kept."""
        if self._is_handled(text):
            return True
        super().feed_data(WSMessage(_TEXT, text, ""), len(text.encode()))
        return False

    def _is_handled(self, text: str) -> bool:
        """Tell whether a text was handled at once, be it that it has failed."""
        if self.handle is None:
            return False
        try:
            return self.handle(text)
        except Exception as error:
            logger.exception("message failed", error_type="internal_error")
            self.set_exception(error)
            return True
