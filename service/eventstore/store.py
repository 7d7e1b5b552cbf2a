"""The port of the store: what the writer needs of a database, implemented for each one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from service.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from service.domain.events.base import Position
    from service.eventstore.plan import Append, Committed
    from service.eventstore.records import Head


class LogDiverged(ServiceError):
    """The log does not end where this process left it; restart the service.

    Another process has written to it, or a commit that was reported as failed has succeeded.
    """


class LeaseLost(ServiceError):
    """This incarnation of the node was declared lost: it may not append any more.

    Its sockets and rooms belong to other nodes by now.
    """


class DuplicateVersion(ServiceError):
    """Two events of a stream have the same version: `ws-service log verify` names them."""


class Store(Protocol):
    """The writing connection. Methods block and must be called by the writer thread only."""

    head: Head
    """The head of the log after the last commit of this process."""

    is_closing: bool
    """Set when the service stops: what can't be written then is not tried again."""

    def check_end(self) -> None:
        """Raise `LostTail` or `DamagedHead` unless the last event is the one of the head."""

    def begin_epoch(self) -> None:
        """Begin a new epoch, for a log whose history may differ from the one that clients know."""

    def has_other_writers(self) -> bool:
        """Return whether other nodes write to this log now."""

    def begin_incarnation(self, incarnation: int) -> None:
        """Append as this incarnation of one of several nodes, until it is declared lost."""

    def hash_at(self, position: Position) -> bytes | None:
        """Return the hash of the event at `position`, or None without such an event."""

    def is_archived(self, position: Position) -> bool:
        """Return whether an archive has the event at `position`."""

    def commit(self, batch: Sequence[Append]) -> list[Committed | Exception]:
        """Commit `batch` in one transaction; return the result of each append, in order.

        A `VersionConflict` or `KeyConflict` fails only its append. An append whose event ids are in
        the log gets its first positions. Raises `Unavailable` when the database can't be written,
        `LeaseLost` and `LogDiverged`; then nothing of the batch is committed, as far as this
        process knows.
        """

    def probe(self) -> None:
        """Check that the database can be written; raise `Unavailable` if not."""

    def save_snapshot(  # noqa: PLR0913 - what a snapshot is
        self,
        projection: str,
        code_version: str,
        position: Position,
        data: bytes,
        *,
        needed_from: Position,
        used: AbstractSet[str] = frozenset(),
    ) -> None:
        """Store a snapshot, and drop older ones, and those of code versions other than `used`.

        The newest snapshot not after `needed_from` is kept. Raises `Unavailable`.
        """

    def load_snapshot(
        self, projection: str, code_version: str, at_most: Position
    ) -> tuple[Position, bytes] | None:
        """Return position and data of the newest usable snapshot not after `at_most`, or None.

        A snapshot is usable if it has this code version and the hash of this log at its position.
        """

    def drop_snapshot(self, projection: str, position: Position) -> None:
        """Delete the snapshot of `projection` at `position`."""

    def execute(self, statement: str, parameters: Mapping[str, object]) -> None:
        """Run one statement on tables that are not derived from the log; raise `Unavailable`.

        Its parameters are written as `:name`.
        """

    @property
    def unindexed(self) -> int:
        """How many events `fill_index` would still add to an index."""

    def fill_index(self) -> None:
        """Add some of these events to the index; raise `Unavailable` or `DuplicateVersion`."""

    def close(self) -> None:
        """Close the connection."""
