"""`ws-service settings`: the settings in force."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.settings import load_settings

PIPE_WIDTH = 200


def command(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False
) -> None:
    """Show every setting with the value in force; secrets are masked."""
    rows = [asdict(row) for row in load_settings().table()]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table(box=SIMPLE_HEAD)
    table.add_column("Variable", no_wrap=True)
    for column in ("Value", "Default", "Meaning"):
        table.add_column(column, overflow="fold")
    for row in rows:
        cells = (row["env"], _measured(row, "value"), _measured(row, "default"), row["help"])
        # As `Text`: what stands in a value is no markup.
        table.add_row(*map(Text, cells))
    # For a pipe, one line for each setting.
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


def _measured(row: dict[str, str], key: str) -> str:
    return f"{row[key]} {row['unit']}".strip() if row[key] else ""
