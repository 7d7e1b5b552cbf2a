import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from service.errors import ConfigurationError
from service.settings import IssuerSettings, Settings, describe, load_settings, unknown_variables
from service.settings.checks import warnings
from service.settings.describe import mask_url
from service.settings.fields import settings_of
from service.settings.secrets import (
    command_secret,
    dev_secret,
    read_dev_secret,
    seal_secret,
    signing_secret,
)

SECRET = "a-secret-that-is-long-enough-for-hs256"

Refusal = Callable[..., str]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("WS_", "JWT_", "LOG_", "VAULT_")):
            monkeypatch.delenv(name)


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch) -> Refusal:
    """Set variables and return the line with which the start is refused."""

    def refuse(**environment: str) -> str:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(ConfigurationError) as caught:
            load_settings()
        assert "\n" not in caught.value.message
        return caught.value.message

    return refuse


def public_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


def test_an_empty_environment_gives_the_defaults_of_the_contract() -> None:
    settings = load_settings()

    assert settings.listen.port == 4000
    assert settings.listen.host == "127.0.0.1"
    assert settings.tokens.secret is None
    assert settings.tokens.algorithms == ("HS256",)
    assert settings.storage.database_url == "sqlite+aiosqlite:///data/ws-service.db"
    assert settings.connections.session.message_bytes_max == 64 * 1024


def test_each_variable_is_read_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WS_PORT", "0")
    monkeypatch.setenv("JWT_SECRET", SECRET)
    monkeypatch.setenv("WS_PRESENCE_GRACE_S", "0.25")
    monkeypatch.setenv("WS_INVITE_NEEDS_LOBBY", "true")

    settings = load_settings()

    assert settings.listen.port == 0
    assert settings.tokens.secret is not None
    assert settings.tokens.secret.get_secret_value() == SECRET
    assert settings.times.presence_grace_s == 0.25
    assert settings.rules.invite_needs_lobby is True


def test_a_variable_named_like_a_field_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PORT", "1")
    monkeypatch.setenv("port", "1")
    monkeypatch.setenv("ws_port", "1")

    assert load_settings().listen.port == 4000


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "")
    monkeypatch.setenv("WS_PORT", "")

    settings = load_settings()

    assert settings.tokens.secret is None
    assert settings.listen.port == 4000


def test_an_argument_overrides_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WS_PORT", "5000")

    assert load_settings({"WS_PORT": 1}).listen.port == 1


def test_the_database_is_a_file_in_the_data_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WS_DATA_DIR", "/elsewhere")

    assert load_settings().storage.database_url == "sqlite+aiosqlite:////elsewhere/ws-service.db"


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_ALGORITHMS", "HS256, HS512")
    monkeypatch.setenv("WS_ALLOWED_ORIGINS", "https://a.example,http://localhost:8080")

    settings = load_settings()

    assert settings.tokens.algorithms == ("HS256", "HS512")
    assert settings.connections.origins == ("https://a.example", "http://localhost:8080")


@pytest.mark.parametrize(
    ("written", "meant"), [("warn", "warning"), ("INFO", "info"), ("trace", "debug")]
)
def test_log_levels_of_the_replaced_service_are_accepted(
    monkeypatch: pytest.MonkeyPatch, written: str, meant: str
) -> None:
    monkeypatch.setenv("LOG_LEVEL", written)

    assert load_settings().logs.level == meant


