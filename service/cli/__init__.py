"""The command `ws-service`: each module here is one of its commands."""

import os
import sys
from typing import Annotated

import typer

from service import __version__
from service.cli import db, log, matches, outbox, replay, serve, settings, token
from service.errors import ConfigurationError, ServiceError

PRIVATE_UMASK = 0o077

app = typer.Typer(
    help="The realtime service of a browser game platform.",
    no_args_is_help=True,
    # An unforeseen error shows its plain traceback; the pretty one is long and shows values.
    pretty_exceptions_enable=False,
)

app.command("serve")(serve.command)
app.add_typer(db.app, name="db")
app.add_typer(log.app, name="log")
app.command("matches")(matches.command)
app.add_typer(outbox.app, name="outbox")
app.command("replay")(replay.command)
app.command("settings")(settings.command)
app.command("token")(token.command)


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
