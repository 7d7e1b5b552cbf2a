"""The protocol that a game implements: pure rules, without I/O.

A game is a plain value that knows nothing of sockets, clocks or databases. Its rules are
deterministic: no wall clock, no order of sets, no arithmetic beyond ``+ - * /``, and randomness
only from `service.games.chance`, whose state is part of the match state. So a match can be rebuilt
from its events on any machine.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from service.errors import ClientError, ServiceError
from service.games.chance import Chance

State: TypeAlias = Any
"""A game's own mutable msgspec struct; a round trip through JSON must not change it."""


class InvalidMove(ClientError):
    """The rules do not allow this move; the message says why."""

    code = "INVALID_MOVE"


class OutOfTime(InvalidMove):
    """The time for this move is up."""


class RulesFailed(ServiceError):
    """The rules of a game raised an unexpected error, or are not available."""


class GameEvent(msgspec.Struct, frozen=True, tag_field="kind"):
    """A fact in a match, by the rules of its game: an input or an outcome."""


class Key(msgspec.Struct, frozen=True):
    """A logical key that a move presses or releases, whichever physical key it is."""

    name: str
    down: bool


class Result(msgspec.Struct, frozen=True):
    """How a match ended by its own rules: `winner` is a seat, or None for a draw."""

    winner: int | None
    reason: Literal["turn_timeout"] | None = None
    """`turn_timeout` if the loser's turn took too long."""


class TurnClock(msgspec.Struct, frozen=True):
    """The clocks that run in a state, before any more time is spent."""

    ends_in_ms: int
    """How long they may run, in ms, until `Game.timeout` is asked for an input."""
    clocks_ms: Sequence[int] = ()
    """What each seat has left on a clock of its own, in ms; empty without such clocks."""
    running: Sequence[int] = ()
    """The seats whose clocks run."""


Move: TypeAlias = Mapping[str, Any]
"""A move as on the wire."""


class Sight(msgspec.Struct, frozen=True):
    """What a bot decides by: no more than the player of its seat is shown."""

    seat: int
    view: Any
    """`Game.view` for its seat."""
    moves: Sequence[Move]
    """`Game.legal_moves` for its seat."""
    before: Any = None
    """The view at its previous decision; None for the first one."""
    ticks: int = 0
    """How many ticks ago that was; 0 in a game without ticks."""


class NoOptions(msgspec.Struct, frozen=True):
    """The options of a game that has none."""


