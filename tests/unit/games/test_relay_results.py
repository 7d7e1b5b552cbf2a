"""A relay match ends when the claims of all players agree."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from service.games.options import set_up
from service.games.protocol import Result
from service.games.relay import RELAY, Claim, Claimed, InvalidResult, Relayed, RelayState, RelayView


def state(players: int, *claims: Claim) -> RelayState:
    """Return the state in which the first seats say this."""
    one = set_up(RELAY, 7, {}, players)
    for seat, claim in enumerate(claims):
        RELAY.apply(one, Claimed(seat, claim))
    state: RelayState = one
    return state


WON = Claim(1, [2, 3])
DRAWN = Claim(None, [2, 2])


def test_a_relay_match_ends_when_all_claims_agree() -> None:
    one = state(2, WON, WON)
    assert RELAY.result(one) == Result(1)
    assert RELAY.scores(one) == [2, 3]


def test_players_can_agree_on_a_draw() -> None:
    assert RELAY.result(state(2, DRAWN, DRAWN)) == Result(None)


def test_a_single_player_agrees_with_themselves() -> None:
    one = state(1, Claim(0, [5]))
    assert (RELAY.result(one), RELAY.scores(one)) == (Result(0), [5])


@pytest.mark.parametrize("claims", [[], [WON], [WON, DRAWN], [WON, Claim(1, [2, 4])]])
def test_a_relay_match_continues_without_agreement(
    claims: list[Claim],
) -> None:
    one = state(2, *claims)
    assert RELAY.result(one) is None
    assert RELAY.scores(one) == [0, 0]


def test_the_last_claim_of_a_seat_counts() -> None:
    one = state(2, WON, DRAWN)
    RELAY.apply(one, Claimed(1, WON))
    assert RELAY.result(one) == Result(1)


@pytest.mark.parametrize("winner", [0, 1, 2, None])
def test_every_seat_can_be_claimed_as_winner(winner: int | None) -> None:
    said = {"winner": winner, "scores": [1, 2, 3]}
    claim = Claim(winner, [1, 2, 3])
    assert RELAY.decide(state(3), 2, {"result": said}) == [Claimed(2, claim)]


@pytest.mark.parametrize(
    "result",
    [
        {"winner": 3, "scores": [1, 2, 3]},
        {"winner": -1, "scores": [1, 2, 3]},
        {"winner": 0, "scores": [1, 2]},
        {"winner": 0, "scores": [1, 2, 3, 4]},
        {"winner": "0", "scores": [1, 2, 3]},
        {"winner": 0, "scores": [1, 2, "3"]},
        {"winner": 0, "scores": [1, 2, 3], "more": 1},
        {"winner": 0},
        None,
        7,
    ],
)
def test_an_impossible_result_is_refused(result: Any) -> None:
    with pytest.raises(InvalidResult):
        RELAY.decide(state(3), 0, {"result": result})


@pytest.mark.parametrize("move", [{}, {"result": 1, "x": 2}, {"x": {"result": 1}}])
def test_any_other_object_is_a_move(move: dict[str, Any]) -> None:
    raw = msgspec.Raw(msgspec.json.encode(move))
    assert RELAY.decide(state(2), 1, move) == [Relayed(1, raw)]


def test_moves_are_counted_and_chained_and_claims_are_not() -> None:
    one = state(2, WON)
    assert (one.moves, one.digest) == (0, "")
    RELAY.apply(one, Relayed(0, msgspec.Raw(b"{}")))
    first = one.digest
    RELAY.apply(one, Relayed(0, msgspec.Raw(b"{}")))
    assert (one.moves, RELAY.view(one, None)) == (2, RelayView(2))
    assert len({"", first, one.digest}) == 3
