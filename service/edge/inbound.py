"""Handle messages in the read callback, without waking a task for each.

What they cause is flushed at the end of that callback. Frames that a server must refuse, and that
aiohttp's reader accepts, are refused here (`frame_check`). The wire's reader takes
the place of aiohttp's protocol, and leaves to that one all but text frames.

Where aiohttp's private parts have changed (`internals`), messages go through the task as usual.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

from aiohttp import WebSocketError, WSMessage, WSMsgType, web, web_ws
from multidict import CIMultiDict

from service.edge import internals
from service.edge.frame_check import PROTOCOL_ERROR, FrameCheck
from service.edge.http.responses import drop_traceback
from service.edge.upgraded import ControlWriter, UpgradedRequest, control_frame
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from service.edge.channel import Count, Handle
    from service.edge.wire.interface import Incoming, Reader

NewReader: TypeAlias = "Callable[[Any, Incoming, Handle, int], Reader]"
"""Makes the reader of a connection, as `Wire.new_reader` does, for one output."""

logger = get_logger(__name__)

_TEXT = WSMsgType.TEXT
_CONTROL = (WSMsgType.PING, WSMsgType.PONG)

_NO_HEADERS: CIMultiDict[str] = CIMultiDict()

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
    __slots__ = ("_new_reader", "_received", "_scope", "_text_reader")

    def __init__(
        self,
        scope: AbstractContextManager[None] | None = None,
        new_reader: NewReader | None = None,
        **options: Any,
    ) -> None:
        """Enter `scope` around each read callback; with `new_reader` that one does so itself.

        The options are those of aiohttp.
        """
        super().__init__(**options)
        self._scope = scope
        self._new_reader = new_reader
        self._text_reader: Reader | None = None
        self._received: asyncio.Event | None = None
        """Set by any received data; created when `answers` is called first."""

    def accept(self, protocol: web.RequestHandler, subprotocol: str | None) -> None:
        """Begin without `prepare`: the caller sends the head of the response.

        Only where `internals.UPGRADES_DIRECTLY`.
        """
        writer: Any = ControlWriter(protocol)
        request: Any = UpgradedRequest(protocol)
        self._loop = asyncio.get_running_loop()
        self._compress = 0
        self._headers = _NO_HEADERS
        self._keep_alive = False
        self._req = request
        self._payload_writer = writer
        self._post_start(request, subprotocol, writer)

    def begin(self, handle: Handle, count: Count, wake: Callable[[], None]) -> None:
        """Call `handle` and `count` from now on, and `wake` once when a task is needed.

        That is when a frame is kept for `texts`, when the channel is closed, or before.
        """
        self.set_message_handler(handle, count)
        queue: Any = self._reader
        if queue._buffer or queue.is_eof() or self._closed:  # noqa: SLF001 - there is no public name
            wake()
        else:
            queue.wake = wake

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be read from it."""
        return isinstance(self._reader, EagerQueue) and self._reader.is_eof()

    async def close(self, **options: Any) -> bool:
        """Close it as aiohttp does, which lets the task end that reads from it."""
        if isinstance(self._reader, EagerQueue) and self._reader.wake is not None:
            self._reader.needs_task()
            # Let the task begin to read.
            await asyncio.sleep(0)
        return await super().close(**options)

    async def answers(self, within_s: float) -> bool:
        """Ping the client; return whether any data is received in time."""
        transport = None if self._req is None else self._req.transport
        if transport is None:
            return False
        if self._received is None:
            self._received = asyncio.Event()
        self._received.clear()
        if self._text_reader is not None:
            # So that whatever comes next is noticed here.
            self._text_reader.is_plain = False
        # Not by `ping`, which waits while the write buffer is full.
        transport.write(PING)
        return await is_set_within(self._received, within_s)

    def set_message_handler(self, handle: Handle, count: Count) -> None:
        """Call `handle` in the read callback (`Channel`); drop control frames without `count`."""
        # It has no parser if it was closed before.
        if not isinstance(self._reader, EagerQueue) or not isinstance(self._parser, EagerReader):
            return
        self._reader.handle = handle
        self._reader.count = count
        transport = None if self._req is None else self._req.transport
        if self._new_reader is None or self._req is None or transport is None:
            self._parser.scope = self._scope
        elif self._text_reader is None:
            # What was received so far is read by aiohttp: the next bytes may be within a frame.
            protocol = self._req.protocol
            incoming = Unread(protocol, self._reader, self._parser)
            reader = self._new_reader(protocol, incoming, handle, self._max_msg_size - 1)
            reader.is_plain = self._parser.is_between
            self._text_reader = reader
            transport.set_protocol(reader)  # type: ignore[arg-type]  # it has the methods called

    def release(self) -> None:
        """Drop the references that make it part of cycles, when its handler ends.

        Else a closed connection would stay in memory until a full garbage collection.
        """
        if self._text_reader is not None:
            self._text_reader = None
            if self._req is not None and self._req.transport is not None:
                self._req.transport.set_protocol(self._req.protocol)
        if isinstance(self._reader, EagerQueue):
            self._reader.handle = self._reader.count = self._reader.wake = None
        if self._req is not None and hasattr(self._req.protocol, internals.CALLBACK):
            setattr(self._req.protocol, internals.CALLBACK, None)
        drop_traceback(self)

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
        elif self._pong_response_cb is not None:
            # Begins to wait for the next ping as well.
            self._reset_heartbeat()
        elif self._heartbeat is not None and self._loop is not None:
            self._heartbeat_when = self._loop.time() + self._heartbeat

    def _send_heartbeat(self) -> None:
        """Ping, unless the reader has received something meanwhile."""
        if self._text_reader is not None and self._heartbeat is not None:
            heard_until = self._text_reader.heard_at_s + self._heartbeat
            self._heartbeat_when = max(self._heartbeat_when, heard_until)
        super()._send_heartbeat()

    def _pong_not_received(self) -> None:
        """End the connection, unless the reader has received something since the ping."""
        if self._text_reader is not None and self._loop is not None:
            pinged_at = self._loop.time() - self._pong_heartbeat
            if self._text_reader.heard_at_s > pinged_at:
                self._reset_heartbeat()
                return
        super()._pong_not_received()


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
        "_waiting",
        "scope",
    )

    def __init__(self, queue: Any, max_msg_size: int, **options: Any) -> None:
        """Take what aiohttp's own reader takes."""
        super().__init__(queue, max_msg_size, **options)
        self.scope: AbstractContextManager[None] | None = None
        self._queue = queue
        self._waiting = queue._buffer  # noqa: SLF001 - aiohttp has no public name for it
        self._check = FrameCheck()
        self._is_over = False

    @property
    def is_between(self) -> bool:
        """Whether the next bytes begin a message, and no earlier one waits."""
        return self._check.is_between and not self._waiting and not self._is_over

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
        good = check.check(data)
        answer = super().feed_data(data if check.error is None else data[:good])
        if check.error is not None:
            self._queue.set_exception(WebSocketError(PROTOCOL_ERROR, check.error))
            answer = True, b""
        self._is_over = answer[0]
        return answer


