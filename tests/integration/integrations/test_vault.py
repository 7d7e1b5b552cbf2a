"""The secret from Vault, against a real OpenBao."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from structlog.testing import capture_logs

from service.errors import ConfigurationError
from service.integrations.vault import AppRole, Vault, VaultError, VaultForbidden, VaultToken
from service.integrations.vault_secret import VaultSecret
from service.settings import checks
from service.settings.sections.tokens import VaultSettings
from tests.openbao import ROLE_ID, ROOT, SECRET_ID, OpenBao

PATH = "secret/data/jwt"
KEY = "JWT_SECRET"
FIRST = "the-first-secret-of-the-tests-of-forty-bytes"
SECOND = "the-second-secret-of-the-tests-of-forty-bytes"
THIRD = "the-third-secret-of-the-tests-of-forty-bytes"
GRACE_S = 3600.0

BY_ROLE = AppRole(ROLE_ID, SECRET_ID)


class Clock:
    """A clock that the test advances."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.now_s)


def client(
    openbao: OpenBao, credentials: VaultToken | AppRole, clock: Callable[[], float] | None = None
) -> Vault:
    return Vault(openbao.address, credentials, timeout_s=5, clock=clock or Clock())


def secret_of(
    openbao: OpenBao,
    credentials: VaultToken | AppRole | None = None,
    clock: Clock | None = None,
    taken: Callable[[str], None] = lambda _secret: None,
    **rules: Any,
) -> VaultSecret:
    """Create a poller of the secret; `taken` is called with each new one."""

    def weaknesses(new: str) -> list[str]:
        taken(new)
        return checks.weaknesses(("HS256",), new)

    clock = clock or Clock()
    given = {
        "path": PATH,
        "key": KEY,
        "poll_s": 60,
        "grace_s": GRACE_S,
        "start_timeout_s": 0,
    }
    return VaultSecret(
        client(openbao, credentials or VaultToken(ROOT), clock),
        VaultSettings(**{**given, **rules}),
        weaknesses=weaknesses,
        clock=clock,
        now=clock.now,
    )


async def reason(reading: Any) -> str:
    with pytest.raises(VaultError) as caught:
        await reading
    return caught.value.message


# Reading


async def test_a_token_reads_the_secret(openbao: OpenBao) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    vault = client(openbao, VaultToken(await openbao.make_token()))

    assert (await vault.read(PATH, KEY)).value == FIRST


async def test_an_approle_reads_the_secret(openbao: OpenBao) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    await openbao.make_role()

    assert (await client(openbao, BY_ROLE).read(PATH, KEY)).value == FIRST


async def test_an_older_version_can_be_read(openbao: OpenBao) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    await openbao.put(PATH, JWT_SECRET=SECOND)
    vault = client(openbao, VaultToken(ROOT))

    newest = await vault.read(PATH, KEY)

    assert (newest.value, newest.number) == (SECOND, 2)
    assert (await vault.read(PATH, KEY, 1)).value == FIRST


async def test_a_missing_path_or_key_is_named(openbao: OpenBao) -> None:
    await openbao.put(PATH, OTHER=FIRST, NUMBER=7)
    vault = client(openbao, VaultToken(ROOT))

    assert (
        await reason(vault.read("secret/data/none", KEY))
        == "there is no secret at secret/data/none"
    )
    no_text = "secret/data/jwt has no text under {} (is it KV version 2?)"
    assert await reason(vault.read(PATH, KEY)) == no_text.format(KEY)
    assert await reason(vault.read(PATH, "NUMBER")) == no_text.format("NUMBER")


async def test_a_deleted_secret_counts_as_missing(openbao: OpenBao) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    await openbao.call("DELETE", PATH)

    told = await reason(client(openbao, VaultToken(ROOT)).read(PATH, KEY))

    assert told == "there is no secret at secret/data/jwt"


async def test_a_token_without_read_permission_is_refused(openbao: OpenBao) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    token = await openbao.make_token(policies=["default"])

    told = await reason(client(openbao, VaultToken(token)).read(PATH, KEY))

    assert told.startswith("HTTP 403 at secret/data/jwt: ")
    assert "permission denied" in told
    assert token not in told


