"""Published keys, from a real server that rotates them, fails, is slow, or is down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from service.edge.auth import AuthenticationError, Authenticator, Issuer
from service.integrations.http import RESPONSE_BYTES_MAX
from service.integrations.jwks import Jwks
from service.settings.kinds import Algorithm
from service.settings.sections.tokens import JwksTimes, TokenSettings
from tests.identity_provider import Provider, SigningKey, forge

ALGORITHMS: tuple[Algorithm, ...] = ("RS256", "ES256", "EdDSA")
TIMES = JwksTimes(refresh_s=300, cooldown_s=10, timeout_s=5)


class Clock:
    """A clock that the test advances."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    await provider.start()
    yield provider
    provider.released.set()
    await provider.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def jwks_of(provider: Provider, clock: Clock, times: JwksTimes = TIMES) -> Jwks:
    return Jwks(provider.url, ALGORITHMS, times, clock=clock)


def authenticator(*issuers: Issuer) -> Authenticator:
    return Authenticator(
        issuers, TokenSettings(algorithms=ALGORITHMS, leeway_s=0, name_claims=("name",))
    )


async def refusal(door: Authenticator, token: str) -> str:
    with pytest.raises(AuthenticationError) as caught:
        await door.check(token)
    assert caught.value.message == "Invalid or expired token"
    return caught.value.error_code


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_token_of_each_kind_is_checked_with_the_published_key(
    provider: Provider, clock: Clock, algorithm: str
) -> None:
    key, stranger = SigningKey("k", algorithm), SigningKey("k", algorithm)
    provider.publish(key)
    jwks = jwks_of(provider, clock)
    await jwks.start()
    door = authenticator(Issuer(keys=jwks))

    assert (await door.check(key.sign(name="Ana"))).name == "Ana"
    assert door.check_at_once(key.sign(name="Ana")) is not None
    assert door.check_at_once(stranger.sign()) is None
    assert await refusal(door, stranger.sign()) == "INVALID_WEBSOCKET_TOKEN"
    assert await refusal(door, key.sign(exp=1)) == "INVALID_WEBSOCKET_TOKEN"
    assert provider.requests == 1


async def test_a_key_that_has_to_be_fetched_is_not_waited_for_where_that_is_impossible(
    provider: Provider, clock: Clock
) -> None:
    key = SigningKey("k", "ES256")
    provider.publish(key)
    door = authenticator(Issuer(keys=jwks_of(provider, clock)))

    assert door.check_at_once(key.sign()) is None
    assert provider.requests == 0
    identity = await door.check(key.sign())
    assert door.check_at_once(key.sign()) == identity
    assert door.check_at_once(SigningKey("other", "ES256").sign()) is None
    assert provider.requests == 1


async def test_a_token_without_a_key_id_is_checked_with_every_key_of_its_algorithm(
    provider: Provider, clock: Clock
) -> None:
    keys = [SigningKey(None, "ES256"), SigningKey(None, "ES256"), SigningKey("k", "ES256")]
    provider.publish(*keys)
    jwks = jwks_of(provider, clock)
    await jwks.start()
    door = authenticator(Issuer(keys=jwks))

    for key in keys:
        assert (await door.check(key.sign())).user == 7
    assert await refusal(door, SigningKey(None, "ES256").sign()) == "INVALID_WEBSOCKET_TOKEN"


# Rotation


async def test_an_unknown_key_id_triggers_a_fetch(provider: Provider, clock: Clock) -> None:
    old, new = SigningKey("old", "ES256"), SigningKey("new", "EdDSA")
    provider.publish(old)
    jwks = jwks_of(provider, clock)
    await jwks.start()
    door = authenticator(Issuer(keys=jwks))
    provider.publish(old, new)

    clock.now_s = TIMES.cooldown_s
    assert (await door.check(new.sign())).user == 7
    assert (await door.check(old.sign())).user == 7
    assert provider.requests == 2


async def test_a_withdrawn_key_is_no_longer_accepted(provider: Provider, clock: Clock) -> None:
    old, new = SigningKey("old", "ES256"), SigningKey("new", "ES256")
    provider.publish(old)
    jwks = jwks_of(provider, clock)
    await jwks.start()
    door = authenticator(Issuer(keys=jwks))
    provider.publish(new)

    await jwks.fetch()

    assert await refusal(door, old.sign()) == "UNKNOWN_TOKEN_KEY"
    assert (await door.check(new.sign())).user == 7


