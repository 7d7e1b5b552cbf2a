"""Rows leave the log of a cluster while its nodes run, and every node reads them from the file."""

from __future__ import annotations

import time
from pathlib import Path

import aiohttp
import pytest

from service.eventstore.archiving import Done, archive
from service.eventstore.postgres import PostgresStore
from service.eventstore.postgres_schema import conninfo
from service.eventstore.reader import Reader, open_database
from tests.acceptance.service_process import close_clients, fresh_id, token
from tests.cluster.cluster import Cluster
from tests.integration.eventstore.store_database import committed
from tests.integration.eventstore.test_archiving import ANA, BEN, evening
from tests.integration.log_file import append_of
from tests.nats_server import NatsServer
from tests.postgres import Postgres

pytestmark = pytest.mark.postgres


async def test_nodes_go_on_and_show_archived_matches(
    tmp_path: Path, postgres: Postgres, nats: NatsServer
) -> None:
    archives = tmp_path / "archives"
    (tmp_path / "nodes").mkdir()
    nodes = Cluster(tmp_path / "nodes", postgres, nats, {"WS_ARCHIVE_DIR": str(archives)})
    store = PostgresStore(conninfo(nodes.url), "n1", 2000)
    committed(store, append_of(*evening("r1", ANA, BEN), *evening("r2", ANA, BEN)))
    store.close()
    try:
        nodes.start("n1")
        eve = await nodes["n1"].connect_v1(fresh_id(), "Eve")
        assert (await archived(nodes.url, archives)).rooms == 1
        # The log goes on behind the event, and another node joins.
        nodes.start("n2")
        fay = await nodes["n2"].connect_v1(fresh_id(), "Fay")
        await eve.expect(
            "user:diff", where=lambda one: fay.id in [user["id"] for user in one["joins"]]
        )
        bearer = {"Authorization": f"Bearer {token(ANA)}"}
        for node in nodes:
            async with (
                aiohttp.ClientSession(node.url, headers=bearer) as session,
                session.get("/api/v1/matches/r1-1/verify") as answer,
            ):
                assert (await answer.json())["holds"]
    finally:
        await close_clients()
        nodes.stop()
    assert not nodes.failures, "\n".join(nodes.failures)


async def archived(url: str, directory: Path) -> Done:
    """Archive what ended by now."""
    reader = Reader(open_database(url), directory)
    try:
        return await archive(reader, url, directory, time.time_ns() // 1000, lambda *_: None)
    finally:
        await reader.close()
