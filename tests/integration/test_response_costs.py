"""Queries are charged by the size of their response, and answered under their id."""

from __future__ import annotations

import json

import pytest

from service.edge.session.costs import BYTES_PER_UNIT
from service.edge.session.session import Session
from tests.integration.stage import Stage, Theatre

ROOMS = 5


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ({"type": "room:list", "limit": 100}, "room:list"),
        (
            {"type": "friends:subscribe", "friendIds": ["x" * 100 + str(n) for n in range(400)]},
            "friends:status",
        ),
        ({"type": "user:sync"}, "user:list"),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_a_query_is_charged_by_the_size_of_its_response(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch, query: dict[str, object], answer: str
) -> None:
    charged: list[float] = []
    spend = Session.spend_list

    def noting(session: Session, units: float) -> None:
        charged.append(units)
        spend(session, units)

    async def play(stage: Stage) -> None:
        tab = await stage.connect()
        for number in range(ROOMS):
            await tab.insist(
                "room:join",
                roomId=f"big-{tab.user}-{number}",
                role="spectator",
                orCreate=True,
                metadata={"x": "y" * 4000},
            )
        monkeypatch.setattr(Session, "spend_list", noting)
        since = len(tab.got)
        await tab.ask(str(query["type"]), **{name: query[name] for name in query if name != "type"})
        told = [one for one in tab.got[since:] if one["type"] in {answer, "user:diff"}]
        size = sum(len(json.dumps(one, separators=(",", ":"), ensure_ascii=False)) for one in told)
        assert sum(charged) == pytest.approx(size / BYTES_PER_UNIT, abs=0.1)
        for number in range(ROOMS):
            await tab.insist("room:leave", roomId=f"big-{tab.user}-{number}")

    theatre.runner.run(play(theatre.stage))


def test_each_friends_request_is_answered_once_even_when_it_fails(
    theatre: Theatre,
) -> None:
    async def play(stage: Stage) -> None:
        tab = await stage.connect()
        for id_ in ("first", "second", "third"):
            await tab.send("friends:status:request", id=id_)
        await tab.until(lambda message: message.get("id") == "third")
        await tab.ask("ping")
        answers = [one for one in tab.got if one.get("id") in {"first", "second", "third"}]
        assert [one["id"] for one in answers] == ["first", "second", "third"]
        assert {(one["type"], one["code"]) for one in answers} == {
            ("error", "USER_SERVICE_UNAVAILABLE")
        }
        # Who gives no id is answered as before.
        await tab.send("friends:status:request")
        error = await tab.until("error", len(tab.got))
        assert "id" not in error

    theatre.runner.run(play(theatre.stage))


@pytest.mark.parametrize("classic", [True, False])
def test_a_greeting_is_charged_by_its_bytes(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch, *, classic: bool
) -> None:
    charged: list[float] = []
    monkeypatch.setattr(Session, "spend_list", lambda _session, units: charged.append(units))

    async def play(stage: Stage) -> None:
        tab = await stage.connect(classic=classic)
        greeting = [tab.of(type_)[0] for type_ in ("welcome", "session:state", "user:list")]
        size = len(json.dumps(greeting, separators=(",", ":"), ensure_ascii=False))
        # Further messages may follow, such as users who connected since the list was built.
        assert sum(charged) * BYTES_PER_UNIT > size

    theatre.runner.run(play(theatre.stage))
