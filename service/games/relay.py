"""The relay: for games whose rules are on the clients. Moves are ordered, logged and relayed.

The service knows no rules. Any JSON object is a valid move of any player at any time. The move
`{"result": {"winner", "scores"}}` claims how the match ended: it is over once the claims of all
players agree.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from service.games.protocol import (
    GameEvent,
    InvalidMove,
    NoOptions,
    NoTurnClock,
    OnlyInputs,
    OpenToAll,
    Result,
    SimpleBots,
)

PLAYERS_MAX = 16


class Relayed(GameEvent, frozen=True, tag="relayed"):
    """An input: a move of `seat`, which the service does not interpret."""

    seat: int
    move: msgspec.Raw


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A player's claim of how the match ended: `winner` is a seat, or None for a draw."""

    winner: int | None
    scores: list[int]


class Claimed(GameEvent, frozen=True, tag="claimed"):
    """An input: `seat` claims how the match ended."""

    seat: int
    result: Claim


class InvalidResult(InvalidMove):
    """A `result` has the `winner`, a seat or null, and the `scores`, an integer a player."""


class RelayState(msgspec.Struct, gc=False):
    """The number of moves, their digest, and the claims of results."""

    players: int
    moves: int = 0
    digest: str = ""
    """A hash chain over all moves: the hash of the previous digest, the seat, and the move."""
    claims: dict[int, Claim] = {}
    """The claims, by seat."""


class RelayView(msgspec.Struct, frozen=True, gc=False):
    """The number of moves; the moves themselves are relayed one by one."""

    moves: int


class Relay(OpenToAll, NoTurnClock, OnlyInputs, SimpleBots):
    """The rules of the relay; see `service.games.protocol.Game`."""

    name = "relay"
    title = "Relay"
    rules_version = 1
    seats = range(1, PLAYERS_MAX + 1)
    options_type: type[msgspec.Struct] = NoOptions
    ordered = False
    state_type: type[msgspec.Struct] = RelayState
    event_type: Any = Relayed | Claimed

    def setup(self, seed: int, options: NoOptions, players: int) -> RelayState:  # noqa: ARG002 - what they are is left to the clients
        """Return a state without moves."""
        return RelayState(players)

    def decide(self, state: RelayState, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        """Accept any object; raise `InvalidResult` for an invalid claim of a result."""
        if move.keys() == {"result"}:
            return [Claimed(seat, _claim(move["result"], state.players))]
        return [Relayed(seat, msgspec.Raw(msgspec.json.encode(move)))]

    def apply(self, state: RelayState, event: GameEvent) -> None:
        """Count a move and add it to the digest, or record a claim."""
        if isinstance(event, Relayed):
            state.moves += 1
            before = f"{state.digest} {event.seat} ".encode()
            state.digest = sha256(before + bytes(event.move)).hexdigest()
        elif isinstance(event, Claimed):
            state.claims[event.seat] = event.result

    def result(self, state: RelayState) -> Result | None:
        """Return the result that all players claim, or None while they do not agree."""
        agreed = _agreed(state)
        return None if agreed is None else Result(agreed.winner)

    def scores(self, state: RelayState) -> list[int]:
        """Return the scores that all players claim, or zeros while they do not agree."""
        agreed = _agreed(state)
        return [0] * state.players if agreed is None else agreed.scores

    def view(self, state: RelayState, viewer: int | None) -> RelayView:  # noqa: ARG002 - no secrets
        """Return what everybody sees."""
        return RelayView(state.moves)


def _claim(raw: object, players: int) -> Claim:
    try:
        claim = msgspec.convert(raw, Claim)
    except msgspec.ValidationError:
        raise InvalidResult from None
    if claim.winner not in {None, *range(players)} or len(claim.scores) != players:
        raise InvalidResult
    return claim


def _agreed(state: RelayState) -> Claim | None:
    claims = list(state.claims.values())
    if len(claims) < state.players or any(claim != claims[0] for claim in claims):
        return None
    return claims[0]


RELAY = Relay()
"""The rules hold no state of their own, so one value is enough for all matches."""
