import os
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
from pydantic import SecretStr

from service.errors import ConfigurationError
from service.settings import (
    Settings,
    dev_secret,
    load_settings,
    mask_url,
    read_dev_secret,
    signing_secret,
)

SECRET = "a-secret-that-is-long-enough-for-hs256"

Refusal = Callable[..., str]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("WS_", "JWT_", "LOG_")):
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

    assert settings.port == 4000
    assert settings.host == "127.0.0.1"
    assert settings.jwt_secret is None
    assert settings.jwt_algorithms == ("HS256",)
    assert settings.database_url == "sqlite+aiosqlite:///data/ws-service.db"
    assert settings.message_bytes_max == 64 * 1024


def test_each_variable_is_read_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WS_PORT", "0")
    monkeypatch.setenv("JWT_SECRET", SECRET)
    monkeypatch.setenv("WS_PRESENCE_GRACE_S", "0.25")
    monkeypatch.setenv("WS_INVITE_NEEDS_LOBBY", "true")

    settings = load_settings()

    assert settings.port == 0
    assert settings.jwt_secret is not None
    assert settings.jwt_secret.get_secret_value() == SECRET
    assert settings.presence_grace_s == 0.25
    assert settings.invite_needs_lobby is True


def test_a_variable_that_only_looks_like_a_field_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PORT", "1")
    monkeypatch.setenv("port", "1")
    monkeypatch.setenv("ws_port", "1")

    assert load_settings().port == 4000


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "")
    monkeypatch.setenv("WS_PORT", "")

    settings = load_settings()

    assert settings.jwt_secret is None
    assert settings.port == 4000


def test_an_argument_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WS_PORT", "5000")

    assert Settings(port=1).port == 1


def test_the_database_is_a_file_in_the_data_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WS_DATA_DIR", "/elsewhere")

    assert load_settings().database_url == "sqlite+aiosqlite:////elsewhere/ws-service.db"


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_ALGORITHMS", "HS256, HS512")
    monkeypatch.setenv("WS_ALLOWED_ORIGINS", "https://a.example,http://localhost:8080")

    settings = load_settings()

    assert settings.jwt_algorithms == ("HS256", "HS512")
    assert settings.allowed_origins == ("https://a.example", "http://localhost:8080")


@pytest.mark.parametrize(
    ("written", "meant"), [("warn", "warning"), ("INFO", "info"), ("trace", "debug")]
)
def test_levels_of_the_replaced_service_are_understood(
    monkeypatch: pytest.MonkeyPatch, written: str, meant: str
) -> None:
    monkeypatch.setenv("LOG_LEVEL", written)

    assert load_settings().log_level == meant


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
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_what_is_allowed(
    refusal: Refusal, env: str, value: str, allowed: str
) -> None:
    line = refusal(**{env: value})

    assert line.startswith(f"{env}={value} is not allowed: it must be ")
    assert allowed in line


def test_all_wrong_values_are_named_at_once(refusal: Refusal) -> None:
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
    assert refusal(JWT_ALGORITHMS="RS256") == "JWT_ALGORITHMS=RS256 needs JWT_PUBLIC_KEY"


def test_a_public_key_without_an_algorithm_for_it_is_refused(refusal: Refusal) -> None:
    pem = public_pem(ec.generate_private_key(ec.SECP256R1()))

    assert refusal(JWT_PUBLIC_KEY=pem).startswith("JWT_PUBLIC_KEY is of no use")


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
def test_a_public_key_of_another_kind_is_refused(refusal: Refusal, algorithm: str) -> None:
    pem = public_pem(ec.generate_private_key(ec.SECP256R1()))

    line = refusal(JWT_ALGORITHMS=algorithm, JWT_PUBLIC_KEY=pem)

    assert line.startswith("JWT_PUBLIC_KEY must be a public key in PEM that fits")


def test_a_private_key_is_refused_and_not_shown(refusal: Refusal) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    line = refusal(JWT_ALGORITHMS="EdDSA", JWT_PUBLIC_KEY=pem)

    assert line == "JWT_PUBLIC_KEY must be the public key in PEM; it holds a private key"


def test_a_public_key_may_stand_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pem = public_pem(ec.generate_private_key(ec.SECP256R1()))
    monkeypatch.setenv("JWT_ALGORITHMS", "ES256")
    monkeypatch.setenv("JWT_PUBLIC_KEY", pem.replace("\n", "\\n"))

    assert load_settings().public_key == pem


def test_the_slow_limit_is_not_above_the_limit_that_cuts_off(refusal: Refusal) -> None:
    line = refusal(WS_SLOW_BYTES="4096", WS_SLOW_BYTES_MAX="2048")

    assert line == "WS_SLOW_BYTES=4096 must not be above WS_SLOW_BYTES_MAX"


def test_a_short_secret_works_with_a_warning() -> None:
    assert Settings(jwt_secret=SecretStr("x" * 31)).warnings() == [
        "JWT_SECRET has 31 bytes; HS256 wants 32 or more"
    ]
    assert Settings(jwt_secret=SecretStr("x" * 32)).warnings() == []


def test_every_setting_has_its_row_with_help_and_what_is_allowed() -> None:
    rows = Settings().table()

    assert len(rows) == len(Settings.model_fields)
    assert all(row.help.endswith(".") and row.allowed for row in rows)


def test_every_number_is_bounded_and_has_its_unit_in_its_name() -> None:
    units = {row.env: row.unit for row in Settings().table() if "number from" in row.allowed}

    ends = {env: env.rsplit("_", 1)[1] for env in units}
    assert {env for env, unit in units.items() if unit == "s"} == {
        env for env, end in ends.items() if end == "S" and not env.endswith("_PER_S")
    }
    assert {env for env, unit in units.items() if unit == "ms"} == {
        env for env, end in ends.items() if end == "MS"
    }
    assert {env for env, unit in units.items() if unit == "/s"} == {
        env for env in units if "_PER_S" in env
    }


def test_the_table_masks_the_secret() -> None:
    rows = {row.env: row for row in Settings(jwt_secret=SecretStr(SECRET)).table()}

    assert rows["JWT_SECRET"].value == "***"
    assert rows["JWT_SECRET"].default == ""
    assert SECRET not in str(rows)


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


def test_the_dev_secret_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    assert read_dev_secret(data_dir) is None

    secret = dev_secret(data_dir)

    assert len(secret) >= 32
    assert dev_secret(data_dir) == read_dev_secret(data_dir) == secret
    assert stat.S_IMODE((data_dir / "dev-secret").stat().st_mode) == 0o600


def test_a_data_directory_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match=r"WS_DATA_DIR=.*/file/data must be"):
        dev_secret(tmp_path / "file" / "data")


def test_the_configured_secret_comes_before_that_of_development(tmp_path: Path) -> None:
    made = dev_secret(tmp_path)

    assert signing_secret(Settings(data_dir=tmp_path, jwt_secret=SecretStr(SECRET))) == SECRET
    assert signing_secret(Settings(data_dir=tmp_path)) == made


def test_without_any_secret_it_is_said_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="set JWT_SECRET"):
        signing_secret(Settings(data_dir=tmp_path))
