"""Composition root: create every component and connect them."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import secrets
import time
from typing import TYPE_CHECKING, Any

from aiohttp import web

from service.domain.commands.base import Context
from service.domain.commands.presence import StartNode
from service.domain.events.base import match_stream
from service.domain.names import clean_name
from service.edge.admission import Admission
from service.edge.api.calls import Dependencies
from service.edge.api.replays import Replays
from service.edge.api.server import PREFIX, Api
from service.edge.auth import Authenticator
from service.edge.backend import Backend
from service.edge.backlog import Backlog
from service.edge.endpoint import Endpoint
from service.edge.greeting import Greeter
from service.edge.http.addresses import Addresses, AddressRate, Handshakes
from service.edge.http.bind import check_address
from service.edge.http.dev_tokens import DevTokens
from service.edge.http.pages import Pages
from service.edge.http.probes import Probes
from service.edge.http.server import ConnectionLimiter, Runner
from service.edge.hub import Hub
from service.edge.issuers import issuers_of, polled_keys
from service.edge.moves import MoveHistory
from service.edge.passwords import Passwords
from service.edge.queries import Queries
from service.edge.session.rate_limit import Budgets
from service.edge.socketio.server import SocketIo
from service.edge.tail import Ages, Refill
from service.edge.tasks import Tasks
from service.eventstore import migrate
from service.eventstore.private_files import make_private
from service.eventstore.reader import Reader, open_database
from service.eventstore.records import Origin
from service.eventstore.writer import EventLog, writer_error_raised
from service.fanout.profiles import Profiles
from service.games.catalogue import GAMES
from service.integrations.profile_lookup import ProfileLookup
from service.integrations.user_service import user_service_of
from service.outbox.routes import routes_of
from service.outbox.tokens import UserTokens, token_cipher
from service.outbox.worker import OutboxRunner
from service.recovery import KnownPeople, recover, refill, remember_commands
from service.runtime.engine import Engine
from service.runtime.idempotency import KEPT_US, Fingerprints
from service.runtime.live_matches import LiveMatches
from service.runtime.scheduler import Deadlines
from service.runtime.snapshots import Snapshots
from service.runtime.ticker import Ticker
from service.settings.secrets import command_secret, dev_secret, seal_secret
from service.telemetry import Metrics, get_logger, note_fault, traces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.events.base import Event
    from service.domain.projections.matches import Match
    from service.domain.projections.world import World
    from service.settings import Settings

NODE = "n1"
"""The name of the one node that there is."""

STOP_TIMEOUT_S = 3

logger = get_logger(__name__)


class Service:
    """The running service."""

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
        """Open the log, rebuild the world, go on with live matches, and accept sockets."""
        settings = self._settings
        check_address(settings.listen.host, settings.listen.port)
        url = settings.storage.database_url
        lock = await asyncio.to_thread(
            migrate.claim,
            url,
            migrates=settings.storage.migrate_at_start,
            accept_lost_tail=accept_lost_tail,
        )
        if self._dev and self._secret and settings.tokens.secret is None:
            dev_secret(settings.storage.data_dir, self._secret)
        self._metrics = metrics = Metrics()
        asyncio.get_running_loop().set_exception_handler(self._note_loop_fault)
        if settings.logs.otel_endpoint is not None:
            traces.start(settings.logs.otel_endpoint)
        self._reader = Reader(open_database(url))
        self._log = log = EventLog(
            migrate.database_path(url),
            node=NODE,
            busy_ms=settings.storage.busy_ms,
            accept_lost_tail=accept_lost_tail,
            metrics=metrics,
            lock=lock,
        )
        make_private(settings.storage.data_dir, migrate.database_path(url))
        recovered = await recover(
            log,
            self._reader,
            settings.backlog,
            snapshot_events=settings.storage.snapshot_events,
            now_us=time.time_ns() // 1000,
        )
        self._world = world = recovered.world
        self._people = people = Profiles()
        known = KnownPeople(people, world, self._reader)
        backlog = Backlog(settings.backlog, recovered.before_tail.position)
        self._hub = hub = Hub(
            world,
            people,
            backlog,
            settings.broadcasts,
            metrics,
        )
        matches = LiveMatches(time.monotonic, metrics)
        context = Context(
            rules=settings.rules,
            games=GAMES,
            new_room_id=lambda: secrets.token_hex(6),
            new_token=new_token,
            new_seed=lambda: secrets.randbits(53),
            match_snapshot=matches.snapshot,
            rules_failed=matches.rules_failed,
        )
        engine = Engine(log, world, people, hub, context=context, gate=matches, metrics=metrics)
        await self._refill(backlog, recovered.before_tail, known, engine)
        hub.start()
        self._greeter = greeter = Greeter(
            world,
            people,
            hub,
            backlog,
            settings.connections,
            epoch=log.head.epoch,
            metrics=metrics,
        )
        self._deadlines = deadlines = Deadlines(engine, settings.times)
        self._ticker = ticker = Ticker(
            engine,
            matches,
            GAMES,
            hub,
            checkpoint_s=settings.storage.checkpoint_s,
            clock=time.monotonic,
            grace_left_s=deadlines.grace_left_s,
            metrics=metrics,
        )
        self._snapshots = snapshots = Snapshots(
            log, world, settings.storage.snapshot_events, lambda: backlog.start
        )
        self._bearers = bearers = UserTokens(
            world,
            log.outbox_notes,
            self._reader,
            token_cipher(self._secret or seal_secret(settings.storage.data_dir)),
        )
        self._history = history = MoveHistory(
            world,
            hub,
            self._reader,
            bytes_max=settings.connections.slow.bytes_max // 2,
            clock=time.monotonic,
            metrics=metrics,
        )
        self._users = users = user_service_of(settings, time.monotonic)
        self._profile_lookup = profile_lookup = ProfileLookup(
            users,
            bearers,
            known_name=people.names.get,
            rename=engine.rename,
            clean_name=self._clean_name,
            retry_s=settings.breaker.pause_s,
        )
        self.outbox = outbox = OutboxRunner(
            engine,
            log.outbox_notes,
            self._reader,
            routes_of(settings, users, bearers, time.monotonic),
            settings.outbox,
            jitter=random.random,
            metrics=metrics,
        )
        self._authenticator = Authenticator(self._issuers, settings.tokens)
        self._endpoint = endpoint = self._make_endpoint(engine)
        for observer in (
            hub.observe,
            greeter.observe,
            ticker.observe,
            deadlines.observe,
            snapshots.observe,
            endpoint.observe,
            history.observe,
            bearers.observe,
            profile_lookup.observe,
            outbox.observe,
            known.observe,
        ):
            engine.subscribe(observer)
        metrics.read(
            sockets_open=lambda: len(hub),
            users_online=lambda: len(world.presence.sockets),
            rooms_open=lambda: len(world.rooms.rooms),
            matches_live=lambda: len(world.matches.live),
            append_queue_length=lambda: log.waiting,
            projection_lag_events=lambda: log.head.position - world.position,
            snapshot_age_seconds=lambda: snapshots.age_s,
            outbox_lag_seconds=lambda: max(outbox.lag_s.values(), default=0),
            outbox_backlog=lambda: sum(map(len, world.outbox.waiting.values())),
        )
        logger.debug("log opened", metadata={"position": log.head.position})
        writer = log.start(engine.committed)
        with writer_error_raised(writer):
            await engine.execute(StartNode(NODE), Origin())
            await ticker.recover(self._match_events)
        profile_lookup.start()
        await outbox.start()
        self._background = [
            writer,
            asyncio.create_task(ticker.run(), name="ticker"),
            asyncio.create_task(hub.watch_stalls(), name="stalls"),
            asyncio.create_task(hub.beat(settings.connections.heartbeat_s), name="heartbeat"),
            *(
                asyncio.create_task(source.run(), name="keys")
                for source in polled_keys(self._issuers)
            ),
        ]
        await self._listen(engine)

    async def failed(self) -> None:
        """Return when a part has died that the service can't go on without."""
        done, _ = await asyncio.wait(self._background, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            logger.critical(
                "part failed",
                error_type="internal_error",
                metadata={"part": task.get_name()},
                exc_info=task.exception(),
            )

    def _note_loop_fault(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tell of what a callback or a task has raised that nobody waits for."""
        error = context.get("exception") or RuntimeError(context["message"])
        note_fault(self._metrics, "task", error, what=context["message"])

    async def stop(self) -> None:
        """Accept no more, commit what waits, write a snapshot, close all sockets with 4001."""
        self._endpoint.refuse_new()
        await self._deadlines.stop()
        for task in self._background[1:]:
            task.cancel()
        for stop in (
            self._ticker.stop,
            self._snapshots.write,
            self._endpoint.stop,
            self._socket_io.stop,
            self._history.stop,
            self._runner.cleanup,
            self._profile_lookup.stop,
            self.outbox.stop,
            self._bearers.stop,
        ):
            try:
                await stop()
            except Exception as error:  # noqa: BLE001 - the others are stopped all the same
                note_fault(self._metrics, "task", error, what=stop.__qualname__)
        if self._users is not None:
            await self._users.close()
        self._passwords.stop()
        # The writer is the last to close: only it moves the WAL into the database and removes it.
        await self._reader.close()
        await self._log.close()
        await asyncio.to_thread(traces.stop)
        logger.info("stopped", metadata={"position": self._log.head.position})

    async def _refill(
        self, backlog: Backlog, before: World, known: KnownPeople, engine: Engine
    ) -> None:
        """Fill the backlog with what clients may have missed, and know whom it speaks of."""
        await known.load(before)
        now_us = time.time_ns() // 1000
        await remember_commands(self._reader, before.position, now_us - KEPT_US, engine.remember)
        ages = Ages(now_us, time.monotonic())
        tail = Refill(backlog, before, self._people, ages, engine.remember)
        await refill(tail, before.position, self._reader, known)
        await known.load()

    def _make_endpoint(self, engine: Engine) -> Endpoint:
        settings, limits = self._settings, self._settings.connections
        numbers = itertools.count(1)
        incarnations = self._world.presence.incarnations
        self._passwords = Passwords(
            self._world, settings.passwords, new_salt=new_token, clock=time.monotonic
        )
        queries = Queries(
            engine,
            self._hub,
            self._greeter,
            self._history,
            ticker=self._ticker,
            profile_lookup=self._profile_lookup,
            friends_max=limits.session.friends_max,
        )
        admission = Admission(
            self._world, self._authenticator, self._profile_lookup, limits.origins, self._metrics
        )
        backend = Backend(
            engine,
            self._hub,
            queries,
            admission,
            self._passwords,
            Fingerprints(command_secret(settings.storage.data_dir)),
            Tasks(),
            self._metrics,
        )
        return Endpoint(
            backend,
            Budgets(limits.user, time.monotonic),
            limits,
            new_socket_id=lambda: f"{NODE}.{incarnations[NODE]}.{next(numbers)}",
            new_token=new_token,
        )

    async def _listen(self, engine: Engine) -> None:
        settings = self._settings
        app = web.Application(client_max_size=settings.connections.session.message_bytes_max)
        addresses = Addresses(settings.addresses.trusted_hops)
        rate = AddressRate(settings.addresses.handshakes_per_s, addresses, time.monotonic)
        handshakes = Handshakes(rate, addresses, self._metrics, time.monotonic)
        self._socket_io = SocketIo(
            self._endpoint,
            handshakes,
            settings.connections,
            unauthenticated_max=settings.http.unauthenticated_max,
        )
        app.add_routes(
            [
                *Pages(self._endpoint, handshakes).routes(),
                *Probes(self._log, self._world, self._metrics).routes(),
                *self._dev_token_routes(),
                *self._socket_io.routes(),
            ]
        )
        app.add_subapp(PREFIX, self._make_api(engine, addresses).app())

        self._runner = Runner(
            app,
            ConnectionLimiter(
                settings.http,
                addresses,
                handshakes.refused,
                head_bytes_max=settings.connections.head_bytes_max,
            ),
            shutdown_timeout=STOP_TIMEOUT_S,
            # A token in the query may be long.
            max_line_size=settings.connections.session.message_bytes_max,
            max_field_size=settings.connections.session.message_bytes_max,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, settings.listen.host, settings.listen.port, backlog=1024)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        logger.info(
            "listening",
            **{"url.full": self.url, "process.pid": os.getpid()},
            metadata={"position": self._world.position, "matches": len(self._world.matches.live)},
        )

    def _clean_name(self, raw: str) -> str:
        return clean_name(raw)[: self._settings.tokens.name_length_max]

    def _make_api(self, engine: Engine, addresses: Addresses) -> Api:
        settings = self._settings
        replays = Replays(self._reader, GAMES)
        return Api(
            Dependencies(engine, self._hub, self._reader, replays, time.time),
            self._authenticator,
            AddressRate(settings.addresses.requests_per_s, addresses, time.monotonic),
            settings.connections.origins,
            self._metrics,
        )

    def _dev_token_routes(self) -> list[web.AbstractRouteDef]:
        """Only in development, and only where tokens are checked by a secret that is set."""
        if not self._dev or not self._settings.tokens.checks_by_secret or not self._secret:
            return []
        return DevTokens(self._settings.tokens, self._secret).routes()

    async def _match_events(self, match: Match) -> Sequence[Event]:
        pages = self._reader.read(match.replay_from - 1, stream=match_stream(match.id))
        return [recorded.event async for page in pages for recorded in page]


def new_token() -> str:
    """Make a text that nobody can guess."""
    return secrets.token_hex(8)
