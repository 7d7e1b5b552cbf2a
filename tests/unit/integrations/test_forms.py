"""Request bodies and signatures, as the receiver parses them."""

import msgspec
import pytest

from service.domain.commands.outbox import Delivered, FinishedMatch, Indeterminate, Rejected
from service.integrations.http import outcome_of
from service.integrations.user_service import create_match
from service.integrations.webhooks import consumer_of, sign, webhook_body

MATCH = FinishedMatch(
    id="9f3a-1",
    game="pong",
    players=[7, 12],
    scores=[3, 5],
    reason="timeup",
    winner=1,
    started_at=1_764_000_000_000_000,
    ended_at=1_764_000_031_250_999,
)


def test_player1_is_the_player_with_the_higher_id_and_the_date_is_that_of_the_end() -> None:
    assert create_match(MATCH) == {
        "action": "create_match",
        "matchData": {
            "type": "ONE_VS_ONE",
            "date": "2025-11-24T16:00:31.250Z",
            "player1Id": 12,
            "player2Id": 7,
            "player1Score": 5,
            "player2Score": 3,
        },
    }


def test_scores_stay_with_their_players_in_either_seat_order() -> None:
    data = create_match(msgspec.structs.replace(MATCH, players=[12, 7]))["matchData"]
    assert (data["player1Id"], data["player1Score"]) == (12, 3)
    assert (data["player2Id"], data["player2Score"]) == (7, 5)


def test_a_webhook_names_players_by_id_only() -> None:
    assert webhook_body(MATCH) == {
        "type": "match.finished",
        "timestamp": "2025-11-24T16:00:31.250Z",
        "data": {
            "matchId": "9f3a-1",
            "game": "pong",
            "reason": "timeup",
            "winner": 12,
            "players": [{"id": 7, "score": 3}, {"id": 12, "score": 5}],
            "startedAt": "2025-11-24T16:00:00.000Z",
            "endedAt": "2025-11-24T16:00:31.250Z",
        },
    }
    assert webhook_body(msgspec.structs.replace(MATCH, winner=None))["data"]["winner"] is None


def test_a_webhook_says_which_player_is_a_bot() -> None:
    match = msgspec.structs.replace(MATCH, players=[7, "bot:ada:3"])
    assert webhook_body(match)["data"]["players"] == [
        {"id": 7, "score": 3},
        {"id": "bot:ada:3", "score": 5, "bot": 3},
    ]


def test_a_webhook_is_signed_as_the_reference_vector_of_standard_webhooks() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_that_is_not_base64_is_used_verbatim() -> None:
    assert sign("whsec_not base64", "m", 1, b"{}") != sign("another secret", "m", 1, b"{}")


def test_a_consumer_name_does_not_reveal_its_url() -> None:
    name = consumer_of("https://example.org/hook?key=secret")
    assert name == consumer_of("https://example.org/hook?key=secret")
    assert "secret" not in name
    assert len(name) <= 64


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_delivered(status: int) -> None:
    assert outcome_of(status, "") == Delivered()


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 422])
def test_a_definite_refusal_is_final(status: int) -> None:
    assert outcome_of(status, "No") == Rejected(status, f"HTTP {status} No")


@pytest.mark.parametrize("status", [301, 307, 408, 425, 429, 500, 502, 503, 504])
def test_any_other_response_is_indeterminate(status: int) -> None:
    assert outcome_of(status, "") == Indeterminate(f"HTTP {status}", status)
