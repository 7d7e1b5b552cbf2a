"""Options of rooms, as clients send them: each wrong one is named, and harms nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.service_process import Running, fresh_id

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("pong", {"duration_s": 0}, "a number above 0 and at most 3600"),
    ("pong", {"duration_s": "30"}, "a number above 0 and at most 3600"),
    ("pong", {"duration_s": True}, "a number above 0 and at most 3600"),
    ("pong", {"duration_s": None}, "a number above 0 and at most 3600"),
    ("pong", {"duration_s": [30]}, "a number above 0 and at most 3600"),
    ("pong", {"duration_s": {"s": 30}}, "a number above 0 and at most 3600"),
    ("connect_four", {"turn_s": 3601}, "a number from 1 to 3600"),
    ("connect_four", {"increment_s": 1e300}, "a number from 0 to 3600"),
    ("relay", {"seats": True}, "from 1 to 16"),
    ("relay", {"frame_ms": False}, "0 or 16"),
    ("relay", {"spectator_delay_s": -0.1}, "a number from 0 to 600"),
]


@pytest.mark.parametrize("door", ["room:create", "room:join"])
async def test_a_wrong_option_is_named_with_what_it_must_be(service: Running, door: str) -> None:
    user = fresh_id()
    ana = await service.connect_v1(user, "Ana")
    fields: dict[str, Any] = (
        {} if door == "room:create" else {"roomId": f"new-{user}", "orCreate": True}
    )
    for game, options, wanted in WRONG:
        (name,) = options
        answer = await ana.command(door, game=game, options=options, **fields)
        assert (answer["code"], answer["field"]) == ("INVALID_OPTIONS", name)
        assert f"`{name}` must be {wanted}" in answer["message"]
    for game, name in (("pong", "turn_s"), ("relay", "duration_s"), ("pong", "x" * 300)):
        answer = await ana.command(door, game=game, options={name: 1}, **fields)
        assert (answer["code"], answer["field"]) == ("UNKNOWN_FIELD", name[:64])
    answer = await ana.command(door, game="pong", options={"duration_s": 10**30}, **fields)
    assert answer["code"] in {"BAD_VALUE", "INVALID_OPTIONS"}
    made = await ana.command(door, game="pong", options={"duration_s": 5}, **fields)
    assert made["type"] == "ack"