@pytest.mark.parametrize(
    ("env", "value", "allowed"),
    [
        ("WS_PORT", "65536", "a whole number from 0 to 65535"),
        ("WS_PORT", "4000.5", "a whole number from 0 to 65535"),
        ("WS_PRESENCE_GRACE_S", "-1", "a number from 0 to 3600"),
        ("WS_PRESENCE_GRACE_S", "nan", "a number from 0 to 3600"),
        ("WS_LOG_FORMAT", "xml", "one of ecs, console"),
        ("WS_MIGRATE_AT_START", "perhaps", "true or false"),
        ("JWT_ALGORITHMS", "none", "some of HS256, "),
        ("JWT_ALGORITHMS", ",", "some of HS256, "),
        ("WS_ALLOWED_ORIGINS", "https://a.example/", "origins like https://"),
        ("WS_DATABASE_URL", "mysql://db/x", "sqlite+aiosqlite:///FILE"),
        ("VAULT_ADDR", "vault:8200", "a URL like https://"),
        ("VAULT_PATH", "/secret/data/jwt", "a path like secret/data/jwt"),
        ("VAULT_PATH", "secret/jwt", "a path like secret/data/jwt"),
    ],
)
def test_an_invalid_value_is_refused_with_its_name_and_the_allowed_values(
    refusal: Refusal, env: str, value: str, allowed: str
) -> None:
    line = refusal(**{env: value})

    assert line.startswith(f"{env}={value} is not allowed: it must be ")
    assert allowed in line


def test_all_invalid_values_are_reported_together(refusal: Refusal) -> None:
    line = refusal(WS_PORT="x", LOG_LEVEL="y")

    assert "WS_PORT=x" in line
    assert "LOG_LEVEL=y" in line


def test_a_refused_secret_is_not_shown(refusal: Refusal) -> None:
    line = refusal(JWT_SECRET="hunter2")

    assert line == "JWT_SECRET is not allowed: it must be a text of at least 8 characters"


def test_a_refused_database_url_does_not_show_its_password(refusal: Refusal) -> None:
    assert "hunter2" not in refusal(WS_DATABASE_URL="mysql://me:hunter2@db/x")


def test_symmetric_and_asymmetric_algorithms_do_not_mix(refusal: Refusal) -> None:
    line = refusal(JWT_ALGORITHMS="HS256,RS256")

    assert line == "JWT_ALGORITHMS=HS256,RS256 must not mix HS* with the others"


def test_an_asymmetric_algorithm_needs_a_public_key(refusal: Refusal) -> None:
    line = refusal(JWT_ALGORITHMS="RS256")

    assert line == "JWT_ALGORITHMS=RS256 needs JWT_PUBLIC_KEY, JWT_JWKS_URL or JWT_ISSUERS"


ISSUERS = '{"auth": {"jwks_url": "https://auth.example.org/keys", "audience": "games"}}'


@pytest.mark.parametrize(
    ("env", "value"),
    [("JWT_JWKS_URL", "https://auth.example.org/keys"), ("JWT_ISSUERS", ISSUERS)],
)
def test_jwks_does_not_mix_with_symmetric_algorithms(
    refusal: Refusal, env: str, value: str
) -> None:
    line = refusal(**{env: value})
    assert line.startswith(f"{env} checks tokens of RS*, ES* or EdDSA")
    assert "JWT_ALGORITHMS is HS256: set JWT_ALGORITHMS to" in line


def test_only_one_source_of_public_keys_is_allowed(refusal: Refusal) -> None:
    line = refusal(
        JWT_ALGORITHMS="RS256", JWT_JWKS_URL="https://a.example/keys", JWT_ISSUERS=ISSUERS
    )

    assert line == "JWT_JWKS_URL and JWT_ISSUERS can't be used together: unset all but one"


def test_null_issuers_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_ISSUERS", "null")

    assert load_settings().tokens.issuers is None


def test_each_of_several_issuers_has_its_own_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_ALGORITHMS", "ES256")
    monkeypatch.setenv(
        "JWT_ISSUERS", ISSUERS[:-1] + ', "other": {"jwks_url": "https://other.example"}}'
    )

    issuers = load_settings().tokens.issuers

    assert issuers is not None
    assert [(name, one.jwks_url, one.audience) for name, one in issuers.items()] == [
        ("auth", "https://auth.example.org/keys", "games"),
        ("other", "https://other.example", None),
    ]


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("auth=https://a.example", ""),
        ("{}", ""),
        ("[]", ""),
        ('{"auth": "https://a.example"}', " at auth"),
        ('{"auth": {}}', " at auth.jwks_url"),
        ('{"auth": {"jwks_url": "ftp://a.example"}}', " at auth.jwks_url"),
        ('{"auth": {"jwks_url": "https://a.example", "aud": "games"}}', " at auth.aud"),
    ],
)
def test_an_invalid_list_of_issuers_is_refused_with_the_place(
    refusal: Refusal, value: str, place: str
) -> None:
    line = refusal(JWT_ALGORITHMS="ES256", JWT_ISSUERS=value)

    assert line.startswith(f"JWT_ISSUERS={value} is not allowed{place}: it must be JSON like ")


