"""`ws-service top`: the figures of the running service, as they change."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from rich.live import Live
from rich.table import Table

from service.cli.api import ask, base_url
from service.cli.common import console, run
from service.cli.token import make_token
from service.edge.claims import Scope
from service.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

TOKEN_TTL = timedelta(days=1)
TIMEOUT_S = 5.0

BARS = "▁▂▃▄▅▆▇█"
BARS_SHOWN = 30

FIGURES = (
    ("sockets", "sockets", ""),
    ("users", "users online", ""),
    ("rooms", "rooms", ""),
    ("matches", "live matches", ""),
    ("eventsPerS", "events", "/s"),
    ("commitMs", "commit p99", "ms"),
    ("tickMs", "tick lateness p99", "ms"),
    ("slowConsumers", "slow consumers", ""),
)
"""The field of a sample, what it is called, and its unit."""


def show_figures(url: str | None, token: str | None, every_s: float, *, as_json: bool) -> None:
    """Show the figures until Ctrl-C; once, when output is no terminal or with `as_json`."""
    settings = load_settings()
    base = base_url(url, settings)
    used = token or make_token(settings, None, None, TOKEN_TTL, (Scope.OBSERVE,))
    run(_show(f"{base}/api/v1/admin/figures", used, every_s, as_json=as_json))


async def _show(url: str, token: str, every_s: float, *, as_json: bool) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    timeout = aiohttp.ClientTimeout(TIMEOUT_S)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http:
        samples = await _ask(http, url)
        if as_json:
            print(msgspec.json.encode(samples[-1]).decode())
        elif not sys.stdout.isatty():
            console().print(table(samples))
        else:
            with Live(table(samples), console=console(), auto_refresh=False) as live:
                while True:
                    await asyncio.sleep(every_s)
                    samples = await _ask(http, url)
                    live.update(table(samples), refresh=True)


async def _ask(http: aiohttp.ClientSession, url: str) -> Sequence[dict[str, Any]]:
    """Return the samples, the present one last; raise `ServiceNotReached`."""
    samples: list[dict[str, Any]] = (await ask(http, "GET", url))["samples"]
    return samples


def table(samples: Sequence[dict[str, Any]]) -> Table:
    """Return the present figures, each with its course."""
    shown = Table("", "now", "", "last minutes", box=None, pad_edge=False)
    shown.columns[1].justify = "right"
    for field, title, unit in FIGURES:
        values = [sample[field] for sample in samples]
        now = values[-1]
        text = "-" if now is None else f"{now:,.1f}" if unit else f"{now:,}"
        shown.add_row(title, text, unit, bars([value or 0 for value in values[-BARS_SHOWN:]]))
    return shown


def bars(values: Sequence[float]) -> str:
    """Draw a course as text; the highest value is a whole block."""
    most = max(values, default=0)
    if most <= 0:
        return BARS[0] * len(values)
    return "".join(BARS[round(value / most * (len(BARS) - 1))] for value in values)
