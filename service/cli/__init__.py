"""The command `ws-service`: each module here is one of its commands."""

import importlib
import os
import sqlite3
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from service import __version__
from service.errors import ConfigurationError, ServiceError

PRIVATE_UMASK = 0o077

COMMANDS = ("serve", "db", "log", "matches", "outbox", "replay", "settings", "token")
"""The modules of the commands: each has a `command`, or an `app` of several."""


class _OnDemand(TyperGroup):
    """Imports the module of a command when that is asked for: most import much of the service."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the same in any context
        """Name all commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the same
        """Load a command, or return None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__name__}.{cmd_name}")
        loaded = getattr(module, "app", None)
        if loaded is None:
            loaded = typer.Typer(add_completion=False)
            loaded.command(cmd_name)(module.command)
        command = typer.main.get_command(loaded)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=_OnDemand,
    help="The realtime service of a browser game platform.",
    no_args_is_help=True,
    # An unforeseen error shows its plain traceback; the pretty one is long and shows values.
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"ws-service {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Hold the options that stand before a command."""


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
