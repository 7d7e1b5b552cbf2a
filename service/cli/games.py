"""`ws-service games`: the games that there are, and those that can't be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from rich.box import SIMPLE
from rich.table import Table

from service.cli.common import console
from service.domain.commands.room_options import ROOM_OPTIONS
from service.edge.api.shapes import GameInfo, game_of
from service.games.installed import Fault, Installed, installed_games
from service.games.options import options_in_words
from service.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator


class Listing(msgspec.Struct, frozen=True, rename="camel"):
    """What `--json` prints."""

    games: list[GameInfo]
    """Those that can be played, in their order."""
    not_offered: list[str]
    """Those whose matches go on and can be replayed, but which WS_GAMES leaves out."""
    faults: list[Fault]


def list_games(*, as_json: bool) -> None:
    """List the games with their packages, versions, seats and options."""
    found = installed_games(load_settings().games.allowed, room_options=ROOM_OPTIONS)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(_listing(found))).decode())
        return
    console().print(_table(found))
    for line in _options(found):
        print(line)
    for name in _not_offered(found):
        print(f"{name} is not offered: WS_GAMES leaves it out")
    for fault in found.faults:
        print(f"{fault.name} of {fault.package} is left out: {fault.reason}")


def _listing(found: Installed) -> Listing:
    games = [game_of(game, found.games) for game in found.games.values()]
    return Listing(games, _not_offered(found), found.faults)


def _not_offered(found: Installed) -> list[str]:
    known = {game.name for game in found.games.registered}
    return sorted(known - set(found.games))


def _table(found: Installed) -> Table:
    columns = ("game", "package", "versions", "players", "ticks", "bots")
    table = Table(*columns, box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for column in table.columns[:2]:
        column.overflow = "fold"  # names are copied from here, so they are shown whole
    for name, game in found.games.items():
        seats = game.seats
        most = seats.stop - 1
        table.add_row(
            name,
            found.games.package_of(name),
            ", ".join(map(str, found.games.versions(name))),
            str(most) if seats.start == most else f"{seats.start} to {most}",
            f"{game.tick_hz} Hz" if game.tick_hz else "turns",
            str(game.bot_levels or "none"),
        )
    return table


def _options(found: Installed) -> Iterator[str]:
    """Yield a line for each option of each game: what it may be, and its default."""
    for name, game in found.games.items():
        for option, wanted in options_in_words(game.options_type).items():
            yield f"{name}: {option} is {wanted}"
