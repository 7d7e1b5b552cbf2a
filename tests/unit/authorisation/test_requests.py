"""Each request by each caller: docs/authorisation.md holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from service.domain.events.access import SessionsRevoked
from service.edge.api import routes
from service.edge.api.calls import Dependencies
from service.edge.api.server import PREFIX, Api
from service.edge.auth import Authenticator, FixedKey, Issuer
from service.edge.http.addresses import Addresses, AddressRate
from service.eventstore.read_models.match_history import PlayedMatch
from service.fanout.profiles import Profiles
from service.settings.sections.tokens import TokenSettings
from tests.unit.authorisation.test_messages import told
from tools.authorisation import CALLERS, OPPONENT, REST_ROWS, ROOM, Caller, RestRow

SECRET = "a-secret-that-is-long-enough-" * 3
NOW = 1_000_000_000
REVOKED = 90
MATCH = f"{ROOM}-1"

TOKENS: dict[Caller, dict[str, Any] | None] = {
    "nobody": None,
    "revoked": {"id": REVOKED, "iat": NOW},
    "anyone": {"id": 80},
    "player": {"id": OPPONENT},
    "publish": {"scope": "publish"},
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

    async def execute(self, command: object, *_: object, **__: object) -> None:
        self.revoked.append(command)

    async def announce(self, _delivery: object) -> int:
        """Announce to no one."""
        return 0

    @property
    def flush_scope(self) -> Any:
        return self

    async def released(self) -> bool:
        return True

    # The reader and the replays

    async def page(self, *_: object, **__: object) -> list[object]:
        return []

    def turn(self) -> Any:
        return nullcontext()

    async def load(self, _match: str) -> None:
        """Load nothing."""

    async def verify(self, _replay: object) -> None:
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

    monkeypatch.setattr(routes, "find_matches", find)
    monkeypatch.setattr(routes, "private_matches", hidden)
    stub: Any = Stub(row)
    authenticator = Authenticator(
        [Issuer(keys=FixedKey(SECRET))],
        TokenSettings(leeway_s=0, name_claims=("name",)),
    )
    rate = AddressRate(0, Addresses(0), lambda: 0)
    api = Api(
        Dependencies(stub, stub, stub, stub, announcer=stub, now=lambda: 0),
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
    claims = TOKENS[caller]
    headers = {"Authorization": f"Bearer {jwt.encode(claims, SECRET)}"} if claims else {}
    url = f"{PREFIX}/v1{path}{row.query}"
    async with client.request(row.method, url, headers=headers, json=row.body) as response:
        assert response.status == row.cells[caller], await response.text()
