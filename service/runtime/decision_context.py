"""What decisions use besides the world, with the randomness of the system."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from service.domain.commands.base import Context
from service.runtime.snapshots import code_version

if TYPE_CHECKING:
    from service.domain.ids import Owner
    from service.games.catalogue import Catalogue
    from service.runtime.live_matches import LiveMatches
    from service.settings.sections.play import Rules


new_token: Callable[[], str] = partial(secrets.token_hex, 8)
"""Returns an unguessable text, for ids and salts."""


def decision_context(node: Owner, rules: Rules, games: Catalogue, matches: LiveMatches) -> Context:
    """Return the context of decisions on `node`, which runs `matches`."""
    return Context(
        node=node,
        code=code_version(),
        rules=rules,
        games=games,
        new_room_id=lambda: secrets.token_hex(6),
        new_token=new_token,
        new_seed=lambda: secrets.randbits(53),
        match_snapshot=matches.snapshot,
        rules_failed=matches.rules_failed,
    )