def test_jwt_issuer_does_not_mix_with_jwt_issuers(refusal: Refusal) -> None:
    line = refusal(JWT_ALGORITHMS="ES256", JWT_ISSUERS=ISSUERS, JWT_ISSUER="auth")

    assert line.startswith("JWT_ISSUER can't be used together with JWT_ISSUERS")


def test_a_password_in_a_url_is_refused_and_not_shown(refusal: Refusal) -> None:
    line = refusal(
        JWT_ALGORITHMS="ES256",
        JWT_JWKS_URL="https://me:hunter2@a.example/keys",
        VAULT_ADDR="https://me:hunter2@vault.example",
    )

    assert "JWT_JWKS_URL=https://me:***@a.example/keys is not allowed" in line
    assert "VAULT_ADDR=https://me:***@vault.example is not allowed" in line


@pytest.mark.parametrize(
    "credentials",
    [
        {},
        {"VAULT_ROLE_ID": "role"},
        {"VAULT_SECRET_ID": "hunter2"},
        {"VAULT_TOKEN": "hunter2", "VAULT_SECRET_ID": "hunter2"},
        {"VAULT_TOKEN": "hunter2", "VAULT_ROLE_ID": "role", "VAULT_SECRET_ID": "hunter2"},
    ],
)
def test_vault_needs_exactly_one_login_method(
    refusal: Refusal, credentials: dict[str, str]
) -> None:
    line = refusal(VAULT_ADDR="https://vault.example", **credentials)

    assert line == "VAULT_ADDR needs either VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID"


def test_a_vault_token_that_is_invalid_in_a_header_is_refused_and_not_shown(
    refusal: Refusal,
) -> None:
    line = refusal(VAULT_ADDR="https://vault.example", VAULT_TOKEN="hunter2\nhunter2")

    assert line == "VAULT_TOKEN must be one line of plain characters"


def test_jwt_secret_takes_precedence_over_vault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_ADDR", "https://vault.example")
    monkeypatch.setenv("VAULT_TOKEN", "hunter2")
    assert load_settings().secret_is_in_vault

    monkeypatch.setenv("JWT_SECRET", SECRET)
    assert not load_settings().secret_is_in_vault


def test_vault_is_not_used_with_public_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VAULT_ADDR", "https://vault.example")
    monkeypatch.setenv("JWT_ALGORITHMS", "ES256")
    monkeypatch.setenv("JWT_ISSUERS", ISSUERS)

    assert not load_settings().secret_is_in_vault


def asking(url: str) -> list[Settings]:
    """Make settings that fetch keys from `url`, in each of the ways."""
    return [
        load_settings({"VAULT_ADDR": url, "VAULT_TOKEN": "x"}),
        load_settings({"JWT_ALGORITHMS": ("ES256",), "JWT_JWKS_URL": url}),
        load_settings(
            {"JWT_ALGORITHMS": ("ES256",), "JWT_ISSUERS": {"a": IssuerSettings(jwks_url=url)}}
        ),
    ]


def test_an_address_without_tls_is_accepted_with_a_warning() -> None:
    for settings in asking("http://vault:8200"):
        (line,) = warnings(settings)
        assert line.startswith("http://vault:8200 is fetched without TLS")


@pytest.mark.parametrize("url", ["https://vault", "http://127.0.0.1:8200", "http://localhost"])
def test_tls_and_loopback_addresses_need_no_warning(url: str) -> None:
    assert [warnings(settings) for settings in asking(url)] == [[], [], []]


