"""Composition root: every part of the service is created and wired here."""

from __future__ import annotations

import itertools
import random
import time
from functools import partial
from typing import TYPE_CHECKING

from service.cluster.frames import FrameSender
from service.cluster.routing import Router
from service.cluster.showing import FrameReceiver
from service.domain.names import clean_name
from service.edge.admission import Admission
from service.edge.auth import Authenticator
from service.edge.backend import Backend
from service.edge.backlog import Backlog
from service.edge.endpoint import Endpoint
from service.edge.greeting import Greeter
from service.edge.hub import Hub
from service.edge.moves import MoveHistory
from service.edge.passwords import Passwords
from service.edge.queries import Queries
from service.edge.refill_progress import RefillProgress
from service.edge.session.rate_limit import Budgets
from service.edge.wire.choice import choose
from service.fanout.profiles import Profiles
from service.integrations.profile_lookup import ProfileLookup
from service.integrations.user_service import user_service_of
from service.outbox.routes import routes_of
from service.outbox.tokens import UserTokens, token_cipher
from service.outbox.worker import OutboxRunner
from service.recovery import ProfileCache, match_events
from service.runtime.bot_thread import BotThread
from service.runtime.bots import BotPlayers
from service.runtime.decision_context import decision_context, new_token
from service.runtime.engine import Engine
from service.runtime.idempotency import Fingerprints
from service.runtime.live_matches import LiveMatches
from service.runtime.match_publisher import MatchPublisher
from service.runtime.ownership import MatchOwnership
from service.runtime.recorded_states import RecordedStates
from service.runtime.scheduler import DeadlineScheduler
from service.runtime.snapshots import Snapshots
from service.runtime.ticker import Ticker
from service.settings.secrets import command_secret, seal_secret
from service.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.cluster.membership import Membership
    from service.cluster.missed import MissedStates
    from service.domain.ids import Owner
    from service.domain.projections.world import World
    from service.edge.auth import Issuer
    from service.eventstore.reader import Reader
    from service.eventstore.writer import EventLog
    from service.games.catalogue import Catalogue
    from service.runtime.dispatcher import Dispatcher
    from service.settings import Settings
    from service.telemetry import Metrics


