"""`ws-service settings`: the settings in force."""

import json
import sys
from dataclasses import asdict

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.bounds import Bound, bounds, total_of
from service.settings import describe, load_settings

PIPE_WIDTH = 200


def show_settings(*, as_json: bool) -> None:
    """Show every setting with its current value, and the memory bounds of clients."""
    settings = load_settings()
    rows = [asdict(row) for row in describe(settings)]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table(box=SIMPLE_HEAD)
    table.add_column("Variable", no_wrap=True)
    for column in ("Value", "Default", "Meaning"):
        table.add_column(column, overflow="fold")
    for row in rows:
        cells = (row["env"], _measured(row, "value"), _measured(row, "default"), row["help"])
        # As `Text`, since values are not markup.
        table.add_row(*map(Text, cells))
    # In a pipe, one line for each setting.
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    console.print(table)
    _print_bounds(console, bounds(settings))


def _print_bounds(console: Console, rows: list[Bound]) -> None:
    """Print the bounds of memory that clients can use."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("Memory bounds", no_wrap=True)
    table.add_column("At most", justify="right", no_wrap=True)
    table.add_column("Of", no_wrap=True)
    table.add_column("By", overflow="fold")
    for row in rows:
        table.add_row(
            row.what,
            _mib(row.bytes),
            "each user" if row.scope == "user" else "all",
            ", ".join(row.limits),
        )
    of_user = sum(row.bytes for row in rows if row.scope == "user")
    table.add_section()
    table.add_row("one user", _mib(of_user), "each user")
    table.add_row("in all, by one hostile user", _mib(total_of(rows)), "all")
    console.print(table)


def _mib(bytes_: int) -> str:
    return f"{bytes_ / 1024**2:.1f} MiB"


def _measured(row: dict[str, str], key: str) -> str:
    return f"{row[key]} {row['unit']}".strip() if row[key] else ""
