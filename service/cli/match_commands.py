"""The commands that show matches, with their options and help texts.

Each imports the module that does its work when it runs, so that `--help` is fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from service.cli.paths import path_option

matches = typer.Typer(
    help="List matches, the newest first, or show one.",
    invoke_without_command=True,
    add_completion=False,
)


_ListUser = Annotated[str | None, typer.Option(help="Only matches of this user, by id or name.")]
_ListOpponent = Annotated[
    str | None, typer.Option(help="Only matches with this other player, by id or name.")
]
_ListGame = Annotated[str | None, typer.Option(help="Only matches of this game.")]
_ListSince = Annotated[
    str | None, typer.Option(help="Only matches since then: 30m, 2h, 7d or 2026-11-24[T15:00].")
]
_ListUntil = Annotated[
    str | None, typer.Option(help="Only matches that started before then, as in --since.")
]
_ListResult = Annotated[
    Literal["won", "lost", "drawn"] | None,
    typer.Option(help="Only matches that --user won, lost or drew."),
]
_ListReason = Annotated[
    str | None, typer.Option(help="Only matches that ended so, as `forfeit`, or `live` ones.")
]
_ListLonger = Annotated[
    str | None, typer.Option(help="Only matches that took so long or longer: 30s, 5m.")
]
_ListShorter = Annotated[
    str | None, typer.Option(help="Only matches that took so long or less: 30s, 5m.")
]
_ListSort = Annotated[
    Literal["newest", "oldest", "longest", "shortest"], typer.Option(help="The order.")
]
_ListLimit = Annotated[int, typer.Option(min=1, max=10_000, help="The most matches to list.")]
_ListPage = Annotated[
    int, typer.Option(min=1, max=1_000_000, help="Which page of --limit matches.")
]
_ListJson = Annotated[
    bool,
    typer.Option("--json", help="As JSON, one match per line, in the form of `/api/v1/matches`."),
]
_ListCsv = Annotated[bool, typer.Option("--csv", help="As CSV, with a line of names.")]


@matches.callback()
def list_(  # noqa: PLR0913 - these are the options
    context: typer.Context,
    *,
    user: _ListUser = None,
    opponent: _ListOpponent = None,
    game: _ListGame = None,
    since: _ListSince = None,
    until: _ListUntil = None,
    result: _ListResult = None,
    reason: _ListReason = None,
    longer: _ListLonger = None,
    shorter: _ListShorter = None,
    sort: _ListSort = "newest",
    limit: _ListLimit = 20,
    page: _ListPage = 1,
    json: _ListJson = False,
    csv: _ListCsv = False,
) -> None:
    """List matches, the newest first."""
    if context.invoked_subcommand is None:
        from service.cli.matches import Wanted, list_matches

        if json and csv:
            raise typer.BadParameter("choose one of --json and --csv", param_hint="--csv")
        wanted = Wanted(user, opponent, game, since, until, result, reason, longer, shorter, sort)
        list_matches(wanted, limit, page, form="json" if json else "csv" if csv else "table")


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


_ReplayMatch = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="A match, or how its id begins.")
]
_ReplaySpeed = Annotated[
    float, typer.Option(min=0.01, max=1000, help="Playback speed; 2 is twice real time.")
]
_ReplayAt = Annotated[str | None, typer.Option(help="Print one state: 12s, or 720t for a tick.")]
_ReplayJson = Annotated[bool, typer.Option("--json", help="With --at: the state as JSON.")]
_ReplayVerify = Annotated[
    bool,
    typer.Option("--verify", help="Verify the hashes, and every outcome and state."),
]
_ReplayImport = Annotated[
    Path | None,
    path_option(
        "--import", text="Use a recording instead of the log; - reads it from standard input."
    ),
]
_ReplayExport = Annotated[
    Literal["json", "ndjson", "cast", "gif", "svg"] | None,
    typer.Option(help="Write a recording, all frames, or a picture."),
]
_ReplayHz = Annotated[
    float | None,
    typer.Option(min=0.1, help="With --export: frames per second of the match."),
]
_ReplayStart = Annotated[
    str | None, typer.Option("--from", help="With --export: the first moment, as in --at.")
]
_ReplayTo = Annotated[str | None, typer.Option(help="With --export: the last moment, as in --at.")]
_ReplayOutput = Annotated[
    Path | None,
    path_option("--output", "-o", text="With --export: a file, instead of standard output."),
]
_ReplaySecrets = Annotated[
    bool, typer.Option("--secrets", help="Show also what players could not see.")
]
_ReplayLive = Annotated[
    str | None,
    typer.Option(metavar="ROOM", help="Watch a room of the running service instead."),
]
_ReplayFork = Annotated[
    str | None,
    typer.Option(
        metavar="PLACE",
        help="Open a room of the running service with a match that goes on from there.",
    ),
]
_ReplayPlayer = Annotated[
    list[str] | None,
    typer.Option(help="With --fork: the id of a player, by seat; else the same as before."),
]
_ReplayUrl = Annotated[
    str | None,
    typer.Option(help="With --live and --fork: the service, as http://127.0.0.1:4000."),
]
_ReplayToken = Annotated[
    str | None,
    typer.Option(
        envvar="WS_TOKEN",
        help="With --live and --fork: who does it; by default a token is signed here.",
    ),
]
_ReplayPassword = Annotated[str | None, typer.Option(help="With --live: that of the room.")]


def replay(  # noqa: PLR0913 - these are the options
    context: typer.Context,
    match: _ReplayMatch = None,
    *,
    speed: _ReplaySpeed = 1.0,
    at: _ReplayAt = None,
    json: _ReplayJson = False,
    verify: _ReplayVerify = False,
    import_: _ReplayImport = None,
    export: _ReplayExport = None,
    hz: _ReplayHz = None,
    start: _ReplayStart = None,
    to: _ReplayTo = None,
    output: _ReplayOutput = None,
    secrets: _ReplaySecrets = False,
    fork: _ReplayFork = None,
    player: _ReplayPlayer = None,
    live: _ReplayLive = None,
    url: _ReplayUrl = None,
    token: _ReplayToken = None,
    password: _ReplayPassword = None,
) -> None:
    """Replay a match in the terminal, verify it, or export it; from the log or a recording."""
    from service.cli import replay
    from service.cli.match_source import Source
    from service.cli.replay_options import check_together, named

    check_together(named(context.params))
    source = Source(match, import_, secrets)
    if live is not None:
        from service.cli.live import watch_room

        watch_room(live, url, token, password)
    elif fork is not None:
        from service.cli.fork import fork_match

        fork_match(source, fork, player or (), url, token)
    elif verify:
        replay.verify_match(source)
    elif export is not None:
        from service.cli.replay_export import Part, export_match

        export_match(source, export, Part(start, to, hz, speed), output)
    else:
        replay.show_match(source, speed, at, as_json=json)


def at(
    time: Annotated[str, typer.Argument(help="As 2026-11-23T10:00:00Z, or 2h ago as 2h.")],
    *,
    room: Annotated[str | None, typer.Option(help="Only this room, with its match.")] = None,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="Show also what players could not see.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show users, rooms and matches as they were at a time."""
    from service.cli.at import show_then

    show_then(time, room, secrets=secrets, as_json=as_json)


def top(
    *,
    url: Annotated[str | None, typer.Option(help="The service, as http://127.0.0.1:4000.")] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="WS_TOKEN", help="A token with the scope observe; else one is signed."),
    ] = None,
    every: Annotated[float, typer.Option(min=0.2, max=3600, help="Seconds between looks.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs, once.")] = False,
) -> None:
    """Show users, rooms, matches, events and latencies of the running service, as they change."""
    from service.cli.top import show_figures

    show_figures(url, token, every, as_json=as_json)
