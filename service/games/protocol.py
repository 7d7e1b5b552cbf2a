"""What a game must offer to be played here: pure rules behind one small protocol.

A game is a plain value that knows nothing of sockets, clocks or databases. Its rules are
deterministic: no wall clock, no order of sets, no mathematics beyond ``+ - * /``, and chance
only from `service.games.chance`, whose state is part of the match's state. Then a match is
its events, and anyone can run it again.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from service.errors import ClientError, ServiceError

State: TypeAlias = Any
"""A game's own mutable msgspec struct; it survives a round trip through JSON unchanged."""


class InvalidMove(ClientError):
    """The rules do not allow this move."""

    code = "INVALID_MOVE"


class RulesFailed(ServiceError):
    """The rules of a game have raised what they should not, or they are not here any more."""


class GameEvent(msgspec.Struct, frozen=True, tag_field="kind"):
    """Something that happened in a match by the rules of its game: an input or an outcome."""


class Key(msgspec.Struct, frozen=True):
    """A key of a game that a move presses or lets go, whatever it is on the keyboard."""

    name: str
    down: bool


class Result(msgspec.Struct, frozen=True):
    """How a match ended by its own rules: `winner` is a seat, or None for a draw."""

    winner: int | None
    reason: Literal["turn_timeout"] | None = None
    """Why, where that is worth telling: the loser's turn took too long."""


class Game(Protocol):
    """The rules of one game; all is pure, but `apply` and `step` change the `state` given."""

    name: str
    rules_version: int
    seats: range
    """How many players a match may have."""
    tick_hz: int
    """Steps a second; 0 for a game that has none, where each input takes a tick."""
    options: tuple[str, ...]
    """The names of the options that are the game's own."""
    ordered: bool
    """Whether a move may be decided only after the one before it is committed."""
    state_type: type[msgspec.Struct]
    event_type: Any
    """The closed union of the game's events."""

    def setup(self, seed: int, options: Mapping[str, Any], players: int) -> State:
        """Make the state before the first tick; raise `InvalidOptions` for impossible ones.

        An option that is not the game's own is somebody else's, such as the room's. The number
        of `players` is one of `seats`.
        """

    def decide(self, state: State, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        """Turn a player's move into events, none when it changes nothing; raise `InvalidMove`."""

    def key_in(self, move: Mapping[str, Any]) -> Key | None:
        """Return the key that a move presses or lets go, or None where moves are no keys.

        The service remembers which tab holds which key, and lets go what a tab that is gone has
        held. Raises `InvalidMove`.
        """

    def hold(self, seat: int, keys: Collection[str]) -> GameEvent:
        """Make the input by which `seat` holds exactly these `keys`; asked for no others."""

    def turn_s(self, state: State, options: Mapping[str, Any]) -> float | None:
        """Return how long the present turn may take, or None when no clock runs for it."""

    def timeout(self, state: State) -> tuple[int, GameEvent]:
        """Return whose turn takes too long, and the input that the service makes of it."""

    def apply(self, state: State, event: GameEvent) -> None:
        """Take an input into `state`, or raise `InvalidMove` and leave it as it is."""

    def step(self, state: State) -> Sequence[GameEvent]:
        """Advance `state` by one tick and return the outcomes worth recording."""

    def result(self, state: State) -> Result | None:
        """Return how the match ended, or None while it goes on."""

    def scores(self, state: State) -> list[int]:
        """Return the points by seat."""

    def remaining_ticks(self, state: State) -> int | None:
        """Return the ticks left on the clock, or None for a game without one."""

    def view(self, state: State, viewer: int | None) -> msgspec.Struct:
        """Return what a seat, or None for a spectator, may see, as it goes on the wire."""


class InvalidOptions(ClientError):
    """The game cannot be played with these options."""

    code = "INVALID_OPTIONS"


class NoTurnClock:
    """Part of a game whose turns, if there are any, may take as long as they like."""

    def turn_s(self, state: State, options: Mapping[str, Any]) -> float | None:  # noqa: ARG002 - none ever
        """Return None: no clock runs."""
        return None

    def timeout(self, state: State) -> tuple[int, GameEvent]:
        """Fail, since no time is ever over."""
        raise NotImplementedError


class OnlyInputs:
    """Part of a game without ticks of its own: nothing happens but its inputs."""

    tick_hz = 0

    def key_in(self, move: Mapping[str, Any]) -> Key | None:  # noqa: ARG002 - there are no keys
        """Return None: moves are no keys."""
        return None

    def hold(self, seat: int, keys: Collection[str]) -> GameEvent:
        """Fail, since there are no keys."""
        raise NotImplementedError

    def step(self, state: State) -> Sequence[GameEvent]:  # noqa: ARG002 - it stays as it is
        """Return none: nothing happens by itself."""
        return ()

    def remaining_ticks(self, state: State) -> int | None:  # noqa: ARG002 - none ever
        """Return None: the match has no clock."""
        return None
