"""External keys: the secret from a real OpenBao, public keys from an issuer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import jwt
import pytest

from tests.acceptance.service_process import (
    PATIENCE_S,
    SECRET,
    Client,
    Running,
    StartService,
    clean_environment,
    fresh_id,
    make_token,
    subprotocols,
)
from tests.identity_provider import Provider, SigningKey
from tests.openbao import ROLE_ID, ROOT, SECRET_ID, OpenBao

PATH = "secret/data/jwt"
FIRST = "the-first-secret-of-the-tests-of-forty-bytes"
SECOND = "the-second-secret-of-the-tests-of-forty-bytes"
REFUSED = (1008, "Invalid or expired token")


@pytest.fixture
def openbao() -> Iterator[OpenBao]:
    server = OpenBao()
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def providers() -> AsyncIterator[tuple[Provider, Provider]]:
    both = Provider("ours"), Provider("theirs")
    for provider in both:
        await provider.start()
    yield both
    for provider in both:
        await provider.stop()


def signed(secret: str) -> str:
    return make_token({"id": fresh_id(), "name": "Ana"}, secret=secret)


async def accepted(service: Running, token: str) -> Client:
    return await service.connect(token_=token)


async def accepted_in_the_end(service: Running, token: str) -> None:
    """Come again until the token is accepted: within the cooldown its key is not looked for."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            client = await service.connect(token_=token, greeted=False)
            with contextlib.suppress(ConnectionError):
                assert (await client.next())["type"] == "welcome"
                return


async def refused(service: Running, token: str) -> dict[str, Any]:
    """Check that a token is refused, and return the log line of that."""
    client = await service.connect(token_=token, greeted=False)
    assert await client.closed() == REFUSED
    return (await line_of(service, "handshake refused"))[-1]


async def line_of(service: Running, message: str) -> list[dict[str, Any]]:
    """Wait until the service has logged this, and return all such lines."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = [line for line in service.logs if line["message"] == message]
            if found:
                return found
            await asyncio.sleep(0.02)


async def serve(**settings: str) -> asyncio.subprocess.Process:
    """Start a service that does not come to listen."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "service",
        "serve",
        env=clean_environment(
            {"WS_PORT": "0", "WS_ALLOWED_ORIGINS": "https://play.example.org", **settings}
        ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def failed_start(**settings: str) -> tuple[int | None, str, str]:
    """Start a service that can't start; return its code and what it wrote out and as errors."""
    process = await serve(**settings)
    async with asyncio.timeout(PATIENCE_S):
        out, errors = await process.communicate()
    return process.returncode, out.decode(), errors.decode()


async def test_the_secret_in_vault_can_be_rotated_at_run_time(
    openbao: OpenBao, start_service: StartService
) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    await openbao.make_role(token_ttl="1h")
    service = start_service(
        JWT_SECRET="",
        VAULT_ADDR=openbao.address,
        VAULT_ROLE_ID=ROLE_ID,
        VAULT_SECRET_ID=SECRET_ID,
        VAULT_POLL_S="0.1",
    )
    ana = await accepted(service, signed(FIRST))
    assert (await refused(service, signed(SECOND)))["error_code"] == "INVALID_WEBSOCKET_TOKEN"

    await openbao.put(PATH, JWT_SECRET=SECOND)
    await line_of(service, "secret rotated")
    await accepted(service, signed(SECOND))
    await accepted(service, signed(FIRST))
    assert await ana.sync() is not None

    # Vault dies; nobody notices but the operator.
    openbao.kill()
    (line, *_) = await line_of(service, "Vault can't be read, the last secret stays")
    assert line["error_code"] == "VAULT_READ_ERROR"
    assert line["error_type"] == "external_service_error"
    await accepted(service, signed(SECOND))

    # It restarts with all data lost and created again.
    openbao.start()
    await openbao.put(PATH, JWT_SECRET=FIRST)
    await openbao.put(PATH, JWT_SECRET=SECOND)
    await openbao.make_role(token_ttl="1h")
    await line_of(service, "Vault can be read again")

    # Without a grace the former secret is over with the next start.
    service.restart(VAULT_GRACE_S="0")
    await accepted(service, signed(SECOND))
    await refused(service, signed(FIRST))
    assert not any(secret in service.output for secret in (FIRST, SECOND, SECRET_ID, ROOT))


async def test_a_start_without_vault_fails_with_one_line_and_exit_code_2(openbao: OpenBao) -> None:
    openbao.kill()

    code, out, errors = await failed_start(
        VAULT_ADDR=openbao.address, VAULT_TOKEN=ROOT, VAULT_START_TIMEOUT_S="0.5"
    )

    assert code == 2
    assert errors.startswith("error: Vault gave no secret within VAULT_START_TIMEOUT_S=0.5: ")
    assert errors.count("\n") == 1
    lines = [json.loads(line) for line in out.splitlines()]
    assert {line["error_code"] for line in lines} <= {"VAULT_READ_ERROR", "START_REFUSED"}
    assert ROOT not in out + errors


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT])
async def test_a_start_waiting_for_vault_can_be_stopped(
    openbao: OpenBao, signal_: signal.Signals
) -> None:
    openbao.kill()
    process = await serve(VAULT_ADDR=openbao.address, VAULT_TOKEN=ROOT)
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        assert b"no secret from Vault yet" in await process.stdout.readline()
        process.send_signal(signal_)
        _, errors = await process.communicate()

    assert (process.returncode, errors) == (0, b"")


