"""The command `ws-service`: `commands` declares its commands, the other modules do their work."""

import os
import sqlite3
import sys

from service.cli.commands import app
from service.errors import ConfigurationError, ServiceError

PRIVATE_UMASK = 0o077


def main() -> None:
    """Run the command line; an error of the service is printed in one line, with exit code 1 or 2.

    2 means wrong settings or arguments: another try would not help.
    """
    # All files (the log, secrets, exports) are created for the user of this process only.
    os.umask(PRIVATE_UMASK)
    try:
        app()
    except ServiceError as error:
        print(f"error: {error.message}", file=sys.stderr)
        sys.exit(error.exit_code if isinstance(error, ConfigurationError) else 1)
    except Exception as error:
        reason = _outside_reason(error)
        if reason is None:
            raise
        print(f"error: {reason}", file=sys.stderr)
        sys.exit(1)


def _outside_reason(error: BaseException) -> str | None:
    """Return the error of the disk or the database; None for a fault of the program."""
    # The driver of PostgreSQL is not imported only to ask for its class.
    if isinstance(error, sqlite3.DatabaseError) or type(error).__module__.startswith("psycopg"):
        return f"the database can't be used: {error}"
    if isinstance(error, OSError):
        return str(error)
    # SQLAlchemy wraps the driver's exception in `orig`; this avoids importing it.
    inner = getattr(error, "orig", None)
    return None if inner is None else _outside_reason(inner)
