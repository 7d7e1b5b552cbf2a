"""Claims of odd types: each claim with each value, wherever tokens are read."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import jwt
import pytest

from service.edge.auth import AuthenticationError, Authenticator, FixedKey, Issuer
from service.edge.claims import TIME_MAX_S, BadTime, BadUser, read_times, read_user
from service.outbox.tokens import expires_at
from service.settings.sections.tokens import TokenSettings

SECRET = "a-secret-that-is-long-enough-for-hs256"
NOW_S = 1_700_000_000.0

TIMES: list[tuple[str, Any]] = [
    ("now", NOW_S),
    ("later", NOW_S + 60),
    ("earlier", NOW_S - 60),
    ("an integer", int(NOW_S) + 60),
    ("zero", 0),
    ("negative", -1),
    ("very negative", -(10**400)),
    ("huge", 10**18),
    ("beyond floats", 10**400),
    ("beyond integers", 1e308),
    ("tiny", 5e-324),
    ("not a number", float("nan")),
    ("infinite", float("inf")),
    ("minus infinite", float("-inf")),
    ("digits", str(int(NOW_S) + 60)),
    ("text", "tomorrow"),
    ("empty", ""),
    ("true", True),
    ("false", False),
    ("null", None),
    ("list", [NOW_S + 60]),
    ("object", {"at": NOW_S + 60}),
]
GOOD_TIMES = {
    "exp": {"later", "an integer", "huge", "beyond floats", "beyond integers", "now"},
    "nbf": {"now", "earlier", "zero", "negative", "very negative", "tiny"},
    "iat": {"now", "earlier", "zero", "negative", "very negative", "tiny"},
}

IDS: list[tuple[str, Any]] = [
    ("number", 7),
    ("digits", "7"),
    ("text", "ana"),
    ("longest", "x" * 128),
    ("largest", 2**53 - 1),
    ("picture", "\U0001f600"),
    ("zero", 0),
    ("negative", -7),
    ("float", 7.5),
    ("whole float", 7.0),
    ("true", True),
    ("false", False),
    ("list", [7]),
    ("object", {"id": 7}),
    ("empty", ""),
    ("too long", "x" * 129),
    ("too large", 2**53),
    ("beyond", 10**400),
    ("nul", "a\0b"),
    ("escape", "a\x1b[2J"),
    ("line", "a\nb"),
    ("c1", "a\x85b"),
    ("half a pair", "a\ud800"),
    ("not a number", float("nan")),
]
GOOD_IDS = {"number", "digits", "text", "longest", "largest", "picture"}

OTHERS: list[tuple[str, Any]] = [
    ("text", "x"),
    ("number", 7),
    ("float", 1.5),
    ("true", True),
    ("null", None),
    ("list", ["x"]),
    ("object", {"x": 1}),
    ("empty", ""),
    ("nul", "\0"),
    ("half a pair", "\ud800"),
    ("huge", 10**400),
    ("deep", [[[[[]]]]]),
]
UNREAD = ("jti", "name", "username", "email", "scope", "aud", "iss", "kid", "nonce", "typ", "azp")

CASES = [
    *(
        (name, label, value, label in GOOD_TIMES[name])
        for name in GOOD_TIMES
        for label, value in TIMES
    ),
    *(
        (name, label, value, label in GOOD_IDS)
        for name in ("id", "userId", "userID", "sub")
        for label, value in IDS
    ),
    *((name, label, value, True) for name in UNREAD for label, value in OTHERS),
]


def signed(**claims: Any) -> str:
    """Sign claims of any type, which a library would refuse."""
    return jwt.api_jws.encode(json.dumps(claims).encode(), SECRET, algorithm="HS256")


def door() -> Authenticator:
    return Authenticator(
        [Issuer(keys=FixedKey(SECRET))],
        TokenSettings(leeway_s=5, name_claims=("name", "username"), name_length_max=64),
        now=lambda: NOW_S,
    )


def token_with(name: str, value: object) -> str:
    is_id = name in {"id", "userId", "userID", "sub"}
    return signed(**({name: value} if is_id else {"id": 7, name: value}))


async def outcome(token: str) -> tuple[str, str]:
    """Return what sockets and what the API make of a token; both have the same reasons."""
    said = []
    for check in (door().check, door().check_caller):
        try:
            await check(token)
        except AuthenticationError as error:
            said.append(error.message)
        else:
            said.append("")
    return said[0], said[1]


def test_any_claim_value_is_accepted_or_refused_with_a_contract_reason() -> None:
    async def all_of_them() -> int:
        count = 0
        for name, label, value, is_good in CASES:
            token = token_with(name, value)
            reasons = await outcome(token)
            expected = (
                ""
                if is_good
                else "Invalid or expired token"
                if name in GOOD_TIMES
                else "Invalid token payload"
            )
            for reason in reasons:
                count += 1
                assert reason == expected, (name, label, reason)
            # What is kept for later is read again, and must not fail then.
            assert isinstance(expires_at(token), float | int)
        return count

    count = asyncio.run(all_of_them())
    print(f"{count} token cases")  # noqa: T201 - how much was tried
    assert count >= 300


def test_an_accepted_identity_can_be_encoded_everywhere() -> None:
    async def all_of_them() -> None:
        for name, label, value, is_good in CASES:
            if not is_good:
                continue
            identity = await door().check(token_with(name, value))
            assert f"{identity.user}{identity.name or ''}".encode(), (name, label)
            for at_s in (identity.issued_at_s, identity.expires_at_s):
                assert at_s is None or -TIME_MAX_S <= at_s <= TIME_MAX_S

    asyncio.run(all_of_them())


@pytest.mark.parametrize("part", ["header", "payload"])
def test_a_token_with_too_deep_json_is_refused(part: str) -> None:
    deep = b"[" * 20_000 + b"]" * 20_000
    header = b'{"alg":"HS256","x":%b}' % (deep if part == "header" else b"0")
    payload = b'{"id":7,"x":%b}' % (deep if part == "payload" else b"0")
    signing = b".".join(map(jwt.utils.base64url_encode, (header, payload)))
    key = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    token = b".".join([signing, jwt.utils.base64url_encode(key.sign(signing, SECRET.encode()))])
    assert asyncio.run(outcome(token.decode())) == ("Invalid or expired token",) * 2


@pytest.mark.parametrize(
    "header",
    [
        {"alg": 7},
        {"alg": None},
        {"alg": ["HS256"]},
        {"kid": 7},
        {"kid": [1]},
        {"crit": "x"},
        {"b64": 0},
    ],
)
def test_odd_header_types_are_refused_or_ignored(header: dict[str, Any]) -> None:
    encoded = json.dumps({"alg": "HS256", **header}).encode()
    signing = b".".join(map(jwt.utils.base64url_encode, (encoded, b'{"id":7}')))
    key = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    token = b".".join([signing, jwt.utils.base64url_encode(key.sign(signing, SECRET.encode()))])
    assert set(asyncio.run(outcome(token.decode()))) <= {"", "Invalid or expired token"}


def test_the_leeway_applies_to_all_token_times() -> None:
    assert read_times({"exp": NOW_S - 4}, NOW_S, 5).expires_at_s == NOW_S - 4
    for claims in ({"exp": NOW_S - 5}, {"nbf": NOW_S + 6}, {"iat": NOW_S + 6}):
        with pytest.raises(BadTime):
            read_times(claims, NOW_S, 5)


def test_the_name_claims_are_configurable() -> None:
    async def name_of(*names: str, **claims: Any) -> str | None:
        only = Issuer(keys=FixedKey(SECRET))
        check = Authenticator([only], TokenSettings(leeway_s=5, name_claims=names))
        return (await check.check(signed(id=7, **claims))).name

    claims = {"name": "Ana", "email": "ana@example.org", "nick": "A"}
    for names, expected in (
        (("name", "username"), "Ana"),
        (("email",), "ana@example.org"),
        (("nick", "name"), "A"),
        (("username",), None),
    ):
        assert asyncio.run(name_of(*names, **claims)) == expected


@pytest.mark.parametrize("claims", [{"id": "bot:ada:3"}, {"sub": "bot:x:1"}])
def test_no_token_is_of_a_bot(claims: dict[str, str]) -> None:
    with pytest.raises(BadUser):
        read_user(claims)


@pytest.mark.parametrize("user", ["bot:ada", "bot:Ada:3", "bot:ada:0", "robot:ada:3", "bot"])
def test_any_other_user_may_be_called_a_bot(user: str) -> None:
    assert read_user({"id": user}) == user
