"""Authentication: which tokens are accepted, and the identity they give."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Coroutine, Mapping
from typing import Any

import jwt
import pytest
from aiohttp.test_utils import make_mocked_request
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from service.edge.auth import (
    AuthenticationError,
    Authenticator,
    FixedKey,
    Identity,
    Issuer,
    token_of,
)
from service.settings import Settings, load_settings

SECRET = "a-secret-that-is-long-enough-" * 3

PRIVATE_KEYS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def settings(**others: Any) -> Settings:
    return load_settings({"JWT_SECRET": SECRET, **others})


def signed(claims: Mapping[str, Any], algorithm: str = "HS256", key: Any = SECRET) -> str:
    return jwt.encode(dict(claims), key, algorithm=algorithm)


def door(*issuers: Issuer, **others: Any) -> Authenticator:
    """Make the authenticator, for `issuers` or for the one in the settings."""
    given = settings(**others).tokens
    fixed = Issuer(
        keys=FixedKey(given.public_key_pem or SECRET),
        name=given.issuer,
        audience=given.audience,
    )
    return Authenticator(issuers or (fixed,), given)


def at_once(check: Coroutine[Any, Any, Identity]) -> Identity:
    """Return what a check answers; with keys that are there it waits for nothing."""
    try:
        check.send(None)
    except StopIteration as done:
        found: Identity = done.value
        return found
    raise AssertionError("it waits for something")


def outcome(authenticator: Authenticator, token: str | None) -> Identity | AuthenticationError:
    try:
        return at_once(authenticator.check(token))
    except AuthenticationError as error:
        return error


def identify(token: str | None, *issuers: Issuer, **others: Any) -> tuple[int | str, str | None]:
    """Return who has a token; those that have accepted other tokens before must say the same.

    So must they without waiting.
    """
    found = outcome(door(*issuers, **others), token)
    if token is not None:
        immediate = door(*issuers, **others).check_at_once(token)
        assert immediate == (None if isinstance(found, AuthenticationError) else found)
    warm = door(*issuers, **others)
    for claims in ({}, {"iss": "games", "aud": "games"}):
        outcome(warm, signed({"id": 1, **claims}))
        outcome(warm, signed({"id": 1, **claims}, key=FORMER))
    for _ in range(2):
        again = outcome(warm, token)
        assert (type(again), str(again)) == (type(found), str(found))
    if isinstance(found, AuthenticationError):
        raise found
    return found.user, found.name


def refused(token: str | None, *issuers: Issuer, **others: Any) -> tuple[str, str]:
    """Return the reason and the code with which a token is refused."""
    with pytest.raises(AuthenticationError) as error:
        identify(token, *issuers, **others)
    return error.value.message, error.value.error_code


MISSING = ("Missing token", "MISSING_WEBSOCKET_TOKEN")
INVALID = ("Invalid or expired token", "INVALID_WEBSOCKET_TOKEN")
NOBODY = ("Invalid token payload", "INVALID_TOKEN_PAYLOAD")


def part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def by_hand(header: Mapping[str, Any], claims: Mapping[str, Any], key: bytes | None) -> str:
    """Make a token as an attacker would, without checks; HS256 unless there is no key."""
    content = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}"
    if key is None:
        return f"{content}."
    return f"{content}.{part(hmac.new(key, content.encode(), hashlib.sha256).digest())}"


def public_pem(algorithm: str) -> str:
    public: bytes = (
        PRIVATE_KEYS[algorithm]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return public.decode()


def test_a_valid_token_identifies_its_user() -> None:
    assert identify(signed({"id": 7, "name": "Ana"})) == (7, "Ana")


@pytest.mark.parametrize("token", [None, ""])
def test_a_missing_token_is_refused_as_missing(token: str | None) -> None:
    assert refused(token) == MISSING


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b",
        "a.b.c",
        "...",
        "\u00e9.\u00e9.\u00e9",
        # What aiohttp makes of a header that is not UTF-8.
        "\udcff.a.b",
        part(b"[]") + ".e30.x",
        part(b"[" * 20_000) + ".e30.x",
        part(b'{"alg":[]}') + ".e30.eA",
        part(b'{"alg":"HS256","kid":5}') + ".e30.eA",
        part(b'{"alg":"HS256","crit":["x"]}') + ".e30.eA",
        signed({"id": 7}, key="another-secret-that-is-long-enough"),
        signed({"id": 7})[:-2],
        signed({"id": 7}, algorithm="HS512"),
    ],
)
def test_a_token_signed_with_another_secret_is_refused(token: str) -> None:
    assert refused(token) == INVALID


def test_the_library_decodes_only_the_first_token_of_an_issuer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoded: list[str] = []
    decode = jwt.decode

    def note(token: str, *arguments: Any, **options: Any) -> Any:
        decoded.append(token)
        return decode(token, *arguments, **options)

    monkeypatch.setattr(jwt, "decode", note)
    authenticator = door()
    tokens = [signed({"id": user}) for user in (7, 8, 9)]
    assert [at_once(authenticator.check(token)).user for token in tokens] == [7, 8, 9]
    assert decoded == tokens[:1]
    with pytest.raises(AuthenticationError):
        at_once(authenticator.check(tokens[1][:-1]))
    assert decoded == [tokens[0], tokens[1][:-1]]


@pytest.mark.parametrize("junk", ["==", "===", "!", "\n", "."])
def test_what_the_encoding_ignores_is_refused_however_well_signed(junk: str) -> None:
    header, payload, _ = signed({"id": 7}).split(".")
    content = f"{header}.{payload}{junk}"
    mac = hmac.digest(SECRET.encode(), content.encode(), "sha256")
    assert refused(f"{content}.{part(mac)}") == INVALID


@pytest.mark.parametrize("payload", [b"[7]", b'"7"', b"{", b"\xff", b"[" * 100_000, b""])
def test_a_payload_that_is_no_object_is_refused_however_well_signed(payload: bytes) -> None:
    content = f"{signed({}).split('.')[0]}.{part(payload)}"
    mac = hmac.digest(SECRET.encode(), content.encode(), "sha256")
    assert refused(f"{content}.{part(mac)}") == INVALID


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", ""])
def test_an_unsigned_token_is_refused(name: str) -> None:
    assert refused(by_hand({"alg": name, "typ": "JWT"}, {"id": 7}, None)) == INVALID
    assert refused(by_hand({"alg": name, "typ": "JWT"}, {"id": 7}, SECRET.encode())) == INVALID


def test_a_hand_made_token_with_the_right_secret_is_accepted() -> None:
    """So what the tests around this one make is refused for its reason alone."""
    assert identify(by_hand({"alg": "HS256"}, {"id": 7}, SECRET.encode())) == (7, None)


@pytest.mark.parametrize("algorithm", PRIVATE_KEYS)
def test_a_token_may_be_signed_with_a_private_key(algorithm: str) -> None:
    public = {"JWT_ALGORITHMS": (algorithm,), "JWT_PUBLIC_KEY": public_pem(algorithm)}
    token = signed({"id": 7}, algorithm, PRIVATE_KEYS[algorithm])
    assert identify(token, **public) == (7, None)
    assert refused(signed({"id": 7}), **public) == INVALID
    assert refused(token) == INVALID


@pytest.mark.parametrize("algorithm", PRIVATE_KEYS)
def test_a_token_signed_with_the_public_key_as_secret_is_refused(algorithm: str) -> None:
    pem = public_pem(algorithm)
    forged = by_hand({"alg": "HS256"}, {"id": 7}, pem.encode())
    assert refused(forged, JWT_ALGORITHMS=(algorithm,), JWT_PUBLIC_KEY=pem) == INVALID
    forged = by_hand({"alg": algorithm}, {"id": 7}, pem.encode())
    assert refused(forged, JWT_ALGORITHMS=(algorithm,), JWT_PUBLIC_KEY=pem) == INVALID


@pytest.mark.parametrize("algorithm", PRIVATE_KEYS)
def test_a_token_signed_with_another_private_key_is_refused(algorithm: str) -> None:
    others = {"RS256": "ES256", "ES256": "EdDSA", "EdDSA": "RS256"}
    other = others[algorithm]
    token = signed({"id": 7}, other, PRIVATE_KEYS[other])
    public = {"JWT_ALGORITHMS": (algorithm,), "JWT_PUBLIC_KEY": public_pem(algorithm)}
    assert refused(token, **public) == INVALID


def test_token_times_are_checked_with_a_leeway() -> None:
    now = time.time()
    assert identify(signed({"id": 7, "exp": now - 5, "nbf": now + 5}), JWT_LEEWAY_S=30) == (7, None)
    assert refused(signed({"id": 7, "exp": now - 60}), JWT_LEEWAY_S=30) == INVALID
    assert refused(signed({"id": 7, "nbf": now + 60}), JWT_LEEWAY_S=30) == INVALID
    assert refused(signed({"id": 7, "exp": now - 2}), JWT_LEEWAY_S=0) == INVALID


@pytest.mark.parametrize("exp", ["soon", float("inf"), [], {}])
def test_a_time_claim_of_the_wrong_type_is_refused(exp: object) -> None:
    assert refused(by_hand({"alg": "HS256"}, {"id": 7, "exp": exp}, SECRET.encode())) == INVALID


@pytest.mark.parametrize(
    ("setting", "claim"), [("JWT_AUDIENCE", "aud"), ("JWT_ISSUER", "iss")], ids=["aud", "iss"]
)
def test_audience_and_issuer_are_checked_when_they_are_configured(setting: str, claim: str) -> None:
    assert identify(signed({"id": 7, claim: "games"}), **{setting: "games"}) == (7, None)
    assert refused(signed({"id": 7, claim: "shop"}), **{setting: "games"}) == INVALID
    assert refused(signed({"id": 7}), **{setting: "games"}) == INVALID
    assert identify(signed({"id": 7, claim: "anything"})) == (7, None)


class SeveralKeys:
    """A source that gives some keys, the newest first."""

    def __init__(self, *keys: str) -> None:
        self._keys = keys

    async def candidates(self, token: str) -> tuple[str, ...]:
        return self.known(token)

    def known(self, _token: str) -> tuple[str, ...]:
        return self._keys


FORMER = "the-secret-that-stood-there-until-lately"


def test_a_previous_secret_is_accepted_while_its_source_returns_it() -> None:
    rotated = Issuer(keys=SeveralKeys(SECRET, FORMER))
    assert identify(signed({"id": 7}), rotated) == (7, None)
    assert identify(signed({"id": 7}, key=FORMER), rotated) == (7, None)
    assert refused(signed({"id": 7, "exp": 1}, key=FORMER), rotated) == INVALID
    assert refused(signed({"id": 7, "exp": 1}), rotated) == INVALID
    assert refused(signed({"id": 7}, key="another-secret-that-is-long-enough"), rotated) == INVALID


def test_an_unknown_key_has_its_own_error_code() -> None:
    unknown = ("Invalid or expired token", "UNKNOWN_TOKEN_KEY")
    assert refused(signed({"id": 7}), Issuer(keys=SeveralKeys())) == unknown


def test_each_issuer_is_checked_with_its_own_key() -> None:
    issuers = (
        Issuer(keys=FixedKey(SECRET), name="ours", audience="games"),
        Issuer(keys=FixedKey(FORMER), name="theirs"),
    )
    ours = {"id": 7, "iss": "ours", "aud": ["games", "shop"]}
    theirs = {"id": 8, "iss": "theirs"}
    assert identify(signed(ours), *issuers) == (7, None)
    assert identify(signed(theirs, key=FORMER), *issuers) == (8, None)
    assert refused(signed(ours, key=FORMER), *issuers) == INVALID
    assert refused(signed(theirs), *issuers) == INVALID
    assert refused(signed({**ours, "aud": "shop"}), *issuers) == INVALID


@pytest.mark.parametrize("iss", [None, "", "nobody", 7, ["ours"], {}])
def test_an_unknown_issuer_is_refused(iss: object) -> None:
    issuers = [Issuer(keys=FixedKey(SECRET), name=name) for name in ("ours", "theirs")]
    token = by_hand({"alg": "HS256"}, {"id": 7, "iss": iss}, SECRET.encode())
    assert refused(token, *issuers) == INVALID


@pytest.mark.parametrize("token", ["x", "a.b.c", "\udcff.a.b", part(b"[" * 20_000) + ".e30.x"])
def test_a_malformed_token_is_refused_with_several_issuers(token: str) -> None:
    issuers = [Issuer(keys=FixedKey(SECRET), name=name) for name in ("ours", "theirs")]
    assert refused(token, *issuers) == INVALID


@pytest.mark.parametrize(
    ("claims", "user"),
    [
        ({"id": 1, "userId": 2, "userID": 3, "sub": "4"}, 1),
        ({"userId": 2, "userID": 3, "sub": "4"}, 2),
        ({"userID": 3, "sub": "4"}, 3),
        ({"sub": "4"}, 4),
        ({"sub": 4}, 4),
        ({"id": None, "sub": "ana"}, "ana"),
        ({"id": "42"}, 42),
        ({"id": "042"}, "042"),
        ({"id": "9007199254740991"}, 9007199254740991),
        ({"id": "9007199254740992"}, "9007199254740992"),
        ({"id": "x" * 128}, "x" * 128),
    ],
)
def test_the_user_id_is_the_first_present_claim(claims: Mapping[str, Any], user: int | str) -> None:
    assert identify(signed(claims))[0] == user


@pytest.mark.parametrize(
    "id_", [0, -1, 1.0, 7.5, 1e400, 2**53, True, False, "", "x" * 129, [], {}, [7], "\ud800"]
)
def test_an_invalid_id_claim_is_refused_without_falling_back(id_: object) -> None:
    token = by_hand({"alg": "HS256"}, {"id": id_, "sub": "ana"}, SECRET.encode())
    assert refused(token) == NOBODY


@pytest.mark.parametrize("claims", [{}, {"name": "Ana"}, {"id": None, "sub": None}])
def test_a_token_without_a_user_is_refused(claims: Mapping[str, Any]) -> None:
    assert refused(signed(claims)) == NOBODY


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": "Ana", "username": "ana", "email": "a@example.org"}, "Ana"),
        ({"username": "ana", "email": "a@example.org"}, "ana"),
        # Names are public: an email address is one only if the settings list its claim.
        ({"email": "a@example.org"}, None),
        ({"name": "", "username": "  ", "email": "a@example.org"}, None),
        ({"name": 7, "username": "ana"}, "ana"),
        ({"name": "\u202e\u200b", "username": "ana"}, "ana"),
        ({"name": "\ud800Ana"}, "Ana"),
        ({"name": "x" * 100}, "x" * 64),
        ({}, None),
    ],
)
def test_the_name_is_the_first_visible_claim(claims: Mapping[str, Any], name: str | None) -> None:
    token = by_hand({"alg": "HS256"}, {"id": 7, **claims}, SECRET.encode())
    assert identify(token) == (7, name)


@pytest.mark.parametrize(
    ("path", "headers", "token"),
    [
        ("/?token=abc", {}, "abc"),
        ("/ws?x=1&token=a.b-c_d", {}, "a.b-c_d"),
        ("/", {"Authorization": "Bearer abc"}, "abc"),
        ("/", {"Authorization": "bearer  abc "}, "abc"),
        ("/", {"Authorization": "Basic abc"}, None),
        ("/", {"Authorization": "Bearer"}, None),
        ("/", {"Sec-WebSocket-Protocol": "ws-service.v1, bearer.abc"}, "abc"),
        ("/", {"Sec-WebSocket-Protocol": "bearer.abc,ws-service.classic"}, "abc"),
        ("/", {"Sec-WebSocket-Protocol": "ws-service.v1"}, None),
        ("/?token=query", {"Authorization": "Bearer header"}, "query"),
        ("/?token=", {"Authorization": "Bearer header"}, "header"),
        ("/", {}, None),
    ],
)
def test_a_token_is_read_from_query_header_or_subprotocol(
    path: str, headers: dict[str, str], token: str | None
) -> None:
    assert token_of(make_mocked_request("GET", path, headers=headers)) == token
