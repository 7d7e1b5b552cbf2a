"""The composition root: every part is made and wired here, and nowhere else."""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
import time
from typing import TYPE_CHECKING

from aiohttp import web

from service.bearers import Bearers, sealing
from service.deadlines import Deadlines
from service.domain.command import Context, Rules
from service.domain.deadlines import Times
from service.domain.event import match_stream
from service.domain.outbox import USER_SERVICE
from service.domain.presence import StartNode, UserWentOffline
from service.edge.auth import Authenticator, clean_name
from service.edge.http import DevTokens, Endpoints, HandshakeRate
from service.edge.hub import Hub, SlowLimits
from service.edge.session import SessionLimits
from service.edge.websocket import WebSocketLimits, WebSockets
from service.engine import Engine
from service.games.catalogue import GAMES
from service.integrations import webhooks
from service.integrations.breaker import Breaker
from service.integrations.user_service import Limits, UserService
from service.log import migrate
from service.log.log import EventLog, Tail
from service.log.reader import Reader, open_database
from service.log.records import Origin
from service.outbox import OutboxRunner, Pace, Route, SavesMatches
from service.people import People
from service.settings import seal_secret
from service.snapshots import Snapshots, load_world
from service.telemetry import get_logger
from service.ticker import Ticker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.event import Event, Position
    from service.domain.ids import UserId
    from service.domain.matches import Match
    from service.domain.outbox import Consumer
    from service.settings import Settings

NODE = "n1"
"""The name of the one node that there is."""

