"""`ws-service matches`: the match history."""

from __future__ import annotations

import csv
import re
import sys
import time
from datetime import UTC, datetime
from typing import Literal, NamedTuple, get_args

import msgspec
import typer
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from service.cli.common import console, format_time, known_games, opened_log, run
from service.domain.events.matches import EndReason
from service.edge.api.shapes import match_of
from service.eventstore.read_models.match_history import (
    MatchOrder,
    MatchQuery,
    MatchResult,
    PlayedMatch,
    find_matches,
)
from service.replay.columns import cut, cut_pair
from service.replay.times import whole_seconds

_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_REASONS = {
    "timeup": "by points",
    "finished": "by the rules",
    "turn_timeout": "the other took too long",
    "left": "the other left",
    "forfeit": "the other did not come back",
    "abandoned": "abandoned",
    "void": "void",
}


WIDE = 110
"""From so many columns on the table has all fields; below it is a narrow one."""

CSV_FIELDS = (
    "match",
    "game",
    "players",
    "users",
    "started",
    "ended",
    "seconds",
    "scores",
    "winner",
    "reason",
)


class Wanted(NamedTuple):
    """The filters and the order, as they were typed."""

    user: str | None = None
    opponent: str | None = None
    game: str | None = None
    since: str | None = None
    until: str | None = None
    result: MatchResult | None = None
    reason: str | None = None
    longer: str | None = None
    shorter: str | None = None
    sort: MatchOrder = "newest"


def list_matches(wanted: Wanted, limit: int, page: int, form: str) -> None:
    """List matches; `form` is `table`, `json` or `csv`. Raises `BadParameter`."""
    run(_list(_query(wanted, limit, page, time.time()), page, form))


def _query(wanted: Wanted, limit: int, page: int, now: float) -> MatchQuery:
    reasons = (*get_args(EndReason), "live")
    if wanted.reason not in {None, *reasons}:
        raise typer.BadParameter(f"choose one of {', '.join(reasons)}", param_hint="--reason")
    for option, value in (("--opponent", wanted.opponent), ("--result", wanted.result)):
        if value is not None and wanted.user is None:
            raise typer.BadParameter("this also needs --user", param_hint=option)
    since = parse_since(wanted.since, now)
    until = None if wanted.until is None else parse_since(wanted.until, now, "--until")
    if until is not None and until < since:
        raise typer.BadParameter("it is before --since", param_hint="--until")
    return MatchQuery(
        user=wanted.user,
        opponent=wanted.opponent,
        game=wanted.game,
        since=since,
        until=until,
        result=wanted.result,
        reason=wanted.reason,
        seconds_min=_duration_s(wanted.longer, "--longer"),
        seconds_max=_duration_s(wanted.shorter, "--shorter"),
        tick_hz=known_games().tick_rates(),
        sort=wanted.sort,
        offset=(page - 1) * limit,
        limit=limit + 1,
    )