async def test_keys_are_refreshed_periodically(provider: Provider, clock: Clock) -> None:
    key = SigningKey("k", "ES256")
    provider.publish(key)
    jwks = jwks_of(provider, clock, JwksTimes(refresh_s=0.02, cooldown_s=0.01, timeout_s=5))
    await jwks.start()
    provider.asked.clear()

    following = asyncio.create_task(jwks.run())

    await provider.asked.wait()
    following.cancel()


# Unknown keys


async def test_unknown_keys_cause_one_fetch_per_cooldown(provider: Provider, clock: Clock) -> None:
    key, unknown = SigningKey("k", "ES256"), SigningKey("u", "ES256")
    provider.publish(key)
    jwks = jwks_of(provider, clock)
    await jwks.start()
    door = authenticator(Issuer(keys=jwks))

    assert await refusal(door, unknown.sign()) == "UNKNOWN_TOKEN_KEY"
    assert provider.requests == 1

    clock.now_s = TIMES.cooldown_s
    tokens = [SigningKey(f"u{number}", "ES256").sign() for number in range(20)]
    codes = await asyncio.gather(*(refusal(door, token) for token in tokens))
    assert set(codes) == {"UNKNOWN_TOKEN_KEY"}
    assert provider.requests == 2

    assert await refusal(door, unknown.sign()) == "UNKNOWN_TOKEN_KEY"
    assert provider.requests == 2


async def test_a_slow_key_source_delays_only_tokens_with_unknown_keys(
    provider: Provider, clock: Clock
) -> None:
    key, new = SigningKey("k", "ES256"), SigningKey("new", "ES256")
    provider.publish(key)
    jwks = jwks_of(provider, clock)
    await jwks.start()
    door = authenticator(Issuer(keys=jwks))
    provider.publish(key, new)
    provider.behaviour = provider.silent
    provider.asked.clear()
    clock.now_s = TIMES.cooldown_s

    first, second = (asyncio.create_task(door.check(new.sign())) for _ in range(2))
    await provider.asked.wait()
    assert (await door.check(key.sign())).user == 7
    assert not first.done()

    # One of those who wait goes away; the other one still gets the answer.
    first.cancel()
    provider.released.set()
    assert (await second).user == 7
    assert provider.requests == 2


async def test_a_key_source_that_never_answers_times_out(provider: Provider, clock: Clock) -> None:
    provider.behaviour = provider.silent
    jwks = jwks_of(provider, clock, JwksTimes(refresh_s=300, cooldown_s=10, timeout_s=0.1))

    with capture_logs() as logs:
        await jwks.start()

    assert [line["metadata"]["reason"] for line in logs] == ["no answer within 0.1 s"]


# Failures


RUBBISH = {
    "no JSON": "<html>",
    "no text": b"\xff\xfe",
    "deep": "[" * 100_000,
    "no keys": {"keys": []},
    "a secret": {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "k", "alg": "ES256"}]},
    "too much": "x" * (RESPONSE_BYTES_MAX + 1),
    "nothing": "",
}


@pytest.mark.parametrize("body", RUBBISH.values(), ids=RUBBISH.keys())
async def test_an_invalid_key_set_is_logged_and_known_keys_stay(
    provider: Provider, clock: Clock, body: object
) -> None:
    key = SigningKey("k", "ES256")
    provider.publish(key)
    jwks = jwks_of(provider, clock)
    await jwks.start()
    door = authenticator(Issuer(keys=jwks))
    provider.behaviour = provider.saying(body)
    clock.now_s = TIMES.cooldown_s

    with capture_logs() as logs:
        assert await refusal(door, SigningKey("u", "ES256").sign()) == "UNKNOWN_TOKEN_KEY"

    assert [line["error_code"] for line in logs] == ["JWKS_READ_ERROR"]
    assert logs[0]["error_type"] == "external_service_error"
    assert len(logs[0]["metadata"]["reason"]) < 200
    assert (await door.check(key.sign())).user == 7


