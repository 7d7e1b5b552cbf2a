"""The keys that are used from a published key set."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from service.integrations.http import NoResponse
from service.integrations.jwks import read_keys
from tests.identity_provider import SigningKey

ALL = ("RS256", "RS512", "ES256", "ES384", "EdDSA")


@pytest.fixture(scope="module")
def rsa_key() -> SigningKey:
    return SigningKey("r", "RS256")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "ES384", "EdDSA"])
def test_a_key_is_found_by_its_id_and_algorithm_and_for_tokens_without_an_id(
    algorithm: str,
) -> None:
    key = SigningKey("k", algorithm)

    found = read_keys({"keys": [key.jwk()]}, ALL)

    assert found.keys() == {("k", algorithm), (None, algorithm)}
    for keys in found.values():
        assert jwt.decode(key.sign(), keys[0])["id"] == 7


def test_a_key_without_alg_fits_all_algorithms_of_its_type(rsa_key: SigningKey) -> None:
    rsa_jwk, ec_jwk = rsa_key.jwk(), SigningKey("e", "ES256").jwk()
    del rsa_jwk["alg"], ec_jwk["alg"]

    found = read_keys({"keys": [rsa_jwk, ec_jwk]}, ALL)

    assert {index for index in found if index[0]} == {
        ("r", "RS256"),
        ("r", "RS512"),
        # Its curve belongs to one algorithm.
        ("e", "ES256"),
    }


def test_two_keys_may_have_one_id(rsa_key: SigningKey) -> None:
    other = SigningKey("r", "RS256")

    found = read_keys({"keys": [rsa_key.jwk(), other.jwk()]}, ALL)

    assert len(found["r", "RS256"]) == 2


def test_a_key_without_an_id_is_only_for_tokens_without_one(rsa_key: SigningKey) -> None:
    jwk = rsa_key.jwk()
    del jwk["kid"]

    assert read_keys({"keys": [jwk]}, ALL).keys() == {(None, "RS256")}


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"alg": "RS384"},
        {"alg": "none"},
        {"alg": "HS256"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "EC"},
        {"kty": 7},
        {"kid": ["r"]},
        {"n": "!"},
        {"n": ""},
        {"n": None},
        {"e": "AA"},
        {"d": "AQ"},
    ],
)
def test_an_unusable_key_is_skipped(rsa_key: SigningKey, change: dict[str, Any]) -> None:
    good = SigningKey("e", "ES256")

    found = read_keys({"keys": [rsa_key.jwk(**change), "rubbish", None, good.jwk()]}, ALL)

    assert found.keys() == {("e", "ES256"), (None, "ES256")}


def test_a_symmetric_key_is_never_used(rsa_key: SigningKey) -> None:
    secret = {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQ", "kid": "s"}

    found = read_keys({"keys": [secret, {**secret, "alg": "HS256"}, rsa_key.jwk()]}, ALL)

    assert found.keys() == {("r", "RS256"), (None, "RS256")}


@pytest.mark.parametrize("body", [None, [], "x", {}, {"keys": {}}, {"keys": []}, {"keys": [7]}])
def test_a_set_without_keys_is_an_error(body: object) -> None:
    with pytest.raises(NoResponse, match="no key"):
        read_keys(body, ALL)