async def test_an_unknown_token_is_refused(openbao: OpenBao) -> None:
    with pytest.raises(VaultForbidden):
        await client(openbao, VaultToken("nobody-made-this")).read(PATH, KEY)


async def test_a_wrong_secret_id_is_refused_and_not_shown(openbao: OpenBao) -> None:
    await openbao.make_role()

    told = await reason(client(openbao, AppRole(ROLE_ID, "wrong-secret-id")).read(PATH, KEY))

    assert told == "HTTP 400 at auth/approle/login: invalid role or secret ID"


async def test_a_sealed_vault_is_named(openbao: OpenBao) -> None:
    await openbao.seal()

    told = await reason(client(openbao, VaultToken(ROOT)).read(PATH, KEY))

    assert told.startswith("HTTP 503 at ")
    assert "sealed" in told


async def test_a_vault_that_is_down_is_named(openbao: OpenBao) -> None:
    openbao.kill()

    told = await reason(client(openbao, VaultToken(ROOT)).read(PATH, KEY))

    assert told.startswith("no connection: ")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("<html>", "HTTP 200 without JSON"),
        ("", "not a response of Vault: "),
        ("[]", "not a response of Vault: "),
        ('{"data": {"ttl": "soon"}}', "not a response of Vault: "),
        ('{"auth": null}', "not a response of Vault: "),
    ],
)
@pytest.mark.parametrize("credentials", [VaultToken(ROOT), BY_ROLE], ids=["token", "role"])
async def test_a_server_that_is_not_vault_is_named(
    credentials: VaultToken | AppRole, body: str, told: str
) -> None:
    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=body, content_type="application/json")

    async with RawTestServer(answer) as server:
        vault = Vault(str(server.make_url("/")), credentials, timeout_s=5, clock=Clock())
        assert (await reason(vault.read(PATH, KEY))).startswith(told)


async def test_a_failing_gateway_before_vault_is_named() -> None:
    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"message": "bad gateway"}, status=502)

    async with RawTestServer(answer) as server:
        vault = Vault(str(server.make_url("/")), BY_ROLE, timeout_s=5, clock=Clock())
        told = await reason(vault.read(PATH, KEY))

    assert told == "HTTP 502 at auth/approle/login: no reason given"


def test_credentials_are_masked_when_printed() -> None:
    assert repr(VaultToken(ROOT)) == "VaultToken()"
    assert repr(BY_ROLE) == f"AppRole({ROLE_ID!r})"


# The client's own token


async def test_a_token_is_renewed_before_it_expires(openbao: OpenBao) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    token = await openbao.make_token(ttl="1h")
    clock = Clock()
    vault = client(openbao, VaultToken(token), clock)
    await vault.read(PATH, KEY)
    assert 2390 <= vault.renew_in_s <= 2400
    assert not await openbao.was_renewed(token)

    clock.now_s = 2400
    await vault.read(PATH, KEY)

    assert await openbao.was_renewed(token)
    assert 2390 <= vault.renew_in_s <= 2400


async def test_a_token_without_expiry_is_not_renewed(openbao: OpenBao) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    vault = client(openbao, VaultToken(ROOT))

    await vault.read(PATH, KEY)

    assert vault.renew_in_s == float("inf")


async def test_a_token_without_lookup_permission_still_reads(openbao: OpenBao) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    token = await openbao.make_token(no_default_policy=True)
    vault = client(openbao, VaultToken(token))

    assert (await vault.read(PATH, KEY)).value == FIRST
    assert vault.renew_in_s == float("inf")


async def test_a_failed_renewal_is_logged_and_reading_continues(
    openbao: OpenBao,
) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    await openbao.call(
        "POST",
        "sys/policies/acl/look",
        {"policy": 'path "auth/token/lookup-self" { capabilities = ["read"] }'},
    )
    token = await openbao.make_token(policies=["jwt", "look"], no_default_policy=True, ttl="1h")
    clock = Clock()
    vault = client(openbao, VaultToken(token), clock)
    await vault.read(PATH, KEY)

    clock.now_s = 2400
    with capture_logs() as logs:
        assert (await vault.read(PATH, KEY)).value == FIRST

    (line,) = logs
    assert line["event"] == "the token of Vault can't be renewed"
    assert line["error_code"] == "VAULT_READ_ERROR"
    assert 0 < vault.renew_in_s < 60


