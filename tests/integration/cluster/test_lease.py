"""Leases on a real PostgreSQL: who is lost when, and who never is."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from service.cluster import lease as lease_module
from service.cluster.lease import NodeNameTaken, NodesDiffer, PostgresLease
from service.cluster.port import LeaseState, NodeReport
from service.domain.events.nodes import NodeLost
from service.domain.ids import Owner
from service.errors import Unavailable
from service.eventstore.plan import Committed, NodeAlive
from service.eventstore.postgres import PostgresStore
from service.eventstore.postgres_schema import DatabaseUnreachable
from service.eventstore.store import LeaseLost
from tests.integration.eventstore.store_database import Database, declare_early
from tests.integration.log_file import append_of
from tests.postgres import Postgres
from tests.proxy import Proxy

pytestmark = pytest.mark.postgres

HOLDER = Path(__file__).parent / "lease_holder.py"

ATTEMPTS = 3
PATIENCE_S = 20.0


class Nodes:
    """The leases of a test, on one log and with one clock."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now_s = 1000.0
        self._leases: list[PostgresLease] = []

    def lease(
        self, node: str, fingerprint: Mapping[str, str] | None = None, port: int | None = None
    ) -> PostgresLease:
        """Return a lease that has not been claimed, also by another port of the server."""
        address = self.database.conninfo
        if port is not None:
            address = with_port(address, port)
        found = PostgresLease(
            address, node, fingerprint=fingerprint or {}, level=3, clock=lambda: self.now_s
        )
        self._leases.append(found)
        return found

    async def joined(
        self, node: str, fingerprint: Mapping[str, str] | None = None
    ) -> PostgresLease:
        """Return a lease that is valid."""
        found = self.lease(node, fingerprint)
        await found.claim()
        await found.join()
        return found

    async def watcher(self, node: str = "w") -> PostgresLease:
        """Return the lease of a node that may declare others lost at once."""
        declare_early(self.database)
        found = await self.joined(node)
        await found.renew(NodeReport())
        return found

    def age(self, node: str, seconds: float) -> None:
        """Let the last renewal of a node be so long ago."""
        self.change(node, f"renewed_at = now() - interval '{seconds} s'")
        self.change(node, "expires_at = renewed_at + interval '2 s'")

    def change(self, node: str, assignment: str) -> None:
        """Change the row of a node."""
        self.database.query(f"UPDATE nodes SET {assignment} WHERE node = '{node}'")  # noqa: S608 - our own text

    async def close(self) -> None:
        """End all sessions."""
        for one in self._leases:
            await one._session.close()  # noqa: SLF001 - without a word to the others


def with_port(address: str, port: int) -> str:
    """Return the address of a database by another port."""
    before, _, after = address.rpartition(":")
    return f"{before}:{port}/{after.partition('/')[2]}"


@pytest.fixture
async def nodes(postgres: Postgres) -> AsyncIterator[Nodes]:
    """An empty log without nodes."""
    database = Database(postgres.create_log())
    found = Nodes(database)
    yield found
    await found.close()
    database.close()


