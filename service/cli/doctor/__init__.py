"""`ws-service doctor`: check everything around the service, and say what to do.

It writes nothing, and the service may run meanwhile.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import msgspec
from rich.table import Table
from rich.text import Text

from service.cli.common import console, run
from service.cli.doctor.archives import check_archives
from service.cli.doctor.bus import check_bus
from service.cli.doctor.configuration import check_settings
from service.cli.doctor.database import check_database
from service.cli.doctor.findings import Finding, worst
from service.cli.doctor.games import check_games
from service.cli.doctor.machine import (
    check_disk,
    check_memory,
    check_open_files,
    check_wire,
)
from service.cli.doctor.secrets import check_keys, check_secret_files, check_secrets
from service.errors import ConfigurationError
from service.settings import Settings, load_settings
from service.telemetry import configure_logging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(*, as_json: bool) -> None:
    """Print what all checks have found; exit with 1 when one has failed."""
    # What the parts would log is told by the findings.
    configure_logging("critical", "ecs")
    findings: list[Finding] = []
    run(_examine(findings))
    status = worst(findings)
    if as_json:
        print(msgspec.json.encode({"status": status, "checks": findings}).decode())
    else:
        _print(findings)
    sys.exit(status == "fail")


async def _examine(findings: list[Finding]) -> None:
    """Add what all checks find with the settings of the environment."""
    try:
        settings = load_settings()
    except ConfigurationError as error:
        advice = "correct it; `ws-service settings` lists what is allowed"
        findings.append(Finding("settings", "fail", error.message, advice))
        return
    for name, check in CHECKS.items():
        findings += await asyncio.to_thread(_findings, name, check, settings)
    findings += await check_keys(settings)
    findings += await check_bus(settings)


def _findings(
    name: str, check: Callable[[Settings], Iterable[Finding]], settings: Settings
) -> list[Finding]:
    """Run a check; one that can't be carried out has failed."""
    try:
        return list(check(settings))
    except Exception as error:  # noqa: BLE001 - the others have to be made all the same
        return [Finding(name, "fail", f"it can't be checked: {type(error).__name__}: {error}")]


CHECKS: dict[str, Callable[[Settings], Iterable[Finding]]] = {
    "settings": check_settings,
    "secret": check_secrets,
    "secret-files": check_secret_files,
    "database": check_database,
    "games": check_games,
    "disk": check_disk,
    "archives": check_archives,
    "open-files": check_open_files,
    "memory": check_memory,
    "wire": check_wire,
}


def _print(findings: list[Finding]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        # As `Text`, since what is found is not markup.
        table.add_row(
            Text(finding.status, STYLES[finding.status]), Text(finding.check), Text(finding.found)
        )
        if finding.advice:
            table.add_row("", "", Text(f"-> {finding.advice}"))
    console().print(table)
