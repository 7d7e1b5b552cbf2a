"""`ws-service matches`: the match history."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import msgspec
import typer
from rich.table import Table

from service.cli.common import console, format_time, known_games, opened_log, run
from service.edge.api.shapes import match_of
from service.eventstore.read_models.match_history import MatchQuery, PlayedMatch, find_matches

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


def list_matches(
    user: str | None, game: str | None, since: str | None, limit: int, *, as_json: bool
) -> None:
    """List matches, the newest first."""
    wanted = MatchQuery(user=user, game=game, since=parse_since(since, time.time()), limit=limit)
    run(_list(wanted, as_json=as_json))


async def _list(wanted: MatchQuery, *, as_json: bool) -> None:
    async with opened_log() as reader:
        found = await find_matches(reader, wanted)
    if as_json:
        for match in found:
            print(msgspec.json.encode(match_of(match, known_games())).decode())
    elif not found:
        print("no matches found")
    else:
        console().print(_table(found))


def _table(found: list[PlayedMatch]) -> Table:
    table = Table("match", "game", "players", "started (UTC)", "seconds", "score", "result")
    for match in found:
        seconds = seconds_of(match)
        table.add_row(
            match.id,
            match.game,
            " : ".join(match.players),
            format_time(match.started_at)[:19],
            "" if seconds is None else f"{seconds:.0f}",
            ":".join(map(str, match.scores or [])),
            result_of(match),
        )
    return table


def seconds_of(match: PlayedMatch) -> float | None:
    """Return the duration of a match by its own clock, else by its times if they are plausible."""
    game = known_games().newest(match.game)
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
    if since is None:
        return 0
    ago = _AGO.fullmatch(since)
    if ago:
        return int((now - int(ago[1]) * _SECONDS[ago[2]]) * 1_000_000)
    try:
        date = datetime.fromisoformat(since)
    except ValueError:
        raise typer.BadParameter(
            "give a time like 30m, 2h or 7d, or a date like 2026-11-24 or 2026-11-24T15:00",
            param_hint=option,
        ) from None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return int(date.timestamp() * 1_000_000)
