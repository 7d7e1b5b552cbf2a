"""Histories that decisions begin with, as events: who is online, which rooms and matches there are.

The game is tag, unless it is said otherwise.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from service.domain.commands.base import Command
from service.domain.events.base import Event
from service.domain.events.matches import (
    ClockState,
    EndReason,
    MatchEnded,
    MatchInput,
    MatchPaused,
    MatchResumed,
    MatchStarted,
)
from service.domain.events.presence import SocketClosed, SocketOpened, UserCameOnline
from service.domain.events.rooms import (
    PlayerReadied,
    PlayerSeated,
    RoomBecameReady,
    RoomCreated,
    SeatTaken,
    SpectatorJoined,
)
from service.domain.ids import Owner
from service.domain.projections.room import Phase
from service.domain.projections.world import World
from service.replay.run import state_hash
from tests.unit.domain.decisions.tag import TAG, KeysHeld, TagState
from tests.unit.domain.scenario import scenario
from tests.unit.domain.story import ROOM

ANA, BEN, CLEO, DAN = 1, 2, 3, 4

OWNER = Owner("n1", 1)
"""The only node, at its first start."""

BROKEN = 1006
"""The close code of a connection that broke."""

DEFAULT_OPTIONS = {"duration_s": 30, "reconnect_grace_s": 10, "pause_budget_s": 60}
"""The default options of a room, under the default rules."""


READY = RoomBecameReady(room=ROOM)


def tab(user: int, letter: str = "a") -> str:
    """Name a socket of a user on the first life of the node n1."""
    return f"n1.1.{user}{letter}"


def online(*users: int, tabs: str = "a") -> list[Event]:
    """Let users come online, each with these tabs."""
    return [event for user in users for event in [UserCameOnline(user=user), *opened(user, tabs)]]


def opened(user: int, tabs: str) -> list[Event]:
    """Open these tabs of a user who is online."""
    return [SocketOpened(user=user, socket=tab(user, letter)) for letter in tabs]


def lost(*users: int, letter: str = "a") -> list[Event]:
    """Break a connection of each of these users."""
    return [SocketClosed(user=user, socket=tab(user, letter), code=BROKEN) for user in users]


def taken(*users: int, room: str = ROOM, letter: str = "a") -> list[Event]:
    """Let a tab of each of these players show the room."""
    return [SeatTaken(room=room, user=user, socket=tab(user, letter)) for user in users]


def watching(*users: int, room: str = ROOM, letter: str = "a") -> list[Event]:
    """Let a tab of each of these users watch the room."""
    return [SpectatorJoined(room=room, user=user, socket=tab(user, letter)) for user in users]


def wishes(*users: int, room: str = ROOM) -> list[Event]:
    """Let these players be ready for the next match."""
    return [PlayerReadied(room=room, user=user, ready=True) for user in users]


def made(*players: int, room: str = ROOM, **fields: Any) -> list[Event]:
    """Make a room for certain players, as an invite or the matchmaking does."""
    seats = len(players)
    created: dict[str, Any] = {"seats_min": seats, "seats_max": seats, "game": TAG.name}
    created |= {"options": {}, "spectators_max": 9, "owner": OWNER} | fields
    return [RoomCreated(room=room, players=list(players), **created)]


def hosted(*players: int, room: str = ROOM, **fields: Any) -> list[Event]:
    """Let the first player open a room for two to four, where the others sit down as well."""
    host = {"host": players[0] if players else ANA, "seats_min": 2, "seats_max": 4}
    return [*made(room=room, **(host | fields)), *seated(*players, room=room)]


def seated(*players: int, room: str = ROOM, first: int = 0) -> list[Event]:
    """Let players sit down in a host's room, from the seat `first` on."""
    return [
        event
        for seat, user in enumerate(players, start=first)
        for event in [PlayerSeated(room=room, user=user, seat=seat), *taken(user, room=room)]
    ]


def turn_s(players: int) -> int:
    """Return the turns of a match of tag with the seed 7."""
    return 7000 + 100 * players


def started(*players: int, number: int = 1, room: str = ROOM, **fields: Any) -> MatchStarted:
    """Begin a match of tag, as `TAG` has it."""
    begun: dict[str, Any] = {
        "match": f"{room}-{number}",
        "tick": 0,
        "game": TAG.name,
        "rules_version": TAG.rules_version,
        "players": list(players),
        "seed": 7,
        "options": {},
        "pace": "ticks",
        "turn_s": float(turn_s(len(players))),
        "clock": ClockState(1000 * turn_s(len(players))),
    }
    if fields.get("turn_s", begun["turn_s"]) != begun["turn_s"]:
        limit_s = fields["turn_s"]
        begun["clock"] = UNSET if limit_s is None else ClockState(round(1000 * limit_s))
    return MatchStarted(**(begun | fields))


