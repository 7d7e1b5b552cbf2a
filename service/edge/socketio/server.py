"""Serve `/socket.io/`: handshakes, polls, posts and upgrades of Engine.IO 4."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, ClassVar

from aiohttp import WSMsgType, web

from service.edge.auth import token_of
from service.edge.close_codes import CloseCode, recorded_code
from service.edge.handshake import checked, wants_websocket
from service.edge.http.address_cap import AddressCap
from service.edge.http.cors import Cors
from service.edge.http.server import TOO_MANY, admit
from service.edge.inbound import EagerResponse
from service.edge.socketio import packets
from service.edge.socketio.link import Link
from service.edge.socketio.packets import EngineType, InvalidPacket
from service.errors import ServiceError

if TYPE_CHECKING:
    from service.edge.admission_control import AdmissionControl
    from service.edge.endpoint import Connect, Endpoint
    from service.edge.http.addresses import Handshakes
    from service.edge.socketio.session import SocketIoSession
    from service.settings.sections.connections import ConnectionLimits

PATH = "/socket.io/"

UPGRADE_S = 10.0
"""Maximum time from the probe to the upgrade, in seconds."""

LAST_POLL_S = 5.0
"""How long the last frames of a closed connection are kept for a poll, in seconds."""

STOP_S = 2.0


class BadRequest(ServiceError):
    """The request is not valid in Engine.IO; answered with 400 and the error code of Engine.IO."""

    code: ClassVar[int] = 3
    wire_text: ClassVar[str] = "Bad request"
    """The message of Engine.IO, which clients may compare."""


class UnknownTransport(BadRequest):
    """The transport is neither `polling` nor `websocket`."""

    code = 0
    wire_text = "Transport unknown"


class UnknownSession(BadRequest):
    """There is no connection with this `sid`, or it has ended."""

    code = 1
    wire_text = "Session ID unknown"


class BadHandshakeMethod(BadRequest):
    """A connection must begin with GET."""

    code = 2
    wire_text = "Bad handshake method"


class UnsupportedVersion(BadRequest):
    """Only Engine.IO 4 is supported, that is `socket.io-client` 3 and 4."""

    code = 5
    wire_text = "Unsupported protocol version"


class SocketIo:
    """All Engine.IO connections of this node."""

    def __init__(  # noqa: PLR0913 - what its requests need, and a limit
        self,
        endpoint: Endpoint,
        handshakes: Handshakes,
        admission: AdmissionControl,
        limits: ConnectionLimits,
        *,
        node: str,
        unauthenticated_max: int,
    ) -> None:
        """Serve sessions by `endpoint`; pages of the allowed origins may poll.

        Session ids begin with the name of this `node`, so that a balancer can bring all requests
        of a connection here. Of one address at most `unauthenticated_max` connections may be
        without a session.
        """
        self._node = node
        self._endpoint = endpoint
        self._handshakes = handshakes
        self._admission = admission
        self._limits = limits
        self._unauthenticated = AddressCap[Link](unauthenticated_max)
        self._cors = Cors(
            limits.origins, methods="GET, POST", headers="Authorization, Content-Type", exposed=""
        )
        self._links: dict[str, Link] = {}
        self._unread: dict[str, Link] = {}
        """Closed links whose clients have not polled the last frames yet."""

    def routes(self) -> list[web.AbstractRouteDef]:
        """List the routes."""
        return [web.route("*", path, self._serve) for path in (PATH, PATH.rstrip("/"))]

    async def stop(self) -> None:
        """Close all connections, and wait for the end of their sessions."""
        links = list(self._links.values())
        for link in links:
            await link.close(CloseCode.DRAINING, "Server is restarting")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await asyncio.gather(*(link.ended() for link in links))

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """Handle a request; errors get the CORS headers as well."""
        response: web.StreamResponse
        try:
            response = await self._answer(request)
        except BadRequest as error:
            body = {"code": error.code, "message": error.wire_text}
            response = web.json_response(body, status=400)
        except web.HTTPException as error:
            response = error
        if not response.prepared:
            self._cors.apply(request, response)
        if isinstance(response, web.HTTPException):
            raise response
        return response

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=self._cors.preflight(request))
        link = self._link_of(request)
        if link is None:
            refusal = await self._refusal(request)
            if refusal is not None:
                return refusal
        else:
            # Too many close it; then this request, or the next one, fetches the reason.
            await link.spend()
        if request.query["transport"] == "websocket":
            return await self._websocket(request, link)
        if link is not None and link.is_admitted:
            admit(request)
        if request.method == "POST" and link is not None:
            return await self._post(request, link)
        return await self._poll(request, link)

    def _link_of(self, request: web.Request) -> Link | None:
        """Return the connection of a request; None if it begins one."""
        query = request.query
        if query.get("transport") not in {"polling", "websocket"}:
            raise UnknownTransport
        if wants_websocket(request) != (query["transport"] == "websocket"):
            raise BadRequest
        sid = query.get("sid")
        if sid is None:
            if request.method != "GET":
                raise BadHandshakeMethod
            if query.get("EIO") != "4":
                raise UnsupportedVersion
            return None
        link = self._links.get(sid) or self._unread_link(sid, request.method)
        if link is None:
            raise UnknownSession
        if request.method not in {"GET", "POST"} or link.is_upgraded:
            raise BadRequest
        return link

    async def _refusal(self, request: web.Request) -> web.Response | None:
        """Return the response that refuses a new connection, if it has to be refused."""
        if not self._handshakes.allows(request):
            return web.Response(status=429, text="too many connections, slow down")
        address = self._handshakes.addresses.of(request)
        await self._admission.admit(request, address)
        if self._endpoint.is_draining:
            return web.Response(status=503, text="restarting, try again")
        if not self._unauthenticated.has_room(address):
            self._handshakes.refused_request(TOO_MANY, request)
            return web.Response(status=429, text="too many connections without a session")
        return None

    async def _poll(self, request: web.Request, link: Link | None) -> web.Response:
        if link is None:
            link = self._begin(request)
            link.open()
        elif link.polling.is_polled:
            await link.close(CloseCode.PROTOCOL, "Two polls at once")
            raise BadRequest
        text = await link.polling.poll()
        if not await self._endpoint.output_released():
            text = EngineType.CLOSE
        if request.transport is None:
            # The frames of this poll are lost with its connection.
            link.lost(CloseCode.ABNORMAL)
        return web.Response(text=text, headers={"Cache-Control": "no-store"})

    async def _post(self, request: web.Request, link: Link) -> web.Response:
        if link.is_posting:
            await link.close(CloseCode.PROTOCOL, "Two posts at once")
            raise BadRequest
        link.is_posting = True
        try:
            for packet in packets.split((await request.read()).decode()):
                await link.receive(packet)
        except web.HTTPRequestEntityTooLarge:
            await link.close(CloseCode.TOO_BIG, "Too big")
            raise
        except UnicodeDecodeError as error:
            await link.close(CloseCode.PROTOCOL, "Invalid packet")
            raise BadRequest from error
        except InvalidPacket as error:
            raise BadRequest from error
        finally:
            link.is_posting = False
        return web.Response(text="ok")

    async def _websocket(self, request: web.Request, link: Link | None) -> web.StreamResponse:
        if link is not None and link.is_upgrading:
            raise BadRequest
        handshake = checked(request)
        # aiohttp refuses a message as long as its maximum.
        ws = EagerResponse(max_msg_size=self._limits.session.message_bytes_max + 1, compress=False)
        await ws.prepare(handshake)
        transport = request.transport
        if transport is None:
            return ws
        if link is None:
            link = self._begin(request)
            link.carrier = request
            link.upgrade(ws, transport)
            link.open()
        elif await self._probed(link, ws):
            link.carrier = request
            link.upgrade(ws, transport)
            if link.is_admitted:
                admit(request)
        else:
            await ws.close()
            return ws
        await _read(ws, link)
        return ws

    async def _probed(self, link: Link, ws: web.WebSocketResponse) -> bool:
        """Handle the probe of a WebSocket during polling; return whether the client upgrades."""
        link.is_upgrading = True
        try:
            async with asyncio.timeout(UPGRADE_S):
                if (await ws.receive()).data != packets.PROBE:
                    return False
                link.polling.release()
                await ws.send_str(packets.PROBED)
                return (
                    await ws.receive()
                ).data == packets.EngineType.UPGRADE and not link.is_closed
        except TimeoutError:
            return False
        finally:
            link.is_upgrading = False
            link.polling.hold()

    def _begin(self, request: web.Request) -> Link:
        sid = f"{self._node}.{secrets.token_urlsafe(15)}"
        link = Link(
            sid,
            request,
            self._limits,
            serve=self._attend,
            closed=self._forget,
            changed=self._changed,
            attach=self._endpoint.attach,
        )
        self._unauthenticated.enter_again(self._handshakes.addresses.of(request), link)
        self._links[sid] = link
        return link

    def _changed(self, link: Link) -> None:
        """Update whether a link counts as unauthenticated."""
        address = self._handshakes.addresses.of(link.request)
        if not link.is_admitted:
            self._unauthenticated.enter_again(address, link)
            return
        self._unauthenticated.leave(address, link)
        if link.carrier is not None:
            admit(link.carrier)

    def _unread_link(self, sid: str, method: str) -> Link | None:
        """Return a link that was closed while its client was not polling, for one more poll."""
        link = self._unread.get(sid)
        if link is not None and method == "GET":
            del self._unread[sid]
        return link

    def _forget(self, link: Link) -> None:
        del self._links[link.sid]
        if link.has_unread_reason and link.polling.get_write_buffer_size():
            self._unread[link.sid] = link
            asyncio.get_running_loop().call_later(LAST_POLL_S, self._unread.pop, link.sid, None)
        self._unauthenticated.leave(self._handshakes.addresses.of(link.request), link)

    async def _attend(
        self, link: Link, session: SocketIoSession, token: str | None, connect: Connect
    ) -> None:
        """Serve a session; each further one of a connection counts as another handshake."""
        request = link.request
        if link.sessions > 1 and not self._handshakes.allows(request):
            await session.close(code=CloseCode.RATE_LIMITED, message=b"Rate limited")
            return
        await self._endpoint.attend(request, token or token_of(request), session, connect)


async def _read(ws: web.WebSocketResponse, link: Link) -> None:
    try:
        async for frame in ws:
            if frame.type is WSMsgType.TEXT:
                await link.receive(frame.data)
            elif frame.type is WSMsgType.BINARY:
                await link.spend()
            if link.is_closed:
                break
    except InvalidPacket:
        # The link has closed itself.
        pass
    finally:
        link.lost(recorded_code(ws.close_code))
    await ws.close()
