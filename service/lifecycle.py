"""Start the service, detect failed parts, and shut it down in order."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import time
from typing import TYPE_CHECKING, Any

from service.app import Parts
from service.cluster.bus_check import check_bus
from service.cluster.membership import Membership
from service.domain.commands.nodes import StartNode
from service.domain.commands.room_options import ROOM_OPTIONS
from service.domain.events import LEVEL
from service.domain.ids import Owner
from service.draining import Drain
from service.edge.http.bind import check_address
from service.edge.issuers import issuers_of, polled_keys
from service.errors import ConfigurationError
from service.eventstore import migrate
from service.eventstore.postgres_schema import conninfo, driver_url
from service.eventstore.private_files import make_private
from service.eventstore.reader import Reader, open_database
from service.eventstore.records import Origin
from service.eventstore.store import LeaseLost
from service.eventstore.writer import EventLog, writer_error_raised
from service.games.installed import installed_games
from service.games.reloading import Reloader
from service.gauges import expose_gauges
from service.http_parts import HttpParts
from service.recovery import recover
from service.refilling import BacklogRefill, refill
from service.reloading import log_faults, reload_changed
from service.settings.fingerprint import fingerprint
from service.settings.secrets import command_secret, dev_secret, seal_secret
from service.telemetry import Metrics, get_logger, note_fault, traces

if TYPE_CHECKING:
    from collections.abc import Sized

    from service.cluster.lease import PostgresLease
    from service.domain.events.base import Position
    from service.domain.projections.nodes import Nodes
    from service.games.catalogue import Catalogue
    from service.settings import Settings

COLLECT_INTERVAL_S = 3600.0
"""Time between two full garbage collections of a service without live matches, in seconds."""

# Logs of the start and the stop have had this name since 0.1.0; searches rely on it.
logger = get_logger("service.app")


class Service:
    """The running service."""

    parts: Parts

    def __init__(self, settings: Settings, secret: str, *, dev: bool) -> None:
        """Take the settings; `dev` adds `POST /dev/token`."""
        self._settings = settings
        self._secret = secret
        self._dev = dev
        self._issuers = issuers_of(settings, secret, time.monotonic)
        self._background: list[asyncio.Task[None]] = []
        self.url = ""

    async def fetch_keys(self) -> None:
        """Fetch the keys that tokens are checked with; nothing is open yet.

        Raises `ConfigurationError` when Vault gives no secret.
        """
        await asyncio.gather(*(source.start() for source in polled_keys(self._issuers)))

    async def start(self, *, accept_lost_tail: bool = False) -> None:
        """Open the log, rebuild the world, recover live matches, and accept connections."""
        check_address(self._settings.listen.host, self._settings.listen.port)
        self._metrics = Metrics()
        asyncio.get_running_loop().set_exception_handler(self._note_loop_fault)
        self._games = self._installed_games()
        log, reader = await self._open_log(accept_lost_tail=accept_lost_tail)
        await self._make_parts(log, reader, await self._claim_node())
        await self._start_parts()
        await self._listen()

    def _installed_games(self) -> Catalogue:
        """Load the games of packages; raise `ConfigurationError` when none of them may fail."""
        chosen = self._settings.games
        installed = installed_games(chosen.allowed, room_options=ROOM_OPTIONS)
        log_faults("game left out", installed.faults)
        if installed.faults and chosen.is_strict:
            raise ConfigurationError(
                "WS_GAMES_STRICT is set, and there are games that can't be used: "
                + "; ".join(
                    f"{one.name} of {one.package}: {one.reason}" for one in installed.faults
                )
            )
        return installed.games

    async def _open_log(self, *, accept_lost_tail: bool) -> tuple[EventLog, Reader]:
        """Open the log for writing and reading, when nothing else refuses the start."""
        storage = self._settings.storage
        lock = await asyncio.to_thread(
            migrate.claim,
            storage.database_url,
            storage.log_file,
            migrates=storage.migrate_at_start,
            accept_lost_tail=accept_lost_tail,
        )
        if self._dev and self._secret and self._settings.tokens.secret is None:
            dev_secret(storage.data_dir, self._secret)
        if self._settings.logs.otel_endpoint is not None:
            traces.start(self._settings.logs.otel_endpoint)
        reader = Reader(open_database(storage.database_url), storage.archive_dir)
        url = storage.database_url
        log = EventLog(
            storage.log_file,
            node=self._settings.node_name,
            busy_ms=storage.busy_ms,
            postgres=driver_url(url),
            is_shared=self._settings.bus.url is not None,
            accept_lost_tail=accept_lost_tail,
            metrics=self._metrics,
            lock=lock,
        )
        make_private(storage.data_dir, storage.log_file)
        return log, reader

    async def _claim_node(self) -> PostgresLease | None:
        """Take the name of this node in its cluster; return None where there is no other node.

        Raises `NodeNameTaken`, `NodesDiffer` or `BusUnreachable`.
        """
        settings = self._settings
        if settings.bus.url is None:
            return None
        from service.cluster.lease import PostgresLease  # noqa: PLC0415 - slow to import

        lease = PostgresLease(
            conninfo(settings.storage.database_url),
            settings.node_name,
            fingerprint=fingerprint(
                settings,
                seal=seal_secret(settings, self._secret),
                commands=command_secret(settings),
            ),
            level=LEVEL,
        )
        await lease.claim()
        await check_bus(settings.bus, lease, f"ws-service {settings.node_name}")
        return lease

    async def _join(
        self, lease: PostgresLease | None, log: EventLog, nodes: Nodes
    ) -> Membership | None:
        """Begin an incarnation of this node in its cluster, after those of the `nodes` logged."""
        bus = self._settings.bus
        if lease is None:
            return None
        from service.bus.nats import NatsBus  # noqa: PLC0415 - slow to import

        others = await lease.join(nodes.incarnations.get(self._settings.node_name, 0))
        log.begin_incarnation(lease.owner.incarnation)
        name = f"ws-service {lease.owner.node}"
        nats = NatsBus(bus, name, jitter=random.random, metrics=self._metrics)
        lost = frozenset(nodes.live_owners()) - others
        return Membership(lease.owner, lost, lease, nats, bus.realm)

    async def _make_parts(self, log: EventLog, reader: Reader, lease: PostgresLease | None) -> None:
        """Rebuild the state from the log, and create the parts on it."""
        settings, name = self._settings, self._settings.node_name
        recovered = await recover(
            log,
            reader,
            settings.backlog,
            snapshot_events=settings.storage.snapshot_events,
            now_us=_now_us(),
        )
        nodes = recovered.world.nodes
        membership = await self._join(lease, log, nodes)
        self.parts = parts = Parts(
            settings,
            self._secret,
            self._issuers,
            games=self._games,
            log=log,
            reader=reader,
            world=recovered.world,
            node=Owner(name, nodes.incarnations.get(name, 0) + 1)
            if membership is None
            else membership.node,
            membership=membership,
            metrics=self._metrics,
        )
        self.http = http = HttpParts(parts, dev=self._dev)
        expose_gauges(parts, http)
        self._is_snapshot_due = recovered.folded >= settings.storage.snapshot_events
        await parts.profile_cache.load()
        parts.engine.recall.begin()
        parts.refill_progress.begin()
        parts.hub.start()

    async def _start_parts(self) -> None:
        """Start the writer, recover live matches, and start the background tasks."""
        parts = self.parts
        logger.debug("log opened", metadata={"position": parts.log.position})
        member, replication = parts.membership, None
        if member is not None:
            replication = member.replicate(parts.log, parts.reader, parts.engine, parts.hub.__len__)
            parts.engine.subscribe(member.observe)
        backlog = BacklogRefill(
            parts.log,
            parts.reader,
            parts.backlog,
            self._settings.backlog,
            parts.refill_progress,
            snapshot_events=self._settings.storage.snapshot_events,
        )
        until = parts.world.position
        writer = parts.log.start(parts.engine.committed, replication)
        with writer_error_raised(writer):
            if member is None:
                start = StartNode(parts.node.node, parts.node.incarnation)
                await parts.engine.execute(start, Origin())
            else:
                await member.start(parts.log, parts.engine)
            await parts.ownership.recover()
        parts.profile_lookup.start()
        await parts.outbox.start()
        heartbeat_s = self._settings.connections.heartbeat_s
        self._background = [
            writer,
            asyncio.create_task(parts.ticker.run(), name="ticker"),
            asyncio.create_task(parts.bots.run(), name="bots"),
            asyncio.create_task(parts.hub.watch_stalls(), name="stalls"),
            asyncio.create_task(parts.hub.beat(heartbeat_s), name="heartbeat"),
            asyncio.create_task(parts.hub.lobby.run(parts.match_publisher), name="lobby"),
            asyncio.create_task(_collect_garbage(parts.matches), name="garbage"),
            asyncio.create_task(self.http.figures.run(), name="figures"),
            asyncio.create_task(self._refill(backlog, until), name="refill"),
            *(asyncio.create_task(keys.run(), name="keys") for keys in polled_keys(self._issuers)),
        ]
        if self._dev:
            self._background.append(asyncio.create_task(self._reload_games(), name="reloading"))
        self._begin_membership()

    def _begin_membership(self) -> None:
        """Start the tasks that only a node of a cluster has."""
        member, missed = self.parts.membership, self.parts.missed_states
        if member is not None and missed is not None:
            self._background += [
                asyncio.create_task(member.run(), name="membership"),
                asyncio.create_task(missed.run(), name="missed-states"),
            ]

    async def _reload_games(self) -> None:
        """Reload changed rules of packages, for development."""
        allowed = self._settings.games.allowed
        reloader = Reloader(self.parts.games, allowed, room_options=ROOM_OPTIONS)
        await reload_changed(reloader, self.parts.world.matches)

    async def _refill(self, backlog: BacklogRefill, until: Position) -> None:
        """Refill what clients need from before the start, and then do nothing, for ever."""
        parts = self.parts
        await refill(
            parts.engine,
            parts.reader,
            backlog,
            parts.refill_progress,
            until=until,
            now_us=_now_us(),
        )
        logger.debug("backlog refilled", metadata={"position": parts.backlog.start})
        if self._is_snapshot_due:
            await parts.snapshots.write()
        # A part that ends has failed.
        await asyncio.Future()

    async def _listen(self) -> None:
        parts = self.parts
        world, scope = parts.world, parts.hub.flush_scope
        self.url = await self.http.site.start()
        logger.info(
            "listening",
            **{"url.full": self.url, "process.pid": os.getpid()},
            metadata={
                "position": world.position,
                "matches": len(world.matches.live),
                "wire": f"{scope.wire.name} ({scope.output.method})",
            },
        )

    async def failed(self) -> None:
        """Return when a background task has ended that the service needs; log why."""
        done, _ = await asyncio.wait(self._background, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            logger.critical(
                "part failed",
                error_type="internal_error",
                metadata={"part": task.get_name()},
                exc_info=task.exception(),
            )

    async def must_leave(self) -> None:
        """Return when this node of a cluster has to stop, though all its parts work."""
        if self.parts.membership is None:
            await asyncio.Future()
        else:
            await self.parts.membership.must_leave()

    async def drain(self, *, at_once: bool) -> None:
        """Send rooms and clients to the other nodes of the cluster, if there are any.

        With `at_once` clients are told before the balancer can know.
        """
        await Drain(self.parts).run(0 if at_once else self._settings.node.drain_wait_s)

    def _note_loop_fault(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log an exception of a callback or of a task that nobody awaits."""
        error = context.get("exception") or RuntimeError(context["message"])
        note_fault(self._metrics, "task", error, what=context["message"])

    async def stop(self) -> None:
        """Refuse connections, write a snapshot, close all sockets with 4001, and close the log.

        Pending appends are committed before the log is closed.
        """
        parts, member = self.parts, self.parts.membership
        parts.endpoint.refuse_new()
        self.http.admission_control.stop()
        is_lost = member is not None and member.is_suspended()
        if is_lost:
            # The database may not answer, and others have taken over: clients go first.
            parts.log.abandon(LeaseLost())
            await parts.endpoint.stop(is_lost=True)
        await parts.deadlines.stop()
        for task in self._background[1:]:
            task.cancel()
        # The refill gives its connection to the database back.
        await asyncio.wait(self._background[1:])
        await self._stop_parts(is_lost=is_lost)
        if parts.user_service is not None:
            await parts.user_service.close()
        parts.passwords.stop()
        if member is not None:
            await member.leave(parts.engine)
        # The writer is the last to close: only it moves the WAL into the database and removes it.
        await parts.reader.close()
        await parts.log.close()
        if member is not None:
            await member.stop()
        await asyncio.to_thread(traces.stop)
        logger.info("stopped", metadata={"position": parts.log.position})

    async def _stop_parts(self, *, is_lost: bool) -> None:
        """Stop the parts one after the other; a fault of one is logged."""
        parts = self.parts
        for stop in (
            parts.ownership.stop,
            parts.bots.stop,
            parts.ticker.stop,
            parts.snapshots.stop,
            *(() if is_lost else (parts.endpoint.stop,)),
            self.http.socket_io.stop,
            *(() if parts.router is None else (parts.router.stop,)),
            parts.move_history.stop,
            self.http.site.stop,
            parts.profile_lookup.stop,
            parts.outbox.stop,
            parts.user_tokens.stop,
        ):
            try:
                await stop()
            except Exception as error:  # noqa: BLE001 - the other parts must be stopped as well
                note_fault(self._metrics, "task", error, what=stop.__qualname__)


async def _collect_garbage(matches: Sized) -> None:
    """Collect all garbage from time to time, for ever, but never while a match is live.

    With many connections that takes most of a second, and finds hardly anything.
    """
    while True:
        await asyncio.sleep(COLLECT_INTERVAL_S)
        if not len(matches):
            gc.collect()


def _now_us() -> int:
    """Return the time in microseconds since 1970."""
    return time.time_ns() // 1000
