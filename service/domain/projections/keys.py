"""Which tab of a player holds which keys; all is pure, and `held` is never changed in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from service.domain.ids import SocketId

if TYPE_CHECKING:
    from service.games.protocol import Key


Held: TypeAlias = Mapping[SocketId, list[str]]
"""The keys of one seat by the tab that holds them; a tab that holds none is left out."""


def after_key(held: Held, tab: SocketId, key: Key) -> dict[SocketId, list[str]]:
    """Press a key in a tab, or let it go.

    A tab lets go only of what it holds itself. Where it does not hold the key, its user has gone
    on in this tab, as after a reconnect, and lets go of it in all.
    """
    mine = held.get(tab, [])
    if key.down:
        return dict(held) if key.name in mine else {**held, tab: [*mine, key.name]}
    owners = {tab} if key.name in mine else set(held)
    return _not_empty(
        {
            one: [name for name in key_names if one not in owners or name != key.name]
            for one, key_names in held.items()
        }
    )


def without_tab(held: Held, tab: SocketId) -> dict[SocketId, list[str]]:
    """Let go of all that a tab holds."""
    return {one: key_names for one, key_names in held.items() if one != tab}


def key_names(held: Held) -> set[str]:
    """Return the keys that any tab holds."""
    return {name for some in held.values() for name in some}


def _not_empty(held: Held) -> dict[SocketId, list[str]]:
    return {tab: some for tab, some in held.items() if some}
