"""`ws-service nodes`: what operators see of the nodes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from service.cli.nodes import nodes as show_nodes
from service.cluster.lease import PostgresLease
from service.cluster.port import NodeReport
from service.eventstore import migrate
from tests.integration.eventstore.store_database import Database, committed
from tests.integration.log_file import append_of, joined
from tests.postgres import Postgres


@pytest.mark.postgres
def test_nodes_are_shown_with_leases_and_lag(
    postgres: Postgres,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database = Database(postgres.create_log())
    committed(database.opened(), append_of(joined(1), joined(2), joined(3)))
    database.close()
    monkeypatch.setenv("WS_DATABASE_URL", database.url)
    monkeypatch.setenv("WS_DATA_DIR", str(tmp_path))

    async def join() -> None:
        for name, report in (
            ("node1", NodeReport(3, sockets=1200, rooms=7)),
            ("node2", NodeReport(1, bus_ok=False, draining=True)),
            ("node3", NodeReport()),
        ):
            lease = PostgresLease(database.conninfo, name, fingerprint={}, level=2)
            await lease.claim()
            await lease.join()
            await lease.renew(report)
            await lease._session.close()  # noqa: SLF001 - without a word to the others

    asyncio.run(join())
    database.query("UPDATE nodes SET lost = true WHERE node = 'node3'")
    capsys.readouterr()
    show_nodes(as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert [(one["node"], one["lease"], one["lag"]) for one in found] == [
        ("node1", "valid", 0),
        ("node2", "valid", 2),
        ("node3", "lost", 3),
    ]
    assert found[0]["report"]["sockets"] == 1200
    assert 0 <= found[0]["renewed_s"] < 60
    monkeypatch.setenv("COLUMNS", "120")
    database.query("UPDATE nodes SET expires_at = now() WHERE node = 'node1'")
    show_nodes(as_json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if "node" in line]
    assert [line[1:4:2] for line in lines[1:]] == [
        ["node1", "expired"],
        ["node2", "valid,"],
        ["node3", "lost"],
    ]
    assert "not connected" in " ".join(lines[2])


def test_a_log_without_a_cluster_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WS_DATA_DIR", str(tmp_path))
    migrate.upgrade(f"sqlite+aiosqlite:///{tmp_path}/ws-service.db")
    show_nodes(as_json=False)
    assert "no node has joined" in capsys.readouterr().out
    show_nodes(as_json=True)
    assert capsys.readouterr().out == "[]\n"