def test_a_public_key_without_an_algorithm_for_it_is_refused(refusal: Refusal) -> None:
    pem = public_pem(ec.generate_private_key(ec.SECP256R1()))

    assert refusal(JWT_PUBLIC_KEY=pem).startswith("JWT_PUBLIC_KEY checks tokens of RS*")


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
def test_a_public_key_of_another_type_is_refused(refusal: Refusal, algorithm: str) -> None:
    pem = public_pem(ec.generate_private_key(ec.SECP256R1()))

    line = refusal(JWT_ALGORITHMS=algorithm, JWT_PUBLIC_KEY=pem)

    assert line.startswith("JWT_PUBLIC_KEY must be a public key in PEM that fits")


def test_a_private_key_is_refused_and_not_shown(refusal: Refusal) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    line = refusal(JWT_ALGORITHMS="EdDSA", JWT_PUBLIC_KEY=pem)

    assert line == "JWT_PUBLIC_KEY must be the public key in PEM; it holds a private key"


def test_a_public_key_may_be_a_single_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pem = public_pem(ec.generate_private_key(ec.SECP256R1()))
    monkeypatch.setenv("JWT_ALGORITHMS", "ES256")
    monkeypatch.setenv("JWT_PUBLIC_KEY", pem.replace("\n", "\\n"))

    assert load_settings().tokens.public_key_pem == pem


def test_the_slow_limit_must_not_exceed_the_disconnect_limit(refusal: Refusal) -> None:
    line = refusal(WS_SLOW_BYTES="4096", WS_SLOW_BYTES_MAX="2048")

    assert line == "WS_SLOW_BYTES=4096 must not be above WS_SLOW_BYTES_MAX"


def test_a_short_secret_is_accepted_with_a_warning() -> None:
    assert warnings(load_settings({"JWT_SECRET": "x" * 31})) == [
        "JWT_SECRET has 31 bytes; HS256 needs 32 or more"
    ]
    assert warnings(load_settings({"JWT_SECRET": "x" * 32})) == []


def test_every_setting_has_a_row_with_help_and_allowed_values() -> None:
    rows = describe(Settings())

    assert len(rows) == len({row.env for row in rows}) == len(list(settings_of(Settings)))
    assert all(row.help.endswith(".") and row.allowed for row in rows)


def test_every_number_has_bounds_and_a_unit_in_its_name() -> None:
    units = {row.env: row.unit for row in describe(Settings()) if "number from" in row.allowed}

    ends = {env: env.rsplit("_", 1)[1] for env in units}
    assert {env for env, unit in units.items() if unit == "s"} == {
        env for env, end in ends.items() if end == "S" and not env.endswith("_PER_S")
    }
    assert {env for env, unit in units.items() if unit == "ms"} == {
        env for env, end in ends.items() if end == "MS"
    }
    assert {env for env, unit in units.items() if unit.endswith("/s")} == {
        env for env in units if "_PER_S" in env
    }


def test_the_table_masks_the_secret() -> None:
    rows = {row.env: row for row in describe(load_settings({"JWT_SECRET": SECRET}))}

    assert rows["JWT_SECRET"].value == "***"
    assert rows["JWT_SECRET"].default == ""
    assert SECRET not in str(rows)


def test_the_table_masks_vault_credentials() -> None:
    settings = load_settings({"VAULT_ROLE_ID": "role", "VAULT_SECRET_ID": "hunter2"})

    rows = {row.env: row.value for row in describe(settings)}

    assert (rows["VAULT_ROLE_ID"], rows["VAULT_SECRET_ID"]) == ("role", "***")
    assert (rows["VAULT_TOKEN"], rows["VAULT_PATH"]) == ("", "secret/data/jwt")