async def test_an_approle_logs_in_again_before_its_token_expires(openbao: OpenBao) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    await openbao.make_role(token_ttl="1h", token_max_ttl="1h")
    clock = Clock()
    vault = client(openbao, BY_ROLE, clock)
    await vault.read(PATH, KEY)
    before = await openbao.tokens()
    assert vault.renew_in_s == 2400

    clock.now_s = 2400
    await vault.read(PATH, KEY)

    assert await openbao.tokens() == before + 1
    assert vault.renew_in_s == 2400


async def test_an_approle_logs_in_again_when_its_token_was_revoked(openbao: OpenBao) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    await openbao.make_role()
    vault = client(openbao, BY_ROLE)
    await vault.read(PATH, KEY)
    await openbao.call("POST", "sys/leases/revoke-prefix/auth/approle")

    assert (await vault.read(PATH, KEY)).value == FIRST


# Following the secret


async def test_the_previous_secret_is_accepted_within_the_grace_only(
    openbao: OpenBao,
) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    clock = Clock()
    secret = secret_of(openbao, clock=clock)
    await secret.start()
    assert await secret.candidates("") == (FIRST,)

    await openbao.put(PATH, JWT_SECRET=SECOND)
    await secret.follow()
    assert await secret.candidates("") == (SECOND, FIRST)

    clock.now_s = GRACE_S / 2
    await openbao.put(PATH, JWT_SECRET=THIRD)
    await secret.follow()
    assert await secret.candidates("") == (THIRD, SECOND, FIRST)

    clock.now_s = GRACE_S
    assert await secret.candidates("") == (THIRD, SECOND)
    clock.now_s = GRACE_S * 1.5
    assert await secret.candidates("") == (THIRD,)


async def test_a_restored_secret_is_not_also_a_previous_one(openbao: OpenBao) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    secret = secret_of(openbao)
    await secret.start()
    for value in (SECOND, FIRST):
        await openbao.put(PATH, JWT_SECRET=value)
        await secret.follow()

    assert await secret.candidates("") == (FIRST, SECOND)


async def test_a_restart_within_the_grace_accepts_the_previous_secret(
    openbao: OpenBao,
) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    await openbao.put(PATH, JWT_SECRET=SECOND)
    clock = Clock()
    clock.now_s = GRACE_S / 2
    secret = secret_of(openbao, VaultToken(await openbao.make_token()), clock)

    await secret.start()

    assert await secret.candidates("") == (SECOND, FIRST)
    clock.now_s = GRACE_S + 1
    assert await secret.candidates("") == (SECOND,)


async def test_a_restart_after_the_grace_accepts_the_newest_only(openbao: OpenBao) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    await openbao.put(PATH, JWT_SECRET=SECOND)
    clock = Clock()
    clock.now_s = GRACE_S + 1
    secret = secret_of(openbao, clock=clock)

    await secret.start()

    assert await secret.candidates("") == (SECOND,)


@pytest.mark.parametrize("first", [{"JWT_SECRET": ""}, {"OTHER": "x"}, {"JWT_SECRET": SECOND}])
async def test_a_previous_version_without_the_key_is_ignored(
    openbao: OpenBao, first: dict[str, str]
) -> None:
    await openbao.put(PATH, **first)
    await openbao.put(PATH, JWT_SECRET=SECOND)
    secret = secret_of(openbao)

    await secret.start()

    assert await secret.candidates("") == (SECOND,)


async def test_a_destroyed_previous_version_is_not_accepted_after_a_restart(
    openbao: OpenBao,
) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    await openbao.put(PATH, JWT_SECRET=SECOND)
    await openbao.call("POST", "secret/destroy/jwt", {"versions": [1]})
    secret = secret_of(openbao)

    await secret.start()

    assert await secret.candidates("") == (SECOND,)


