"""Secrets of the service: the configured one, and generated ones in the data directory."""

import secrets
from pathlib import Path

from service.errors import ConfigurationError
from service.settings.settings import Settings

DEV_SECRET_FILE = "dev-secret"  # noqa: S105 - the name of a file
SEAL_SECRET_FILE = "seal-secret"  # noqa: S105 - the name of a file
COMMAND_SECRET_FILE = "command-secret"  # noqa: S105 - the name of a file


def signing_secret(settings: Settings) -> str:
    """Return the configured secret, else the development secret.

    Raises `ConfigurationError` if there is neither, or if the secret is in Vault.
    """
    if settings.tokens.secret is not None:
        return settings.tokens.secret.get_secret_value()
    if settings.secret_is_in_vault:
        raise ConfigurationError("only `serve` reads the secret from Vault: set JWT_SECRET as well")
    secret = read_dev_secret(settings.storage.data_dir)
    if secret is None:
        message = (
            "there is no secret to sign tokens with: set JWT_SECRET,"
            " or start `ws-service serve --dev` once, which makes one for development"
        )
        raise ConfigurationError(message)
    return secret


def dev_secret(data_dir: Path, new: str | None = None) -> str:
    """Return the development secret in `data_dir`; without one, store `new` or a generated one.

    Raises `ConfigurationError` when it can't be stored.
    """
    return _made_secret(data_dir, DEV_SECRET_FILE, new)


def seal_secret(data_dir: Path) -> str:
    """Return the secret that stored tokens are encrypted with; it is generated at first use.

    Raises `ConfigurationError` when it can't be stored in `data_dir`.
    """
    return _made_secret(data_dir, SEAL_SECRET_FILE)


def command_secret(data_dir: Path) -> str:
    """Return the key of the digests of commands in the log; it is generated at first use.

    If the file is lost, a new key is generated, and older digests can't be compared any more.
    Raises `ConfigurationError` when it can't be stored in `data_dir`.
    """
    return _made_secret(data_dir, COMMAND_SECRET_FILE)


def read_dev_secret(data_dir: Path) -> str | None:
    """Return the development secret in `data_dir`, or None without one.

    Raises `ConfigurationError` when it exists but can't be read.
    """
    return _read_secret(data_dir, DEV_SECRET_FILE)


def _made_secret(data_dir: Path, file: str, new: str | None = None) -> str:
    secret = _read_secret(data_dir, file)
    if secret is None:
        secret = new or secrets.token_urlsafe(32)
        path = data_dir / file
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(secret + "\n")
        except OSError as error:
            message = f"WS_DATA_DIR={data_dir} must be writable: {error.strerror}"
            raise ConfigurationError(message) from error
    return secret


def _read_secret(data_dir: Path, file: str) -> str | None:
    try:
        return (data_dir / file).read_text().strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"WS_DATA_DIR={data_dir} must be readable: {error.strerror}"
        raise ConfigurationError(message) from error
