"""Options that a room is created with: defaults, and validation of what clients choose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.games.options import check_options, fits, set_up, wrong_option
from service.games.protocol import InvalidOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.domain.commands.base import Context
    from service.games.protocol import Game


ROOM_OPTIONS = (
    "seats",
    "seats_min",
    "reconnect_grace_s",
    "pause_budget_s",
    "spectator_delay_s",
    "frame_ms",
)
"""The options of every room; each game adds its own."""


PAIR = 2
"""How many players an invite or a queue brings together."""


FRAME_MS = (0, 16)


GRACE_S_MAX = 3600


PAUSE_BUDGET_S_MAX = 3600


SPECTATOR_DELAY_S_MAX = 600


def default_options(game: Game, context: Context) -> dict[str, Any]:
    """Return the default options of a room, from the settings.

    Rooms of every game record a duration, as they always have; but where a game has an option of
    that name which must be something else, its own default holds.
    """
    duration = {"duration_s": context.rules.match_duration_s}
    if not fits(game, duration):
        duration = {}
    return {
        **duration,
        "reconnect_grace_s": context.rules.reconnect_grace_s,
        "pause_budget_s": context.rules.pause_budget_s,
    }


def seats_of(game: Game, options: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many players a match needs to start, and how many seats the room has.

    The option `seats` sets both, unless `seats_min` is lower; the defaults are those of the game.
    Raises `InvalidOptions`.
    """
    least, most = game.seats.start, game.seats.stop - 1
    seats_max = _seats(options, "seats", most, least, most)
    default = seats_max if "seats" in options else least
    return _seats(options, "seats_min", default, least, seats_max), seats_max


def check_pair(game: Game) -> None:
    """Raise `InvalidOptions` unless two players, as invites and queues bring them, can play."""
    if PAIR not in game.seats:
        least, most = game.seats.start, game.seats.stop - 1
        count = f"{least}" if most == least else f"{least} to {most}"
        players = "1 player" if most == 1 else f"{count} players"
        raise InvalidOptions(
            f"{game.title} is a game for {players}, not for two; create a room for it by"
            " `room:create`.",
            field="game",
        )


def _seats(options: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    seats = options.get(name, default)
    if not isinstance(seats, int) or isinstance(seats, bool) or not least <= seats <= most:
        raise wrong_option(name, f"{least}" if least == most else f"from {least} to {most}")
    return seats


def checked_options(
    game: Game, options: Mapping[str, Any], players: int, context: Context
) -> dict[str, Any]:
    """Return all options of a room, those chosen and the defaults of the others.

    Raises `UnknownField`, `InvalidOptions`, or what the game raises for its own.
    """
    check_options(game, options, ROOM_OPTIONS)
    complete = {**default_options(game, context), **options}
    _check_number(complete, "reconnect_grace_s", GRACE_S_MAX)
    _check_number(complete, "pause_budget_s", PAUSE_BUDGET_S_MAX)
    _check_number(complete, "spectator_delay_s", SPECTATOR_DELAY_S_MAX)
    frame_ms = complete.get("frame_ms", 0)
    if isinstance(frame_ms, bool) or frame_ms not in FRAME_MS:
        raise wrong_option("frame_ms", "0 or 16")
    set_up(game, 0, complete, players)
    return complete


def _check_number(options: Mapping[str, Any], name: str, most: float) -> None:
    value = options.get(name, 0)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= most:
        raise wrong_option(name, f"a number from 0 to {most}")
