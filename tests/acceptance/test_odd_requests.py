"""Every API parameter with every odd value: one answer each, below 500, with a reason."""

from __future__ import annotations

import asyncio
import itertools
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from tests.acceptance.service_process import PATIENCE_S, StartService, make_token
from tests.odd.values import ODD

OPENAPI = Path(__file__).parents[2] / "service" / "web" / "docs" / "contract" / "openapi.json"

AT_ONCE = 32
REQUESTS_MIN = 4000

STEP = 2
"""Of the odd values each so many with one parameter; the next one takes the others."""

TEXT_MAX = 4000
"""In a URL; a longer head is refused as a whole, which other tests try."""

ESCAPES = (
    "%",
    "%zz",
    "%00",
    "%ff",
    "%ed%a0%80",
    "%c0%af",
    "+",
    "%2B",
    "%0d%0aX:%20y",
    "%25",
    "a&b=c",
)
BODIES = {
    "to": '{"to":%s,"data":1}',
    "to.user": '{"to":{"user":%s},"data":1}',
    "to.roomId": '{"to":{"roomId":%s},"data":1}',
    "data": '{"to":{"user":1},"data":%s}',
    "data.x": '{"to":{"user":1},"data":{"x":%s}}',
    "unknown": '{"to":{"user":1},"data":1,"zzz":%s}',
    "all": "%s",
}


def texts() -> Iterator[str]:
    """Encode the odd values for a URL."""
    for value in ODD:
        try:
            text = json.loads(value)
        except (ValueError, RecursionError):
            text = value
        text = text if isinstance(text, str) else value
        if len(text) < TEXT_MAX:
            yield quote(text.encode("utf-8", "surrogatepass"), safe="")
    yield from ESCAPES


def requests(host: str) -> Iterator[bytes]:
    """Make every request: each parameter and part of a body of each operation, once missing."""
    token = make_token({"scope": "admin publish"})
    common = f"Host: {host}\r\nAuthorization: Bearer {token}\r\n"

    def request(method: str, target: str, body: bytes | None = None) -> bytes:
        head = f"{method} {target} HTTP/1.1\r\n{common}"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"{head}\r\n".encode("utf-8", "surrogateescape") + (body or b"")

    for method, path, described in operations():
        for target in targets(path, described.get("parameters", [])):
            yield request(method, target)
        if "requestBody" in described:
            for form, value in itertools.product(BODIES.values(), ODD[::STEP]):
                yield request(method, path, (form % value).encode("utf-8", "surrogatepass"))


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """List the operations of the API: the method, the path and the description of each."""
    paths: dict[str, dict[str, Any]] = json.loads(OPENAPI.read_text())["paths"]
    for path, methods in paths.items():
        for method, described in methods.items():
            yield method.upper(), path, described


def targets(path: str, parameters: list[dict[str, Any]]) -> Iterator[str]:
    """Write the URL of an operation with each value of each parameter, and of an unknown one."""
    plain = path.replace("{roomId}", "a").replace("{matchId}", "a:1")
    for parameter in (*parameters, {"name": "zzz", "in": "query"}):
        name = parameter["name"]
        yield plain
        yield f"{plain}?{name}=1&{name}=2"
        is_in_path = parameter["in"] == "path"
        for text in itertools.islice(
            texts(), zlib.crc32((path + name).encode()) % STEP, None, STEP
        ):
            yield path.replace(f"{{{name}}}", text) if is_in_path else f"{plain}?{name}={text}"


async def answers(url: str, sent: list[bytes]) -> list[tuple[int, bytes]]:
    """Send requests over one connection, some at once, and return what each is answered with."""
    at = urlsplit(url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port, limit=1 << 20)
    found: list[tuple[int, bytes]] = []
    for begin in range(0, len(sent), AT_ONCE):
        some = sent[begin : begin + AT_ONCE]
        writer.write(b"".join(some))
        for request in some:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    head = (await reader.readuntil(b"\r\n\r\n")).lower()
                    length = 0
                    if b"\r\ncontent-length: " in head:
                        length = int(head.split(b"\r\ncontent-length: ")[1].split(b"\r\n")[0])
                    body = await reader.readexactly(length)
            except (TimeoutError, asyncio.IncompleteReadError) as error:
                raise AssertionError(f"{request[:300]!r}: {error!r}") from error
            found.append((int(head.split()[1]), body))
    writer.close()
    return found


async def test_no_odd_parameter_value_causes_a_server_error(
    start_service: StartService,
) -> None:
    service = start_service()
    sent = [*requests(urlsplit(service.url).netloc)]
    found = await answers(service.url, sent)
    counts = Counter(status for status, _ in found)
    print(f"{len(sent)} requests: {counts.most_common()}")  # noqa: T201 - how much was tried
    assert len(sent) >= REQUESTS_MIN
    for request, (status, body) in zip(sent, found, strict=True):
        shown = request.split(b"\r\n\r\n")
        assert status < 500, (shown[0].split(b"\r\n")[0], shown[1][:200], body)
        if status >= 400:
            problem = json.loads(body)
            assert problem["code"], request[:200]
            assert problem["detail"], request[:200]
    assert await service.terminate() == 0
    assert service.errors == []
    bad = [line for line in service.logs if line["log.level"] in {"error", "critical"}]
    assert bad == []
