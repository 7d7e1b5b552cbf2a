"""A sample of malformed messages over the wire; the integration tests try all of them."""

from __future__ import annotations

from tests.acceptance.service_process import StartService, token
from tests.odd.campaign import SPEAKERS, Outcome, SocketIo, greeted, send_all
from tests.odd.messages import odd_messages, types_of

EACH = 60
"""Of the odd values each so many of one field."""

MESSAGES_MIN = 1000

GOOD: dict[str, object] = {
    "id": "good",
    "roomId": "nowhere",
    "to": 2,
    "toUserId": 2,
    "userId": 2,
    "from": 2,
    "game": "relay",
    "friendIds": [2],
    "position": 1,
    "epoch": "",
    "frameHz": 30,
    "text": "hi",
    "data": 1,
    "move": {},
    "direction": "w",
    "action": "down",
    "token": "",
}


async def test_odd_messages_are_answered_once_over_the_wire(start_service: StartService) -> None:
    service = start_service(
        WS_MESSAGES_PER_S="100000",
        WS_MESSAGES_BURST="1000000",
        WS_CHAT_BURST="10000",
        WS_INVITES_BURST="10000",
        WS_ROOMS_MADE_BURST="10000",
        WS_LOGGED_BYTES_BURST=str(1024**3),
    )
    outcome = Outcome()
    for user, (speaker, union) in enumerate(SPEAKERS, 1):
        socket = await greeted(service.url, speaker, token(user))
        for type_, schema in types_of(union).items():
            odds = [
                odd
                for odd in odd_messages(type_, schema, GOOD, EACH)
                if odd.is_json or not isinstance(speaker, SocketIo)
            ]
            at_once = 1 if type_ in {"resume", "game:history"} else 16
            await send_all(socket, speaker, odds, outcome, at_once=at_once)
        await socket.close()
    print("\n".join(outcome.lines))  # noqa: T201 - how much was tried
    assert outcome.complaints == []
    assert outcome.sent.total() >= MESSAGES_MIN
    await service.connect_v1(1, "Ana")
    assert await service.terminate() == 0
    assert service.errors == []
    bad = [line for line in service.logs if line["log.level"] in {"error", "critical"}]
    assert bad == []
