"""Command protocol: deciding a command returns events or raises, and changes no state."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.domain.events.base import Event
    from service.domain.ids import MatchId, Owner, RoomId, SocketId
    from service.domain.projections.world import World
    from service.games.catalogue import Catalogue
    from service.settings.sections.play import Rules


class MatchSnapshot(msgspec.Struct, frozen=True):
    """Current state of a live match, which the ticker keeps and the log does not have."""

    tick: int
    """The next tick to be stepped; a pause or an end takes effect there."""
    input_tick: int
    """The tick at which an input that is decided now takes effect."""
    state: Any
    """The state that such an input will be applied to; read-only."""
    pausing: bool
    """Whether a pause is decided but not yet committed."""
    state_hash: Callable[[], str]
    """Returns the hash of the current state, as in checkpoints."""
    turn_left_ms: int | None = None
    """What is left of the current turn, in ms; None without a turn clock."""
    spent_ms: Sequence[int] = ()
    """The pause that each seat has used up until now, in ms."""
    held: Mapping[int, Mapping[SocketId, list[str]]] = {}
    """The keys held by each seat and socket, with the inputs that are not yet committed."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What decisions use besides the world: node, rules, games, randomness, ids, live matches."""

    node: Owner
    """This incarnation of this node."""
    code: str = ""
    """Digest of the code that folds (see `NodeStarted.code`)."""
    rules: Rules
    games: Catalogue
    new_room_id: Callable[[], RoomId]
    new_token: Callable[[], str]
    """Returns an unguessable text, for ids and salts."""
    new_seed: Callable[[], int]
    match_snapshot: Callable[[MatchId], MatchSnapshot]
    rules_failed: Callable[[MatchId, Exception], None] = lambda _match, _error: None
    """Called with the reason when failed rules end a match."""


class Command(Protocol):
    """A request to change something: it is decided to events, or refused.

    Its streams are locked from the decision until its events are folded.
    """

    def streams(self, world: World) -> set[str]:
        """Return the aggregate boundary: the streams that are locked for this command."""

    def decide(self, world: World, context: Context) -> Sequence[Event]:
        """Return the events in order, none if nothing changes; raise a `ClientError` to refuse."""
