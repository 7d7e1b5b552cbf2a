"""Projection of nodes: which are live, and which of them owns each room."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from service.domain.events.base import Position, room_of_stream
from service.domain.events.matches import MatchEnded, MatchStarted
from service.domain.events.nodes import NodeDraining, NodeLost, NodeStarted
from service.domain.events.rooms import RoomClosed, RoomCreated, RoomMoved
from service.domain.ids import Owner, RoomId

if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Set as AbstractSet


RulesId: TypeAlias = tuple[str, int]
"""A game and a version of its rules."""


def rendezvous(key: str, nodes: Collection[str]) -> str:
    """Return the one of `nodes` that `key` falls to, by highest random weight.

    When a node comes or goes, only the keys that fall to it move. Raises `ValueError` without any
    node.
    """
    if len(nodes) == 1:
        return next(iter(nodes))
    # The name as well, so that even equal weights have one order.
    return max(nodes, key=lambda node: (_weight(node, key), node))


def _weight(node: str, key: str) -> bytes:
    return blake2b(f"{node} {key}".encode(), digest_size=8).digest()


class Node(msgspec.Struct, frozen=True):
    """A live node, as it said at its start."""

    incarnation: int
    level: int
    rules: list[RulesId]
    code: str
    draining: bool = False

    def plays(self, game: str) -> bool:
        """Return whether the node has any version of the rules of a game."""
        return any(name == game for name, _ in self.rules)


class Nodes(msgspec.Struct):
    """The live nodes by name, and the owners of rooms.

    An owner is a live node whenever there is one: the heirs of a lost node follow from the log.
    """

    live: dict[str, Node] = {}
    incarnations: dict[str, int] = {}
    """The latest incarnation of each node that was ever started."""
    owners: dict[RoomId, Owner] = {}
    playing: dict[RoomId, RulesId] = {}
    """The rules of the live match in each room."""
    games: dict[RoomId, str] = {}
    """The game of each room."""

    @property
    def level(self) -> int:
        """The highest level of events that all live nodes can read; 0 without any node.

        Events of a higher one (`Event.needs_level`) must not be written yet.
        """
        return min((node.level for node in self.live.values()), default=0)

    def is_live(self, owner: Owner) -> bool:
        """Return whether this incarnation of a node is live."""
        node = self.live.get(owner.node)
        return node is not None and node.incarnation == owner.incarnation

    def live_owners(self) -> list[Owner]:
        """Return the live incarnations of all nodes."""
        return [Owner(name, node.incarnation) for name, node in self.live.items()]

    def owner_of(self, room: RoomId) -> Owner | None:
        """Return the owner of a room, which runs its matches; None if there is no such room."""
        return self.owners.get(room)

    def is_elsewhere(self, room: RoomId, node: Owner) -> bool:
        """Return whether another node than `node` owns a room."""
        return self.owners.get(room, node) != node

    def home(self, key: str) -> Owner | None:
        """Return the node that does what has to be done once for `key`; None if none is live.

        Nodes that are not draining come first.
        """
        nodes = self._lasting()
        return self._owner(rendezvous(key, nodes)) if nodes else None

    def is_home(self, node: Owner, key: str) -> bool:
        """Return whether `node` is the home of `key`."""
        return self.home(key) == node

    def writes_snapshots(self, node: Owner) -> bool:
        """Return whether `node` writes snapshots, for all nodes with the same code for folds."""
        if not self.is_live(node):
            return False
        code = self.live[node.node].code
        nodes = [name for name in self._lasting() if self.live[name].code == code]
        # None if all others of that code drain: then a node that drains does it.
        return not nodes or rendezvous("snapshot", nodes) == node.node

    def responsible_for(self, streams: AbstractSet[str]) -> Owner | None:
        """Return the node that does what concerns these streams: a room's owner, or a home.

        Raises `ValueError` without any stream.
        """
        for stream in streams:
            owner = self.owners.get(room_of_stream(stream))
            if owner is not None:
                return owner
        return self.home(min(streams))

    def owner_of_new_room(self, room: RoomId, game: str, near: Owner | None) -> Owner | None:
        """Return the owner for a new room: `near` if it stays and has the game, or else a home.

        That is one of the nodes that have the game, if there are any.
        """
        lasting = self._lasting()
        nodes = [name for name in lasting if self.live[name].plays(game)] or lasting
        is_near = near is not None and self.is_live(near) and near.node in nodes
        if near is not None and is_near and not self.live[near.node].draining:
            return near
        return self._owner(rendezvous(room, nodes)) if nodes else None

    def heir_of(self, room: RoomId, *, excluding: str | None = None) -> Owner | None:
        """Return the node that a room falls to, without the node `excluding`; None without any.

        It is not draining, and runs the rules of the room's match, or without one any version of
        its game. If no such node runs them, the heir has to void the match.
        """
        nodes = [name for name in self._lasting() if name != excluding]
        rules, game = self.playing.get(room), self.games.get(room, "")
        if rules is None:
            able = [name for name in nodes if self.live[name].plays(game)]
        else:
            able = [name for name in nodes if rules in self.live[name].rules]
        return self._owner(rendezvous(room, able or nodes)) if nodes else None

    def abler_than(self, node: Owner, room: RoomId) -> Owner | None:
        """Return another node for a room's match, whose rules `node` does not run; None if none is.

        Its match may have been begun elsewhere, by a newer version of the service.
        """
        rules = self.playing.get(room)
        heir = self.heir_of(room, excluding=node.node)
        if rules is None or heir is None or not self.is_live(node):
            return None
        if rules in self.live[node.node].rules:
            return None
        return heir if rules in self.live[heir.node].rules else None

    def codes(self) -> set[str]:
        """Return the code of all live nodes."""
        return {node.code for node in self.live.values()}

    def _lasting(self) -> list[str]:
        """Return the live nodes that are not draining, or all if all are."""
        return [name for name, node in self.live.items() if not node.draining] or list(self.live)

    def _owner(self, name: str) -> Owner:
        return Owner(name, self.live[name].incarnation)

    # The fold

    def on_node_started(self, event: NodeStarted, _position: Position) -> None:
        """Add the node; rooms of its earlier incarnations fall to the others, if any is live."""
        self.incarnations[event.node] = event.incarnation
        self.live.pop(event.node, None)
        self._pass_rooms_on()
        self.live[event.node] = Node(event.incarnation, event.level, event.rules, event.code)
        self._pass_rooms_on()

    def on_node_lost(self, event: NodeLost, _position: Position) -> None:
        """Remove the node; its rooms fall to others."""
        if self.is_live(Owner(event.node, event.incarnation)):
            del self.live[event.node]
            self._pass_rooms_on()

    def on_node_draining(self, event: NodeDraining, _position: Position) -> None:
        """Mark the node; it keeps its rooms until they are moved."""
        if self.is_live(Owner(event.node, event.incarnation)):
            node = self.live[event.node]
            self.live[event.node] = msgspec.structs.replace(node, draining=True)

    def on_room_created(self, event: RoomCreated, _position: Position) -> None:
        """Record the owner, or the heir of one that is not live, as in logs without owners."""
        self.games[event.room] = event.game
        self._own(event.room, event.owner)

    def on_room_moved(self, event: RoomMoved, _position: Position) -> None:
        """Record the new owner."""
        if event.room in self.owners:
            self._own(event.room, event.owner)

    def on_room_closed(self, event: RoomClosed, _position: Position) -> None:
        """Forget the room."""
        self.owners.pop(event.room, None)
        self.playing.pop(event.room, None)
        self.games.pop(event.room, None)

    def on_match_started(self, event: MatchStarted, _position: Position) -> None:
        """Record the rules that the room's owner has to run."""
        self.playing[event.room] = (event.game, event.rules_version)

    def on_match_ended(self, event: MatchEnded, _position: Position) -> None:
        """Forget the rules."""
        self.playing.pop(event.room, None)

    def _own(self, room: RoomId, owner: Owner) -> None:
        heir = None if self.is_live(owner) else self.heir_of(room)
        self.owners[room] = heir or owner

    def _pass_rooms_on(self) -> None:
        """Give each room whose owner is not live to its heir."""
        for room, owner in self.owners.items():
            if not self.is_live(owner):
                self._own(room, owner)


FOLD = {
    NodeStarted: Nodes.on_node_started,
    NodeLost: Nodes.on_node_lost,
    NodeDraining: Nodes.on_node_draining,
    RoomCreated: Nodes.on_room_created,
    RoomMoved: Nodes.on_room_moved,
    RoomClosed: Nodes.on_room_closed,
    MatchStarted: Nodes.on_match_started,
    MatchEnded: Nodes.on_match_ended,
}
