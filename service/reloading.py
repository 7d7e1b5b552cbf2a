"""Reload changed rules of installed games while the service runs for development."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.projections.matches import Matches
    from service.games.installed import Fault
    from service.games.reloading import Reloader

INTERVAL_S = 0.5
"""How often the files are looked at."""

logger = get_logger(__name__)


def log_faults(what: str, faults: Sequence[Fault]) -> None:
    """Log games that can't be used, and why."""
    for fault in faults:
        logger.error(
            what,
            error_type="internal_error",
            error_code="GAME_FAULTY",
            metadata={"game": fault.name, "package": fault.package, "reason": fault.reason},
        )


async def reload_changed(reloader: Reloader, matches: Matches) -> NoReturn:
    """Look at the files of games again and again; log what becomes of those that change."""
    while True:
        await asyncio.sleep(INTERVAL_S)
        changed = await asyncio.to_thread(reloader.changed)
        if changed:
            reload_once(reloader, changed, matches)


def reload_once(reloader: Reloader, changed: list[str], matches: Matches) -> None:
    """Reload packages for matches to come; live ones go on as they began."""
    live = {match.id: (match.game, match.rules_version) for match in matches.live.values()}
    reloaded = reloader.reload(changed, live)
    log_faults("game not reloaded", reloaded.faults)
    if reloaded.games:
        logger.info("games reloaded", metadata={"games": reloaded.games})
