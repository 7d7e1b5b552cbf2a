"""Events of nodes."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from service.domain.events.base import Event, node_stream


class _NodeEvent(Event, frozen=True):
    node: str
    incarnation: int

    @property
    def stream(self) -> str:
        """The node's own stream."""
        return node_stream(self.node)


class NodeStarted(_NodeEvent, frozen=True):
    """An incarnation of a node started. Its earlier ones, with their sockets, end by this event."""

    type: ClassVar[str] = "node.started"
    schema_version: ClassVar[int] = 2
    level: int = 0
    """The highest level of events that the node can read (see `Event.needs_level`)."""
    rules: list[tuple[str, int]] = msgspec.field(default_factory=list)
    """The games, each with a version of its rules, whose matches the node can run."""
    code: str = ""
    """Digest of the code that folds: nodes with the same one can use each other's snapshots."""
    alone: bool = True
    """Whether no other node was live, so that no user could be connected until then."""


class NodeLost(_NodeEvent, frozen=True):
    """An incarnation of a node was lost: its sockets are closed, and others own its rooms."""

    type: ClassVar[str] = "node.lost"


class NodeDraining(_NodeEvent, frozen=True):
    """A node is about to stop: it becomes the owner of no more rooms."""

    type: ClassVar[str] = "node.draining"
