"""The fingerprint of what nodes of a cluster have in common."""

from service.settings import Settings, describe, load_settings
from service.settings.fingerprint import (
    COMMANDS,
    PER_NODE,
    REQUIRED,
    SEAL,
    Differences,
    differing,
    fingerprint,
)

SECRET = "a-secret-of-this-test-of-forty-bytes-or-so"
KNOWN = {row.env for row in describe(Settings())}


def made(**changes: object) -> dict[str, str]:
    given = {"JWT_SECRET": SECRET, **changes}
    return fingerprint(load_settings(given), seal="a sealing text", commands="a keying text")


def test_equal_settings_have_equal_fingerprints_whatever_is_a_nodes_own() -> None:
    other = made(WS_PORT=4001, WS_DATA_DIR="/elsewhere", LOG_LEVEL="debug", VAULT_TOKEN="v")
    assert differing(made(), other) == Differences([], [])


def test_what_makes_users_strangers_is_told_apart_from_limits() -> None:
    other = made(
        JWT_SECRET=SECRET + "!",
        JWT_AUDIENCE="games",
        WS_SOCKETS_PER_USER_MAX=3,
        WS_WEBHOOK_URLS="https://u:pass@stats.example.org/",
        WS_WEBHOOK_SECRET="eight or more",
    )
    assert differing(made(), other) == Differences(
        ["JWT_AUDIENCE", "JWT_SECRET"],
        ["WS_SOCKETS_PER_USER_MAX", "WS_WEBHOOK_SECRET", "WS_WEBHOOK_URLS"],
    )


def test_other_secrets_of_the_cluster_are_named() -> None:
    settings = load_settings({"JWT_SECRET": SECRET})
    one = fingerprint(settings, seal="a", commands="b")
    assert differing(one, fingerprint(settings, seal="x", commands="b")).required == [SEAL]
    assert differing(one, fingerprint(settings, seal="a", commands="x")).required == [COMMANDS]


def test_a_name_that_one_version_lacks_is_no_difference() -> None:
    older = made()
    del older["WS_SOCKETS_PER_USER_MAX"]
    assert differing(made(), older) == Differences([], [])


def test_issuers_are_compared_whatever_their_order() -> None:
    rs = {"JWT_ALGORITHMS": "RS256", "JWT_SECRET": None}
    ones = {
        "a": {"jwks_url": "https://a.example.org/keys"},
        "b": {"jwks_url": "https://b.example.org/keys"},
    }
    turned = dict(reversed(ones.items()))
    found = [made(**rs, JWT_ISSUERS=issuers) for issuers in (ones, turned, {"a": ones["a"]})]
    assert differing(found[0], found[1]) == Differences([], [])
    assert differing(found[0], found[2]).required == ["JWT_ISSUERS"]


def test_a_fingerprint_holds_short_digests_and_none_of_the_values() -> None:
    found = made(WS_WEBHOOK_URLS="https://u:pass@stats.example.org/", WS_WEBHOOK_SECRET=SECRET)
    assert {len(digest) for digest in found.values()} == {24}
    assert not any(secret in str(found) for secret in (SECRET, "pass@", "a sealing text"))
    # The same secret for two purposes can't be seen.
    assert found["JWT_SECRET"] != found["WS_WEBHOOK_SECRET"]


def test_every_listed_name_is_a_setting() -> None:
    assert PER_NODE <= KNOWN
    assert REQUIRED - {SEAL, COMMANDS} <= KNOWN
    assert not PER_NODE & REQUIRED
