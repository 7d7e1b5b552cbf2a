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
    """A move: `direction` and `action` in Pong, else `move`, as the game wants it."""

    room_id: WireRoomId
    move: dict[str, Any] | None = None
    direction: Key | None = None
    action: Key | None = None


class GameHistory(V1Command, frozen=True, tag="game:history"):
    """Asks for the moves of the match in a room after `after`, the `next` of a `game:moves`."""

    room_id: WireRoomId
    after: Whole = 0


class GameStart(ToClientMessage, frozen=True, tag="game:start"):
    """A match begins, or you come into one that runs; has a `position` when it begins.

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
    """The authoritative state before `tick`; `run` counts how often the match has gone on.

    `turnEndsInMs` is there where turns have a time; while the match is paused, it stands still.
    """

    room_id: RoomId
    run: int
    tick: int
    state: Any
    turn_ends_in_ms: int | UnsetType = UNSET


class GamePaused(ToClientMessage, frozen=True, tag="game:paused"):
    """A player dropped; who is not back after `graceMs` forfeits; has a `position` when it begins.

    `pauseLeftMs` is how long each player may still make the match wait, in all its pauses together:
    when those who are away have none left, the match goes on without them. `turnLeftMs` is what
    the player to move will have left then.
    """

    room_id: RoomId
    away: list[UserId]
    grace_ms: int
    pause_left_ms: dict[UserId, int] | UnsetType = UNSET
    turn_left_ms: int | UnsetType = UNSET


class GameResumed(ToClientMessage, frozen=True, tag="game:resumed"):
    """The match goes on, its clock in `startsInMs`; has a `position`."""

    room_id: RoomId
    starts_in_ms: int
    turn_ends_in_ms: int | UnsetType = UNSET


class GameMoved(ToClientMessage, frozen=True, tag="game:moved"):
    """A move in a game without ticks; `input` is what the rules made of it; has a `position`."""

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
    """A page of the moves so far, before any that follows, to who comes into a match of free moves.

    While there is `more`, the next page follows by itself; else, `game:history` asks for what is
    after `next`, unless that is null.
    """

    room_id: RoomId
    match_id: MatchId
    moves: list[PastMove]
    more: bool
    next: int | None


class GameOver(ToClientMessage, frozen=True, tag="game:over"):
    """A match is over; `winner` is a seat, null for a draw; has a `position`.

    A match is `void` when its rules have failed, or are not here any more: it has no result.
    """

    room_id: RoomId
    match_id: MatchId
    reason: Literal["timeup", "finished", "turn_timeout", "left", "forfeit", "abandoned", "void"]
    winner: int | None
    scores: list[int]