NAMES_KEPT_MIN = 1000
"""Names of users who are gone are forgotten above this many."""

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
        self._background: list[asyncio.Task[None]] = []
        self.url = ""

    async def start(self, *, accept_lost_tail: bool = False) -> None:
        """Open the log, rebuild the world, go on with live matches, and accept sockets."""
        settings = self._settings
        await self._migrate()
        self._reader = Reader(open_database(settings.database_url))
        self._log = log = EventLog(
            migrate.database_path(settings.database_url),
            self._reader,
            Tail(settings.tail_events_max, settings.tail_s),
            node=NODE,
            busy_ms=settings.database_busy_ms,
            accept_lost_tail=accept_lost_tail,
        )
        self._world = world = await load_world(log)
        self._names: dict[UserId, str] = {}
        await self._load_names()
        self._hub = hub = Hub(
            world,
            self._names,
            SlowLimits(
                bytes_newest_only=settings.slow_bytes,
                bytes_max=settings.slow_bytes_max,
                stall_s=settings.slow_stall_s,
            ),
            settings.user_list_interval_ms / 1000,
        )
        engine = Engine(log, world, self._names, hub.publish)
        self._ticker = ticker = Ticker(
            engine, GAMES, hub.publish, checkpoint_s=settings.checkpoint_s, clock=time.monotonic
        )
        self._deadlines = deadlines = Deadlines(engine, _times(settings))
        self._snapshots = snapshots = Snapshots(log, world, settings.snapshot_events)
        self._bearers = bearers = Bearers(
            world, log, self._reader, sealing(self._secret or seal_secret(settings.data_dir))
        )
        self._users = users = _user_service(settings)
        self._people = people = People(
            engine,
            users,
            bearers,
            publish=hub.publish,
            clean_name=self._clean_name,
            retry_s=settings.breaker_pause_s,
        )
        self.outbox = outbox = OutboxRunner(
            engine,
            log,
            self._reader,
            _routes(settings, users, bearers),
            _pace(settings),
            chance=random.random,
        )
        context = Context(
            rules=_rules(settings),
            games=GAMES,
            new_room_id=lambda: secrets.token_hex(6),
            new_seed=lambda: secrets.randbits(53),
            standing=ticker.standing,
        )
        engine.connect(
            context,
            ticker,
            [
                hub.observe,
                ticker.observe,
                deadlines.observe,
                snapshots.observe,
                bearers.observe,
                people.observe,
                outbox.observe,
                self._forget_names,
            ],
        )
        writer = log.start(engine.committed)
        await engine.execute(StartNode(NODE), Origin())
        deadlines.arm_all()
        await ticker.recover(self._match_events)
        people.start()
        await outbox.start()
        self._background = [
            writer,
            asyncio.create_task(ticker.run(), name="ticker"),
            asyncio.create_task(hub.watch_stalls(), name="stalls"),
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

    async def stop(self) -> None:
        """Accept no more, commit what waits, write a snapshot, close all sockets with 4001."""
        self._websockets.refuse_new()
        await self._deadlines.stop()
        for task in self._background[1:]:
            task.cancel()
        await self._ticker.stop()
        await self._snapshots.write()
        await self._websockets.stop()
        await self._runner.cleanup()
        await self._people.stop()
        await self.outbox.stop()
        await self._bearers.stop()
        if self._users is not None:
            await self._users.close()
        await self._log.close()
        await self._reader.close()
        logger.info("stopped", metadata={"position": self._log.head.position})

    async def _migrate(self) -> None:
        url = self._settings.database_url
        work = migrate.upgrade if self._settings.migrate_at_start else migrate.check
        await asyncio.to_thread(work, url)

    async def _listen(self, engine: Engine) -> None:
        settings = self._settings
        incarnation = self._world.presence.incarnations[NODE]
        numbers = itertools.count(1)
        self._websockets = WebSockets(
            engine,
            self._hub,
            self._ticker,
            self._people,
            authenticator=Authenticator(settings, self._secret),
            limits=WebSocketLimits(
                session=SessionLimits(
                    messages_per_s=settings.messages_per_s,
                    messages_burst=settings.messages_burst,
                    friends_max=settings.friends_max,
                ),
                message_bytes_max=settings.message_bytes_max,
                heartbeat_s=settings.heartbeat_s,
                origins=settings.allowed_origins,
            ),
            new_socket_id=lambda: f"{NODE}.{incarnation}.{next(numbers)}",
        )
        app = web.Application(client_max_size=settings.message_bytes_max)
        endpoints = Endpoints(
            self._websockets,
            engine,
            self._log,
            HandshakeRate(settings.handshakes_per_s_per_ip, settings.trusted_hops, time.monotonic),
            self._dev_tokens(),
        )
        app.add_routes(endpoints.routes())
        self._runner = web.AppRunner(
            app,
            access_log=None,
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
            **{"url.full": self.url},
            metadata={"position": self._world.position, "matches": len(self._world.matches.live)},
        )

    def _dev_tokens(self) -> DevTokens | None:
        """Only in development, and only where the service has a secret to sign with."""
        if not self._dev or not self._secret:
            return None
        settings = self._settings
        return DevTokens(self._secret, settings.jwt_algorithms[0], settings.name_length_max)

    def _clean_name(self, raw: str) -> str:
        return clean_name(raw)[: self._settings.name_length_max]

    async def _load_names(self) -> None:
        users = self._users_of_world()
        known = await self._reader.names([str(user) for user in users])
        self._names |= {user: known[str(user)] for user in users if str(user) in known}

    def _users_of_world(self) -> set[UserId]:
        rooms = self._world.rooms.rooms.values()
        return {*self._world.presence.online(), *(one for room in rooms for one in room.players)}

    def _forget_names(self, event: Event, _position: Position) -> None:
        enough = NAMES_KEPT_MIN + 2 * len(self._world.presence.sockets)
        if isinstance(event, UserWentOffline) and len(self._names) > enough:
            for user in self._names.keys() - self._users_of_world():
                del self._names[user]

    async def _match_events(self, match: Match) -> Sequence[Event]:
        pages = self._reader.read(match.replay_from - 1, stream=match_stream(match.id))
        return [recorded.event async for page in pages for recorded in page]


def _rules(settings: Settings) -> Rules:
    return Rules(
        invite_needs_lobby=settings.invite_needs_lobby,
        sockets_per_user_max=settings.sockets_per_user_max,
        match_duration_s=settings.match_duration_s,
        reconnect_grace_s=settings.reconnect_grace_s,
    )


def _times(settings: Settings) -> Times:
    return Times(
        presence_grace_s=settings.presence_grace_s,
        invite_ttl_s=settings.invite_ttl_s,
        seat_take_s=settings.seat_take_s,
        room_empty_s=settings.room_empty_s,
        matchmaking_timeout_s=settings.matchmaking_timeout_s,
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
    settings: Settings, users: UserService | None, bearers: Bearers
) -> dict[Consumer, Route]:
    """List everybody who gets finished matches."""
    routes: dict[Consumer, Route] = {}
    if users is not None:
        token = settings.user_service_token
        saves = SavesMatches(users, bearers, token.get_secret_value() if token else None)
        routes[USER_SERVICE] = Route(saves, _breaker(settings))
    if settings.webhook_secret is not None:
        secret = settings.webhook_secret.get_secret_value()
        for url in settings.webhook_urls:
            hook = webhooks.Webhook(url, secret, settings.outbox_timeout_s, OUTBOX_CONCURRENCY)
            routes[webhooks.name_of(url)] = Route(hook, _breaker(settings))
    return routes


def _breaker(settings: Settings) -> Breaker:
    return Breaker(settings.breaker_failures, settings.breaker_pause_s, time.monotonic)


def _pace(settings: Settings) -> Pace:
    return Pace(
        retry_s=settings.outbox_retry_s,
        retry_max_s=settings.outbox_retry_max_s,
        concurrency=OUTBOX_CONCURRENCY,
    )
