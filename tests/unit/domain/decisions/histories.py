"""Histories that decisions begin with, as events: who is online, and which rooms there are."""

from __future__ import annotations

from service.domain.commands.base import Command
from service.domain.events.base import Event
from service.domain.events.matches import MatchEnded, MatchStarted
from service.domain.events.presence import SocketClosed, SocketOpened, UserCameOnline
from service.domain.events.rooms import (
    RoomBecameReady,
    RoomCreated,
    SeatTaken,
    SpectatorJoined,
)
from service.domain.projections.room import Phase
from service.domain.projections.world import World
from tests.unit.domain.scenario import scenario

ANA, BEN, CLEO, DAN = 1, 2, 3, 4

BROKEN = 1006
"""The close code of a connection that broke."""

DEFAULT_OPTIONS = {"duration_s": 30, "reconnect_grace_s": 10, "pause_budget_s": 60}
"""The options of a room for which nobody has chosen any, under the rules by default."""


def socket(user: int, letter: str = "a") -> str:
    """Name a socket of a user on the first life of the node n1."""
    return f"n1.1.{user}{letter}"


def online(*users: int, tabs: str = "a") -> list[Event]:
    """Let users come online, each with these tabs."""
    return [event for user in users for event in _opened(user, tabs)]


def _opened(user: int, tabs: str) -> list[Event]:
    opened = [SocketOpened(user=user, socket=socket(user, letter)) for letter in tabs]
    return [UserCameOnline(user=user), *opened]


def lost(*users: int) -> list[Event]:
    """Break the only connection of users, so that their grace begins."""
    return [SocketClosed(user=user, socket=socket(user), code=BROKEN) for user in users]


def room_of(
    *players: int,
    phase: Phase,
    room: str = "old",
) -> list[Event]:
    """Make a room of Pong for players who are online, as matchmaking does."""
    seats = len(players)
    created = RoomCreated(
        room=room, game="pong", players=list(players), options={}, seats_min=seats, seats_max=seats
    )
    taken = [SeatTaken(room=room, user=user, socket=socket(user)) for user in players]
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


def watched(*users: int, room: str = "watched") -> list[Event]:
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
        *(SpectatorJoined(room=room, user=user, socket=socket(user)) for user in users),
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
        spectators_max=1000,
    )


def world_after(*happened: Event | Command) -> World:
    """Return the world after these events."""
    return scenario().given(*happened).story.world
