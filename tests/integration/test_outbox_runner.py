"""The outbox over a real log, with scripted consumers."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.fernet import Fernet

from service.domain.commands.outbox import (
    AwaitingToken,
    Delivered,
    FinishedMatch,
    Indeterminate,
    Outcome,
    Rejected,
)
from service.domain.events.base import Event, Position
from service.domain.events.matches import MatchEnded, MatchStarted
from service.domain.events.nodes import NodeLost
from service.domain.events.outbox import USER_SERVICE
from service.domain.ids import Owner, UserId
from service.domain.projections.outbox import FOLD
from service.domain.projections.world import World
from service.errors import Unavailable
from service.eventstore import migrate
from service.eventstore.read_models.outbox import entries, sealed_token
from service.eventstore.reader import Reader, open_database
from service.eventstore.records import Origin
from service.eventstore.writer import EventLog
from service.fanout.profiles import Profiles
from service.integrations.breaker import Breaker
from service.outbox.tokens import UserTokens, token_cipher
from service.outbox.worker import ConsumerRoute, DeliveryPort, OutboxRunner
from service.runtime.engine import Engine
from service.runtime.pending import Executed
from service.runtime.record import Record
from service.settings.sections.integrations import BreakerLimits, RetryPolicy
from service.telemetry import Metrics
from tests.acceptance.service_process import make_token
from tests.integration.engine_parts import NoMatches, NoRecipients

PATIENCE_S = 10.0


class ScriptedConsumer:
    """A consumer; `answer` is its response to a match."""

    def __init__(self, answer: Callable[[FinishedMatch], Outcome] = lambda _: Delivered()) -> None:
        self.answer = answer
        self.got: list[str] = []
        self._news = asyncio.Condition()

    async def deliver(self, match: FinishedMatch) -> Outcome:
        async with self._news:
            self.got.append(match.id)
            self._news.notify_all()
        return self.answer(match)

    async def close(self) -> None:
        pass

    async def until(self, condition: Callable[[Counter[str]], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: condition(Counter(self.got)))


class OutboxSetup:
    """A log, a world that folds it, and an outbox; nothing else of the service."""

    def __init__(self, directory: Path, **consumers: DeliveryPort) -> None:
        self.consumers = consumers
        self.elsewhere: set[str] = set()
        """The streams of consumers that another node delivers to."""
        self.events: list[Event] = []
        self.metrics = Metrics()
        self._path = directory / "log.db"
        self._url = f"sqlite+aiosqlite:///{self._path}"
        self._news = asyncio.Condition()
        self._notes: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        await asyncio.to_thread(migrate.upgrade, self._url)
        self.reader = Reader(open_database(self._url))
        self.log = EventLog(self._path, node="n1", busy_ms=100)
        self.world = World()
        async for page in self.reader.read():
            for recorded in page:
                self.fold(recorded.event)
        no_rules: Any = SimpleNamespace(node=Owner("n1", 1))
        self.engine = Engine(
            self.log, self.world, Profiles(), NoRecipients(), context=no_rules, gate=NoMatches()
        )
        routes = {
            name: ConsumerRoute(
                port, Breaker(BreakerLimits(failures_max=3, pause_s=0.05), time.monotonic)
            )
            for name, port in self.consumers.items()
        }
        retry = RetryPolicy(retry_s=0.02, retry_max_s=0.1)
        self.outbox = OutboxRunner(
            self.engine,
            self.log.outbox_notes,
            self.reader,
            routes,
            retry,
            is_home=lambda stream: stream not in self.elsewhere,
            jitter=lambda: 1,
            metrics=self.metrics,
            concurrency=2,
        )
        self.log.start(self.committed)
        await self.outbox.start()

    @property
    def failures(self) -> float:
        """How often the outcome of a delivery was unknown."""
        return self.metrics.registry.get_sample_value("ws_deliveries_failed_total") or 0

    async def stop(self) -> None:
        await self.outbox.stop()
        await self.log.close()
        await self.reader.close()

    def committed(self, recorded: Sequence[Any]) -> None:
        """Fold without rooms: these matches have none."""
        for one in recorded:
            self.fold(one.event)
            self.outbox.observe(one.event, one.position)
            self.observe(one.event, one.position)

    def fold(self, event: Event) -> None:
        fold: Any = FOLD.get(type(event))
        if fold is not None:
            fold(self.world.outbox, event, 0)

    def observe(self, event: Event, _position: Position) -> None:
        self.events.append(event)
        note = asyncio.create_task(self._note())
        self._notes.add(note)
        note.add_done_callback(self._notes.discard)

    async def _note(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def begin(self, match: str, players: list[UserId]) -> None:
        started = MatchStarted(
            match=match,
            tick=0,
            game="pong",
            rules_version=1,
            players=players,
            seed=1,
            options={},
            pace="ticks",
            turn_s=None,
        )
        await self.engine.execute(Record([started]), Origin())

    async def finish(self, *matches: str) -> None:
        for match in matches:
            await self.begin(match, [7, 12])
            ended = MatchEnded(
                match=match, tick=9, reason="timeup", winner=0, scores=[2, 1], hash=""
            )
            await self.engine.execute(Record([ended]), Origin())

    async def settled(self, count: int, type_: str = "result.delivered") -> None:
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(
                lambda: sum(event.type == type_ for event in self.events) >= count
            )


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
async def hook() -> ScriptedConsumer:
    return ScriptedConsumer()


@pytest.fixture
async def setup(directory: Path, hook: ScriptedConsumer) -> AsyncIterator[OutboxSetup]:
    setup = OutboxSetup(directory, hook=hook)
    await setup.start()
    yield setup
    await setup.stop()


async def test_every_finished_match_is_delivered_once(
    setup: OutboxSetup, hook: ScriptedConsumer
) -> None:
    matches = [f"r{number}-1" for number in range(20)]
    await setup.finish(*matches)
    await setup.settled(20)
    assert sorted(hook.got) == sorted(matches)
    assert setup.outbox.waiting == {"hook": 0}
    assert await entries(setup.reader) == []


async def test_a_match_that_always_fails_does_not_block_others(
    setup: OutboxSetup, hook: ScriptedConsumer
) -> None:
    hook.answer = lambda match: Indeterminate("poison", 500) if match.id == "bad-1" else Delivered()
    await setup.finish("bad-1", "a-1", "b-1", "c-1", "d-1")
    await setup.settled(4)
    await hook.until(lambda got: got["bad-1"] >= 4)
    assert setup.outbox.waiting == {"hook": 1}
    hook.answer = lambda _: Delivered()
    await setup.settled(5)


async def test_attempts_and_the_last_error_can_be_seen(
    setup: OutboxSetup, hook: ScriptedConsumer
) -> None:
    hook.answer = lambda _: Indeterminate("it rains")
    await setup.finish("a-1")
    await hook.until(lambda got: got["a-1"] >= 3)
    (entry,) = await entries(setup.reader)
    assert entry.attempts >= 2
    assert entry.last_error == "it rains"
    assert setup.failures >= 2
    assert 0 < setup.outbox.lag_s["hook"] < PATIENCE_S


async def test_an_unwritable_outcome_is_not_requested_again(
    setup: OutboxSetup, hook: ScriptedConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.outbox.worker.LOG_RETRY_S", 0.01)
    execute, failures = setup.engine.execute, iter(range(3))

    async def failing(command: Any, origin: Origin) -> Executed:
        if not isinstance(command, Record) and next(failures, None) is not None:
            raise Unavailable
        return await execute(command, origin)

    monkeypatch.setattr(setup.engine, "execute", failing)
    await setup.finish("a-1")
    await setup.settled(1)
    assert hook.got == ["a-1"]


async def test_a_consumer_that_raises_is_retried(
    setup: OutboxSetup, hook: ScriptedConsumer
) -> None:
    def break_(_: FinishedMatch) -> Outcome:
        raise ZeroDivisionError

    hook.answer = break_
    await setup.finish("a-1")
    await hook.until(lambda got: got["a-1"] >= 2)
    hook.answer = lambda _: Delivered()
    await setup.settled(1)


async def test_pending_deliveries_survive_a_restart_and_a_removed_consumer(directory: Path) -> None:
    hook = ScriptedConsumer(lambda _: Indeterminate("down"))
    setup = OutboxSetup(directory, hook=hook)
    await setup.start()
    await setup.finish("a-1")
    await hook.until(lambda got: got["a-1"] >= 1)
    await setup.stop()

    without = OutboxSetup(directory)
    await without.start()
    assert without.outbox.waiting == {"hook": 1}
    await without.finish("b-1")
    await without.stop()

    hook = ScriptedConsumer()
    setup = OutboxSetup(directory, hook=hook)
    await setup.start()
    await setup.settled(1)
    assert hook.got == ["a-1"]
    await setup.stop()


async def test_a_match_without_a_token_waits_without_counting_as_a_failure(
    setup: OutboxSetup, hook: ScriptedConsumer
) -> None:
    hook.answer = lambda match: (
        AwaitingToken("no token") if match.id == "a-1" else Rejected(410, "Gone")
    )
    await setup.finish("a-1", "b-1")
    await setup.settled(1, "result.rejected")
    waiting, rejected = await entries(setup.reader)
    assert (waiting.state, waiting.next_at, waiting.attempts) == ("waiting", None, 0)
    assert (rejected.state, rejected.last_error) == ("rejected", "Gone")
    assert setup.failures == 0
    assert hook.got == ["a-1", "b-1"]


# Tokens


@pytest.fixture
async def saving(directory: Path) -> AsyncIterator[tuple[OutboxSetup, UserTokens]]:
    setup = OutboxSetup(
        directory, **{USER_SERVICE: ScriptedConsumer(lambda _: Indeterminate("down"))}
    )
    await setup.start()
    yield (
        setup,
        UserTokens(setup.world, setup.log.outbox_notes, setup.reader, token_cipher("one secret")),
    )
    await setup.stop()


async def keep(setup: OutboxSetup, match: str, token: str, seal: Fernet) -> None:
    sealed = seal.encrypt(token.encode())
    await setup.log.outbox_notes.keep_token(match, 12, sealed)


async def test_a_stored_token_is_readable_with_the_same_secret_only(
    saving: tuple[OutboxSetup, UserTokens],
) -> None:
    setup, tokens = saving
    await setup.begin("a-1", [7, 12])
    token = make_token({"id": 12})
    await keep(setup, "a-1", token, token_cipher("one secret"))
    assert await tokens.for_match("a-1", 12) == token
    assert await tokens.for_match("a-1", 7) is None
    sealed = await sealed_token(setup.reader, "a-1", 12)
    assert sealed is not None
    assert token.encode() not in sealed
    await keep(setup, "a-1", token, token_cipher("another secret"))
    assert await tokens.for_match("a-1", 12) is None


class Meanwhile:
    """Finds no token, and returns that only after the player has connected with one."""

    def __init__(self) -> None:
        self.setup: OutboxSetup
        self.attempts = 0

    async def deliver(self, match: FinishedMatch) -> Outcome:
        self.attempts += 1
        if self.attempts > 1:
            return Delivered()
        tokens = UserTokens(
            self.setup.world,
            self.setup.log.outbox_notes,
            self.setup.reader,
            token_cipher("one secret"),
        )
        tokens.connected(12, make_token({"id": 12}))
        async with asyncio.timeout(PATIENCE_S):
            while await sealed_token(self.setup.reader, match.id, 12) is None:
                pass
        return AwaitingToken("no token")

    async def close(self) -> None:
        pass


async def test_a_token_that_arrives_during_an_attempt_is_used(directory: Path) -> None:
    port = Meanwhile()
    setup = port.setup = OutboxSetup(directory, **{USER_SERVICE: port})
    await setup.start()
    await setup.finish("a-1")
    await setup.settled(1)
    assert port.attempts == 2
    await setup.stop()


async def test_a_refused_token_does_not_discard_a_newer_one(
    saving: tuple[OutboxSetup, UserTokens],
) -> None:
    setup, tokens = saving
    await setup.begin("a-1", [7, 12])
    old, new = make_token({"id": 12, "n": 1}), make_token({"id": 12, "n": 2})
    await keep(setup, "a-1", new, token_cipher("one secret"))
    await tokens.discard("a-1", 12, old)
    assert await tokens.for_match("a-1", 12) == new
    await tokens.discard("a-1", 12, new)
    assert await tokens.for_match("a-1", 12) is None


async def test_a_token_about_to_expire_is_not_used(saving: tuple[OutboxSetup, UserTokens]) -> None:
    setup, tokens = saving
    await setup.begin("a-1", [7, 12])
    await keep(setup, "a-1", make_token({"id": 12}, ttl_s=2), token_cipher("one secret"))
    assert await tokens.for_match("a-1", 12) is None


async def test_no_token_is_stored_for_a_settled_or_unknown_match(
    saving: tuple[OutboxSetup, UserTokens],
) -> None:
    setup, _ = saving
    consumer = setup.consumers[USER_SERVICE]
    assert isinstance(consumer, ScriptedConsumer)
    consumer.answer = lambda _: Delivered()
    await setup.finish("a-1")
    await setup.settled(1)
    for match in ("a-1", "nowhere-1"):
        await keep(setup, match, "token", token_cipher("one secret"))
        assert await sealed_token(setup.reader, match, 12) is None


async def test_a_consumer_of_another_node_gets_nothing_until_that_node_is_lost(
    setup: OutboxSetup, hook: ScriptedConsumer
) -> None:
    await setup.finish("a-1")
    await setup.settled(1)
    setup.elsewhere = {"outbox:hook"}
    await setup.finish("b-1")
    await setup.finish("c-1")
    # It is waited for a turn of this consumer, and nothing is late here.
    assert setup.outbox.lag_s == {"hook": 0}
    assert hook.got == ["a-1"]
    setup.elsewhere = set()
    setup.outbox.observe(NodeLost(node="n2", incarnation=1), 99)
    await setup.settled(3)
    assert sorted(hook.got) == ["a-1", "b-1", "c-1"]
