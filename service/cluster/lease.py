"""The lease of a node, in the table `nodes` of PostgreSQL.

A node renews its lease every half second for two seconds by the clock of the database. By its own
clock it holds it for less, counted from before the request. So when others may declare it lost, it
has stopped to act, whatever the clocks say: they need only run at about the same speed. What an
incarnation that was declared lost still sends to the log is refused by `ws_append`.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
import psycopg

from service.cluster.port import LeaseState, NodeReport
from service.cluster.session import Session
from service.domain.ids import Owner
from service.errors import ConfigurationError
from service.eventstore.postgres_schema import DatabaseUnreachable
from service.eventstore.postgres_session import application_of
from service.eventstore.store import LeaseLost
from service.settings.fingerprint import differing
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RENEW_INTERVAL_S: Final = 0.5
"""Time between two renewals."""

WATCH_INTERVAL_S: Final = 0.25
"""Time between two looks at the other nodes."""

VALID_S: Final = 1.5
"""How long this node acts on a renewal, counted from before it was sent.

The database counts 2 seconds from when it was received.
"""

CLAIM_S: Final = 3.0
"""How long a name that is taken is tried again: the session of a killed process ends soon."""

CLAIM_PAUSE_S: Final = 0.1
"""Time between two such attempts."""

_TRY_NAME = "SELECT pg_try_advisory_lock(ws_node_key(%s))"
_END_HOLDER = """
    SELECT pg_terminate_backend(l.pid) FROM pg_locks AS l, nodes AS n
    WHERE n.node = %(node)s AND n.expires_at <= clock_timestamp()
        AND clock_timestamp() >= pg_postmaster_start_time() + interval '4 seconds'
        AND l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.classid = ((ws_node_key(n.node) >> 32) & 4294967295)::oid
        AND l.objid = (ws_node_key(n.node) & 4294967295)::oid
"""
_LIVE = """
    SELECT node, fingerprint FROM nodes
    WHERE node <> %s AND NOT lost AND expires_at > clock_timestamp() ORDER BY node
"""
_JOIN = """
    INSERT INTO nodes AS n (node, incarnation, lost, expires_at, renewed_at, server_started,
        renewals, locked_since, level, fingerprint, report)
    VALUES (%(node)s, %(after)s + 1, false, clock_timestamp() + interval '2 seconds',
        clock_timestamp(), pg_postmaster_start_time(), 1,
        pg_postmaster_start_time(), %(level)s,
        %(fingerprint)s, %(report)s)
    ON CONFLICT (node) DO UPDATE
    SET incarnation = greatest(n.incarnation + 1, excluded.incarnation), lost = false,
        expires_at = excluded.expires_at, renewed_at = excluded.renewed_at,
        server_started = excluded.server_started, renewals = 1,
        locked_since = excluded.locked_since, level = excluded.level,
        fingerprint = excluded.fingerprint, report = excluded.report
    RETURNING incarnation
"""
_OTHERS = "SELECT node, incarnation FROM nodes WHERE node <> %s AND NOT lost"
_RENEW = """
    UPDATE nodes
    SET expires_at = clock_timestamp() + interval '2 seconds', renewed_at = clock_timestamp(),
        renewals = CASE WHEN server_started = pg_postmaster_start_time()
            THEN renewals + 1 ELSE 1 END,
        server_started = pg_postmaster_start_time(),
        locked_since = CASE WHEN %(is_locked)s THEN pg_postmaster_start_time() END,
        report = %(report)s
    WHERE node = %(node)s AND incarnation = %(incarnation)s AND NOT lost
    RETURNING node
"""
_GONE = """
    SELECT n.node, n.incarnation FROM nodes AS n
    WHERE n.node <> %(node)s AND NOT n.lost
        AND n.renewed_at <= clock_timestamp() - interval '750 milliseconds'
        AND ws_node_is_gone(n) AND ws_node_may_declare(%(node)s, %(incarnation)s)
"""
_END_WRITERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = ANY(%s)
"""
_OTHERS_ON_BUS = """
    SELECT EXISTS (
        SELECT FROM nodes WHERE node <> %s AND NOT lost AND expires_at > clock_timestamp()
            AND (report::jsonb->>'bus_ok')::boolean
    )
"""
_LEAVE = """
    UPDATE nodes SET expires_at = clock_timestamp()
    WHERE node = %(node)s AND incarnation = %(incarnation)s
"""

