"""What viewers are shown of an input, recorded with it in a match with secrets.

It is decided here, where the state is known, once: nodes that only follow the log, resumes, and
services that do not have the rules (any more) go by what is recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import UNSET, UnsetType

from service.games.sight import shown_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.events.matches import MatchInput
    from service.domain.projections.matches import Match
    from service.games.protocol import Game, State


def secrets_of(game: Game) -> Literal["until_end", "always"] | UnsetType:
    """Return how long viewers of a game differ in what they may see; unset without secrets."""
    if not game.has_secrets:
        return UNSET
    return "until_end" if game.shown_at_end else "always"


def with_shown(
    inputs: Sequence[MatchInput], game: Game, match: Match, state: State
) -> Sequence[MatchInput]:
    """Return inputs with what viewers are shown of them, if the game has secrets.

    `state` is the one that they were decided in. Raises what the rules raise.
    """
    if not game.has_secrets:
        return inputs
    players = len(match.players)
    return [
        msgspec.structs.replace(one, shown=shown_of(game, state, one.input, players))
        for one in inputs
    ]
