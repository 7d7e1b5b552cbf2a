"""The commands that show matches, with their options and help texts.

Each imports the module that does its work when it runs, so that `--help` is fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

matches = typer.Typer(
    help="List matches, the newest first, or show one.",
    invoke_without_command=True,
    add_completion=False,
)


@matches.callback()
def list_(  # noqa: PLR0913 - these are the options
    context: typer.Context,
    *,
    user: Annotated[
        str | None, typer.Option(help="Only matches of this user, by id or name.")
    ] = None,
    game: Annotated[str | None, typer.Option(help="Only matches of this game.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only matches since then: 30m, 2h, 7d or 2026-11-24[T15:00].")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The most matches to list.")] = 20,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="As JSON, one match per line, in the form of `/api/v1/matches`."
        ),
    ] = False,
) -> None:
    """List matches, the newest first."""
    if context.invoked_subcommand is None:
        from service.cli.matches import list_matches

        list_matches(user, game, since, limit, as_json=json)


@matches.command()
def show(
    match: Annotated[str, typer.Argument(metavar="ID", help="A match, or how its id begins.")],
    *,
    json: Annotated[
        bool, typer.Option("--json", help="As JSON, as `/api/v1/matches/ID/summary`.")
    ] = False,
) -> None:
    """Show a match: result, score over time, what happened when, figures of its game."""
    from service.cli.match_summary import show_match

    show_match(match, as_json=json)


def replay(  # noqa: PLR0913 - these are the options
    match: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A match, or how its id begins.")
    ] = None,
    *,
    speed: Annotated[
        float, typer.Option(min=0.01, max=1000, help="Playback speed; 2 is twice real time.")
    ] = 1.0,
    at: Annotated[
        str | None, typer.Option(help="Print one state: 12s, or 720t for a tick.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="With --at: the state as JSON.")] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Verify the hashes, and every outcome and state."),
    ] = False,
    import_: Annotated[
        Path | None,
        typer.Option("--import", metavar="FILE", help="Use a recording instead of the log."),
    ] = None,
    export: Annotated[
        Literal["json", "ndjson", "cast", "gif", "svg"] | None,
        typer.Option(help="Write a recording, all frames, or a picture."),
    ] = None,
    hz: Annotated[
        float | None,
        typer.Option(min=0.1, max=60, help="With --export: frames per second of the match."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="With --export: the first moment, as in --at.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="With --export: the last moment, as in --at.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="With --export: a file, instead of standard output."),
    ] = None,
    live: Annotated[
        str | None,
        typer.Option(metavar="ROOM", help="Watch a room of the running service instead."),
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="With --live: the service, as ws://127.0.0.1:4000.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="WS_TOKEN",
            help="With --live: who watches; by default a user whose token is signed here.",
        ),
    ] = None,
    password: Annotated[str | None, typer.Option(help="With --live: that of the room.")] = None,
) -> None:
    """Replay a match in the terminal, verify it, or export it; from the log or a recording."""
    from service.cli import replay

    source = replay.Source(match, import_)
    if live is not None:
        from service.cli.live import watch_room

        watch_room(live, url, token, password)
    elif verify:
        replay.verify_match(source)
    elif export is not None:
        from service.cli.replay_export import Part, export_match

        export_match(source, export, Part(start, to, hz, speed), output)
    else:
        replay.show_match(source, speed, at, as_json=json)
