"""Hostile HTTP requests are answered below 500 and cause no logged error."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from urllib.parse import urlsplit

from tests.acceptance.service_process import Running, token

AT_ONCE = 64
QUIET_S = 0.5
"""How long an answer is waited for, where there may be none."""

TARGETS = (
    "/",
    "/ws",
    "/web/index.html",
    "/docs",
    "/healthz",
    "/metrics",
    "/dev/token",
    "/socket.io/?EIO=4&transport=polling",
    "/socket.io/?EIO=4&transport=polling&sid=nobody",
    "/api/v1/users",
    "/api/v1/matches",
    "/api/v1/matches/nothing/frames",
    "/api/v1/publish",
    "/api/v1/sessions?user=7",
)
PATHS = (
    "/%",
    "/%zz",
    "/%00",
    "/web/%00",
    "/web/%ff%fe",
    "/web/\udcff",
    "/web/" + "a" * 300,
    "/docs/" + "a" * 300,
    "/docs/%2e%2e%2fapp.py",
    "/api/v1/%ff",
    "/api/v1/matches/%00",
    "/api/v1/matches/%ed%a0%80",
    "/api/v1/users?cursor=%ff",
    "/api/v1/users?cursor=%00",
    "/api/v1/matches?cursor=%ed%a0%80&limit=9",
    "/api/v1/rooms?game=%00",
    "/api/v1/matches?cursor=////",
    "/api/v1/matches?cursor=AAAA",
    "/api/v1/matches?limit=%F0%9F%98%80",
    "/api/v1/users?limit=1e999",
    "/api/v1/users?limit=\u0661",
    "/api/v1/sessions?user=%00",
    "/ws?token=%00",
    "/ws?token=%ff.%ff.%ff",
    "/ws?since=\u0661&epoch=%00",
    "//",
    "//ws",
    "/?" + "a=b&" * 500,
    "*",
    "http://other.example/ws",
    "http://[::1",
    "ws",
    "/socket.io/?EIO=4&transport=%00",
    "/socket.io/?EIO=4&transport=polling&sid=%ff",
    "/socket.io/%2f?EIO=4",
    "/a" * 2000,
    "/?token=" + "x" * 9000,
    "/#fragment",
    "/;x=1",
    "/..",
    "/./ws",
    "/ws/",
    "/api",
    "/api/",
    "/api/v1",
    "/api/v2/users",
)
METHODS = (
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "get",
    "G\x00T",
    "NOTHING",
    "",
    "PRI",
)
HEADERS = (
    "Accept: \udcff",
    "Accept: */*;q=nan",
    "Accept: application/openmetrics-text; version=9.9.9",
    "Accept: application/openmetrics-text; version=a.b",
    "Accept: text/plain; version=1.0.0; escaping=nothing",
    "Accept-Encoding: \x01",
    "Range: bytes=9-1",
    "Range: bytes=-",
    "Range: bytes=x-y",
    "Range: rows=1-2",
    "Range: bytes=0-0,5-6",
    "Range: bytes=99999999999999999999-",
    "If-None-Match: *",
    "If-None-Match: x",
    'If-None-Match: "',
    'If-None-Match: W/"a", "b',
    "If-None-Match: \udcfe",
    "If-Match: *",
    'If-Match: "x"',
    "If-Modified-Since: yesterday",
    "If-Modified-Since: Mon, 99 Foo 99999 99:99:99 GMT",
    "If-Unmodified-Since: \udcff",
    "If-Range: x",
    "Origin: null",
    "Origin: \udcff",
    "Origin: http://a\x0bb",
    "Cookie: =;=;\udcff",
    "Authorization: Bearer",
    "Authorization: bearer \udcff",
    "Authorization: Basic eA==",
    "Authorization: Bearer ..",
    "Authorization: Bearer eyJhbGciOiJub25lIn0.e30.",
    "X-Forwarded-For: ,,,",
    "X-Forwarded-For: \udcff",
    "Host: \udcff",
    "Host: a:b:c",
    "Host:",
    "Expect: 100-continue",
    "Expect: nothing",
    "Upgrade: websocket",
    "Upgrade: h2c",
    "Upgrade: \udcff",
    "Connection: \udcff",
    "Connection: upgrade",
    "Content-Type: \udcff",
    "Content-Type: application/json; charset=nothing",
    "Content-Type: ;;;",
    "Content-Type: application/json/json",
    "Content-Encoding: gzip",
    "Content-Encoding: deflate",
    "Content-Encoding: br",
    "Content-Encoding: zstd",
    "Content-Encoding: nothing",
    "Transfer-Encoding: nothing",
    "Transfer-Encoding: chunked",
    "Content-Length: -1",
    "Content-Length: x",
    "Content-Length: 99999999999999999999",
    "Content-Length: 5",
    "Content-Length: 0",
    "X: " + "y" * 20000,
    "\udcff: x",
    "no colon",
    " folded: x",
    "Sec-WebSocket-Protocol: \udcff, ,",
    "Sec-WebSocket-Key: \udcff",
    "Access-Control-Request-Method: POST",
    "Access-Control-Request-Method: \udcff",
)
BODIES = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"\xff\xfe",
    b'"\\ud800"',
    b'{"name":"\\ud800"}',
    b'{"name":7}',
    b'{"name":"\x00"}',
    b"[" * 5000,
    b'{"name":' * 3000,
    b"1" * 5000,
    b'{"a":1e999}',
    b"{}" + b" " * 65536,
    b'{"name":"x"}' + b" " * 65524,
    b'{"name":"' + b"x" * 65525 + b'"}',
    b"0",
    b"40{",
    b"40" + b"[" * 5000,
    b"4\x1e4\x1e",
    b"b" * 9,
    b"\x1e" * 100,
    b'{"name":"\xed\xa0\x80"}',
)
CHUNKED = (
    b"5\r\nab",
    b"zz\r\n",
    b"-1\r\n",
    b"ffffffffffffffffff\r\n",
    b"1\r\nab\r\n",
    b"0\r\nX: \xff\r\n\r\n",
    b"2;a=b\r\n{}\r\n0\r\n\r\n",
    b"\r\n",
    b"",
)


def requests() -> Iterator[bytes]:  # noqa: C901 - a loop for each kind
    """Make every request; of targets, methods and headers each is tried with each target."""
    credentials = f"Authorization: Bearer {token(7_100_001)}"

    def request(method: str, target: str, *headers: str, body: bytes = b"") -> bytes:
        given = [*headers]
        if not any(one.lower().startswith("host:") for one in given):
            given.append("Host: x")
        head = "\r\n".join([f"{method} {target} HTTP/1.1", *given, "", ""])
        return head.encode("utf-8", "surrogateescape") + body

    def with_length(target: str, body: bytes, *headers: str) -> bytes:
        return request("POST", target, f"Content-Length: {len(body)}", *headers, body=body)

    for target in PATHS:
        yield from (
            request("GET", target),
            request("POST", target),
            request("GET", target, credentials),
        )
    for target, method in itertools.product(TARGETS, METHODS):
        yield request(method, target, credentials)
    for target, header in itertools.product(TARGETS, HEADERS):
        yield request("GET", target, header, credentials)
    json = "Content-Type: application/json"
    posts = ("/dev/token", "/api/v1/publish", "/socket.io/?EIO=4&transport=polling&sid=nobody")
    for target, body in itertools.product(posts, BODIES):
        yield with_length(target, body, json, credentials)
    for target, body in itertools.product(posts, (*BODIES[:5], b"\x1f\x8b\x08\x00x", b"x\x9c\x00")):
        for coding in ("gzip", "deflate", "br"):
            yield with_length(target, body, json, credentials, f"Content-Encoding: {coding}")
    for target, body in itertools.product(posts, CHUNKED):
        yield request("POST", target, json, credentials, "Transfer-Encoding: chunked", body=body)
    yield from (
        b"\r\n" * 50,
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\r\n\r\n",
    )
    yield from (
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00" * 100,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    )


async def statuses(service: Running, request: bytes) -> list[int]:
    """Send a request and end; return the statuses of what is answered."""
    address = urlsplit(service.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    answer = b""
    try:
        writer.write(request)
        if b"Expect:" in request:
            # A client that disconnects before it gets 100 Continue.
            writer.write_eof()
        async with asyncio.timeout(QUIET_S):
            answer = await reader.read(1 << 16)
    except (TimeoutError, ConnectionError):
        pass
    writer.transport.abort()
    lines = [line for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.")]
    return [int(line.split()[1]) for line in lines]


async def test_no_hostile_request_causes_a_server_error(service: Running) -> None:
    at_once = asyncio.Semaphore(AT_ONCE)

    async def is_bad(request: bytes) -> bool:
        async with at_once:
            return any(status >= 500 for status in await statuses(service, request))

    every = [*requests()]
    found = await asyncio.gather(*map(is_bad, every))
    print(f"{len(every)} requests")  # noqa: T201 - how much was tried
    assert len(every) > 1000
    assert [request[:200] for request, bad in zip(every, found, strict=True) if bad] == []
    ana = await service.connect(7_100_001)
    await ana.sync()
    errors = [line for line in service.logs if line["log.level"] in {"error", "critical"}]
    assert [line["message"] for line in errors] == []
    assert "Traceback" not in "\n".join(service.errors)
