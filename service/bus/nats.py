"""The bus on NATS.

Each connection is made by a client of its own. So nothing that a lost connection has queued is sent
by the next one, and the client's way to give up after some errors does not matter.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import nats.errors
from nats.aio.client import Client

from service.bus.port import NoResponders, RequestTimeout
from service.telemetry import Metrics, get_logger, note_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nats.aio.msg import Msg

    from service.bus.port import Handler, RequestHandler
    from service.settings.sections.cluster import BusSettings

CONNECT_TIMEOUT_S = 2
PING_INTERVAL_S = 1
PINGS_UNANSWERED_MAX = 2
"""A connection is lost when so many pings are not answered: a frozen server does not close it."""

CHECK_INTERVAL_S = 0.25
"""How often it is checked whether the connection is lost."""

RETRY_MIN_S, RETRY_MAX_S = 0.1, 2.0
"""The pause before a new connection; it is doubled after each attempt, and taken at random."""

CLOSE_TIMEOUT_S = 1.0

QUEUED_BYTES_MAX = 8 * 1024 * 1024
"""The greatest size of what is queued; what is published beyond it is dropped."""

CLIENT_BYTES_MAX = 256 * 1024
"""How much the client takes over before it waits for the connection."""

UNHANDLED_BYTES_MAX = 32 * 1024 * 1024
"""Messages of a subject that wait for their handler; those beyond it are dropped."""

PAYLOAD_MAX = 1024 * 1024
"""The greatest size of a message, in bytes, until a server has told its own."""

CLOSED_BY_SERVER = "the server closed the connection"
"""Why there is no connection, when the server gave no reason or it was lost on the way."""

_CLOSED = (
    ConnectionResetError,
    BrokenPipeError,
    nats.errors.UnexpectedEOF,
    nats.errors.ConnectionClosedError,
)

logger = get_logger(__name__)


class NatsBus:
    """The bus on one NATS server, or on a cluster of them."""

    def __init__(
        self,
        settings: BusSettings,
        name: str,
        *,
        jitter: Callable[[], float],
        metrics: Metrics | None = None,
        is_quiet: bool = False,
    ) -> None:
        """Connect to the servers of `settings` as the client `name`.

        `jitter` returns a number from 0 to 1, for the pauses between attempts. With `is_quiet`
        nothing is logged.
        """
        if settings.url is None:
            raise AssertionError(settings)
        servers = settings.url.get_secret_value().split(",")
        self._servers, self._credentials = _without_credentials(servers)
        self._tls: ssl.SSLContext | None = None
        if settings.tls_ca is not None:
            self._tls = ssl.create_default_context(cafile=str(settings.tls_ca))
        elif any(server.startswith("tls://") for server in self._servers):
            self._tls = ssl.create_default_context()
        self._name = name
        self._jitter = jitter
        self._is_quiet = is_quiet
        self._metrics = metrics or Metrics()
        self._handlers: list[tuple[str, Handler]] = []
        self._request_handlers: list[tuple[str, RequestHandler]] = []
        self._client: Client | None = None
        self._queue: deque[tuple[str, bytes]] = deque()
        self.queued_bytes = 0
        """The size of what is published and has not left yet, in bytes."""
        self._is_queued = asyncio.Event()
        self._lost = asyncio.Event()
        self.last_failure = ""
        """Why there is no connection."""
        self._is_stopped = False
        self._task: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the connection answers pings."""
        return self._client is not None and self._client.is_connected

    @property
    def payload_max(self) -> int:
        """The greatest size of a message in bytes, as the server has told."""
        return PAYLOAD_MAX if self._client is None else self._client.max_payload

    def subscribe(self, subject: str, handler: Handler) -> None:
        """Call `handler` with each message of another node; to be called before `start`."""
        self._handlers.append((subject, handler))

    def serve(self, subject: str, handler: RequestHandler) -> None:
        """Call `handler` with each request of another node; to be called before `start`."""
        self._request_handlers.append((subject, handler))

    async def start(self) -> None:
        """Begin to connect, for ever."""
        self._task = asyncio.create_task(self._run(), name="bus")

    async def stop(self) -> None:
        """Send what is queued, and disconnect."""
        if self._task is None:
            return
        client = self._client
        if client is not None and client.is_connected:
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await self._send_queued(client)
                    await client.flush()
            except (TimeoutError, nats.errors.Error) as error:
                logger.warning("bus not flushed", metadata={"reason": _reason(error)})
        self._is_stopped = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def publish(self, subject: str, data: bytes) -> bool:
        """Queue `data` for the connection; return False if it was dropped."""
        client = self._client
        if (
            client is None
            or not client.is_connected
            or self.queued_bytes + len(data) > QUEUED_BYTES_MAX
            or len(data) > client.max_payload
        ):
            self._metrics.bus_dropped()
            return False
        self._queue.append((subject, data))
        self.queued_bytes += len(data)
        self._is_queued.set()
        return True

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        """Send a request, and return the reply; raise `NoResponders` or `RequestTimeout`."""
        client = self._client
        if client is None or not client.is_connected or len(data) > client.max_payload:
            raise NoResponders
        try:
            async with asyncio.timeout(timeout_s):
                message = await client.request(subject, data, timeout=timeout_s)
        except nats.errors.NoRespondersError:
            raise NoResponders from None
        except (TimeoutError, nats.errors.Error):
            # Of another error it is not known either whether the request has left.
            raise RequestTimeout from None
        return message.data

    async def _run(self) -> None:
        """Connect, and again whenever the connection is lost."""
        retry_s = RETRY_MIN_S
        # The client may swallow the cancellation by `stop`.
        while not self._is_stopped:
            client = Client()
            try:
                await self._connect(client)
                retry_s = RETRY_MIN_S
                await self._use(client)
            except (OSError, ValueError, nats.errors.Error) as error:
                self._note_failure(_reason(error))
            finally:
                self._client = None
                self._queue.clear()
                self.queued_bytes = 0
                await _end(client)
            await asyncio.sleep(retry_s * (0.5 + self._jitter() / 2))
            retry_s = min(2 * retry_s, RETRY_MAX_S)

    async def _connect(self, client: Client) -> None:
        """Connect to one of the servers, and subscribe."""
        self._lost.clear()
        async with asyncio.timeout(CONNECT_TIMEOUT_S * len(self._servers)):
            await client.connect(
                servers=list(self._servers),
                name=self._name,
                **self._credentials,
                tls=self._tls,
                allow_reconnect=False,
                connect_timeout=CONNECT_TIMEOUT_S,
                ping_interval=PING_INTERVAL_S,
                max_outstanding_pings=PINGS_UNANSWERED_MAX,
                no_echo=True,
                pending_size=CLIENT_BYTES_MAX,
                error_cb=self._on_error,
                closed_cb=self._on_closed,
            )
            for subject, handler in self._handlers:
                await self._subscribe(client, subject, self._delivery(handler))
            for subject, serving in self._request_handlers:
                await self._subscribe(client, subject, self._serving(serving))
            # The server knows the subscriptions when it answers this.
            await client.flush()
        self._client = client
        self.last_failure = ""
        if not self._is_quiet:
            logger.info("bus connected", metadata={"server_id": client.client_id})

    async def _subscribe(self, client: Client, subject: str, deliver: Any) -> None:
        await client.subscribe(subject, cb=deliver, pending_bytes_limit=UNHANDLED_BYTES_MAX)

    async def _use(self, client: Client) -> None:
        """Send what is queued until the connection is lost."""
        sending = asyncio.create_task(self._send(client), name="bus-send")
        try:
            while client.is_connected:
                # The client may hang while it closes a connection that takes no more data.
                try:
                    async with asyncio.timeout(CHECK_INTERVAL_S):
                        await self._lost.wait()
                except TimeoutError:
                    continue
        finally:
            # The client may swallow the cancellation; then the task ends by itself.
            sending.cancel()
            self._is_queued.set()
        self._note_failure("the connection was lost")

    async def _send(self, client: Client) -> None:
        while client.is_connected:
            await self._is_queued.wait()
            self._is_queued.clear()
            await self._send_queued(client)

    async def _send_queued(self, client: Client) -> None:
        while self._queue and client.is_connected:
            subject, data = self._queue.popleft()
            self.queued_bytes -= len(data)
            await client.publish(subject, data)

    def _delivery(self, handler: Handler) -> Callable[[Msg], Any]:
        async def deliver(message: Msg) -> None:
            try:
                handler(message.data)
            except Exception as error:  # noqa: BLE001 - it costs this message alone
                note_fault(self._metrics, "bus", error, subject=message.subject)

        return deliver

    def _serving(self, handler: RequestHandler) -> Callable[[Msg], Any]:
        async def serve(message: Msg) -> None:
            reply_to = message.reply
            try:
                handler(message.data, lambda answer: self._reply(reply_to, answer))
            except Exception as error:  # noqa: BLE001 - it costs this request alone
                note_fault(self._metrics, "bus", error, subject=message.subject)

        return serve

    def _reply(self, subject: str, answer: bytes) -> None:
        self.publish(subject, answer)

    async def _on_error(self, error: Exception) -> None:
        if isinstance(error, nats.errors.SlowConsumerError):
            self._metrics.bus_dropped()
        else:
            self._note_failure(_reason(error))

    async def _on_closed(self) -> None:
        self._lost.set()

    def _note_failure(self, reason: str) -> None:
        """Log why there is no connection, once as long as that does not change."""
        if reason == self.last_failure:
            return
        self.last_failure = reason
        if not self._is_quiet:
            logger.warning(
                "bus not connected: it will be tried again",
                error_type="internal_error",
                error_code="BUS_NOT_CONNECTED",
                metadata={"reason": reason},
            )


async def _end(client: Client) -> None:
    """Close a connection, also one that takes no more data."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await client.close()
    except (TimeoutError, OSError, nats.errors.Error):
        pass
    # Closing waits until what is buffered has left, which a frozen server never takes.
    writer = getattr(client._transport, "_io_writer", None)  # noqa: SLF001 - there is no other way
    if writer is not None:
        writer.transport.abort()


def _without_credentials(urls: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Return the URLs of servers without user and password, and these for the client.

    It would take them from the URL as they stand there, with escaped characters.
    """
    parts = [urlsplit(url) for url in urls]
    servers = [f"{one.scheme}://{one.netloc.rpartition('@')[2]}" for one in parts]
    user, password = parts[0].username, parts[0].password
    if user is None:
        return servers, {}
    if password is None:
        return servers, {"token": unquote(user)}
    return servers, {"user": unquote(user), "password": unquote(password)}


def _reason(error: Exception) -> str:
    """Return what went wrong in words, which never include the URL with its password."""
    if isinstance(error, _CLOSED):
        return CLOSED_BY_SERVER
    return str(error) or type(error).__name__
