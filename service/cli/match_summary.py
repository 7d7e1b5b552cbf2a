"""`ws-service matches show`: one match, summed up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from rich.table import Table
from rich.text import Text

from service.cli.common import console, format_time
from service.cli.match_source import Source, load
from service.replay.colours import SEATS
from service.replay.summary import summarise
from service.replay.times import seconds_as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.replay.replay import Replay
    from service.replay.summary import Mark, Score, Summary

CHART_WIDTH_MIN, CHART_WIDTH_MAX = 10, 60
CHART_MARGIN = 8
"""The columns beside the chart: its labels, and one that stays free."""

CHART_HEIGHT_MAX = 8

MARKS_SHOWN = 40
"""The most lines of what happened; all of it is in the JSON."""

SIGNS = "●■"
"""What marks the course of each seat, beside its colour."""


def show_match(match: str, *, as_json: bool) -> None:
    """Print a match: who played, the result, the score over time, and what happened."""
    replay, names = load(Source(match, None))
    summary = summarise(replay)
    if as_json:
        print(msgspec.json.encode(summary).decode())
        return
    out = console()
    width = max(CHART_WIDTH_MIN, min(CHART_WIDTH_MAX, out.width - CHART_MARGIN))
    out.print(_head(replay, summary, names))
    out.print(_chart(summary, names, width))
    out.print(_happened(summary.timeline, names))
    out.print(_figures(summary, names))


def describe(mark: Mark, names: Sequence[str]) -> str:
    """Return what a mark tells, in words."""
    who = None if mark.seat is None else names[mark.seat]
    lasted = "" if mark.lasted_s is None else f" for {seconds_as_text(mark.lasted_s)}"
    words = {
        "started": "started",
        "point": "the score changes" if who is None else f"{who} scores",
        "move": f"{who} moves   {bytes(mark.input or b'').decode()}",
        "paused": f"paused{lasted}",
        "resumed": "went on",
        "rewound": "went back to here after a restart",
        "suspended": "the service was stopped",
        "ended": "ended without a winner" if who is None else f"{who} has won",
    }[mark.kind]
    score = "" if mark.scores is None else f"   {' : '.join(map(str, mark.scores))}"
    # Moves and names are of clients: escape sequences must not reach the terminal.
    return "".join(one if one.isprintable() else "�" for one in words + score)


def _head(replay: Replay, summary: Summary, names: list[str]) -> Text:
    text = Text()
    for seat, name in enumerate(names):
        text.append(" : " if seat else "")
        text.append(name, SEATS[seat] if len(names) == len(SEATS) else "")
    ended = replay.ended
    result = "live" if ended is None else f"{' : '.join(map(str, ended.scores))}, {ended.reason}"
    began = f", {format_time(replay.times[0])[:19]} UTC" if replay.times else ""
    text.append(
        f"\n{summary.game} (rules {summary.rules_version}){began}, "
        f"{seconds_as_text(summary.duration_s)}, {result}\n"
    )
    return text


def _chart(summary: Summary, names: list[str], width: int) -> Text:
    """Draw the score of each seat over time."""
    most = max((max(one.scores, default=0) for one in summary.scores), default=0)
    if not most or summary.duration_s <= 0 or len(names) != len(SEATS):
        return Text("no points were made\n" if not most else "")
    height = min(most, CHART_HEIGHT_MAX)
    rows = [[(" ", "")] * width for _ in range(height + 1)]
    for column in range(width):
        scores = _scores_at(summary.scores, (column + 1) / width * summary.duration_s)
        for seat, score in enumerate(scores):
            row = height - round(score / most * height)
            taken = rows[row][column][0] != " "
            rows[row][column] = ("◆", "") if taken else (SIGNS[seat], SEATS[seat])
    text = Text("score over time\n")
    for number, cells in enumerate(rows):
        label = most if number == 0 else 0 if number == height else None
        text.append(f"{'' if label is None else label:>4} ┤")
        for sign, colour in cells:
            text.append(sign, colour)
        text.append("\n")
    ends = f"0 s{seconds_as_text(summary.duration_s):>{width - 3}}"
    return text.append(f"     └{'─' * width}\n      {ends}\n")


def _scores_at(scores: Sequence[Score], at_s: float) -> Sequence[int]:
    return [one for one in scores if one.at_s <= at_s][-1].scores


def _happened(marks: Sequence[Mark], names: list[str]) -> Table:
    table = Table("time", "what happened", box=None, pad_edge=False)
    table.columns[0].justify = "right"
    for mark in marks[:MARKS_SHOWN]:
        table.add_row(seconds_as_text(mark.at_s), Text(describe(mark, names), overflow="ellipsis"))
    if len(marks) > MARKS_SHOWN:
        table.add_row("", f"and {len(marks) - MARKS_SHOWN} more: --json has all of it")
    return table


def _figures(summary: Summary, names: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for one in summary.inputs:
        rate = "" if one.per_second is None else f", {one.per_second:g} a second"
        table.add_row(f"inputs of {names[one.seat]}", f"{one.inputs}{rate}")
    for figure in summary.figures:
        of = "" if figure.seat is None else f" of {names[figure.seat]}"
        table.add_row(f"{figure.title}{of}", f"{figure.value:g} {figure.unit}")
    return table