class EagerQueue(internals.DataQueue if internals.IS_EAGER else object):  # type: ignore[misc]  # private
    """The bounded queue between aiohttp's parser and the task."""

    __slots__ = ("count", "handle", "wake")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Take what aiohttp's own queue takes."""
        super().__init__(*arguments, **options)
        self.count: Count | None = None
        self.handle: Handle | None = None
        self.wake: Callable[[], None] | None = None
        """Starts the task that reads from this queue; None if it runs, or is not to be started."""

    def feed_data(self, data: WSMessage, size: int) -> None:
        """Handle a text at once, or queue it; aiohttp pauses reading when the queue is long."""
        if data.type is _TEXT:
            if not self._buffer and self._is_handled(data.data):
                return
        elif data.type in _CONTROL:
            if self.count is not None and not self.count():
                return
            # `receive` ignores a pong, whose arrival has postponed the next ping already.
            if data.type is WSMsgType.PONG or self._answers_ping(data.data):
                return
        super().feed_data(data, size)
        self.needs_task()

    def feed_eof(self) -> None:
        """End the queue."""
        super().feed_eof()
        self.needs_task()

    def set_exception(self, *arguments: Any) -> None:
        """End the queue by an error."""
        super().set_exception(*arguments)
        self.needs_task()

    def needs_task(self) -> None:
        """Start the task that reads from this queue, if it does not run."""
        wake, self.wake = self.wake, None
        if wake is not None:
            wake()

    def _answers_ping(self, payload: bytes) -> bool:
        """Answer a ping, unless that is up to the task, or the client does not read."""
        transport = self._protocol.transport
        if self.wake is None or transport is None or transport.get_write_buffer_size():
            return False
        transport.write(control_frame(WSMsgType.PONG, payload))
        return True

    def keep(self, text: str) -> None:
        """Keep a text that was read without aiohttp."""
        super().feed_data(WSMessage(_TEXT, text, ""), len(text.encode()))
        self.needs_task()

    def fail(self, error: Exception) -> None:
        """Take note that a text has failed, which ends the connection."""
        logger.error("message failed", error_type="internal_error", exc_info=error)
        self.set_exception(error)

    def _is_handled(self, text: str) -> bool:
        """Tell whether a text was handled at once, be it that it has failed."""
        if self.handle is None:
            return False
        try:
            return self.handle(text)
        except Exception as error:  # noqa: BLE001 - it ends this connection alone
            self.fail(error)
            return True


class Unread:
    """What the reader of the wire leaves to aiohttp (`Incoming`)."""

    __slots__ = ("_parser", "_queue", "protocol")

    def __init__(self, protocol: Any, queue: EagerQueue, parser: EagerReader) -> None:
        """Let `protocol`, that of aiohttp, feed `parser`, which fills `queue`."""
        self.protocol = protocol
        self._queue = queue
        self._parser = parser

    def keep(self, text: str) -> None:
        """Keep a text for the task."""
        self._queue.keep(text)

    def fail(self, error: Exception) -> None:
        """Take note that a text has failed."""
        self._queue.fail(error)

    def read(self, data: bytes) -> bool:
        """Parse control frames, parts of frames and what is invalid."""
        self.protocol.data_received(data)
        return self._parser.is_between