def _duration_s(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    found = _AGO.fullmatch(text)
    if not found:
        raise typer.BadParameter("give a duration like 30s, 5m or 1h", param_hint=option)
    return int(found[1]) * _SECONDS[found[2]]


async def _list(wanted: MatchQuery, page: int, form: str) -> None:
    async with opened_log() as reader:
        more = await find_matches(reader, wanted)
    found = more[: wanted.limit - 1]
    if form == "json":
        for match in found:
            print(msgspec.json.encode(match_of(match, known_games())).decode())
    elif form == "csv":
        _write_csv(found)
    elif not found:
        print("no matches found" if page == 1 else f"no matches found on page {page}")
    else:
        out = console()
        out.print(_table(found) if out.width >= WIDE else narrow_table(found, out.width))
        if len(more) > len(found):
            out.print(f"There are more: --page {page + 1}", style="dim")


def _write_csv(found: list[PlayedMatch]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(CSV_FIELDS)
    for match in found:
        seconds = seconds_of(match)
        writer.writerow(
            (
                match.id,
                match.game,
                " : ".join(map(_plain, match.players)),
                " : ".join(map(_plain, match.users)),
                format_time(match.started_at),
                "" if match.ended_at is None else format_time(match.ended_at),
                "" if seconds is None else f"{seconds:.3f}",
                ":".join(map(str, match.scores or [])),
                "" if match.winner is None else match.winner,
                match.reason or "live",
            )
        )


def _plain(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _table(found: list[PlayedMatch]) -> Table:
    table = Table("match", "game", "players", "started (UTC)", "seconds", "score", "result")
    for match in found:
        seconds = seconds_of(match)
        table.add_row(
            match.id,
            match.game,
            Text(" : ".join(match.players)),
            format_time(match.started_at)[:19],
            "" if seconds is None else str(whole_seconds(seconds)),
            ":".join(map(str, match.scores or [])),
            Text(result_of(match)),
        )
    return table


def narrow_table(found: list[PlayedMatch], width: int) -> Table:
    """Return a table for 80 columns: a line for each match, in which only names are cut."""
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    names = ("match", "started (UTC)", "game", "s", "end")
    rows = [_narrow_row(match) for match in found]
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    players_width = max(width - sum(widths) - BORDERS, PLAYERS_WIDTH_MIN)
    for name, column_width in zip(names, widths, strict=True):
        if name == "s":
            table.add_column("players", no_wrap=True)
        justify: Literal["left", "right"] = "right" if name == "s" else "left"
        table.add_column(name, no_wrap=True, min_width=column_width, justify=justify)
    for match, (*before, seconds, end) in zip(found, rows, strict=True):
        table.add_row(*before, Text(_players(match, players_width)), seconds, end)
    return table


def _narrow_row(match: PlayedMatch) -> tuple[str, ...]:
    seconds = seconds_of(match)
    return (
        match.id,
        format_time(match.started_at)[5:16],
        match.game,
        "" if seconds is None else str(whole_seconds(seconds)),
        match.reason or "live",
    )


def _players(match: PlayedMatch, width: int) -> str:
    """Return the players with the score between them, of two players at the least a part."""
    if len(match.players) != PAIR:
        return cut(", ".join(match.players), width)
    score = f" {':'.join(map(str, match.scores))} " if match.scores else " : "
    one, other = match.players
    first, second = cut_pair(one, other, max(2, width - len(score)))
    return f"{first}{score}{second}"


PAIR = 2

BORDERS = 13
"""What is between and beside the columns of the narrow table."""

PLAYERS_WIDTH_MIN = 15


def seconds_of(match: PlayedMatch) -> float | None:
    """Return the duration of a match by its own clock, else by its times if they are plausible."""
    game = known_games().rules(match.game, match.rules_version)
    if match.ended_at is None or match.ticks is None:
        return None
    if game is not None and game.tick_hz:
        return float(match.ticks / game.tick_hz)
    # The system clock may have been set back in between.
    seconds = (match.ended_at - match.started_at) / 1e6
    return seconds if seconds > 0 else None


def result_of(match: PlayedMatch) -> str:
    """Describe how a match ended."""
    if match.reason is None:
        return "live"
    if match.winner is None:
        return match.reason if match.reason in {"abandoned", "void"} else "draw"
    return f"{match.players[match.winner]}, {_REASONS[match.reason]}"


def parse_since(since: str | None, now: float, option: str = "--since") -> int:
    """Parse `option` to microseconds since 1970; raise `BadParameter` if it is not a time."""
    return 0 if since is None else parse_time(since, option, now)


def now_us() -> int:
    """Return the present time, in microseconds since 1970."""
    return time.time_ns() // 1000


def parse_time(since: str, option: str, now: float | None = None) -> int:
    """Parse a time, or how long ago it was, to microseconds since 1970; raise `BadParameter`."""
    ago = _AGO.fullmatch(since)
    if ago:
        return int(
            ((time.time() if now is None else now) - int(ago[1]) * _SECONDS[ago[2]]) * 1_000_000
        )
    try:
        date = datetime.fromisoformat(since)
    except ValueError:
        raise typer.BadParameter(
            "give a time like 30m, 2h or 7d, or a date like 2026-11-24 or 2026-11-24T15:00",
            param_hint=option,
        ) from None
    if not 1970 <= date.year < 9999:  # noqa: PLR2004 - what can be counted from 1970, in any zone
        raise typer.BadParameter("give a date from 1970 to 9998", param_hint=option)
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return int(date.timestamp() * 1_000_000)
