"""Each request by each caller: docs/authorisation.md holds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from typing import Any

import jwt
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from service.domain.commands.forks import ForkMatch
from service.domain.events.access import SessionsRevoked
from service.domain.events.matches import MatchStarted
from service.domain.events.operators import OperatorActed
from service.domain.ids import Owner
from service.edge.api import access, history, operator_actions, operators
from service.edge.api.calls import Dependencies
from service.edge.api.server import PREFIX, Api
from service.edge.auth import Authenticator, FixedKey, Issuer
from service.edge.http.addresses import Addresses, AddressRate
from service.eventstore.log_search import Found
from service.eventstore.read_models.match_history import PlayedMatch
from service.eventstore.read_models.outbox import Entry
from service.eventstore.records import Head
from service.fanout.profiles import Profiles
from service.figures import Figures
from service.games.catalogue import GAMES
from service.replay.replay import Replay
from service.replay.summary import Summary, summarise
from service.runtime.idempotency import CommandResult
from service.runtime.pending import Executed
from service.settings.sections.tokens import TokenSettings
from service.telemetry import Metrics
from tests.unit.authorisation.test_messages import told
from tools.authorisation import CALLERS, OPPONENT, REST_ROWS, ROOM, Caller, RestRow

SECRET = "a-secret-that-is-long-enough-" * 3
NOW = 1_000_000_000
REVOKED = 90
MATCH = f"{ROOM}-1"

RELAY_STARTED = MatchStarted(
    match=MATCH,
    tick=0,
    game="relay",
    rules_version=1,
    players=[OPPONENT, 10],
    seed=1,
    options={},
    pace="free",
    turn_s=None,
)

TOKENS: dict[Caller, dict[str, Any] | None] = {
    "nobody": None,
    "revoked": {"id": REVOKED, "iat": NOW},
    "anyone": {"id": 80},
    "player": {"id": OPPONENT},
    "publish": {"scope": "publish"},
    "observe": {"scope": "observe"},
    "admin": {"scope": "admin"},
}


class Stub:
    """Replaces the parts that execute what was allowed."""

    def __init__(self, row: RestRow) -> None:
        self.row = row
        self.world = told("open").world
        self.world.fold(SessionsRevoked(user=REVOKED, until_s=NOW), self.world.position + 1)
        self.profiles = Profiles()
        self.context = None
        self.revoked: list[object] = []

    # The engine and the hub

    async def execute(self, command: object, *_: object, **__: object) -> Executed:
        self.revoked.append(command)
        forked = OperatorActed(action="fork", room="r", match="r-1")
        return Executed((forked,) if isinstance(command, ForkMatch) else (), CommandResult(1))

    async def announce(self, _delivery: object) -> int:
        """Announce to no one."""
        return 0

    @property
    def flush_scope(self) -> Any:
        return self

    async def released(self) -> bool:
        return True

    def __len__(self) -> int:
        return 0

    # The reader, the replays, and the notes of the outbox

    async def head(self) -> Head:
        return Head(1, b"", "e")

    async def retry(self, *_: object) -> None:
        """Retry nothing."""

    async def page(self, *_: object, **__: object) -> list[object]:
        return []

    async def names(self, *_: object) -> dict[str, str]:
        return {}

    def turn(self) -> Any:
        return nullcontext()

    async def load(self, *_: object, **__: object) -> Replay:
        return Replay([RELAY_STARTED], GAMES)

    async def summary(self, *_: object) -> Summary:
        return summarise(await self.load())

    async def etag(self, _match: object) -> str:
        return "e"

    async def recording(self, *_: object, **__: object) -> AsyncIterator[bytes]:
        yield b"{}"

    async def ask(self, replay: Replay, question: Callable[[Replay], Any]) -> Any:
        return question(replay)

    async def verify(self, *_: object, **__: object) -> None:
        """Find no difference."""

    async def frames(self, *_: object) -> AsyncIterator[bytes]:
        yield b"{}\n"

    def stop(self) -> None:
        """Stop nothing."""


@pytest.fixture
async def client(
    row: RestRow, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """Serve the API on a stub, with one match of the opponent's."""
    match = PlayedMatch(
        id=MATCH,
        game="relay",
        rules_version=1,
        players=["Ana", "Ben"],
        users=[str(OPPONENT), "10"],
        position=1,
        started_at=1,
        ended_at=2,
        ticks=1,
        reason="finished",
        winner=None,
        scores=[0, 0],
    )

    async def find(*_: object) -> list[PlayedMatch]:
        return [match]

    async def hidden(*_: object) -> set[str]:
        return {MATCH} if row.private else set()

    for module in (access, operators, history):
        monkeypatch.setattr(module, "find_matches", find)
    monkeypatch.setattr(access, "private_matches", hidden)

    async def no_nodes(*_: object) -> list[object]:
        return []

    async def deliveries(*_: object, **__: object) -> list[Entry]:
        one = {"consumer": "webhook:1", "state": "rejected", "next_at": None}
        return [
            msgspec.convert(
                {**one, "match": MATCH, "attempts": 1, "last_error": None, "ended_at": 1}, Entry
            )
        ]

    async def search(*_: object) -> Found:
        return Found([], 1)

    monkeypatch.setattr(operators, "read_nodes", no_nodes)
    monkeypatch.setattr(operators, "entries", deliveries)
    monkeypatch.setattr(operator_actions, "entries", deliveries)
    monkeypatch.setattr(operators, "search_log", search)
    stub: Any = Stub(row)
    authenticator = Authenticator(
        [Issuer(keys=FixedKey(SECRET))],
        TokenSettings(leeway_s=0, name_claims=("name",)),
    )
    rate = AddressRate(0, Addresses(0), lambda: 0)
    api = Api(
        Dependencies(
            stub,
            stub,
            stub,
            stub,
            announcer=stub,
            games=GAMES,
            figures=Figures(stub.world, lambda: 0, Metrics(), now=lambda: 0),
            node=Owner("n1", 1),
            outbox_notes=stub,
            now=lambda: 0,
        ),
        authenticator,
        rate,
        ("*",),
    )
    app = web.Application()
    app.add_subapp(PREFIX, api.app())
    async with TestClient(TestServer(app)) as one:
        yield one


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(
    "row", REST_ROWS, ids=lambda row: f"{row.method}-{row.name}".replace(" ", "-")
)
async def test_each_caller_is_authorised_as_the_table_says(
    client: TestClient[web.Request, web.Application], row: RestRow, caller: Caller
) -> None:
    path = row.path.replace("{roomId}", ROOM).replace("{matchId}", MATCH)
    path = path.replace("{userId}", str(OPPONENT))
    claims = TOKENS[caller]
    headers = {"Authorization": f"Bearer {jwt.encode(claims, SECRET)}"} if claims else {}
    url = f"{PREFIX}/v1{path}{row.query}"
    async with client.request(row.method, url, headers=headers, json=row.body) as response:
        assert response.status == row.cells[caller], await response.text()