async def test_known_keys_stay_when_the_source_fails(provider: Provider, clock: Clock) -> None:
    key, new = SigningKey("k", "ES256"), SigningKey("new", "ES256")
    provider.publish(key)
    jwks = jwks_of(provider, clock)
    await jwks.start()
    door = authenticator(Issuer(keys=jwks))
    provider.publish(key, new)

    provider.behaviour = provider.broken
    with capture_logs() as logs:
        await jwks.fetch()
    assert logs[0]["metadata"]["reason"] == "HTTP 500"
    await provider.stop()
    with capture_logs() as logs:
        await jwks.fetch()
    assert logs[0]["metadata"]["reason"].startswith("no connection: ")
    assert (await door.check(key.sign())).user == 7

    provider.behaviour = provider.publishing
    await provider.start()
    clock.now_s = TIMES.cooldown_s
    assert (await door.check(new.sign())).user == 7


async def test_a_key_source_that_is_down_at_start_is_retried(
    provider: Provider, clock: Clock
) -> None:
    key = SigningKey("k", "ES256")
    provider.publish(key)
    await provider.stop()
    jwks = jwks_of(provider, clock)
    await jwks.start()
    door = authenticator(Issuer(keys=jwks))
    assert await refusal(door, key.sign()) == "UNKNOWN_TOKEN_KEY"

    await provider.start()
    clock.now_s = TIMES.cooldown_s

    assert (await door.check(key.sign())).user == 7


async def test_a_redirect_is_not_followed(provider: Provider, clock: Clock) -> None:
    provider.publish(SigningKey("k", "ES256"))
    provider.behaviour = provider.moved

    with capture_logs() as logs:
        await jwks_of(provider, clock).start()

    assert logs[0]["error_code"] == "JWKS_READ_ERROR"
    assert provider.requests == 1


# Confusion


async def test_alg_none_and_hs256_with_a_public_key_are_refused_without_a_fetch(
    provider: Provider, clock: Clock
) -> None:
    key = SigningKey("k", "RS256")
    provider.publish(key)
    jwks = jwks_of(provider, clock)
    await jwks.start()
    clock.now_s = TIMES.cooldown_s
    door = authenticator(Issuer(keys=jwks))

    for secret, algorithm in ((b"", "none"), (key.pem(), "HS256"), (b"", "HS256")):
        token = forge(secret, alg=algorithm, kid="k")
        assert await refusal(door, token) == "INVALID_WEBSOCKET_TOKEN"

    assert provider.requests == 1


async def test_a_key_for_another_algorithm_is_not_used(provider: Provider, clock: Clock) -> None:
    key, other = SigningKey("k", "ES256"), SigningKey("k", "EdDSA")
    provider.publish(key)
    jwks = jwks_of(provider, clock)
    await jwks.start()

    assert await refusal(authenticator(Issuer(keys=jwks)), other.sign()) == "UNKNOWN_TOKEN_KEY"


# Several issuers


async def test_each_issuer_is_checked_with_its_own_keys_and_audience(clock: Clock) -> None:
    ours, theirs = Provider("ours"), Provider("theirs")
    keys = {one.name: SigningKey("same-id", "ES256") for one in (ours, theirs)}
    issuers = []
    for one in (ours, theirs):
        one.publish(keys[one.name])
        await one.start()
        jwks = jwks_of(one, clock)
        await jwks.start()
        issuers.append(Issuer(keys=jwks, name=one.name, audience=f"aud-{one.name}"))
    door = authenticator(*issuers)

    for name in ("ours", "theirs"):
        assert (await door.check(keys[name].sign(iss=name, aud=f"aud-{name}"))).user == 7
    for key, issuer, audience in (
        ("ours", "theirs", "aud-theirs"),
        ("ours", "ours", "aud-theirs"),
        ("ours", "nobody", "aud-ours"),
    ):
        token = keys[key].sign(iss=issuer, aud=audience)
        assert await refusal(door, token) == "INVALID_WEBSOCKET_TOKEN"
    assert await refusal(door, keys["ours"].sign(aud="aud-ours")) == "INVALID_WEBSOCKET_TOKEN"
    assert await refusal(door, keys["ours"].sign(iss="ours")) == "INVALID_WEBSOCKET_TOKEN"
    assert await refusal(door, "rubbish") == "INVALID_WEBSOCKET_TOKEN"

    # The failure of one issuer does not affect the other.
    await theirs.stop()
    clock.now_s = TIMES.cooldown_s
    strange = SigningKey("unknown", "ES256").sign(iss="theirs", aud="aud-theirs")
    assert await refusal(door, strange) == "UNKNOWN_TOKEN_KEY"
    assert (await door.check(keys["ours"].sign(iss="ours", aud="aud-ours"))).user == 7
    await ours.stop()
