"""One JSON request to another service, with all kinds of responses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.integrations.http import RESPONSE_BYTES_MAX, JsonResponse, NoResponse, request_json


@asynccontextmanager
async def answering(*parts: bytes) -> AsyncIterator[str]:
    """Answer each request with these bytes and close; give the address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.writelines(parts)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def http(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n".encode() + body


async def requested(*parts: bytes) -> JsonResponse:
    async with answering(*parts) as url:
        return await request_json("GET", url, timeout_s=10)


async def failure(*parts: bytes) -> str:
    with pytest.raises(NoResponse) as caught:
        await requested(*parts)
    return caught.value.message


async def test_json_is_read_whatever_the_status() -> None:
    assert await requested(http(b'{"a": 1}')) == JsonResponse(200, {"a": 1})
    assert await requested(http(b'{"errors": []}', "503 Sealed")) == JsonResponse(
        503, {"errors": []}
    )
    assert await requested(http(b"", "204 No Content")) == JsonResponse(204, None)


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b'"\xff"', b"[" * 100_000, b"{} {}"])
async def test_a_body_that_is_not_json_is_an_error(body: bytes) -> None:
    assert await failure(http(body)) == "HTTP 200 without JSON"


async def test_an_oversized_response_is_not_read_to_its_end() -> None:
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (RESPONSE_BYTES_MAX + 1)

    assert await failure(endless) == f"an answer of more than {RESPONSE_BYTES_MAX} bytes"
    assert (await requested(http(b" " * (RESPONSE_BYTES_MAX - 1) + b"1"))).body == 1


@pytest.mark.parametrize("raw", [b"", b"rubbish\r\n\r\n", http(b'{"a": 1}', length=100)])
async def test_a_truncated_or_non_http_response_is_an_error(raw: bytes) -> None:
    assert await failure(raw)


@pytest.mark.parametrize("host", ["a..b", "a" * 70, "127.0.0.1:99999", "[x"])
async def test_an_impossible_host_is_an_error(host: str) -> None:
    with pytest.raises(NoResponse):
        await request_json("GET", f"http://{host}/", timeout_s=10)
