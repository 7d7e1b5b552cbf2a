"""The relay: for games that decide on the client. Moves are ordered, logged and passed on.

The service knows no rules here. Any JSON object is a move of any player at any time; what a match
was is its moves, in the order of the log. The move `{"result": {"winner", "scores"}}` says how the
match ended: it is over when all players say the same.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from service.games.protocol import GameEvent, InvalidMove, NoTurnClock, OnlyInputs, Result

PLAYERS_MAX = 16


class Relayed(GameEvent, frozen=True, tag="relayed"):
    """An input: `seat` made a move, whatever it means."""

    seat: int
    move: msgspec.Raw


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a player says that the match ended: `winner` is a seat, or None for a draw."""

    winner: int | None
    scores: list[int]


class Claimed(GameEvent, frozen=True, tag="claimed"):
    """An input: `seat` says how the match ended."""

    seat: int
    result: Claim


class InvalidResult(InvalidMove):
    """A `result` has the `winner`, a seat or null, and the `scores`, an integer a player."""


class RelayState(msgspec.Struct, gc=False):
    """What tells one course of moves from any other."""

    players: int
    moves: int = 0
    digest: str = ""
    """The hash of the digest before, the seat, and the move: a chain of all moves so far."""
    claims: dict[int, Claim] = {}
    """What each seat says of the end."""


class RelayView(msgspec.Struct, frozen=True, gc=False):
    """How many moves there have been; the moves themselves are passed on as they come."""

    moves: int


class Relay(NoTurnClock, OnlyInputs):
    """The rules of the relay; see `service.games.protocol.Game`."""

    name = "relay"
    rules_version = 1
    seats = range(1, PLAYERS_MAX + 1)
    options: tuple[str, ...] = ()
    ordered = False
    state_type: type[msgspec.Struct] = RelayState
    event_type: Any = Relayed | Claimed

    def setup(self, seed: int, options: Mapping[str, Any], players: int) -> RelayState:  # noqa: ARG002 - what they are is left to the clients
        """Begin with no moves."""
        return RelayState(players)

    def decide(self, state: RelayState, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        """Pass on any object; raise `InvalidResult` for a result that can't be one."""
        if move.keys() == {"result"}:
            return [Claimed(seat, _claim(move["result"], state.players))]
        return [Relayed(seat, msgspec.Raw(msgspec.json.encode(move)))]

    def apply(self, state: RelayState, event: GameEvent) -> None:
        """Count a move, and take it into the digest."""
        if isinstance(event, Relayed):
            state.moves += 1
            before = f"{state.digest} {event.seat} ".encode()
            state.digest = sha256(before + bytes(event.move)).hexdigest()
        elif isinstance(event, Claimed):
            state.claims[event.seat] = event.result

    def result(self, state: RelayState) -> Result | None:
        """Return what all players say, when they say the same."""
        agreed = _agreed(state)
        return None if agreed is None else Result(agreed.winner)

    def scores(self, state: RelayState) -> list[int]:
        """Return the points that all players agree on, else none for anybody."""
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
