"""Messages about matches: moves, states, pauses, results."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from service.domain.ids import MatchId, RoomId, UserId
from service.protocol.base import ToClientMessage, WireRoomId
from service.protocol.classic import Key, User
from service.protocol.v1.base import V1Command, Whole


class GameMove(V1Command, frozen=True, tag="game:move"):
    """A move: `direction` and `action` in Pong, `move` in other games."""

    room_id: WireRoomId
    move: dict[str, Any] | None = None
    direction: Key | None = None
    action: Key | None = None


class GameHistory(V1Command, frozen=True, tag="game:history"):
    """Asks for the moves of a room's match after `after`, the `next` of a `game:moves`."""

    room_id: WireRoomId
    after: Whole = 0


class GameStart(ToClientMessage, frozen=True, tag="game:start"):
    """A match starts, or you join a live one; has a `position` when it starts.

    `duration` is the seconds left, null without a clock; `playerIndex` is your seat, null for a
    spectator.
    """

    room_id: RoomId
    match_id: MatchId
    game: str
    duration: int | None
    player_index: int | None
    players: list[User]


class GameUpdate(ToClientMessage, frozen=True, tag="game:update"):
    """The authoritative state before `tick`; `run` counts how often the match was resumed.

    It is sent at the frame rate of the socket, and at once after an event. `turnEndsInMs` is there
    if turns are timed, `clocksMs` (what each seat has left) if players have clocks of their own;
    they do not run while the match is paused.
    """

    room_id: RoomId
    run: int
    tick: int
    state: Any
    turn_ends_in_ms: int | UnsetType = UNSET
    clocks_ms: list[int] | UnsetType = UNSET


class GamePaused(ToClientMessage, frozen=True, tag="game:paused"):
    """A player disconnected, and forfeits after `graceMs`; has a `position` when the pause starts.

    `pauseLeftMs` is what is left of each player's pause budget: when the absent players have used
    it up, the match continues without them. `turnEndsInMs`, also called `turnLeftMs`, is what the
    player to move has left, `clocksMs` is what each seat has left on its clock.
    """

    room_id: RoomId
    away: list[UserId]
    grace_ms: int
    pause_left_ms: dict[UserId, int] | UnsetType = UNSET
    turn_left_ms: int | UnsetType = UNSET
    turn_ends_in_ms: int | UnsetType = UNSET
    clocks_ms: list[int] | UnsetType = UNSET


class GameResumed(ToClientMessage, frozen=True, tag="game:resumed"):
    """The match is resumed, its clock in `startsInMs`; has a `position`."""

    room_id: RoomId
    starts_in_ms: int
    turn_ends_in_ms: int | UnsetType = UNSET
    clocks_ms: list[int] | UnsetType = UNSET


class GameMoved(ToClientMessage, frozen=True, tag="game:moved"):
    """A move in a turn-based game; `input` is what the rules made of it; has a `position`."""

    room_id: RoomId
    seat: int
    tick: int
    input: msgspec.Raw


class PastMove(msgspec.Struct, frozen=True):
    """A move, as in `game:moved`."""

    seat: int
    tick: int
    input: msgspec.Raw


class GameMoves(ToClientMessage, frozen=True, tag="game:moves"):
    """A page of the moves so far, sent on joining a live match of a relay game.

    While `more` is true, the next page follows by itself. After the last page, `game:history` gets
    the moves after `next`, unless that is null.
    """

    room_id: RoomId
    match_id: MatchId
    moves: list[PastMove]
    more: bool
    next: int | None


class GameOver(ToClientMessage, frozen=True, tag="game:over"):
    """A match is over; `winner` is a seat, null for a draw; has a `position`.

    A match is `void` when its rules have failed, or are not here any more: it has no result, and
    `message` says why, for people.
    """

    room_id: RoomId
    match_id: MatchId
    reason: Literal["timeup", "finished", "turn_timeout", "left", "forfeit", "abandoned", "void"]
    winner: int | None
    scores: list[int]
    message: str | UnsetType = UNSET