class Game(Protocol):
    """The rules of one game. All methods are pure, but `apply` and `step` mutate their `state`."""

    name: str
    """Lower-case letters, digits and underscores; what clients and the log call the game."""
    title: str
    """The name for people."""
    rules_version: int
    """From 1; a change after which an old match would go on or replay otherwise needs a new one."""
    seats: range
    """The numbers of players that a match may have."""
    tick_hz: int
    """Steps per second; 0 for a game without ticks, where each input takes one."""
    options_type: type[msgspec.Struct]
    """A frozen struct of the game's own options.

    Each field has a default, and its range and a description by `msgspec.Meta`; all names differ
    from those of the room's own options. Checked values reach `setup` and `clock` as this struct.
    """
    ordered: bool
    """Whether each move is decided only after the one before it is committed."""
    has_clocks: bool
    """Whether `clock` may return one: only in an `ordered` game without ticks."""
    bot_levels: int
    """How many levels of strength its bots have, the first one being 1; 0 without bots."""
    state_type: type[msgspec.Struct]
    event_type: Any
    """The closed union of the game's events."""
    has_secrets: bool
    """Whether viewers differ in what they may see; if not, one view serves all of them."""
    shown_at_end: bool
    """Whether everything that was secret may be seen by anybody once the match is over."""

    def setup(self, seed: int, options: Any, players: int) -> State:
        """Return the state before the first tick.

        `options` is an `options_type`; `players` is one of `seats`. Raises `InvalidOptions` for
        options that only together, or only for so many players, are wrong.
        """

    def decide(self, state: State, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        """Return the inputs of a player's move, none if it changes nothing; raise `InvalidMove`."""

    def key_in(self, move: Mapping[str, Any]) -> Key | None:
        """Return the key that a move presses or releases, or None if moves are not keys.

        The service tracks which socket holds which key, and releases the keys of a closed socket.
        Raises `InvalidMove`.
        """

    def hold(self, seat: int, keys: Collection[str]) -> GameEvent:
        """Return the input after which `seat` holds exactly these `keys`, as named by `key_in`."""

    def clock(self, state: State, options: Any) -> TurnClock | None:
        """Return the clocks that run in this state, or None when none does.

        `options` is an `options_type`.
        """

    def elapse(self, state: State, ms: int) -> None:
        """Let the clocks of `state` run for `ms`, as measured before the next input.

        It is called in a match with clocks before each `apply`.
        """

    def timeout(self, state: State) -> tuple[int, GameEvent]:
        """Return the seat whose time is up, and the input that the service makes of it.

        `state` is the one whose clock has ended, before `elapse`. Who is shown anything of the
        input is told the seat as well.
        """

    def apply(self, state: State, event: GameEvent) -> None:
        """Apply an input to `state`, or raise `InvalidMove` and leave it unchanged."""

    def step(self, state: State) -> Sequence[GameEvent]:
        """Advance `state` by one tick and return the outcomes to be logged."""

    def result(self, state: State) -> Result | None:
        """Return how the match ended, or None while it continues."""

    def scores(self, state: State) -> list[int]:
        """Return the points by seat."""

    def remaining_ticks(self, state: State) -> int | None:
        """Return the ticks left on the clock, or None for a game without one."""

    def view(self, state: State, viewer: int | None) -> msgspec.Struct:
        """Return what a seat, or None for a spectator, may see, in wire form."""

    def shown(self, state: State, event: GameEvent, viewer: int | None) -> msgspec.Struct | None:
        """Return what a seat, or None for a spectator, may see of an input or outcome.

        The event itself, a part of it, or None if not even its existence may be seen. `state` is
        the one that an input was decided in, and the one after the step that made an outcome. Only
        called for a game with secrets, when the event is made: the answer is recorded with it.
        """

    def legal_moves(self, state: State, seat: int) -> Sequence[Move]:
        """Return the moves that `decide` takes from a seat now; none when it has none to make."""

    def bot(self, sight: Sight, level: int, chance: Chance) -> Sequence[Move]:
        """Return the moves of a bot, in order; none to wait.

        `level` is from 1 to `bot_levels`. The same sight, level and `chance` give the same moves.
        It is called in a thread of its own, and may take a few milliseconds.
        """


class InvalidOptions(ClientError):
    """The game cannot be played with these options."""

    code = "INVALID_OPTIONS"


class OpenToAll:
    """Mixin for games without secrets: everybody sees everything."""

    has_secrets = False
    shown_at_end = True

    def shown(self, state: State, event: GameEvent, viewer: int | None) -> msgspec.Struct | None:  # noqa: ARG002 - the same for all
        """Return the event itself."""
        return event


class NoTurnClock:
    """Mixin for games without a turn clock."""

    has_clocks = False

    def clock(self, state: State, options: Any) -> TurnClock | None:  # noqa: ARG002 - none ever
        """Return None: there is no turn clock."""
        return None

    def elapse(self, state: State, ms: int) -> None:
        """Do nothing: no clock runs."""

    def timeout(self, state: State) -> tuple[int, GameEvent]:
        """Raise `NotImplementedError`: no turn times out."""
        raise NotImplementedError


class SimpleBots:
    """Mixin for games whose bots, if any, choose among the legal moves at random.

    A game with such bots sets `bot_levels` to 1 and defines `legal_moves`.
    """

    bot_levels = 0

    def legal_moves(self, state: State, seat: int) -> Sequence[Move]:  # noqa: ARG002 - not listed
        """List no moves."""
        return ()

    def bot(self, sight: Sight, level: int, chance: Chance) -> Sequence[Move]:  # noqa: ARG002 - one level
        """Return one of the legal moves, or none if there are none."""
        return [chance.choice(sight.moves)] if sight.moves else []


class NoKeys:
    """Mixin for games whose moves are not keys."""

    def key_in(self, move: Mapping[str, Any]) -> Key | None:  # noqa: ARG002 - there are no keys
        """Return None: moves are not keys."""
        return None

    def hold(self, seat: int, keys: Collection[str]) -> GameEvent:
        """Raise `NotImplementedError`: there are no keys."""
        raise NotImplementedError


class OnlyInputs(NoKeys):
    """Mixin for games without ticks: nothing happens but inputs."""

    tick_hz = 0

    def step(self, state: State) -> Sequence[GameEvent]:  # noqa: ARG002 - it stays as it is
        """Return no outcomes."""
        return ()

    def remaining_ticks(self, state: State) -> int | None:  # noqa: ARG002 - none ever
        """Return None: the match has no clock."""
        return None
