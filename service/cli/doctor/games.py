"""The check of the games: those of packages, and the rules that recorded matches need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.cli.doctor.findings import Finding
from service.cli.doctor.log_rows import rows_of
from service.domain.commands.room_options import ROOM_OPTIONS
from service.games.installed import installed_games

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from service.games.catalogue import Catalogue
    from service.settings import Settings

CHECK = "games"

_PLAYED = """
    SELECT game, rules_version, count(*), count(*) - count(ended_at)
    FROM matches GROUP BY game, rules_version ORDER BY game, rules_version
"""


def check_games(settings: Settings) -> Iterator[Finding]:
    """Check that each game can be used, and that the rules of all recorded matches are here."""
    chosen = settings.games
    installed = installed_games(chosen.allowed, room_options=ROOM_OPTIONS)
    for fault in installed.faults:
        yield Finding(
            CHECK,
            "fail" if chosen.is_strict else "warn",
            f"{fault.name} of {fault.package} is left out: {fault.reason}",
            "correct or remove the package, or correct WS_GAMES",
        )
    missing = list(missing_rules(rows_of(settings, _PLAYED), installed.games))
    yield from missing
    if not installed.faults and not missing:
        names = ", ".join(installed.games)
        yield Finding(CHECK, "ok", f"{names}: with the rules of all recorded matches")


def missing_rules(
    played: Iterable[tuple[str, int, int, int]], games: Catalogue
) -> Iterator[Finding]:
    """Yield which recorded matches have rules that are not here.

    `played` has the game, the version of its rules, and how many matches there are, and are live.
    """
    for game, version, matches, live in played:
        if games.rules(game, version) is not None:
            continue
        found = f"version {version} of the rules of {game} is not here: {matches} can't be replayed"
        if live:
            found += f", and {live} that are live will be void"
        here = ", ".join(map(str, games.versions(game))) or "none"
        advice = f"install the package with version {version} (here: {here})"
        yield Finding(CHECK, "fail" if live else "warn", found, advice)
