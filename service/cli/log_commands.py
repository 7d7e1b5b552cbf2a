"""The commands of `ws-service log`, with their options and help texts.

Each imports the module that does its work when it runs, so that `--help` is fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.paths import given_path, path_option

log = typer.Typer(
    help="Inspect and maintain the event log.", no_args_is_help=True, add_completion=False
)


@log.command()
def verify() -> None:
    """Verify the hash chain, and everything that is derived from the log.

    Nothing is written, and the service may run meanwhile. The exit code is 1 when something is
    damaged, 2 when there is no log to check.
    """
    from service.cli.verify import verify

    verify()


@log.command()
def rebuild() -> None:
    """Rebuild what is derived from the log: match history, outbox, consumers, indexes.

    The service must not run. It is one transaction: if it is interrupted, nothing has changed.
    """
    from service.cli.maintenance import rebuild

    rebuild()


@log.command()
def backup(
    directory: Annotated[
        Path,
        typer.Argument(
            parser=given_path,
            metavar="DIRECTORY",
            help="Where the copy is put, in a new folder named by the time.",
        ),
    ],
) -> None:
    """Copy the log and the secret that belongs to it, and verify the copy.

    The service may run meanwhile. Only its owner can read the copy.
    """
    from service.cli.maintenance import backup

    backup(directory)


@log.command()
def restore(
    source: Annotated[
        Path,
        typer.Argument(
            parser=given_path, metavar="BACKUP", help="The folder of a backup, or a database."
        ),
    ],
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Move an existing log aside.")] = False,
) -> None:
    """Replace the log by a backup. The service must not run.

    Sessions that were revoked after the backup stay revoked, as far as the replaced log can be
    read.
    """
    from service.cli.maintenance import restore

    restore(source, replace=replace)


@log.command()
def archive(
    *,
    before: Annotated[
        str, typer.Option(help="Only what ended before then: 12h, 90d or 2026-11-24[T15:00].")
    ],
    to: Annotated[
        Path | None,
        path_option(
            text="The directory of archives, by default WS_ARCHIVE_DIR.", metavar="DIRECTORY"
        ),
    ] = None,
) -> None:
    """Move the events of old matches and rooms out of the log, into a file.

    Only events without which the world is the same, proved by folding the log with and without
    them. On SQLite the service must not run. Matches stay in the history, and are read from the
    file.
    """
    from service.cli.archive import archive

    archive(before, to)


@log.command()
def skip(
    position: Annotated[int, typer.Argument(min=1, help="The position of the event in the log.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; `log verify` lists it permanently.")],
) -> None:
    """Skip, permanently, the first event that can't be read or folded; stop the service first."""
    from service.cli.skip import skip

    skip(position, reason)


@log.command()
def stats(
    *, json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False
) -> None:
    """Show the size of the log and the number of events by type."""
    from service.cli.log import stats

    stats(as_json=json)


@log.command()
def tail(
    *,
    count: Annotated[int, typer.Option("-n", min=0, help="The number of events.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for new events.")] = False,
    stream: Annotated[str | None, typer.Option(help="Only events of this stream.")] = None,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="Also what spectators of a live match may not see.")
    ] = False,
) -> None:
    """Show the last events.

    Of a match with secrets that goes on, or that keeps them, only what its spectators may see.
    """
    from service.cli.log import tail

    tail(count, stream, follow=follow, secrets=secrets)


@log.command()
def export(
    *,
    after: Annotated[int, typer.Option(min=0, help="Only events after this position.")] = 0,
    stream: Annotated[str | None, typer.Option(help="Only events of this stream.")] = None,
    output: Annotated[
        Path | None,
        path_option("--output", "-o", text="A file, instead of standard output."),
    ] = None,
) -> None:
    """Write whole events as JSON, one per line."""
    from service.cli.log import export

    export(after, stream, output)
