"""Log lines of a running service: connections, linked to events by one correlation id."""

import jwt
import pytest

from tests.acceptance.service_process import (
    Running,
    StartService,
    fresh_id,
    make_token,
    token,
)


async def test_one_correlation_id_links_socket_event_and_log_line(
    start_service: StartService,
) -> None:
    service = start_service()
    ana = await service.connect(7, "Ana")
    ben = await service.connect(8, "Ben")
    await ana.send("invite", to=8)
    await ben.expect("invite:received")
    await ana.close()
    await ben.expect("user:offline", userId=7)
    await service.terminate()

    (row,) = service.database("SELECT correlation_id FROM events WHERE type = 'invite.sent'")
    lines = [line for line in service.logs if line.get("correlation_id") == row[0]]
    assert [line["message"] for line in lines] == ["connected", "disconnected"]
    connected, disconnected = lines
    assert connected["user"] == disconnected["user"] == {"id": "7"}
    assert connected["metadata"]["socket"] == disconnected["metadata"]["socket"]
    assert disconnected["metadata"]["close_code"] == 1000
    assert disconnected["event"]["duration"] > 0
    types = service.database(
        "SELECT type FROM events WHERE correlation_id = ? ORDER BY position", row[0]
    )
    assert [type_ for (type_,) in types] == [
        "user.came_online",
        "socket.opened",
        "invite.sent",
        "socket.closed",
        "user.went_offline",
    ]


@pytest.mark.parametrize(
    ("token_", "code"),
    [
        (None, "MISSING_WEBSOCKET_TOKEN"),
        ("nonsense", "INVALID_WEBSOCKET_TOKEN"),
        (make_token({"name": "Nobody"}), "INVALID_TOKEN_PAYLOAD"),
    ],
)
async def test_a_refused_handshake_is_logged_with_the_contract_code(
    service: Running, token_: str | None, code: str
) -> None:
    before = len(service.logs)
    stranger = await service.connect(token_=token_, greeted=False)
    assert (await stranger.closed())[0] == 1008

    (line,) = [one for one in service.logs[before:] if "error_code" in one]
    assert line["error_type"] == "authentication_error"
    assert line["error_code"] == code
    assert line["http_status"] == 401
    assert line["correlation_id"]


async def test_no_part_of_a_token_is_logged_at_any_level(start_service: StartService) -> None:
    service = start_service(LOG_LEVEL="debug")
    good = token(fresh_id(), "Ana")
    foreign = jwt.encode({"id": 1}, "a-secret-that-is-not-that-of-the-service", "HS256")
    ana = await service.connect(token_=good)
    await ana.send_raw(good)
    await ana.expect("error", code="BAD_JSON")
    await ana.close()
    stranger = await service.connect(token_=foreign, greeted=False)
    await stranger.closed()
    await service.terminate()

    secrets = {part for token_ in (good, foreign) for part in token_.split(".")[1:]}
    assert not [secret for secret in secrets if secret in service.output]
