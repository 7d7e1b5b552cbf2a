from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from service.cli import main
from service.cli.token import InvalidArgument, make_token, parse_ttl
from service.edge.claims import Scope
from service.errors import ConfigurationError
from service.settings import load_settings
from service.settings.secrets import dev_secret

SECRET = "a-secret-that-is-long-enough-for-hs256"
HOUR = timedelta(hours=1)


def claims(token: str) -> dict[str, object]:
    decoded: dict[str, object] = jwt.decode(token, SECRET, ["HS256"])
    return decoded


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("7", 7),
        ("9007199254740991", 9007199254740991),
        ("9007199254740992", "9007199254740992"),
        ("007", "007"),
        ("ana-1", "ana-1"),
    ],
)
def test_an_id_of_digits_is_an_integer_and_any_other_a_string(
    written: str, expected: object
) -> None:
    token = make_token(load_settings({"JWT_SECRET": SECRET}), written, "Ana", HOUR)

    assert claims(token)["id"] == expected
    assert claims(token)["name"] == "Ana"


def test_a_token_is_valid_for_its_time() -> None:
    made = claims(
        make_token(load_settings({"JWT_SECRET": SECRET}), "7", "Ana", timedelta(minutes=15))
    )

    assert isinstance(made["exp"], int)
    assert isinstance(made["iat"], int)
    assert made["exp"] - made["iat"] == 15 * 60


def test_a_token_has_the_audience_and_the_issuer_that_are_required() -> None:
    settings = load_settings({"JWT_SECRET": SECRET, "JWT_AUDIENCE": "games", "JWT_ISSUER": "auth"})

    token = make_token(settings, "7", "Ana", HOUR)

    decoded = jwt.decode(token, SECRET, ["HS256"], audience="games", issuer="auth")
    assert decoded["id"] == 7


def test_the_dev_secret_signs_when_none_is_configured(tmp_path: Path) -> None:
    secret = dev_secret(tmp_path)

    token = make_token(load_settings({"WS_DATA_DIR": tmp_path}), "7", "Ana", HOUR)

    assert jwt.decode(token, secret, ["HS256"])["id"] == 7


def test_signing_with_a_short_secret_prints_no_warning() -> None:
    token = make_token(load_settings({"JWT_SECRET": "only-16-bytes-xx"}), "7", "Ana", HOUR)

    assert jwt.get_unverified_header(token)["alg"] == "HS256"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("1h", HOUR),
        ("7d", timedelta(days=7)),
    ],
)
def test_a_ttl_is_a_number_and_a_unit(text: str, expected: timedelta) -> None:
    assert parse_ttl(text) == expected


@pytest.mark.parametrize("text", ["", "1", "h", "0s", "-1h", "1.5h", "1w", "4000d", "999999999d"])
def test_any_other_ttl_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="must be a number and"):
        parse_ttl(text)


@pytest.mark.parametrize(("user", "name"), [("", "Ana"), ("x" * 129, "Ana"), ("7", "")])
def test_an_invalid_id_or_name_is_refused(user: str, name: str) -> None:
    with pytest.raises(InvalidArgument):
        make_token(load_settings({"JWT_SECRET": SECRET}), user, name, HOUR)


def test_a_name_that_is_too_long_is_refused() -> None:
    settings = load_settings({"JWT_SECRET": SECRET, "WS_NAME_LENGTH_MAX": 3})

    make_token(settings, "7", "Ana", HOUR)
    with pytest.raises(InvalidArgument, match="1 to 3 characters"):
        make_token(settings, "7", "Anna", HOUR)


def test_a_service_token_has_scopes_and_needs_no_user() -> None:
    settings = load_settings({"JWT_SECRET": SECRET})

    service = claims(make_token(settings, None, None, HOUR, [Scope.ADMIN, Scope.PUBLISH]))
    somebody = claims(make_token(settings, "7", None, HOUR, [Scope.ADMIN]))

    assert service.keys() == {"iat", "exp", "scope"}
    assert service["scope"] == "admin publish"
    assert (somebody["id"], somebody["scope"]) == (7, "admin")


def test_a_user_needs_an_id() -> None:
    with pytest.raises(InvalidArgument, match="--id"):
        make_token(load_settings({"JWT_SECRET": SECRET}), None, "Ana", HOUR)


def test_a_user_may_be_without_a_name() -> None:
    made = claims(make_token(load_settings({"JWT_SECRET": SECRET}), "7", None, HOUR))
    assert made.keys() == {"iat", "exp", "id"}


def test_a_private_key_signs_tokens_for_public_key_verification() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    settings = load_settings(
        {"JWT_ALGORITHMS": ("ES256",), "JWT_JWKS_URL": "https://auth.example.org/keys"}
    )

    token = make_token(settings, "7", "Ana", HOUR, private_key=pem)

    assert jwt.decode(token, key.public_key(), ["ES256"])["id"] == 7
    with pytest.raises(ConfigurationError, match="--key"):
        make_token(settings, "7", "Ana", HOUR)
    with pytest.raises(InvalidArgument, match="no private key for ES256"):
        make_token(settings, "7", "Ana", HOUR, private_key="no key")
    with pytest.raises(InvalidArgument, match="--key can't be used"):
        make_token(load_settings({"JWT_SECRET": SECRET}), "7", "Ana", HOUR, private_key=pem)


def test_no_token_is_issued_without_a_secret(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="JWT_SECRET"):
        make_token(load_settings({"WS_DATA_DIR": tmp_path}), "7", "Ana", HOUR)


def test_the_command_prints_only_the_token(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JWT_SECRET", SECRET)
    monkeypatch.setattr("sys.argv", ["ws-service", "token", "--id", "7", "--name", "Ana"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 0
    assert claims(capsys.readouterr().out.strip())["id"] == 7


@pytest.mark.parametrize(
    ("secret", "ttl", "failure"),
    [
        ("", "1h", (2, "error: there is no secret")),
        (SECRET, "soon", (1, "error: --ttl soon must be")),
    ],
)
def test_the_command_fails_with_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    secret: str,
    ttl: str,
    failure: tuple[int, str],
) -> None:
    monkeypatch.setenv("JWT_SECRET", secret)
    monkeypatch.setenv("WS_DATA_DIR", "/does/not/exist")
    arguments = ["token", "--id", "7", "--name", "Ana", "--ttl", ttl]
    monkeypatch.setattr("sys.argv", ["ws-service", *arguments])

    with pytest.raises(SystemExit) as ended:
        main()

    captured = capsys.readouterr()
    code, message = failure
    assert ended.value.code == code
    assert captured.out == ""
    assert captured.err.startswith(message)
    assert captured.err.count("\n") == 1
