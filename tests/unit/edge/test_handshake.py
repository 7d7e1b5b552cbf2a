"""The opening handshake: every valid form is accepted, every invalid one refused."""

from __future__ import annotations

import pytest
from aiohttp import HttpVersion, HttpVersion10, HttpVersion11, web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from service.edge.auth import token_of
from service.edge.handshake import checked, listed, wants_websocket

KEY = "dGhlIHNhbXBsZSBub25jZQ=="

RIGHT = [
    ("Host", "x"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", KEY),
]


def request(
    *changes: tuple[str, str | None], method: str = "GET", version: HttpVersion = HttpVersion11
) -> web.Request:
    """Return a valid handshake with these headers replaced, or removed (None)."""
    changed = {name.lower() for name, _ in changes}
    kept = [(name, value) for name, value in RIGHT if name.lower() not in changed]
    given = [(name, value) for name, value in changes if value is not None]
    return make_mocked_request(method, "/ws", headers=CIMultiDict([*kept, *given]), version=version)


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [("upgrade", "WebSocket"), ("CONNECTION", "UPGRADE")],
        [("Connection", "keep-alive, Upgrade")],
        [("Connection", "keep-alive"), ("Connection", " upgrade ")],
        [("Connection", ",, Upgrade ,")],
        [("Upgrade", "h2c, websocket")],
        [("Upgrade", "h2c"), ("Upgrade", "WEBSOCKET")],
        [("Sec-WebSocket-Key", f"  {KEY} ")],
        [("Sec-WebSocket-Version", " 13 ")],
        [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")],
        [("Authorization", "Bearer \xff")],
    ],
)
def test_every_valid_handshake_is_accepted(changes: list[tuple[str, str]]) -> None:
    form = checked(request(*changes))
    assert form.headers.getall("Upgrade") == ["websocket"]
    assert form.headers.getall("Connection") == ["Upgrade"]
    assert form.headers.getall("Sec-WebSocket-Key") == [KEY]


@pytest.mark.parametrize(
    "lines",
    [
        ["ws-service.v1, bearer.abc"],
        ["ws-service.v1", "bearer.abc"],
        ["bearer.abc", "ws-service.v1"],
        [" , ws-service.v1 ,,", "\tbearer.abc "],
        ["\xff, ws-service.v1", "bearer.abc"],
    ],
)
def test_subprotocols_are_read_from_all_header_lines(lines: list[str]) -> None:
    given = request(*(("Sec-WebSocket-Protocol", line) for line in lines))
    assert token_of(given) == "abc"
    # The token does not get to aiohttp, which logs subprotocols that it does not know.
    form = checked(given, ["ws-service.v1", "ws-service.classic"])
    assert form.headers.getall("Sec-WebSocket-Protocol") == ["ws-service.v1"]
    assert "Sec-WebSocket-Protocol" not in checked(given).headers


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        *(
            ([("Sec-WebSocket-Version", version)], 426)
            for version in (None, "", "0", "7", "8", "12", "14", "013", "13, 8", "x")
        ),
        ([("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Version", "8")], 426),
        ([("Upgrade", None)], 426),
        ([("Upgrade", "h2c")], 426),
        ([("Upgrade", "websockets")], 426),
        ([("Connection", None)], 400),
        ([("Connection", "keep-alive")], 400),
        ([("Connection", "Upgraded")], 400),
        ([("Host", None)], 400),
        ([("Host", "x"), ("Host", "y")], 400),
        *(
            ([("Sec-WebSocket-Key", key)], 400)
            for key in (
                None,
                "",
                "x",
                KEY[:-4],
                KEY + KEY,
                "dGhlIHNhbXBsZSBub25jZSE=",
                KEY[:-2],
                "*" + KEY[1:],
                "\xff" * 24,
            )
        ),
        ([("Sec-WebSocket-Key", KEY), ("Sec-WebSocket-Key", KEY)], 400),
    ],
)
def test_an_invalid_handshake_is_refused(
    changes: list[tuple[str, str | None]], status: int
) -> None:
    with pytest.raises(web.HTTPException) as refused:
        checked(request(*changes))
    assert refused.value.status == status
    if status == 426:
        assert refused.value.headers["Sec-WebSocket-Version"] == "13"


def test_only_http_1_1_get_requests_are_upgraded() -> None:
    for wrong in (request(method="POST"), request(version=HttpVersion10)):
        with pytest.raises(web.HTTPBadRequest):
            checked(wrong)


def test_a_plain_get_is_not_an_upgrade() -> None:
    assert not wants_websocket(request(("Upgrade", None)))
    assert not wants_websocket(request(("Upgrade", "h2c")))
    assert listed(CIMultiDict([("A", "x, y"), ("B", "z"), ("a", ",z,")]), "A") == ["x", "y", "z"]
