"""The bus on NATS: its connection is lost and comes back, and its secrets stay secret."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from structlog.testing import capture_logs

from service.bus.nats import QUEUED_BYTES_MAX, NatsBus
from service.bus.port import NoResponders, RequestFailed
from service.settings.sections.cluster import BusSettings
from tests.nats_server import running
from tests.proxy import Proxy

PATIENCE_S = 15.0
SUBJECT = "ws.test.log"


async def until_connected(bus: NatsBus, *, is_connected: bool = True) -> None:
    """Wait until a bus is connected, or is not."""
    async with asyncio.timeout(PATIENCE_S):
        while bus.is_connected is not is_connected:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


@asynccontextmanager
async def bus_at(url: str, tls_ca: Path | None = None) -> AsyncIterator[NatsBus]:
    """A bus that is started but maybe not connected."""
    settings = BusSettings(url=SecretStr(url), tls_ca=tls_ca)
    bus = NatsBus(settings, "test", jitter=lambda: 0.0)
    bus.got = []  # type: ignore[attr-defined]  # what has come, for these tests
    bus.subscribe(SUBJECT, bus.got.append)  # type: ignore[attr-defined]  # as above
    bus.serve("ws.test.node.n1", lambda data, reply: reply(data))
    await bus.start()
    yield bus
    await bus.stop()


async def reaches(sender: NatsBus, receiver: NatsBus) -> None:
    """Assert that what one sends reaches the other."""
    got: list[bytes] = receiver.got  # type: ignore[attr-defined]  # see `bus_at`
    got.clear()
    assert sender.publish(SUBJECT, b"hello")
    async with asyncio.timeout(PATIENCE_S):
        while not got:  # noqa: ASYNC110 - a handler is called, which is all there is
            await asyncio.sleep(0.01)
    assert got == [b"hello"]
    assert await sender.request("ws.test.node.n1", b"a", PATIENCE_S) == b"a"


async def test_it_connects_when_the_server_comes_and_again_when_that_was_restarted() -> None:
    with running() as server:
        server.kill()
        async with bus_at(server.url) as one, bus_at(server.url) as two:
            assert not one.is_connected
            for _ in range(2):
                server.start()
                await until_connected(one)
                await until_connected(two)
                await reaches(one, two)
                server.kill()
                await until_connected(one, is_connected=False)
                assert not one.publish(SUBJECT, b"lost")
                with pytest.raises(NoResponders):
                    await one.request("ws.test.node.n1", b"", 1)


async def test_what_was_queued_for_a_frozen_server_is_bounded_and_never_sent_later() -> None:
    with running() as server:
        async with bus_at(server.url) as one, bus_at(server.url) as two:
            await until_connected(one)
            await until_connected(two)
            await reaches(one, two)
            server.freeze()
            sent, data = 0, bytes(500_000)
            while one.publish(SUBJECT, data):
                sent += len(data)
                await asyncio.sleep(0)
            assert sent < 2 * QUEUED_BYTES_MAX
            with pytest.raises(RequestFailed):
                await one.request("ws.test.node.n1", b"", 0.05)
            await until_connected(one, is_connected=False)
            server.thaw()
            await until_connected(one)
            await until_connected(two)
            await reaches(one, two)


async def test_a_connection_that_is_cut_or_stalls_is_made_again() -> None:
    with running() as server:
        async with Proxy(server.port) as proxy:
            url = f"nats://127.0.0.1:{proxy.port}"
            async with bus_at(url) as one, bus_at(server.url) as two:
                await until_connected(one)
                await until_connected(two)
                proxy.reset_all()
                await until_connected(one, is_connected=False)
                await until_connected(one)
                await reaches(two, one)
                proxy.to_client.flows.clear()
                await until_connected(one, is_connected=False)
                proxy.heal()
                await until_connected(one)
                await reaches(one, two)


@pytest.mark.parametrize(
    ("options", "credentials"),
    [
        (("--user", "ws", "--pass", "hunter22"), "ws:hunter22"),
        (("--user", "w@s", "--pass", "hunter22:/@,"), "w%40s:hunter22%3A%2F%40%2C"),
        (("--auth", "hunter22/+"), "hunter22%2F+"),
    ],
    ids=["user and password", "escaped characters", "token"],
)
async def test_credentials_of_the_url_are_used_and_appear_in_no_log(
    options: tuple[str, ...], credentials: str
) -> None:
    with running(*options) as server, capture_logs() as logs:
        bad = server.url.replace("//", "//ws:wrong-one@")
        good = server.url.replace("//", f"//{credentials}@")
        async with bus_at(bad) as refused, bus_at(good) as one, bus_at(good) as two:
            await until_connected(one)
            await until_connected(two)
            await reaches(one, two)
            assert not refused.is_connected
    assert any("Authorization Violation" in str(one) for one in logs), logs
    assert not any(secret in str(logs) for secret in ("hunter22", "wrong-one"))


def certificate(directory: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server of the tests")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = directory / "cert.pem", directory / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


async def test_tls_needs_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    options = ("--tls", "--tlscert", str(cert), "--tlskey", str(key), "--user", "t", "--pass", "p")
    with running(*options) as server, capture_logs() as logs:
        url = server.url.replace("nats://", "tls://t:p@")
        async with bus_at(url) as refused, bus_at(url, cert) as one, bus_at(url, cert) as two:
            await until_connected(one)
            await until_connected(two)
            await reaches(one, two)
            assert not refused.is_connected
    assert any("CERTIFICATE_VERIFY_FAILED" in str(one) for one in logs), logs


async def test_stop_sends_what_was_published_before_it() -> None:
    with running() as server:
        async with bus_at(server.url) as two:
            await until_connected(two)
            async with bus_at(server.url) as one:
                await until_connected(one)
                for _ in range(100):
                    one.publish(SUBJECT, b"last")
            got: list[bytes] = two.got  # type: ignore[attr-defined]  # see `bus_at`
            async with asyncio.timeout(PATIENCE_S):
                while len(got) < 100:  # noqa: ASYNC110 - a handler is called, which is all there is
                    await asyncio.sleep(0.01)