def test_the_table_shows_issuers_as_they_are_set() -> None:
    settings = load_settings(
        {
            "JWT_ALGORITHMS": ("ES256",),
            "JWT_ISSUERS": {"a": IssuerSettings(jwks_url="https://a.example", audience="games")},
        }
    )

    rows = {row.env: row.value for row in describe(settings)}

    assert rows["JWT_ISSUERS"] == ('{"a": {"jwks_url": "https://a.example", "audience": "games"}}')


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql+asyncpg://me:p@ss:w/rd@db/x", "postgresql+asyncpg://me:***@db/x"),
        ("postgresql+asyncpg://db/x?password=a&y=1", "postgresql+asyncpg://db/x?password=***&y=1"),
        ("sqlite+aiosqlite:///data/a@b.db", "sqlite+aiosqlite:///data/a@b.db"),
    ],
)
def test_the_password_of_a_database_url_is_masked(url: str, masked: str) -> None:
    assert mask_url(url) == masked


def test_the_dev_secret_is_created_once_with_mode_0600(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    assert read_dev_secret(data_dir) is None

    secret = dev_secret(data_dir)

    assert len(secret) >= 32
    assert dev_secret(data_dir) == read_dev_secret(data_dir) == secret
    assert stat.S_IMODE((data_dir / "dev-secret").stat().st_mode) == 0o600


def test_a_data_directory_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match=r"WS_DATA_DIR=.*/file/data must be"):
        dev_secret(tmp_path / "file" / "data")


def test_the_configured_secret_takes_precedence_over_the_dev_secret(tmp_path: Path) -> None:
    made = dev_secret(tmp_path)

    assert signing_secret(load_settings({"WS_DATA_DIR": tmp_path, "JWT_SECRET": SECRET})) == SECRET
    assert signing_secret(load_settings({"WS_DATA_DIR": tmp_path})) == made


def test_the_dev_secret_does_not_replace_vault(tmp_path: Path) -> None:
    dev_secret(tmp_path)
    settings = load_settings(
        {"WS_DATA_DIR": tmp_path, "VAULT_ADDR": "https://vault.example", "VAULT_TOKEN": "x"}
    )

    with pytest.raises(ConfigurationError, match="only `serve` reads the secret from Vault"):
        signing_secret(settings)


def test_a_missing_secret_error_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="set JWT_SECRET"):
        signing_secret(load_settings({"WS_DATA_DIR": tmp_path}))


CLUSTER = {"WS_DATABASE_URL": "postgresql+psycopg://db/ws", "WS_BUS_URL": "nats://bus"}


def test_a_node_makes_its_secrets_itself_and_a_cluster_shares_them(tmp_path: Path) -> None:
    alone = load_settings({"WS_DATA_DIR": tmp_path, "JWT_SECRET": SECRET})
    assert command_secret(alone) == (tmp_path / "command-secret").read_text().strip()
    assert seal_secret(alone, "") == (tmp_path / "seal-secret").read_text().strip()
    assert seal_secret(alone, SECRET) == SECRET

    shared = load_settings({**CLUSTER, "JWT_SECRET": SECRET, "WS_DATA_DIR": "/nowhere"})
    assert (command_secret(shared), seal_secret(shared, SECRET)) == (SECRET, SECRET)

    keys = {"JWT_ALGORITHMS": "ES256", "JWT_JWKS_URL": "https://auth.example.org/keys"}
    own = load_settings({**CLUSTER, **keys, "WS_CLUSTER_SECRET": "a shared one"})
    assert (command_secret(own), seal_secret(own, "")) == ("a shared one", "a shared one")


def test_a_cluster_without_a_shared_secret_is_refused() -> None:
    keys = {"JWT_ALGORITHMS": "ES256", "JWT_JWKS_URL": "https://auth.example.org/keys"}
    with pytest.raises(ConfigurationError, match="WS_BUS_URL needs WS_CLUSTER_SECRET"):
        load_settings({**CLUSTER, **keys})