def playing(*players: int, **fields: Any) -> list[Event]:
    """Bring players online, into a room that is made for them, and into a match."""
    return [
        *online(*players),
        *made(*players),
        *taken(*players),
        READY,
        started(*players, **fields),
    ]


def playing_hosted(*players: int, **fields: Any) -> list[Event]:
    """Bring players online, into the room of the first of them, and into a match."""
    return [*online(*players), *hosted(*players), READY, started(*players, **fields)]


def over(reason: EndReason, winner: int | None, players: int, room: str = ROOM) -> MatchEnded:
    """End a match of tag before its first tick."""
    return MatchEnded(
        match=f"{room}-1",
        tick=0,
        reason=reason,
        winner=winner,
        scores=[0] * players,
        hash=state_hash(TagState(players, seed=7)),
    )


def void(players: int, tick: int = 0) -> MatchEnded:
    """End a match whose rules can't be asked."""
    scores = [0] * players
    return MatchEnded(
        match=f"{ROOM}-1", tick=tick, reason="void", winner=None, scores=scores, hash=""
    )


def holds(seat: int, *tabs: str, tick: int = 0, by: str | None = None) -> MatchInput:
    """Let the player of a seat hold a key in each of these tabs; `by` is the tab that sends it."""
    return MatchInput(
        match=f"{ROOM}-1",
        tick=tick,
        seat=seat,
        socket=by,
        input=msgspec.Raw(msgspec.json.encode(KeysHeld(seat, sorted(f"k{one}" for one in tabs)))),
        held={one: [f"k{one}"] for one in tabs},
    )


def paused(players: int, tick: int = 0) -> MatchPaused:
    """Pause a match of tag before this tick."""
    return MatchPaused(
        match=f"{ROOM}-1", tick=tick, turn_left_ms=1000 * turn_s(players), spent_ms=[0] * players
    )


def resumed(players: int, tick: int = 0, run: int = 1) -> MatchResumed:
    """Let a match of tag go on."""
    return MatchResumed(match=f"{ROOM}-1", tick=tick, run=run, spent_ms=[0] * players)


def pong_room(
    *players: int,
    phase: Phase,
    room: str = "old",
) -> list[Event]:
    """Make a room of Pong for players who are online, as matchmaking does."""
    seats = len(players)
    created = RoomCreated(
        room=room, game="pong", players=list(players), options={}, seats_min=seats, seats_max=seats
    )
    taken = [SeatTaken(room=room, user=user, socket=tab(user)) for user in players]
    started = MatchStarted(
        match=f"{room}-1",
        tick=0,
        game="pong",
        rules_version=1,
        players=list(players),
        seed=7,
        options={},
        pace="ticks",
        turn_s=None,
    )
    history: dict[Phase, list[Event]] = {
        "gathering": [created],
        "ready": [*taken, RoomBecameReady(room=room)],
        "playing": [started],
        "finished": [ended(f"{room}-1", *range(seats))],
    }
    phases = list(history)
    return [event for one in phases[: phases.index(phase) + 1] for event in history[one]]


def ended(match: str, *scores: int) -> MatchEnded:
    """End a match by its clock."""
    return MatchEnded(
        match=match, tick=9, reason="timeup", winner=None, scores=list(scores), hash=""
    )


def watched_room(*users: int, room: str = "watched") -> list[Event]:
    """Make a host's room with a host who is not online, watched by users."""
    created = RoomCreated(
        room=room,
        game="pong",
        players=[],
        options={},
        seats_min=2,
        seats_max=2,
        host=99,
        spectators_max=9,
    )
    return [
        created,
        *(SpectatorJoined(room=room, user=user, socket=tab(user)) for user in users),
    ]


def new_room(game: str, *players: int) -> RoomCreated:
    """Return the room that is made for players who found each other."""
    seats = len(players)
    return RoomCreated(
        room="room",
        game=game,
        players=list(players),
        options=DEFAULT_OPTIONS,
        seats_min=seats,
        seats_max=seats,
        spectators_max=2000,
        owner=OWNER,
    )


def world_after(*happened: Event | Command) -> World:
    """Return the world after these events."""
    return scenario().given(*happened).story.world
