"""When a client requests another token, and when it gives up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.client import connect, tokens
from service.client.errors import Closed, NoToken
from service.client.tokens import CODE_BAD_TOKEN, REFUSED_TOKENS_MAX, TokenSource

REFUSED = Closed(1008, "Invalid or expired token")


async def bring() -> str:
    return "a.b.c"


async def test_a_refused_or_expired_fixed_token_ends_the_client() -> None:
    fixed = TokenSource("a.b.c")
    assert await fixed.ask() == "a.b.c"
    for code in (1008, 4005):
        with pytest.raises(Closed):
            fixed.raise_if_final(Closed(code))
    fixed.raise_if_final(Closed(1006))


async def test_tokens_from_a_callable_may_be_refused_a_limited_number_of_times() -> None:
    brought = TokenSource(bring)
    for _ in range(REFUSED_TOKENS_MAX - 1):
        brought.raise_if_final(REFUSED)
    brought.accepted()
    for _ in range(REFUSED_TOKENS_MAX - 1):
        brought.raise_if_final(REFUSED)
    brought.raise_if_final(Closed(4005))
    with pytest.raises(Closed):
        brought.raise_if_final(REFUSED)


@pytest.mark.parametrize("code", [4503, 4504])
async def test_a_revoked_client_does_not_reconnect(code: int) -> None:
    with pytest.raises(Closed):
        TokenSource(bring).raise_if_final(Closed(code))


async def test_an_exception_of_the_token_callable_counts_as_no_token() -> None:
    async def fail() -> str:
        raise ValueError("no network")

    with pytest.raises(NoToken) as raised:
        await TokenSource(fail).ask()
    assert isinstance(raised.value.cause, ValueError)


async def test_a_cancelled_token_callable_counts_as_no_token() -> None:
    async def cancelled() -> str:
        raise asyncio.CancelledError

    with pytest.raises(NoToken):
        await TokenSource(cancelled).ask()


@pytest.mark.parametrize("brought", [None, 7, "", "a.b\r\nX: c", "a b", "é"])
async def test_an_impossible_token_counts_as_refused(brought: Any) -> None:
    async def bring_it() -> str:
        return brought  # type: ignore[no-any-return] # as of a callable without types

    with pytest.raises(Closed) as raised:
        await TokenSource(bring_it).ask()
    assert raised.value.code == CODE_BAD_TOKEN


async def test_a_hanging_token_callable_is_abandoned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tokens, "TOKEN_WITHIN_S", 0.01)
    end = asyncio.Event()

    async def hang() -> str:
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                continue
        return "too late"

    with pytest.raises(NoToken) as raised:
        await TokenSource(hang).ask()
    assert isinstance(raised.value.cause, TimeoutError)
    end.set()
    await asyncio.sleep(0)


async def test_a_token_that_is_the_same_as_before_is_not_sent_to_refresh_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    brought = ["a.b.c", "a.b.c", "d.e.f"]
    sent: list[Any] = []

    async def next_one() -> str:
        return brought.pop(0)

    async def command(_type: str, **fields: Any) -> None:
        sent.append(fields)

    client = connect("ws://service.test", next_one)
    monkeypatch.setattr(client, "command", command)
    await client._tokens.ask()  # noqa: SLF001 - as it does to connect
    await client._refresh()  # noqa: SLF001 - as when it is told that the token expires
    assert sent == []
    await client._refresh()  # noqa: SLF001 - as above
    assert sent == [{"token": "d.e.f"}]