class Parts:
    """The parts of the service, created and wired; `Service` starts and stops them."""

    def __init__(  # noqa: PLR0913 - what exists before the parts are made
        self,
        settings: Settings,
        secret: str,
        issuers: Sequence[Issuer],
        *,
        games: Catalogue,
        log: EventLog,
        reader: Reader,
        world: World,
        node: Owner,
        membership: Membership | None = None,
        metrics: Metrics,
    ) -> None:
        """Create them on the `world` rebuilt from `log`.

        `node` is the incarnation of this node that is about to start; `membership` is that of a
        node of a cluster.
        """
        self.settings = settings
        self.secret = secret
        self.issuers = issuers
        self.games = games
        self.log = log
        self.reader = reader
        self.world = world
        self.node = node
        self.membership = membership
        self.metrics = metrics
        self._make_engine()
        self._make_runtime()
        self._make_integrations()
        self._make_edge()
        self._make_endpoint()
        self._subscribe()

    def _make_engine(self) -> None:
        settings, metrics, member = self.settings, self.metrics, self.membership
        self.profiles = Profiles()
        self.profile_cache = ProfileCache(self.profiles, self.world, self.reader)
        self.backlog = Backlog(settings.backlog, self.world.position)
        self.refill_progress = RefillProgress(self.backlog)
        parts = self.world, self.profiles, self.backlog, settings.broadcasts, metrics
        is_suspended = member and member.is_suspended
        self.hub = Hub(*parts, wire=choose(settings.wire.kind), is_suspended=is_suspended)
        self.matches = LiveMatches(time.monotonic, metrics)
        self.engine = Engine(
            self.log,
            self.world,
            self.profiles,
            self.hub,
            context=decision_context(self.node, settings.rules, self.games, self.matches),
            gate=self.matches,
            conditions=member and member.conditions,
            metrics=metrics,
        )
        self.sender = member and FrameSender(self.hub, self.world, member)
        self.publisher = self.sender or self.hub
        self.router = member and Router(self.engine, self.matches, member)
        self.dispatcher: Dispatcher = self.router or self.engine

    def _make_runtime(self) -> None:
        settings, reader = self.settings, self.reader
        self.deadlines = DeadlineScheduler(self.engine, settings.times)
        of_others = RecordedStates(self.world, self.games, self.node) if self.membership else None
        self.recorded_states = of_others
        self.match_publisher = MatchPublisher(
            self.matches,
            self.world,
            self.profiles,
            self.publisher,
            clock=time.monotonic,
            grace_left_s=self.deadlines.grace_left_s,
            recorded=of_others,
        )
        self.missed_states: MissedStates | None = None
        if self.sender is not None:
            self.missed_states = FrameReceiver(self.sender, self.match_publisher).missed
        self.ticker = Ticker(
            self.engine,
            self.matches,
            self.games,
            self.match_publisher,
            checkpoint_s=settings.storage.checkpoint_s,
            clock=time.monotonic,
            metrics=self.metrics,
        )
        self.bots = BotPlayers(
            self.engine,
            self.matches,
            BotThread(),
            clock=time.monotonic,
            metrics=self.metrics,
        )
        self.ownership = MatchOwnership(
            self.engine, self.matches, self.ticker, partial(match_events, reader), time.monotonic
        )
        self.snapshots = Snapshots(
            self.log,
            self.world,
            settings.storage.snapshot_events,
            self.refill_progress.needed_from,
            partial(self.world.nodes.writes_snapshots, self.node),
        )

    def _make_integrations(self) -> None:
        settings, notes = self.settings, self.log.outbox_notes
        name_length_max = settings.tokens.name_length_max
        self.user_tokens = UserTokens(
            self.world,
            notes,
            self.reader,
            token_cipher(seal_secret(settings, self.secret)),
        )
        self.user_service = user_service_of(settings, time.monotonic)
        self.profile_lookup = ProfileLookup(
            self.user_service,
            self.user_tokens,
            known_name=self.profiles.names.get,
            rename=self.engine.rename,
            clean_name=lambda raw: clean_name(raw)[:name_length_max],
            retry_s=settings.breaker.pause_s,
        )
        self.outbox = OutboxRunner(
            self.engine,
            notes,
            self.reader,
            routes_of(settings, self.user_service, self.user_tokens, time.monotonic),
            settings.outbox,
            is_home=partial(self.world.nodes.is_home, self.node),
            jitter=random.random,
            metrics=self.metrics,
        )

    def _make_edge(self) -> None:
        settings, world, metrics = self.settings, self.world, self.metrics
        limits = settings.connections
        self.greeter = Greeter(
            world,
            self.profiles,
            self.hub,
            self.backlog,
            limits,
            invite_ttl_s=self.settings.times.invite_ttl_s,
            refill=self.refill_progress,
            epoch=self.log.head.epoch,
            games=self.games,
            metrics=metrics,
        )
        self.move_history = MoveHistory(
            world,
            self.hub,
            self.reader,
            bytes_max=limits.slow.bytes_max // 2,
            clock=time.monotonic,
            metrics=metrics,
        )
        self.passwords = Passwords(
            world, settings.passwords, new_salt=new_token, clock=time.monotonic
        )
        self.authenticator = Authenticator(self.issuers, settings.tokens)

    def _make_endpoint(self) -> None:
        settings, world, metrics = self.settings, self.world, self.metrics
        limits, numbers, node = settings.connections, itertools.count(1), self.node
        queries = Queries(
            self.engine,
            self.hub,
            self.greeter,
            self.move_history,
            match_publisher=self.match_publisher,
            profile_lookup=self.profile_lookup,
            friends_max=limits.session.friends_max,
        )
        backend = Backend(
            self.dispatcher,
            self.hub,
            self.publisher,
            queries,
            Admission(world, self.authenticator, self.profile_lookup, limits.origins, metrics),
            self.passwords,
            Fingerprints(command_secret(settings)),
            Tasks(),
            metrics,
        )
        self.endpoint = Endpoint(
            backend,
            Budgets(limits.user, time.monotonic),
            limits,
            new_socket_id=lambda: f"{node.node}.{node.incarnation}.{next(numbers)}",
            new_token=new_token,
        )

    def _subscribe(self) -> None:
        """Subscribe the observers of committed events; they are called in this order."""
        for observer in (
            self.hub.observe,
            self.greeter.observe,
            self.ticker.observe,
            self.ownership.observe,
            self.deadlines.observe,
            self.snapshots.observe,
            self.endpoint.observe,
            self.move_history.observe,
            self.user_tokens.observe,
            self.profile_lookup.observe,
            self.outbox.observe,
            self.profile_cache.observe,
        ):
            self.engine.subscribe(observer)
        if self.recorded_states is not None:
            self.engine.subscribe(self.recorded_states.observe)
        if self.missed_states is not None:
            self.engine.subscribe(self.missed_states.observe)
