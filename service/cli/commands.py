"""The commands, with their options and help texts.

Each imports the module that does its work when it runs, so that `--help` is fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from service import __version__
from service.cli.log_commands import log
from service.cli.match_commands import at, matches, replay, top
from service.cli.paths import path_option
from service.edge.claims import Scope


class _ServeFirst(TyperGroup):
    """List `serve` first and the other commands by name."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # typer has its own Context
        """Return the names of all commands, in the order of the help."""
        return sorted(super().list_commands(ctx), key=lambda name: (name != "serve", name))


app = typer.Typer(
    cls=_ServeFirst,
    help="The realtime service of a browser game platform.",
    no_args_is_help=True,
    # Plain tracebacks, since the pretty ones are long and show values.
    pretty_exceptions_enable=False,
)
db = typer.Typer(help="The schema of the database.", no_args_is_help=True, add_completion=False)
outbox = typer.Typer(
    help="Inspect the outbox of finished matches, also while the service runs.",
    invoke_without_command=True,
    add_completion=False,
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
    """Declare the options that precede a command."""


@app.command()
def serve(
    *,
    dev: Annotated[
        bool,
        typer.Option(
            "--dev",
            help="For development: a generated secret, POST /dev/token, console logs.",
        ),
    ] = False,
    accept_lost_tail: Annotated[
        bool,
        typer.Option(
            "--accept-lost-tail", help="Go on permanently with a log that lost its last events."
        ),
    ] = False,
) -> None:
    """Serve until Ctrl-C, SIGTERM or SIGHUP."""
    from service.cli.serve import serve

    serve(dev=dev, accept_lost_tail=accept_lost_tail)


app.add_typer(db, name="db")


@db.command()
def upgrade() -> None:
    """Migrate the database to the newest schema; create it if there is none."""
    from service.cli.db import upgrade

    upgrade()


@db.command()
def current() -> None:
    """Show the schema of the database, and the one of this version."""
    from service.cli.db import current

    current()


@db.command()
def check() -> None:
    """End with an error unless the database has the newest schema."""
    from service.cli.db import check

    check()


@db.command()
def copy(
    to: Annotated[str, typer.Option(help="URL of the empty database, as in WS_DATABASE_URL.")],
) -> None:
    """Copy the configured log to another database, SQLite or PostgreSQL, and verify the copy.

    The service must not run. Positions, hashes and times stay; the original is not changed.
    """
    from service.cli.db import copy

    copy(to)


app.add_typer(log, name="log")


app.add_typer(matches, name="matches")


app.add_typer(outbox, name="outbox")


@outbox.callback()
def entries(
    context: typer.Context,
    *,
    json: Annotated[bool, typer.Option("--json", help="As JSON, one entry per line.")] = False,
) -> None:
    """List pending and rejected deliveries, the oldest first."""
    if context.invoked_subcommand is None:
        from service.cli.outbox import list_entries

        list_entries(as_json=json)


@outbox.command()
def retry(
    match: Annotated[str, typer.Argument(help="The id of a match, or how it begins.")],
) -> None:
    """Let the running service deliver a match at once, also a rejected one."""
    from service.cli.outbox import retry

    retry(match)


games = typer.Typer(
    help="List the games, built in and of installed packages, or begin a new one.",
    add_completion=False,
    invoke_without_command=True,
)
app.add_typer(games, name="games")


@games.callback()
def list_games(
    context: typer.Context,
    *,
    json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """List the games: built in, and of installed packages."""
    if context.invoked_subcommand is None:
        from service.cli.games import list_games

        list_games(as_json=json)


@games.command()
def new(
    name: Annotated[
        str, typer.Argument(help="Lower-case letters, digits and underscores: my_game.")
    ],
) -> None:
    """Write the package of a new game into ./NAME: rules, a page, tests and an entry point."""
    from service.cli.new_game import new_game

    new_game(name)


app.command()(replay)
app.command()(at)
app.command()(top)


@app.command()
def settings(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False
) -> None:
    """Show every setting with its value, and the bounds of memory that clients can use."""
    from service.cli.settings import show_settings

    show_settings(as_json=as_json)


@app.command()
def erase(
    *,
    user: Annotated[str | None, typer.Option(help="The id of a user: name and texts.")] = None,
    texts_before: Annotated[
        str | None, typer.Option(help="Texts of all users before then: 90d or 2026-11-24[T15:00].")
    ] = None,
) -> None:
    """Erase personal data for good: the display name of a user, and chat texts.

    The log is not changed, and the service may run meanwhile; it forgets a name when it is
    restarted. Backups still have what was erased.
    """
    from service.cli.erase import erase

    erase(user, texts_before)


@app.command()
def doctor(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False
) -> None:
    """Check settings, secrets, database, bus, clock and machine, and say what to do.

    Nothing is written, and the service may run meanwhile. The exit code is 1 when a check fails.
    """
    from service.cli.doctor import doctor

    doctor(as_json=as_json)


@app.command()
def nodes(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False
) -> None:
    """Show the nodes of the cluster: leases, sockets, rooms, and how far behind each is."""
    from service.cli.nodes import nodes

    nodes(as_json=as_json)


@app.command()
def bots(  # noqa: PLR0913 - these are the options
    *,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many users.")] = 20,
    game: Annotated[str, typer.Option(help="The game that they play.")] = "pong",
    level: Annotated[int, typer.Option(help="How well they play, from 1.")] = 2,
    url: Annotated[
        str | None, typer.Option(help="The service; by default on this machine, at WS_PORT.")
    ] = None,
    tokens: Annotated[
        Path | None,
        path_option(text="File with a token per line; else they are signed by JWT_SECRET."),
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="How the ids of users begin whose tokens are signed.")
    ] = "guest-",
) -> None:
    """Fill the lobby of a running service with users who play by themselves, until Ctrl-C."""
    from service.cli.bots import bots

    bots(count, game, level, url, tokens, prefix)


@app.command()
def token(
    user: Annotated[str | None, typer.Option("--id", help="The user's id.")] = None,
    name: Annotated[str | None, typer.Option(help="The user's display name, if any.")] = None,
    ttl: Annotated[str, typer.Option(help="How long it is valid: 30s, 15m, 1h, 7d.")] = "1h",
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="A scope of a service token, which needs no id; may be repeated."),
    ] = None,
    key: Annotated[
        Path | None,
        path_option(text="Private key in PEM to sign with, for RS*, ES* and EdDSA."),
    ] = None,
) -> None:
    """Print a token for a user or a service, signed with the service's secret."""
    from service.cli.token import print_token

    print_token(user, name, ttl, scope or (), key)