logger = get_logger(__name__)


class NodeNameTaken(ConfigurationError):
    """Another process is the node of this name."""

    error_code = "NODE_NAME_TAKEN"


class NodesDiffer(ConfigurationError):
    """This node has settings that must be equal to those of the other nodes."""

    error_code = "NODES_DIFFER"


class PostgresLease:
    """The lease of this node.

    `claim` takes its name, `join` begins an incarnation, and `run` renews it.
    """

    def __init__(
        self,
        conninfo: str,
        node: str,
        *,
        fingerprint: Mapping[str, str],
        level: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the address of the migrated database, and what this node tells the others.

        `clock` returns monotonic seconds.
        """
        self._session = Session(conninfo, self._prepare)
        self._node = node
        self._fingerprint = dict(fingerprint)
        self._level = level
        self._clock = clock
        self._incarnation = 0
        self._valid_until = float("-inf")
        self._is_locked = False
        """This session holds the lock of the name."""
        self._is_lost = False
        self._was_valid = False
        self._renewed_at = float("-inf")
        self.others_on_bus = False
        """Whether a live node was connected to the bus, when last asked; only without it here."""

    @property
    def owner(self) -> Owner:
        """This node, with its incarnation."""
        return Owner(self._node, self._incarnation)

    @property
    def state(self) -> LeaseState:
        """The state by the clock of this machine, without asking the database."""
        if self._is_lost:
            return LeaseState.LOST
        return LeaseState.VALID if self._clock() < self._valid_until else LeaseState.SUSPENDED

    @property
    def is_valid(self) -> bool:
        """Whether the state is `VALID`."""
        return not self._is_lost and self._clock() < self._valid_until

    @property
    def suspended_s(self) -> float:
        """How long the lease has not been valid, in seconds."""
        return max(0.0, self._clock() - self._valid_until)

    async def claim(self) -> None:
        """Take the name of the node, and compare the settings with those of the live nodes.

        Raises `NodeNameTaken`, `NodesDiffer`, or `DatabaseUnreachable`. Differences that may last
        while a change is rolled out are logged.
        """
        try:
            await self._claim()
        except psycopg.Error as error:
            reason = next(iter(str(error).splitlines()), "no answer")
            raise DatabaseUnreachable(f"the database can't be used: {reason}") from error

    async def _claim(self) -> None:
        until = time.monotonic() + CLAIM_S
        while not await self._take_name():
            if time.monotonic() >= until:
                await self._session.close()
                raise self._name_taken()
            # One that has no lease any more is stopped, or its machine is out of reach.
            await self._session.run(_END_HOLDER, {"node": self._node})
            await asyncio.sleep(CLAIM_PAUSE_S)
        try:
            self._compare(await self._session.run(_LIVE, (self._node,)))
        except BaseException:
            await self._session.close()
            raise

    async def join(self, after: int = 0) -> frozenset[Owner]:
        """Begin an incarnation, with a number above all before it and above `after`.

        From then on no earlier one can append. Returns the other nodes that were not declared lost:
        one of them that has ended can be declared so only after a while. Raises `NodeNameTaken` if
        another process has taken the name since the claim, or `psycopg.Error`.
        """
        if not await self._take_name():
            # The session of the claim was lost, and another process has taken the name.
            await self._session.close()
            raise self._name_taken()
        sent_at = self._clock()
        rows = await self._session.run(
            _JOIN,
            {
                "node": self._node,
                "after": after,
                "level": self._level,
                "fingerprint": _json(self._fingerprint),
                "report": _json(NodeReport()),
            },
        )
        self._incarnation = rows[0][0]
        self._extend(sent_at)
        return frozenset(Owner(*row) for row in await self._session.run(_OTHERS, (self._node,)))

    async def run(self, report: Callable[[], NodeReport], on_gone: Callable[[Owner], None]) -> None:
        """Renew the lease until it is lost; then raise `LeaseLost`.

        Each renewal carries a `report`. `on_gone` is called, repeatedly, with each other node that
        may be declared lost.
        """
        while True:
            began_at = self._clock()
            try:
                known = report()
                if began_at - self._renewed_at >= RENEW_INTERVAL_S - WATCH_INTERVAL_S / 2:
                    await self.renew(known)
                self.others_on_bus = not known.bus_ok and await self.are_others_on_bus()
                for owner in await self.gone():
                    on_gone(owner)
            except (psycopg.Error, OSError) as error:
                logger.debug("lease not renewed", metadata={"reason": str(error)})
            self._note_state()
            await asyncio.sleep(max(0.0, WATCH_INTERVAL_S - (self._clock() - began_at)))

    async def renew(self, report: NodeReport) -> None:
        """Renew the lease once; raise `LeaseLost`, or `psycopg.Error` without an answer."""
        sent_at = self._clock()
        if not self._is_locked or not self._session.is_open:
            await self._take_name()
        rows = await self._session.run(
            _RENEW, {**self._key, "is_locked": self._is_locked, "report": _json(report)}
        )
        if not rows:
            self._is_lost = True
            self._note_state()
            raise LeaseLost
        self._extend(sent_at)

    async def gone(self) -> list[Owner]:
        """Return the other nodes that this one may declare lost now.

        The sessions of their writers are ended: one that was stopped in the middle of a request
        might hold the lock of the log's head.
        """
        found = [Owner(*row) for row in await self._session.run(_GONE, self._key)]
        if found:
            names = [application_of(owner.node) for owner in found]
            await self._session.run(_END_WRITERS, (names,))
        return found

    async def are_others_on_bus(self) -> bool:
        """Return whether another live node is connected to the bus."""
        rows = await self._session.run(_OTHERS_ON_BUS, (self._node,))
        return bool(rows[0][0])

    async def leave(self) -> None:
        """Give the lease and the name back, so that the others need not wait."""
        self._valid_until = float("-inf")
        with suppress(psycopg.Error, OSError):
            await self._session.run(_LEAVE, self._key)
        await self._session.close()

    @property
    def _key(self) -> dict[str, object]:
        return {"node": self._node, "incarnation": self._incarnation}

    def _extend(self, sent_at: float) -> None:
        self._renewed_at = sent_at
        self._valid_until = max(self._valid_until, sent_at + VALID_S)
        self._note_state()

    async def _take_name(self) -> bool:
        """Take the lock of the name; return whether this session holds it."""
        await self._session.open()
        if not self._is_locked:
            self._is_locked = (await self._session.run(_TRY_NAME, (self._node,)))[0][0]
        return self._is_locked

    async def _prepare(self) -> None:
        """Begin a new session, which holds no lock."""
        self._is_locked = False

    def _name_taken(self) -> NodeNameTaken:
        return NodeNameTaken(
            f"another process is the node {self._node} of this cluster; stop it first, or set "
            "WS_NODE to another name"
        )

    def _compare(self, rows: list[tuple[Any, ...]]) -> None:
        """Raise `NodesDiffer` if settings differ that must not; log the others."""
        refused = []
        for node, other in rows:
            required, advised = differing(self._fingerprint, other)
            if required:
                refused.append(f"{', '.join(required)} (node {node})")
            if advised:
                logger.warning(
                    "settings differ from those of another node",
                    error_code="NODES_DIFFER",
                    metadata={"other_node": node, "settings": advised},
                )
        if refused:
            raise NodesDiffer(
                "these settings must be equal at all nodes of a cluster, and differ here: "
                f"{'; '.join(refused)}; set the same here as there, or stop the other nodes first"
            )

    def _note_state(self) -> None:
        """Log once when the lease is suspended, and when it is valid again."""
        is_valid = self.is_valid
        if is_valid == self._was_valid:
            return
        self._was_valid = is_valid
        if is_valid:
            logger.info("lease valid", metadata={"incarnation": self._incarnation})
        else:
            logger.error(
                "lease lost: other nodes take over"
                if self._is_lost
                else "lease suspended: nothing is acknowledged or sent until it is renewed",
                error_type="internal_error",
                error_code="LEASE_LOST" if self._is_lost else "LEASE_SUSPENDED",
                metadata={"incarnation": self._incarnation},
            )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
