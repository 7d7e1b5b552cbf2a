"""Handshake rates per address, and the address of a client."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request
from aiohttp.web import Request
from multidict import CIMultiDict

from service.domain.errors import TooManySockets
from service.edge import auth
from service.edge.admission_control import QUEUE_FULL, TIMED_OUT
from service.edge.close_codes import REFUSED_HANDSHAKES
from service.edge.http.addresses import Addresses, AddressRate
from service.edge.http.server import TOO_MANY
from service.errors import Unavailable


class Clock:
    """A clock that stands still until it is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def handshake(*forwarded: str) -> Request:
    """Return a request with one header for each `forwarded`; its peer is 127.0.0.1."""
    headers = CIMultiDict([("X-Forwarded-For", one) for one in forwarded])
    request = make_mocked_request("GET", "/", headers=headers)
    return request.clone(remote="127.0.0.1")


@pytest.mark.parametrize(
    ("trusted_hops", "forwarded", "address"),
    [
        (0, [], "127.0.0.1"),
        (0, ["203.0.113.9"], "127.0.0.1"),
        (1, ["203.0.113.9"], "203.0.113.9"),
        # A client may write what it likes; only what the proxies have added is believed.
        (1, ["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
        (1, ["6.6.6.6,6.6.6.6 , 203.0.113.9"], "203.0.113.9"),
        (2, ["6.6.6.6, 203.0.113.9, 10.0.0.1"], "203.0.113.9"),
        (2, ["203.0.113.9, 10.0.0.1"], "203.0.113.9"),
        # Some proxies add their own header, below that of the client.
        (1, ["6.6.6.6", "203.0.113.9"], "203.0.113.9"),
        (2, ["6.6.6.6", "203.0.113.9", "10.0.0.1"], "203.0.113.9"),
        # Fewer entries than proxies: this did not come through them.
        (2, ["203.0.113.9"], "127.0.0.1"),
        (1, [], "127.0.0.1"),
        (1, [""], "127.0.0.1"),
        (1, ["2001:db8::9"], "2001:db8::/64"),
    ],
)
def test_the_client_address_is_the_one_seen_by_the_outermost_trusted_proxy(
    trusted_hops: int, forwarded: list[str], address: str
) -> None:
    assert Addresses(trusted_hops).of(handshake(*forwarded)) == address


def test_each_address_has_its_own_rate() -> None:
    clock = Clock()
    rate = AddressRate(2, Addresses(1), clock)
    ana, ben = handshake("203.0.113.1"), handshake("203.0.113.2")
    assert [rate.allows(ana) for _ in range(4)] == [True, True, False, False]
    assert [rate.allows(ben) for _ in range(3)] == [True, True, False]
    clock.now += 1
    assert [rate.allows(ana) for _ in range(3)] == [True, True, False]


def test_forged_forwarded_addresses_count_as_one_client() -> None:
    rate = AddressRate(2, Addresses(1), Clock())
    forged = [handshake(f"6.6.6.{number}", "203.0.113.9") for number in range(4)]
    assert [rate.allows(request) for request in forged] == [True, True, False, False]


def test_a_rate_of_zero_means_no_limit() -> None:
    rate = AddressRate(0, Addresses(0), Clock())
    request = handshake()
    assert all(rate.allows(request) for _ in range(1000))


def test_every_refused_handshake_code_is_listed() -> None:
    listed = {code for code, _, _ in REFUSED_HANDSHAKES}
    found = {TOO_MANY, TooManySockets.code, Unavailable.code, "RATE_LIMITED"}
    found |= {QUEUE_FULL, TIMED_OUT}
    for path in Path(auth.__file__).parent.rglob("*.py"):
        found |= set(
            re.findall(r'AuthenticationError\(\s*"[^"]+",\s*"([A-Z_]+)"', path.read_text())
        )
    assert listed == found
