"""What operators with the scope `observe` see of live matches with secrets: not what is hidden."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from service.edge.api import operator_shapes as shapes
from service.edge.api import operators
from service.edge.api.calls import Call
from service.edge.api.problems import ScopeMissing
from service.edge.claims import Scope
from service.eventstore.log_search import Found
from service.eventstore.records import Head, Row
from service.games.catalogue import GAMES, Catalogue
from service.games.pong import Pong


class Secretive(Pong):
    """Pong whose players see something else."""

    name = "secretive"
    has_secrets = True


SECRETS = Catalogue([*GAMES.registered, Secretive()])
DATA = {"match": "r-1", "input": {"hand": "rock"}}


def deps(game: str, *, is_live: bool = True) -> Any:
    live = {"r-1": SimpleNamespace(game=game, rules_version=1)} if is_live else {}

    async def head() -> Head:
        return Head(9, b"", "e")

    return SimpleNamespace(
        world=SimpleNamespace(matches=SimpleNamespace(live=live)),
        games=SECRETS,
        reader=SimpleNamespace(head=head),
    )


def call(params: Any, *scopes: Scope) -> Call[Any]:
    caller: Any = SimpleNamespace(scopes=frozenset(scopes), identity=None)
    request: Any = None
    return Call(params, caller, request)


async def logged(
    monkeypatch: pytest.MonkeyPatch, found: Any, scope: Scope, stream: str = "match:r-1"
) -> dict[str, Any]:
    data = json.dumps(DATA).encode()
    row = Row(1, stream, 1, "match.input", 1, b"", "c", None, "n1", 1, data, None, b"")

    async def search(*_: object) -> Found:
        return Found([row], 1)

    monkeypatch.setattr(operators, "search_log", search)
    page = await operators.read_log(found, call(shapes.LogParams(), scope))
    return page.events[0].data


@pytest.mark.parametrize(
    ("game", "is_live", "scope", "is_shown"),
    [
        ("secretive", True, Scope.OBSERVE, False),
        ("secretive", True, Scope.ADMIN, True),
        ("secretive", False, Scope.OBSERVE, True),
        ("pong", True, Scope.OBSERVE, True),
        # Its rules are not here, so nobody knows what is secret.
        ("chess", True, Scope.OBSERVE, False),
    ],
)
async def test_an_observer_reads_no_secrets_of_live_matches(
    monkeypatch: pytest.MonkeyPatch, game: str, scope: Scope, *, is_live: bool, is_shown: bool
) -> None:
    data = await logged(monkeypatch, deps(game, is_live=is_live), scope)
    assert data == (DATA if is_shown else {})


async def test_an_observer_reads_all_other_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await logged(monkeypatch, deps("secretive"), Scope.OBSERVE, "room:r-1") == DATA


async def test_an_observer_sees_no_state_of_a_live_match_with_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def found(*_: object) -> list[str]:
        return ["r-1"]

    monkeypatch.setattr(operators, "find_matches", found)
    params = shapes.StateParams(match_id="r-1")
    with pytest.raises(ScopeMissing):
        await operators.show_state(deps("secretive"), call(params, Scope.OBSERVE))
