"""Keys held in a match, by socket. Functions return new mappings and change none in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from service.domain.ids import SocketId

if TYPE_CHECKING:
    from service.games.protocol import Key


Held: TypeAlias = Mapping[SocketId, list[str]]
"""The keys that a seat holds, by socket; a socket that holds none has no entry."""


def after_key(held: Held, tab: SocketId, key: Key) -> dict[SocketId, list[str]]:
    """Return what is held after a key went down or up in a tab.

    A key that goes up is released in this tab alone. If this tab does not hold it, the user has
    continued in this tab, as after a reconnect, and it is released in all tabs.
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
    """Return what is held once a tab is gone."""
    return {one: key_names for one, key_names in held.items() if one != tab}


def key_names(held: Held) -> set[str]:
    """Return the names of the keys that are held in any tab."""
    return {name for some in held.values() for name in some}


def _not_empty(held: Held) -> dict[SocketId, list[str]]:
    return {tab: some for tab, some in held.items() if some}
