"""All notations of an address are normalized to one form."""

from __future__ import annotations

import pytest

from service.edge.http.addresses import normal_address


@pytest.mark.parametrize(
    ("address", "spellings"),
    [
        (
            "203.0.113.9",
            [
                "203.0.113.9",
                " 203.0.113.9\t",
                "203.0.113.9:1",
                "203.0.113.9:65535",
                '"203.0.113.9:80"',
                "[203.0.113.9]",
                "::ffff:203.0.113.9",
                "::FFFF:203.0.113.9",
                "[::ffff:203.0.113.9]:80",
                "::ffff:cb00:7109",
                "0:0:0:0:0:ffff:203.0.113.9",
                "[0000::ffff:cb00:7109%eth0]:1",
            ],
        ),
        (
            "2001:db8::/64",
            [
                "2001:db8::9",
                "2001:DB8::9",
                "[2001:db8::9]",
                "[2001:db8::9]:443",
                '"[2001:db8::9]:443"',
                "2001:0db8:0000:0000:0000:0000:0000:0009",
                "2001:db8:0:0:ffff:ffff:ffff:ffff",
                "2001:db8::%eth0",
                "2001:db8::203.0.113.9",
            ],
        ),
        ("2001:db8:0:1::/64", ["2001:db8:0:1::9", "[2001:db8:0:1:ffff::]:80"]),
        ("::/64", ["::1", "[::1]:80"]),
    ],
)
def test_each_address_has_one_form(address: str, spellings: list[str]) -> None:
    for spelling in spellings:
        assert normal_address(spelling) == address, spelling


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        " ",
        "unknown",
        "_hidden",
        "203.0.113",
        "203.0.113.9.9",
        "203.0.113.256",
        "203.0.113.009",
        "[",
        "[]",
        "[::1",
        "::1]",
        "203.0.113.9:port",
        "203.0.113.9:123456",
        "\udcff",
        "localhost",
        "1e3",
        "::g",
        "/64",
        "2001:db8::/64",
    ],
)
def test_an_invalid_address_has_no_form(garbage: str) -> None:
    assert normal_address(garbage) is None
