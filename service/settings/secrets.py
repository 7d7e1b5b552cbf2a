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


def seal_secret(settings: Settings, jwt_secret: str) -> str:
    """Return the secret that stored tokens are encrypted with.

    That is `jwt_secret`; where it is empty, the secret of the cluster, or of the data directory
    where it is generated at first use. Raises `ConfigurationError` when it can't be stored there.
    """
    shared = settings.cluster.secret
    if jwt_secret or shared is None:
        return jwt_secret or _made_secret(settings.storage.data_dir, SEAL_SECRET_FILE)
    return shared.get_secret_value()


def command_secret(settings: Settings) -> str:
    """Return the key of the digests of commands in the log.

    That is the secret of the cluster; in a single node without one, it is generated at first use.
    If that file is lost, a new key is generated, and older digests can't be compared any more.
    Raises `ConfigurationError` when it can't be stored in the data directory.
    """
    shared = settings.cluster.secret
    if shared is None and settings.bus.url is not None:
        # `check` has refused a cluster without either.
        shared = settings.tokens.secret
    if shared is not None:
        return shared.get_secret_value()
    return _made_secret(settings.storage.data_dir, COMMAND_SECRET_FILE)


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
