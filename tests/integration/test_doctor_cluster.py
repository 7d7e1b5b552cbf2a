"""What `ws-service doctor` finds with a real PostgreSQL and a real NATS."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from service.eventstore import migrate
from service.eventstore.postgres_schema import conninfo
from service.settings import load_settings
from service.settings.fingerprint import SEAL, fingerprint
from tests import nats_server
from tests.command_line import CommandLine
from tests.nats_server import NatsServer
from tests.postgres import Postgres, running

pytestmark = pytest.mark.postgres

SECRET = "7d5c1e0f9a8b76543210fedcba9876543210abcdef012345"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A server; as in all tests, its `fsync` is off."""
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def nats() -> Iterator[NatsServer]:
    """A NATS server that wants a token."""
    with nats_server.running("--auth", "the-token") as server:
        yield server


def examined(data_dir: Path, **settings: str) -> dict[str, list[dict[str, Any]]]:
    done = CommandLine(data_dir).run("doctor", "--json", JWT_SECRET=SECRET, **settings)
    assert done.err == ""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in json.loads(done.out)["checks"]:
        found.setdefault(one["check"], []).append(one)
    return found


def test_a_server_is_judged_by_what_survives_a_power_failure(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.create_database()
    found = examined(tmp_path, WS_DATABASE_URL=url)
    connected, unsafe = found["database"]
    assert connected["status"] == "ok"
    assert connected["found"].startswith("PostgreSQL ")
    assert (unsafe["status"], unsafe["found"][:12]) == ("fail", "fsync is off")
    (clock,) = found["clock"]
    assert clock["status"] == "ok"
    (schema,) = found["schema"]
    assert (schema["status"], schema["found"]) == (
        "ok",
        f"there is none yet, newest is {migrate.newest()}",
    )
    migrate.upgrade(url)
    (schema,) = examined(tmp_path, WS_DATABASE_URL=url)["schema"]
    assert schema["found"] == f"the schema is {migrate.newest()}, the newest"


def test_a_server_that_cannot_be_used_is_a_failure_without_its_password(tmp_path: Path) -> None:
    url = "postgresql+psycopg://ws:hidden-word@127.0.0.1:1/ws"
    found = examined(tmp_path, WS_DATABASE_URL=url)
    (database,) = found["database"]
    assert database["status"] == "fail"
    assert "hidden-word" not in str(found)


def test_nodes_that_differ_are_named_and_those_whose_lease_is_over(
    postgres: Postgres, nats: NatsServer, tmp_path: Path
) -> None:
    url = postgres.create_log()
    settings = {
        "WS_DATABASE_URL": url,
        "WS_BUS_URL": nats.url.replace("//", "//the-token@"),
        "WS_NODE": "node1",
    }

    def nodes() -> list[tuple[str, str]]:
        found = examined(tmp_path, **settings)["nodes"]
        return [(one["status"], one["found"]) for one in found]

    assert nodes() == [("ok", "live nodes: none yet; node1 is not among them")]
    loaded = load_settings({**settings, "JWT_SECRET": SECRET})
    own = fingerprint(loaded, seal=SECRET, commands=SECRET)
    put_node(url, "node1", own)
    put_node(url, "node2", own | {"WS_CHAT_PER_S": "other"})
    assert nodes() == [
        ("ok", "live nodes: node1, node2; this is node1"),
        ("warn", "node2 differs in WS_CHAT_PER_S"),
    ]
    put_node(url, "node3", own | {"JWT_SECRET": "other", SEAL: "other"}, expires="-1 s")
    put_node(url, "node4", own | {"JWT_SECRET": "other"}, is_lost=True)
    assert nodes() == [
        ("warn", "the lease of node3 is over"),
        ("warn", "node2 differs in WS_CHAT_PER_S"),
        ("fail", f"node3 differs in JWT_SECRET, {SEAL}"),
    ]


def put_node(
    url: str,
    name: str,
    digests: dict[str, str],
    *,
    expires: str = "1 hour",
    is_lost: bool = False,
) -> None:
    """Write the row of a node, as its lease does."""
    with psycopg.connect(conninfo(url)) as connection:
        connection.execute(
            "INSERT INTO nodes (node, incarnation, lost, expires_at, renewed_at, server_started,"
            " renewals, level, fingerprint, report)"
            " VALUES (%s, 1, %s, now() + %s::interval, now(), now(), 2, 1, %s, '{}')",
            (name, is_lost, expires, json.dumps(digests)),
        )


def test_the_bus_is_connected_to_and_a_wrong_token_is_told(
    postgres: Postgres, nats: NatsServer, tmp_path: Path
) -> None:
    def bus(url: str) -> dict[str, Any]:
        settings = {"WS_DATABASE_URL": postgres.create_log(), "WS_BUS_URL": url}
        (found,) = examined(tmp_path, **settings)["bus"]
        return found

    assert bus(nats.url.replace("//", "//the-token@"))["status"] == "ok"
    refused = bus(nats.url.replace("//", "//another-token@"))
    assert (refused["status"], "uthorization" in refused["found"]) == ("fail", True)
    assert "another-token" not in str(refused)
    assert bus("nats://the-token@127.0.0.1:1")["status"] == "fail"


def test_a_server_that_closes_before_it_tells_why_is_asked_again(
    postgres: Postgres, tmp_path: Path
) -> None:
    # A reset overtakes the reason when the server has not read all that the client has sent.
    info = b'INFO {"server_id": "a", "version": "2.10.0", "max_payload": 1048576}\r\n'
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)

        def serve() -> None:
            for answer in (None, b"-ERR 'Authorization Violation'\r\n"):
                connection, _ = server.accept()
                connection.sendall(info)
                connection.recv(1)
                if answer is None:
                    no_linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
                    connection.close()
                    continue
                connection.sendall(answer)
                # Until the client closes it.
                while connection.recv(4096):
                    pass
                connection.close()

        serving = threading.Thread(target=serve)
        serving.start()
        settings = {
            "WS_DATABASE_URL": postgres.create_log(),
            "WS_BUS_URL": f"nats://the-token@127.0.0.1:{server.getsockname()[1]}",
        }
        (found,) = examined(tmp_path, **settings)["bus"]
        serving.join()
    assert (found["status"], "uthorization" in found["found"]) == ("fail", True)