@pytest.fixture
def quick_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is taken is refused soon."""
    monkeypatch.setattr(lease_module, "CLAIM_S", 0.2)


async def test_each_incarnation_has_a_number_above_all_before(nodes: Nodes) -> None:
    first = await nodes.joined("a")
    assert first.owner == Owner("a", 1)
    await first.leave()
    second = await nodes.joined("a")
    assert second.owner == Owner("a", 2)
    await second.leave()
    third = nodes.lease("a")
    await third.claim()
    await third.join(after=7)
    assert third.owner == Owner("a", 8)


async def test_who_joins_is_told_the_others_that_were_not_declared_lost(nodes: Nodes) -> None:
    await nodes.joined("a")
    await nodes.joined("b")
    nodes.database.query("UPDATE nodes SET lost = true WHERE node = 'b'")
    third = nodes.lease("c")
    await third.claim()
    assert await third.join() == {Owner("a", 1)}


@pytest.mark.usefixtures("quick_claims")
async def test_a_name_that_is_taken_is_refused(nodes: Nodes) -> None:
    await nodes.joined("a")
    with pytest.raises(NodeNameTaken, match="another process is the node a of this cluster"):
        await nodes.lease("a").claim()
    await nodes.lease("b").claim()


async def test_a_name_is_free_when_its_process_has_ended(nodes: Nodes) -> None:
    first, second = await nodes.joined("a"), nodes.lease("a")
    claim = asyncio.create_task(second.claim())
    await asyncio.sleep(0)
    await first._session.close()  # noqa: SLF001 - as by the end of its process
    await claim


async def test_without_the_database_no_name_is_taken() -> None:
    lease = PostgresLease("host=127.0.0.1 port=1", "a", fingerprint={}, level=1)
    with pytest.raises(DatabaseUnreachable):
        await lease.claim()


async def test_a_process_that_has_lost_its_name_before_it_joins_is_refused(nodes: Nodes) -> None:
    first = nodes.lease("a")
    await first.claim()
    await first._session.close()  # noqa: SLF001 - the connection was lost
    await nodes.joined("a")
    with pytest.raises(NodeNameTaken):
        await first.join()
    assert nodes.database.query("SELECT incarnation FROM nodes") == [(1,)]


async def test_a_name_whose_lease_has_expired_is_taken_from_its_holder(nodes: Nodes) -> None:
    """The process is stopped, or on a machine that is out of reach."""
    first = await nodes.joined("a")
    await until(
        lambda: nodes.database.query(
            "SELECT now() > pg_postmaster_start_time() + interval '4 seconds'"
        )[0][0]
    )
    nodes.age("a", 2.1)
    second = await nodes.joined("a")
    assert second.owner == Owner("a", 2)
    with pytest.raises((LeaseLost, psycopg.Error)):
        await first.renew(NodeReport())
    with pytest.raises(LeaseLost):
        await first.renew(NodeReport())
    assert first.state is LeaseState.LOST
    await second.renew(NodeReport())
    assert second.is_valid


async def test_settings_that_must_be_equal_are_compared_with_each_live_node(
    nodes: Nodes, capsys: pytest.CaptureFixture[str]
) -> None:
    await nodes.joined("a", {"WS_REALM": "1", "WS_ROOMS_MAX": "1"})
    await nodes.joined("b", {"WS_REALM": "1", "WS_ROOMS_MAX": "2"})
    nodes.change("a", 'fingerprint = \'{"WS_REALM": "1", "JWT_SECRET": "1"}\'')
    with pytest.raises(NodesDiffer, match=r"JWT_SECRET, WS_REALM \(node a\); WS_REALM \(node b\)"):
        await nodes.lease("c", {"WS_REALM": "2", "JWT_SECRET": "2"}).claim()
    capsys.readouterr()
    await nodes.lease("c", {"WS_REALM": "1", "WS_ROOMS_MAX": "1"}).claim()
    assert "settings differ from those of another node" in capsys.readouterr().out
    nodes.age("a", 3)
    nodes.age("b", 3)
    await nodes.lease("d", {"WS_REALM": "2"}).claim()


async def test_a_lease_is_valid_for_less_than_the_database_counts(nodes: Nodes) -> None:
    """Counted from before the request, however long it took."""
    lease = nodes.lease("a")
    states = [lease.state]
    await lease.claim()
    await lease.join()
    for step_s in (0, 1.49, 0.02):
        nodes.now_s += step_s
        states.append(lease.state)
    assert [one.value for one in states] == ["suspended", "valid", "valid", "suspended"]
    assert lease.suspended_s == pytest.approx(0.01)
    await lease.renew(NodeReport(position=5, sockets=2))
    assert lease.is_valid
    assert lease.suspended_s == 0
    ((left_s, report),) = nodes.database.query(
        "SELECT extract(epoch FROM expires_at - now())::float, report FROM nodes"
    )
    assert 1 < left_s <= 2
    assert (report["position"], report["sockets"], report["bus_ok"]) == (5, 2, True)

    class Slow:
        def __init__(self) -> None:
            self._session = lease._session  # noqa: SLF001 - the delay comes from outside

        is_open = True

        async def run(self, *arguments: Any) -> object:
            nodes.now_s += 1.2
            return await self._session.run(*arguments)

        async def close(self) -> None:
            await self._session.close()

    lease._session = Slow()  # type: ignore[assignment]  # noqa: SLF001 - the same
    await lease.renew(NodeReport())
    nodes.now_s += 0.29
    assert lease.is_valid
    nodes.now_s += 0.02
    assert not lease.is_valid


async def test_a_node_that_was_declared_lost_stays_lost(nodes: Nodes) -> None:
    lease = await nodes.joined("a")
    nodes.database.query("UPDATE nodes SET lost = true")
    assert lease.is_valid
    with pytest.raises(LeaseLost):
        await lease.renew(NodeReport())
    assert (lease.state, lease.is_valid) == (LeaseState.LOST, False)


async def test_a_lease_that_has_expired_is_renewed_unless_somebody_has_said_so(
    nodes: Nodes,
) -> None:
    lease = await nodes.joined("a")
    nodes.age("a", 60)
    nodes.now_s += 60
    assert lease.state is LeaseState.SUSPENDED
    await lease.renew(NodeReport())
    assert lease.is_valid


class TestWhoIsGone:
    """A node may be declared lost when its lease has expired, or its process has ended."""

    async def test_a_node_that_renews_is_not_gone(self, nodes: Nodes) -> None:
        watcher = await nodes.watcher()
        lease = await nodes.joined("a")
        assert await watcher.gone() == []
        # One renewal late, and its session lives: it may be slow.
        nodes.age("a", 1.9)
        assert await watcher.gone() == []
        nodes.age("a", 2.1)
        assert await watcher.gone() == [Owner("a", 1)]
        await lease.renew(NodeReport())
        assert await watcher.gone() == []

    async def test_a_node_without_a_session_is_gone_after_one_missed_renewal(
        self, nodes: Nodes
    ) -> None:
        watcher = await nodes.watcher()
        lease = await nodes.joined("a")
        await lease._session.close()  # noqa: SLF001 - as by the end of its process
        nodes.age("a", 0.6)
        assert await watcher.gone() == []
        nodes.age("a", 0.8)
        await until_free(nodes.database)
        assert await watcher.gone() == [Owner("a", 1)]

    async def test_a_session_that_ended_with_the_server_says_nothing(self, nodes: Nodes) -> None:
        watcher = await nodes.watcher()
        lease = await nodes.joined("a")
        await lease._session.close()  # noqa: SLF001 - as by the end of its process
        await until_free(nodes.database)
        nodes.age("a", 1.9)
        for locked_since in ("now() - interval '1 day'", "NULL"):
            nodes.change("a", f"locked_since = {locked_since}")
            assert await watcher.gone() == []

    async def test_nobody_is_gone_soon_after_the_start_of_the_server(self, nodes: Nodes) -> None:
        watcher = await nodes.watcher()
        await nodes.joined("a")
        nodes.age("a", 60)
        assert await watcher.gone() == [Owner("a", 1)]
        declare_early(nodes.database, after_s=3600)
        assert await watcher.gone() == []

    async def test_who_has_renewed_only_once_since_the_start_of_the_server_declares_nobody(
        self, nodes: Nodes
    ) -> None:
        watcher = await nodes.watcher()
        await nodes.joined("a")
        nodes.age("a", 60)
        nodes.database.query("UPDATE nodes SET server_started = now() WHERE node = 'w'")
        assert await watcher.gone() == []
        await watcher.renew(NodeReport())
        assert await watcher.gone() == []
        await watcher.renew(NodeReport())
        assert await watcher.gone() == [Owner("a", 1)]

    async def test_who_leaves_is_gone_at_once(self, nodes: Nodes) -> None:
        watcher = await nodes.watcher()
        lease = await nodes.joined("a")
        await lease.leave()
        assert lease.state is LeaseState.SUSPENDED
        nodes.database.query("UPDATE nodes SET renewed_at = now() - interval '0.8 s'")
        assert await watcher.gone() == [Owner("a", 1)]

    async def test_a_node_that_was_stopped_within_an_append_does_not_stop_the_others(
        self, nodes: Nodes
    ) -> None:
        """The server waits for the rest of its request, and holds the lock of the head for it."""
        watcher = await nodes.watcher()
        await nodes.joined("a")
        store = PostgresStore(nodes.database.conninfo, "w", 100, is_shared=True)
        with (
            closing(store),
            closing(
                psycopg.connect(nodes.database.conninfo, application_name="ws-service a")
            ) as stopped,
        ):
            store.begin_incarnation(1)
            stopped.execute("SELECT 1 FROM log_head FOR UPDATE")
            nodes.age("a", 60)
            with pytest.raises(Unavailable):
                store.commit([append_of(NodeLost("a", 1))])
            assert await watcher.gone() == [Owner("a", 1)]
            await until(lambda: isinstance(try_to_lose(store), Committed))

    async def test_the_append_of_a_loss_asks_again(self, nodes: Nodes) -> None:
        watcher, lease = await nodes.watcher(), await nodes.joined("a")
        nodes.age("a", 60)
        assert await watcher.gone() == [Owner("a", 1)]
        await lease.renew(NodeReport())
        store = PostgresStore(nodes.database.conninfo, "w", 5000, is_shared=True)
        with closing(store):
            store.begin_incarnation(1)
            (result,) = store.commit([append_of(NodeLost("a", 1))])
            assert isinstance(result, NodeAlive)
            nodes.age("a", 60)
            (result,) = store.commit([append_of(NodeLost("a", 1))])
            assert isinstance(result, Committed)
        with pytest.raises(LeaseLost):
            await lease.renew(NodeReport())
        assert await watcher.gone() == []


class TestBrokenSessions:
    """A lease outlives its session, but not the loss of the database."""

    async def test_a_session_that_was_cut_is_opened_again_with_its_lock(self, nodes: Nodes) -> None:
        watcher = await nodes.watcher()
        lease = await nodes.joined("a")
        nodes.database.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'ws-service lease' AND datname = current_database()"
        )
        with pytest.raises(psycopg.Error):
            await lease.renew(NodeReport())
        await lease.renew(NodeReport())
        assert nodes.database.query(
            "SELECT locked_since IS NOT NULL FROM nodes WHERE node = 'a'"
        ) == [(True,)]
        nodes.age("a", 1.9)
        with pytest.raises(psycopg.Error):
            await watcher.gone()
        assert await watcher.gone() == []

    async def test_without_an_answer_the_session_is_given_up(
        self, nodes: Nodes, postgres: Postgres
    ) -> None:
        """The server still has the old one, with the lock: it is ended by the new one."""
        async with Proxy(postgres.port) as proxy:
            lease = nodes.lease("a", port=proxy.port)
            await lease.claim()
            await lease.join()
            proxy.to_client.flows.clear()
            began_at = time.monotonic()
            with pytest.raises(psycopg.Error):
                await lease.renew(NodeReport())
            assert time.monotonic() - began_at < 1.4
            proxy.to_client.flows.set()
            await lease.renew(NodeReport())
            await lease.renew(NodeReport())
            assert lease.is_valid
            assert nodes.database.query("SELECT locked_since IS NOT NULL FROM nodes") == [(True,)]

    async def test_a_restart_of_the_server_loses_nobody(
        self, nodes: Nodes, postgres: Postgres
    ) -> None:
        watcher, lease = await nodes.watcher(), await nodes.joined("a")
        postgres.kill()
        for one in (watcher, lease):
            with pytest.raises(psycopg.Error):
                await one.renew(NodeReport())
        nodes.now_s += 60
        postgres.start()
        nodes.age("a", 60)
        await watcher.renew(NodeReport())
        await watcher.renew(NodeReport())
        declare_early(nodes.database, after_s=4)
        assert await watcher.gone() == []
        await lease.renew(NodeReport())
        assert lease.is_valid


class TestProcesses:
    """Processes that end without a word."""

    @pytest.mark.parametrize(
        ("number", "at_least_s", "at_most_s"),
        [(signal.SIGKILL, 0.2, 1.4), (signal.SIGSTOP, 1.3, 2.6)],
        ids=["killed", "stopped"],
    )
    async def test_a_process_is_missed_in_time(
        self, nodes: Nodes, number: signal.Signals, at_least_s: float, at_most_s: float
    ) -> None:
        """The quickest of some attempts counts: other processes have their turns as well."""
        for attempt in range(ATTEMPTS):
            took_s = await missed_after_s(nodes, number, Owner(f"a{attempt}", 1))
            assert took_s > at_least_s
            if took_s < at_most_s:
                return
        pytest.fail(f"it was missed only after {took_s} s")


async def missed_after_s(nodes: Nodes, number: signal.Signals, node: Owner) -> float:
    """Send a signal to a process that is a node; return after how long another one misses it."""
    watcher = PostgresLease(nodes.database.conninfo, "w", fingerprint={}, level=1)
    await watcher.claim()
    await watcher.join()
    missed: asyncio.Future[Owner] = asyncio.get_running_loop().create_future()

    def on_gone(owner: Owner) -> None:
        if owner == node and not missed.done():
            missed.set_result(owner)

    watching = asyncio.create_task(watcher.run(NodeReport, on_gone))
    try:
        with holding(nodes.database.conninfo, node.node) as process:
            await renewals(nodes.database, node.node, 3)
            assert not missed.done()
            ended_at = time.monotonic()
            os.kill(process.pid, number)
            async with asyncio.timeout(PATIENCE_S):
                await missed
            return time.monotonic() - ended_at
    finally:
        watching.cancel()
        await watcher.leave()


def try_to_lose(store: PostgresStore) -> object:
    """Declare the node a lost; return the result."""
    try:
        (result,) = store.commit([append_of(NodeLost("a", 1))])
    except Unavailable as error:
        return error
    return result


@contextmanager
def holding(address: str, node: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process that holds the lease of a node."""
    process = subprocess.Popen(
        [sys.executable, str(HOLDER), address, node], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        while process.stdout.readline() != "joined\n":
            assert process.poll() is None
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def renewals(database: Database, node: str, at_least: int) -> None:
    """Wait until a node has renewed its lease so often."""
    await until(lambda: dict(database.query("SELECT node, renewals FROM nodes"))[node] >= at_least)


async def until_free(database: Database) -> None:
    """Wait until the server has noticed the end of all sessions but that of the watcher."""
    await until(
        lambda: (
            database.query(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )[0][0]
            == 1
        )
    )


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for a state of the database."""
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - nothing tells when it changes
            await asyncio.sleep(0.02)
