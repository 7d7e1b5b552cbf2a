"""Command protocol: deciding a command returns events or raises, and changes no state."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.domain.events.base import Event
    from service.domain.ids import MatchId, RoomId, SocketId
    from service.domain.projections.world import World
    from service.games.catalogue import Catalogue
    from service.settings.sections.play import Rules


class MatchSnapshot(msgspec.Struct, frozen=True):
    """Current state of a live match, as reported by the ticker."""

    tick: int
    """The next tick that has not been stepped; a pause or an end takes effect there."""
    input_tick: int
    """The tick at which an input that is decided now takes effect."""
    state: Any
    """The state that an input decided now will meet; for reading only."""
    pausing: bool
    """Whether a pause is on its way into the log."""
    state_hash: Callable[[], str]
    """Hashes the present state, as it stands in checkpoints."""
    turn_left_ms: int | None = None
    """How long the present turn may still take; None where it has no clock."""
    spent_ms: Sequence[int] = ()
    """How much pause each seat has used up in this match, up to now."""
    held: Mapping[int, Mapping[SocketId, list[str]]] = {}
    """The keys that the tabs of each seat will hold, after all inputs that are on their way."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """All that a decision may use besides the world: rules, games, chance, and live matches."""

    rules: Rules
    games: Catalogue
    new_room_id: Callable[[], RoomId]
    new_token: Callable[[], str]
    """Makes a text that nobody can guess, for ids and salts."""
    new_seed: Callable[[], int]
    match_snapshot: Callable[[MatchId], MatchSnapshot]
    rules_failed: Callable[[MatchId, Exception], None] = lambda _match, _error: None
    """Is told why the rules of a match have failed, when that ends it."""


class Command(Protocol):
    """One thing to decide, alone on its streams from the decision until its events are folded."""

    def streams(self, world: World) -> set[str]:
        """Name the streams that nobody else may decide on meanwhile."""

    def decide(self, world: World, context: Context) -> Sequence[Event]:
        """Say what happens, in order; raise a `ClientError` when it can't."""