async def test_a_start_without_secret_and_vault_says_what_to_set() -> None:
    code, out, errors = await failed_start()

    assert (code, json.loads(out)["error_code"]) == (2, "START_REFUSED")
    assert "JWT_SECRET" in errors
    assert "VAULT_ADDR" in errors
    assert errors.count("\n") == 1


async def test_jwt_secret_takes_precedence_over_vault(
    openbao: OpenBao, start_service: StartService
) -> None:
    await openbao.put(PATH, JWT_SECRET=SECOND)
    service = start_service(JWT_SECRET=FIRST, VAULT_ADDR=openbao.address, VAULT_TOKEN=ROOT)

    await accepted(service, signed(FIRST))
    await refused(service, signed(SECOND))


async def test_tokens_of_several_issuers_are_accepted_with_refreshed_keys(
    providers: tuple[Provider, Provider], start_service: StartService
) -> None:
    ours, theirs = providers
    first, second, other = (SigningKey(kid, "ES256") for kid in ("first", "second", "other"))
    ours.publish(first)
    theirs.publish(other)
    issuers = {one.name: {"jwks_url": one.url} for one in providers}
    # The service is started by a thread: the issuers must be able to answer meanwhile.
    service = await asyncio.to_thread(
        start_service,
        JWT_SECRET="",
        JWT_ALGORITHMS="ES256,RS256",
        JWT_ISSUERS=json.dumps(issuers),
        JWT_JWKS_COOLDOWN_S="0.1",
        JWT_JWKS_REFRESH_S="1",
    )
    ana = {"id": fresh_id(), "name": "Ana"}
    await accepted(service, first.sign(ana, iss="ours"))
    await accepted(service, other.sign(ana, iss="theirs"))
    assert (await refused(service, first.sign(ana, iss="theirs")))["error_code"] == (
        "UNKNOWN_TOKEN_KEY"
    )

    ours.publish(first, second)
    await accepted_in_the_end(service, second.sign(ana, iss="ours"))

    v1 = await service.connect(
        token_=first.sign(ana, iss="ours"), subprotocols=subprotocols("ws-service.v1")
    )
    await v1.send("auth:refresh", id="1", token=second.sign(ana, iss="ours"))
    await v1.expect("ack", id="1")
    await v1.send("auth:refresh", id="2", token=second.sign(ana, iss="theirs"))
    await v1.expect("error", id="2", code="BAD_TOKEN")

    for provider in providers:
        await provider.stop()
    await accepted(service, second.sign(ana, iss="ours"))
    await refused(service, SigningKey("third", "ES256").sign(ana, iss="ours"))
    (line, *_) = await line_of(service, "keys can't be fetched, the known ones stay")
    assert line["error_code"] == "JWKS_READ_ERROR"


ODD_CLAIMS: list[dict[str, Any]] = [
    {"exp": "1893456000"},
    {"exp": None},
    {"exp": float("nan")},
    {"nbf": [0]},
    {"iat": True},
    {"id": 7.5},
    {"id": "a\0b"},
    {"id": ["x"]},
]
TAKEN: list[dict[str, Any]] = [{"exp": 10**400}, {"jti": 7}, {"name": ["Ana"]}, {"nbf": -1e300}]


def with_claims(user: int, claims: dict[str, Any]) -> str:
    """Sign claims of any type, which a library would refuse."""
    raw = json.dumps({"id": user, "name": "Ana", **claims}).encode()
    return jwt.api_jws.encode(raw, SECRET, algorithm="HS256")


async def test_a_token_with_odd_types_is_refused_or_accepted_on_every_path(
    service: Running,
) -> None:
    keeps = await service.connect_v1(7_300_000)
    for number, claims in enumerate([*ODD_CLAIMS, *TAKEN], 1):
        token_, is_taken = with_claims(7_300_000 + number, claims), claims in TAKEN
        for protocols in ((), ("ws-service.v1",)):
            tab = await service.connect(
                token_=token_, greeted=False, subprotocols=subprotocols(*protocols)
            )
            if is_taken:
                await tab.expect("user:list")
                await tab.sync()
            else:
                code, reason = await tab.closed()
                assert code == 1008, claims
                assert reason in {"Invalid or expired token", "Invalid token payload"}
        async with aiohttp.ClientSession(service.url) as http:
            headers = {"Authorization": f"Bearer {token_}"}
            async with http.get("/api/v1/users", headers=headers) as answer:
                assert answer.status == (200 if is_taken else 401), claims
            async with http.ws_connect("/socket.io/?EIO=4&transport=websocket") as ws:
                await ws.receive_str()
                await ws.send_str("40" + json.dumps({"token": token_}))
                assert (await ws.receive_str())[:2] == ("40" if is_taken else "44"), claims
        # With another user's token the refresh is refused as well, by another code.
        refreshed = await keeps.command("auth:refresh", token=token_)
        assert refreshed["code"] == ("OTHER_USER" if is_taken else "BAD_TOKEN"), claims
    renewed = with_claims(7_300_000, {"exp": 10**400})
    assert (await keeps.command("auth:refresh", token=renewed))["type"] == "ack"
    assert "Traceback" not in service.output
