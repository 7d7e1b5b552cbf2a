"""The command `ws-service`: `commands` declares its commands, the other modules do their work."""

import os
import sqlite3
import sys

from service.cli.commands import app
from service.errors import ConfigurationError, ServiceError

PRIVATE_UMASK = 0o077


def main() -> None:
    """Run the command line; an error of the service is one line, and exit code 1 or 2.

    2 says that the settings (or, as usual, the arguments) are wrong.
    """
    # Whatever is written (the log, secrets, exports) is for the user of this process alone.
    os.umask(PRIVATE_UMASK)
    try:
        app()
    except ServiceError as error:
        print(f"error: {error.message}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ConfigurationError) else 1)
    except Exception as error:
        reason = _outside_reason(error)
        if reason is None:
            raise
        print(f"error: {reason}", file=sys.stderr)
        sys.exit(1)


def _outside_reason(error: BaseException) -> str | None:
    """Say what the disk or the database has refused; None for a fault of the program."""
    if isinstance(error, sqlite3.DatabaseError):
        return f"the database can't be used: {error}"
    if isinstance(error, OSError):
        return str(error)
    # What SQLAlchemy raises wraps what the driver raised; it need not be imported for that.
    inner = getattr(error, "orig", None)
    return None if inner is None else _outside_reason(inner)