async def test_an_outage_is_logged_and_keeps_the_last_secret(openbao: OpenBao) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    await openbao.make_role()
    secret = secret_of(openbao, BY_ROLE)
    await secret.start()

    openbao.kill()
    with capture_logs() as logs:
        await secret.follow()
    assert await secret.candidates("") == (FIRST,)
    assert [line["error_code"] for line in logs] == ["VAULT_READ_ERROR"]
    assert logs[0]["error_type"] == "external_service_error"

    # It comes back empty: the token is unknown by now, and the secret another one.
    openbao.start()
    await openbao.put(PATH, JWT_SECRET=SECOND)
    await openbao.make_role()
    with capture_logs() as logs:
        await secret.follow()
    assert await secret.candidates("") == (SECOND, FIRST)
    assert [line["event"] for line in logs] == ["Vault can be read again", "secret rotated"]


async def test_a_seal_in_the_middle_is_harmless(openbao: OpenBao) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    secret = secret_of(openbao)
    await secret.start()

    await openbao.seal()
    with capture_logs() as logs:
        await secret.follow()
    assert "sealed" in logs[0]["metadata"]["reason"]
    assert await secret.candidates("") == (FIRST,)

    await openbao.unseal()
    with capture_logs() as logs:
        await secret.follow()
    assert [line["event"] for line in logs] == ["Vault can be read again"]


async def test_an_invalid_new_secret_does_not_replace_the_current_one(openbao: OpenBao) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    secret = secret_of(openbao)
    await secret.start()

    for bad in ({"JWT_SECRET": "short"}, {"JWT_SECRET": None}, {}):
        await openbao.put(PATH, **bad)
        with capture_logs() as logs:
            await secret.follow()
        assert [line["error_code"] for line in logs] == ["VAULT_READ_ERROR"]

    assert await secret.candidates("") == (FIRST,)


async def test_no_line_shows_a_secret_or_a_token(openbao: OpenBao) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    await openbao.make_role()
    secret = secret_of(openbao, BY_ROLE)
    with capture_logs() as logs:
        await secret.start()
        await openbao.put(PATH, JWT_SECRET=SECOND)
        await secret.follow()
        await openbao.put(PATH, JWT_SECRET="short")
        await secret.follow()
        await openbao.seal()
        await secret.follow()
        openbao.kill()
        await secret.follow()

    assert len(logs) == 4
    assert not any(text in str(logs) for text in (FIRST, SECOND, "short'", SECRET_ID, "s."))


async def test_a_new_secret_is_picked_up_periodically(openbao: OpenBao) -> None:
    await openbao.put(PATH, JWT_SECRET=FIRST)
    taken: asyncio.Queue[str] = asyncio.Queue()
    secret = secret_of(openbao, poll_s=0.02, taken=taken.put_nowait)
    await secret.start()
    assert taken.get_nowait() == FIRST

    following = asyncio.create_task(secret.run())
    await openbao.put(PATH, JWT_SECRET=SECOND)

    assert await taken.get() == SECOND
    assert await secret.candidates("") == (SECOND, FIRST)
    following.cancel()


async def test_a_weak_secret_is_logged_as_a_warning(openbao: OpenBao) -> None:
    await openbao.put(PATH, JWT_SECRET="only-16-bytes-xx")

    with capture_logs() as logs:
        await secret_of(openbao).start()

    assert [line["event"] for line in logs] == ["JWT_SECRET has 16 bytes; HS256 needs 32 or more"]


# The start


async def test_the_start_waits_for_vault_to_come_up(openbao: OpenBao) -> None:
    openbao.kill()
    secret = secret_of(openbao, start_timeout_s=20)
    with capture_logs() as logs:
        starting = asyncio.create_task(secret.start())
        await asyncio.to_thread(openbao.start)
        await openbao.put(PATH, JWT_SECRET=FIRST)
        await starting

    assert await secret.candidates("") == (FIRST,)
    assert {line["error_code"] for line in logs} == {"VAULT_READ_ERROR"}


async def test_a_start_without_vault_fails_with_one_clear_line(openbao: OpenBao) -> None:
    openbao.kill()

    with pytest.raises(ConfigurationError) as caught:
        await secret_of(openbao).start()

    assert caught.value.message.startswith(
        "Vault gave no secret within VAULT_START_TIMEOUT_S=0: no connection: "
    )