@pytest.mark.parametrize(
    "url",
    [
        "nats://bus",
        "nats://bus:4222/",
        "tls://user:p%40ss@bus.example.org:4222",
        "tls://token@10.0.0.7:4222",
        "nats://[::1]:4222",
        "nats://u:p@one:4222,nats://u:p@two:4222",
    ],
)
def test_the_bus_is_named_by_urls(url: str) -> None:
    settings = load_settings({**CLUSTER, "WS_BUS_URL": url, "JWT_SECRET": SECRET})
    assert settings.bus.url is not None
    assert settings.bus.url.get_secret_value() == url
    assert [row.value for row in describe(settings) if row.env == "WS_BUS_URL"] == ["***"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"WS_BUS_URL": "bus:4222"}, "WS_BUS_URL must be URLs like"),
        ({"WS_BUS_URL": "http://hunter22@bus"}, "WS_BUS_URL must be URLs like"),
        ({"WS_BUS_URL": "nats://u:hunter22@@bus"}, "WS_BUS_URL must be URLs like"),
        ({"WS_BUS_URL": "nats://one, nats://two"}, "WS_BUS_URL must be URLs like"),
        ({"WS_BUS_URL": "nats://u:hunter22@one,nats://two"}, "the same user and password"),
        ({"WS_DATABASE_URL": "sqlite+aiosqlite:///x.db"}, "set WS_DATABASE_URL=postgresql"),
        ({"WS_BUS_TLS_CA": "/nowhere/ca.pem"}, "WS_BUS_TLS_CA=/nowhere/ca.pem must be a file"),
        ({"WS_REALM": "a.b"}, "WS_REALM=a.b is not allowed"),
    ],
)
def test_what_a_cluster_can_not_use_is_refused_without_its_secrets(
    changed: dict[str, str], reason: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings({**CLUSTER, "JWT_SECRET": SECRET, **changed})
    assert reason in refused.value.message
    assert "hunter22" not in refused.value.message


def test_an_unknown_variable_is_warned_of_with_the_nearest_setting() -> None:
    environment = {"WS_PORTS": "1", "ws_port": "1", "WS_PORT": "1", "PATH": "/", "WS_ZZZ": "secret"}
    assert unknown_variables(environment) == [
        "WS_PORTS is not a setting, and is ignored: did you mean WS_PORT?",
        "WS_ZZZ is not a setting, and is ignored",
    ]


def test_every_setting_is_known() -> None:
    assert unknown_variables({row.env: "1" for row in describe(Settings())}) == []


def test_the_only_node_has_the_name_of_all_older_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (load_settings().node_name, load_settings().is_node_named) == ("n1", False)
    monkeypatch.setenv("WS_NODE", "web-1")
    assert (load_settings().node_name, load_settings().is_node_named) == ("web-1", True)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("web-1", "web-1"),
        ("web-1.example.org", "web-1"),
        ("web 1", "web-1"),
        ("h\u00f6st", "h-st"),
        ("a" * 70, "a" * 63),
        ("", "n1"),
    ],
)
def test_in_a_cluster_a_node_has_the_name_of_its_host(
    monkeypatch: pytest.MonkeyPatch, host: str, name: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    monkeypatch.setenv("WS_DATABASE_URL", "postgresql+psycopg://localhost/ws")
    monkeypatch.setenv("WS_BUS_URL", "nats://localhost:4222")
    monkeypatch.setenv("JWT_SECRET", "x" * 32)
    assert (load_settings().node_name, load_settings().is_node_named) == (name, True)


@pytest.mark.parametrize("name", ["a.b", "a b", "a" * 64, "\u00e9", "*", ">"])
def test_a_name_of_a_node_is_a_part_of_other_names(refusal: Refusal, name: str) -> None:
    line = refusal(WS_NODE=name)
    assert "WS_NODE=" in line
    assert "it must be letters, digits, - and _, at most 63" in line


@pytest.mark.parametrize("after_s", ["120", "121"])
def test_a_bot_is_offered_before_the_search_is_over(after_s: str) -> None:
    with pytest.raises(ConfigurationError, match="must be below WS_MATCHMAKING_TIMEOUT_S=120"):
        load_settings({"JWT_SECRET": "x" * 32, "WS_BOT_AFTER_S": after_s})
    assert load_settings({"JWT_SECRET": "x" * 32, "WS_BOT_AFTER_S": "119"}).times.bot_after_s == 119
