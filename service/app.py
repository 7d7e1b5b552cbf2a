"""Composition root: create every component and connect them."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

from service.directory import UserDirectory
from service.domain.commands.base import Context, Rules
from service.domain.commands.deadlines import Times
from service.domain.commands.presence import StartNode
from service.domain.events.base import match_stream
from service.domain.events.outbox import USER_SERVICE
from service.domain.names import clean_name
from service.edge.api.calls import Dependencies
from service.edge.api.replays import Replays
from service.edge.api.server import PREFIX, Api
from service.edge.auth import Authenticator, FixedKey, Issuer
from service.edge.backlog import Backlog, BacklogLimits
from service.edge.connection import SlowLimits
from service.edge.greeting import Facts, Greeter
from service.edge.http.addresses import Addresses, AddressRate, Handshakes
from service.edge.http.bind import check_address
from service.edge.http.dev_tokens import DevTokens
from service.edge.http.pages import Pages
from service.edge.http.probes import Probes
from service.edge.http.server import Doors, HttpLimits, Runner
from service.edge.hub import Hub, Intervals
from service.edge.moves import MoveHistory
from service.edge.passwords import GuessLimits, Passwords
from service.edge.session.rate_limit import Budgets, Rate, UserLimits
from service.edge.session.session import SessionLimits
from service.edge.socketio.link import LinkLimits
from service.edge.socketio.server import SocketIo
from service.edge.tail import Ages, Refill
from service.edge.token_timer import TokenTimes
from service.edge.websocket import WebSocketLimits, WebSockets
from service.eventstore import migrate
from service.eventstore.private_files import make_private
from service.eventstore.reader import Reader, open_database
from service.eventstore.records import Origin
from service.eventstore.writer import EventLog, reason_of
from service.fanout.profiles import Profiles
from service.games.catalogue import GAMES
from service.integrations import webhooks
from service.integrations.breaker import Breaker
from service.integrations.jwks import Jwks, JwksTimes
from service.integrations.user_service import Limits, UserService
from service.integrations.vault import AppRole, Vault, VaultToken
from service.integrations.vault_secret import SecretRules, VaultSecret
from service.outbox.retry import RetryPolicy
from service.outbox.tokens import UserTokens, token_cipher
from service.outbox.user_service import UserServiceDelivery
from service.outbox.worker import OutboxRunner, Route
from service.protocol import v1
from service.recovery import KnownPeople, TailLimits, recover, refill, remember_commands
from service.runtime.engine import Engine
from service.runtime.idempotency import KEPT_US, Fingerprints
from service.runtime.scheduler import Deadlines
from service.runtime.snapshots import Snapshots
from service.runtime.ticker import Ticker
from service.settings import SECRET_LENGTH_MIN, command_secret, dev_secret, seal_secret
from service.telemetry import Metrics, get_logger, note_fault, traces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.events.base import Event
    from service.domain.events.outbox import Consumer
    from service.domain.projections.matches import Match
    from service.domain.projections.world import World
    from service.edge.auth import Keys
    from service.settings import Settings

NODE = "n1"
"""The name of the one node that there is."""

OUTBOX_CONCURRENCY = 8
"""Finished matches on their way to one consumer at once."""

STOP_TIMEOUT_S = 3

logger = get_logger(__name__)


class Service:
    """The running service."""

    def __init__(self, settings: Settings, secret: str, *, dev: bool) -> None:
        """Take the settings; `dev` adds `POST /dev/token`."""
        self._settings = settings
        self._secret = secret
        self._dev = dev
        self._issuers = _issuers(settings, secret)
        self._background: list[asyncio.Task[None]] = []
        self.url = ""

    async def fetch_keys(self) -> None:
        """Fetch the keys that tokens are checked with; nothing is open yet.

        Raises `ConfigurationError` when Vault gives no secret.
        """
        await asyncio.gather(*(source.start() for source in self._key_sources()))

    async def start(self, *, accept_lost_tail: bool = False) -> None:
        """Open the log, rebuild the world, go on with live matches, and accept sockets."""
        settings = self._settings
        check_address(settings.host, settings.port)
        url = settings.database_url
        lock = await asyncio.to_thread(
            migrate.claim,
            url,
            migrates=settings.migrate_at_start,
            accept_lost_tail=accept_lost_tail,
        )
        if self._dev and self._secret and settings.jwt_secret is None:
            dev_secret(settings.data_dir, self._secret)
        self._metrics = metrics = Metrics()
        asyncio.get_running_loop().set_exception_handler(self._note_loop_fault)
        if settings.otel_endpoint is not None:
            traces.start(settings.otel_endpoint)
        self._reader = Reader(open_database(settings.database_url))
        self._log = log = EventLog(
            migrate.database_path(settings.database_url),
            node=NODE,
            busy_ms=settings.database_busy_ms,
            accept_lost_tail=accept_lost_tail,
            metrics=metrics,
            lock=lock,
        )
        make_private(settings.data_dir, migrate.database_path(settings.database_url))
        recovered = await recover(
            log,
            self._reader,
            _tail_limits(settings),
            snapshot_events=settings.snapshot_events,
            now_us=time.time_ns() // 1000,
        )
        self._world = world = recovered.world
        self._people = people = Profiles()
        known = KnownPeople(people, world, self._reader)
        backlog = Backlog(_backlog_limits(settings), recovered.before_tail.position)
        self._hub = hub = Hub(
            world,
            people,
            backlog,
            _intervals(settings),
            metrics,
            delayed_bytes_max=settings.delayed_bytes_max,
        )
        engine = Engine(log, world, people, hub, metrics)
        await self._refill(backlog, recovered.before_tail, known, engine)
        facts = _facts(settings, log.head.epoch)
        hub.start()
        self._greeter = greeter = Greeter(world, people, facts, hub, backlog, metrics=metrics)
        self._deadlines = deadlines = Deadlines(engine, _times(settings))
        self._ticker = ticker = Ticker(
            engine,
            GAMES,
            hub,
            checkpoint_s=settings.checkpoint_s,
            clock=time.monotonic,
            grace_left_s=deadlines.grace_left_s,
            metrics=metrics,
        )
        self._snapshots = snapshots = Snapshots(
            log, world, settings.snapshot_events, lambda: backlog.start
        )
        self._bearers = bearers = UserTokens(
            world,
            log.outbox_notes,
            self._reader,
            token_cipher(self._secret or seal_secret(settings.data_dir)),
        )
        self._history = history = MoveHistory(
            world,
            hub,
            self._reader,
            bytes_max=settings.slow_bytes_max // 2,
            clock=time.monotonic,
            metrics=metrics,
        )
        self._users = users = _user_service(settings)
        self._directory = directory = UserDirectory(
            engine,
            users,
            bearers,
            clean_name=self._clean_name,
            retry_s=settings.breaker_pause_s,
        )
        self.outbox = outbox = OutboxRunner(
            engine,
            log.outbox_notes,
            self._reader,
            _routes(settings, users, bearers),
            _pace(settings),
            jitter=random.random,
            metrics=metrics,
        )
        self._authenticator = Authenticator(
            self._issuers,
            settings.jwt_algorithms,
            leeway_s=settings.jwt_leeway_s,
            name_claims=settings.jwt_name_claims,
            name_length_max=settings.name_length_max,
        )
        self._websockets = websockets = self._make_websockets(engine)
        context = Context(
            rules=_rules(settings),
            games=GAMES,
            new_room_id=lambda: secrets.token_hex(6),
            new_token=new_token,
            new_seed=lambda: secrets.randbits(53),
            match_snapshot=ticker.match_snapshot,
            rules_failed=ticker.rules_failed,
        )
        engine.connect(
            context,
            ticker,
            [
                hub.observe,
                greeter.observe,
                ticker.observe,
                deadlines.observe,
                snapshots.observe,
                websockets.observe,
                history.observe,
                bearers.observe,
                directory.observe,
                outbox.observe,
                known.observe,
            ],
        )
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
        with reason_of(writer):
            await engine.execute(StartNode(NODE), Origin())
            await ticker.recover(self._match_events)
        directory.start()
        await outbox.start()
        self._background = [
            writer,
            asyncio.create_task(ticker.run(), name="ticker"),
            asyncio.create_task(hub.watch_stalls(), name="stalls"),
            asyncio.create_task(hub.beat(), name="heartbeat"),
            *(asyncio.create_task(source.run(), name="keys") for source in self._key_sources()),
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
        self._websockets.refuse_new()
        await self._deadlines.stop()
        for task in self._background[1:]:
            task.cancel()
        for stop in (
            self._ticker.stop,
            self._snapshots.write,
            self._websockets.stop,
            self._socket_io.stop,
            self._history.stop,
            self._runner.cleanup,
            self._directory.stop,
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

    def _make_websockets(self, engine: Engine) -> WebSockets:
        settings = self._settings
        numbers = itertools.count(1)
        incarnations = self._world.presence.incarnations
        guesses = GuessLimits(free=settings.password_guesses, pause_s=settings.password_pause_s)
        self._passwords = Passwords(self._world, guesses, new_salt=new_token, clock=time.monotonic)
        return WebSockets(
            engine,
            self._hub,
            self._ticker,
            self._directory,
            self._history,
            greeter=self._greeter,
            authenticator=self._authenticator,
            limits=_websocket_limits(settings),
            new_socket_id=lambda: f"{NODE}.{incarnations[NODE]}.{next(numbers)}",
            new_token=new_token,
            budgets=Budgets(_user_limits(settings), time.monotonic),
            passwords=self._passwords,
            fingerprints=Fingerprints(command_secret(settings.data_dir)),
            metrics=self._metrics,
        )

    async def _listen(self, engine: Engine) -> None:
        settings = self._settings
        app = web.Application(client_max_size=settings.message_bytes_max)
        addresses = Addresses(settings.trusted_hops)
        rate = AddressRate(settings.handshakes_per_s_per_ip, addresses, time.monotonic)
        handshakes = Handshakes(rate, addresses, self._metrics, time.monotonic)
        self._socket_io = SocketIo(
            self._websockets,
            handshakes,
            _link_limits(settings),
            settings.allowed_origins,
            unauthenticated_max=settings.unauthenticated_per_ip_max,
        )
        app.add_routes(
            [
                *Pages(self._websockets, handshakes).routes(),
                *Probes(self._log, self._world, self._metrics).routes(),
                *self._dev_token_routes(),
                *self._socket_io.routes(),
            ]
        )
        app.add_subapp(PREFIX, self._make_api(engine, addresses).app())

        self._runner = Runner(
            app,
            Doors(_http_limits(settings), addresses, handshakes.refused),
            shutdown_timeout=STOP_TIMEOUT_S,
            # A token in the query may be long.
            max_line_size=settings.message_bytes_max,
            max_field_size=settings.message_bytes_max,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, settings.host, settings.port, backlog=1024)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        logger.info(
            "listening",
            **{"url.full": self.url, "process.pid": os.getpid()},
            metadata={"position": self._world.position, "matches": len(self._world.matches.live)},
        )

    def _key_sources(self) -> list[VaultSecret | Jwks]:
        """The keys that have to be followed."""
        keys = [issuer.keys for issuer in self._issuers]
        return [source for source in keys if isinstance(source, VaultSecret | Jwks)]

    def _clean_name(self, raw: str) -> str:
        return clean_name(raw)[: self._settings.name_length_max]

    def _make_api(self, engine: Engine, addresses: Addresses) -> Api:
        settings = self._settings
        replays = Replays(self._reader, GAMES)
        return Api(
            Dependencies(engine, self._hub, self._reader, replays, time.time),
            self._authenticator,
            AddressRate(settings.requests_per_s_per_ip, addresses, time.monotonic),
            settings.allowed_origins,
            self._metrics,
        )

    def _dev_token_routes(self) -> list[web.AbstractRouteDef]:
        """Only in development, and only where tokens are checked by a secret that is set."""
        if not self._dev or not self._settings.checks_by_secret or not self._secret:
            return []
        return DevTokens(self._settings, self._secret).routes()

    async def _match_events(self, match: Match) -> Sequence[Event]:
        pages = self._reader.read(match.replay_from - 1, stream=match_stream(match.id))
        return [recorded.event async for page in pages for recorded in page]


def _issuers(settings: Settings, secret: str) -> list[Issuer]:
    """Everybody whose tokens are accepted, with the source of the keys."""
    if settings.jwt_issuers is not None:
        return [
            Issuer(
                keys=_jwks(settings, issuer.jwks_url),
                name=name,
                audience=issuer.audience or settings.jwt_audience,
            )
            for name, issuer in settings.jwt_issuers.items()
        ]
    keys: Keys
    if settings.secret_is_in_vault:
        keys = _vault_secret(settings)
    elif settings.jwt_jwks_url is not None:
        keys = _jwks(settings, settings.jwt_jwks_url)
    else:
        keys = FixedKey(settings.public_key or secret)
    return [Issuer(keys=keys, name=settings.jwt_issuer, audience=settings.jwt_audience)]


def _jwks(settings: Settings, url: str) -> Jwks:
    times = JwksTimes(
        refresh_s=settings.jwks_refresh_s,
        cooldown_s=settings.jwks_cooldown_s,
        timeout_s=settings.jwks_timeout_s,
    )
    return Jwks(url, settings.jwt_algorithms, times, clock=time.monotonic)


def _vault_secret(settings: Settings) -> VaultSecret:
    token, secret_id = settings.vault_token, settings.vault_secret_id
    vault = Vault(
        settings.vault_addr or "",
        VaultToken(token.get_secret_value())
        if token
        else AppRole(
            settings.vault_role_id or "", secret_id.get_secret_value() if secret_id else ""
        ),
        timeout_s=settings.vault_timeout_s,
        clock=time.monotonic,
    )
    rules = SecretRules(
        path=settings.vault_path,
        key=settings.vault_key,
        length_min=SECRET_LENGTH_MIN,
        poll_s=settings.vault_poll_s,
        grace_s=settings.vault_grace_s,
        start_timeout_s=settings.vault_start_timeout_s,
    )
    return VaultSecret(
        vault,
        rules,
        weaknesses=settings.warnings_of,
        clock=time.monotonic,
        now=lambda: datetime.now(UTC),
    )


def _rules(settings: Settings) -> Rules:
    return Rules(
        invite_needs_lobby=settings.invite_needs_lobby,
        signals_to_anybody=settings.signals_to_anybody,
        sockets_per_user_max=settings.sockets_per_user_max,
        match_duration_s=settings.match_duration_s,
        reconnect_grace_s=settings.reconnect_grace_s,
        pause_budget_s=settings.pause_budget_s,
        spectators_max=settings.spectators_max,
        rooms_per_user_max=settings.rooms_per_user_max,
    )


def new_token() -> str:
    """Make a text that nobody can guess."""
    return secrets.token_hex(8)


def _intervals(settings: Settings) -> Intervals:
    return Intervals(
        list_s=settings.user_list_interval_ms / 1000,
        diff_s=settings.user_diff_interval_ms / 1000,
        heartbeat_s=settings.heartbeat_s,
    )


def _backlog_limits(settings: Settings) -> BacklogLimits:
    return BacklogLimits(
        events_max=settings.tail_events_max,
        age_s=settings.tail_s,
        frames_max=settings.tail_frames_max,
        bytes_max=settings.tail_bytes_max,
        bytes_per_user_max=settings.tail_bytes_per_user_max,
    )


def _tail_limits(settings: Settings) -> TailLimits:
    return TailLimits(
        # The commands of the last minutes are known again, too.
        age_s=max(settings.tail_s, KEPT_US / 1_000_000),
        events_max=settings.tail_events_max,
    )


def _facts(settings: Settings, epoch: str) -> Facts:
    return Facts(
        epoch=epoch,
        heartbeat_ms=round(settings.heartbeat_s * 1000),
        limits=v1.Limits(
            message_bytes_max=settings.message_bytes_max,
            messages_per_s=settings.messages_per_s,
            messages_burst=settings.messages_burst,
            chat_length_max=settings.chat_length_max,
            move_bytes_max=settings.move_bytes_max,
            signal_bytes_max=settings.signal_bytes_max,
            room_bytes_max=settings.room_bytes_max,
        ),
    )


def _session_limits(settings: Settings) -> SessionLimits:
    return SessionLimits(
        messages=Rate(settings.messages_per_s, settings.messages_burst),
        chat_length_max=settings.chat_length_max,
        friends_max=settings.friends_max,
        move_bytes_max=settings.move_bytes_max,
        signal_bytes_max=settings.signal_bytes_max,
        room_bytes_max=settings.room_bytes_max,
    )


def _user_limits(settings: Settings) -> UserLimits:
    factor = settings.full_rate_sockets
    return UserLimits(
        messages=Rate(factor * settings.messages_per_s, factor * settings.messages_burst),
        chat=Rate(settings.chat_per_s, settings.chat_burst),
        logged_bytes=Rate(settings.logged_bytes_per_s, settings.logged_bytes_burst),
        signal_bytes=Rate(settings.signal_bytes_per_s, settings.signal_bytes_burst),
        rooms=Rate(settings.rooms_made_per_min / 60, settings.rooms_made_burst),
        invites=Rate(settings.invites_per_min / 60, settings.invites_burst),
    )


def _slow_limits(settings: Settings) -> SlowLimits:
    return SlowLimits(
        bytes_newest_only=settings.slow_bytes,
        bytes_max=settings.slow_bytes_max,
        stall_s=settings.slow_stall_s,
    )


def _link_limits(settings: Settings) -> LinkLimits:
    return LinkLimits(
        session=_session_limits(settings),
        slow=_slow_limits(settings),
        payload_bytes_max=settings.message_bytes_max,
        ping_s=settings.heartbeat_s,
        # A plain socket has as long to answer a ping.
        pong_s=settings.heartbeat_s / 2,
        connect_s=settings.socketio_connect_s,
    )


def _http_limits(settings: Settings) -> HttpLimits:
    return HttpLimits(
        head_s=settings.http_head_s,
        body_s=settings.http_body_s,
        idle_s=settings.http_idle_s,
        # The first line and the fields may both be as long as a message.
        head_bytes_max=2 * settings.message_bytes_max,
        unauthenticated_max=settings.unauthenticated_per_ip_max,
    )


def _websocket_limits(settings: Settings) -> WebSocketLimits:
    return WebSocketLimits(
        session=_session_limits(settings),
        slow=_slow_limits(settings),
        token=TokenTimes(warning_s=settings.token_warning_s, grace_s=settings.token_grace_s),
        message_bytes_max=settings.message_bytes_max,
        heartbeat_s=settings.heartbeat_s,
        drain_retry_ms=settings.drain_retry_ms,
        origins=settings.allowed_origins,
    )


def _times(settings: Settings) -> Times:
    return Times(
        presence_grace_s=settings.presence_grace_s,
        invite_ttl_s=settings.invite_ttl_s,
        invite_cooldown_s=settings.invite_cooldown_s,
        seat_take_s=settings.seat_take_s,
        room_empty_s=settings.room_empty_s,
        matchmaking_timeout_s=settings.matchmaking_timeout_s,
        restart_grace_s=settings.restart_grace_s,
    )


def _user_service(settings: Settings) -> UserService | None:
    if settings.user_service_url is None:
        return None
    limits = Limits(
        timeout_s=settings.user_service_timeout_s,
        save_timeout_s=settings.outbox_timeout_s,
        concurrency=settings.user_service_concurrency,
        names_max=settings.user_service_names_max,
        name_age_s=settings.user_service_name_age_s,
    )
    return UserService(settings.user_service_url, limits, _breaker(settings))


def _routes(
    settings: Settings, users: UserService | None, bearers: UserTokens
) -> dict[Consumer, Route]:
    """List everybody who gets finished matches."""
    routes: dict[Consumer, Route] = {}
    if users is not None:
        token = settings.user_service_token
        saves = UserServiceDelivery(users, bearers, token.get_secret_value() if token else None)
        routes[USER_SERVICE] = Route(saves, _breaker(settings))
    if settings.webhook_secret is not None:
        secret = settings.webhook_secret.get_secret_value()
        for url in settings.webhook_urls:
            hook = webhooks.Webhook(url, secret, settings.outbox_timeout_s, OUTBOX_CONCURRENCY)
            routes[webhooks.consumer_of(url)] = Route(hook, _breaker(settings))
    return routes


def _breaker(settings: Settings) -> Breaker:
    return Breaker(settings.breaker_failures, settings.breaker_pause_s, time.monotonic)


def _pace(settings: Settings) -> RetryPolicy:
    return RetryPolicy(
        retry_s=settings.outbox_retry_s,
        retry_max_s=settings.outbox_retry_max_s,
        concurrency=OUTBOX_CONCURRENCY,
    )
