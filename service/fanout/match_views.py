"""Messages that show a live match."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from service.domain.events.matches import BY_THE_RULES, MatchEnded, MatchInput
from service.domain.ids import RoomId
from service.domain.projections.matches import Match, pause_left_ms
from service.domain.projections.room import Room
from service.domain.projections.world import World
from service.fanout.audience import (
    Audience,
    Delivery,
    Sockets,
    Users,
    to_both_dialects,
    to_match,
    to_spectators,
)
from service.fanout.clocks import clocks_shown
from service.fanout.profiles import Profiles
from service.games.sight import SPECTATOR, View, part_for, seated
from service.protocol import classic, v1

AT_ONCE_MS = 1
"""Countdown in ms of a match without ticks; the page of 0.1.0 never ends one of 0."""

_WINNERS: Mapping[int | None, Literal["p1", "p2", "draw"]] = {0: "p1", 1: "p2"}


def game_start(room: Room, seat: int, duration_s: int, profiles: Profiles) -> classic.GameStart:
    """Return the start of a match for a classic player; `duration_s` is the time left."""
    return classic.GameStart(room.id, duration_s, seat, profiles.users(room.players))


def game_start_v1(
    room: Room, seat: int | None, duration_s: int | None, profiles: Profiles
) -> v1.GameStart:
    """Return the start of a match for a player, or with the seat None for a spectator."""
    return v1.GameStart(
        room_id=room.id,
        match_id=room.match or "",
        game=room.game,
        duration=duration_s,
        player_index=seat,
        players=profiles.users(room.players),
    )


def game_paused(room: Room, grace_left_s: float | None = None) -> classic.GamePaused:
    """Return who is away, and the grace period left, by default the whole one of the room."""
    return classic.GamePaused(room.id, room.away, _grace_ms(room, grace_left_s))


def game_paused_v1(
    room: Room,
    match: Match,
    turn_left_ms: int | None,
    spent_ms: Sequence[int],
    grace_left_s: float | None = None,
) -> v1.GamePaused:
    """Return the same for v1 clients, with each player's remaining pause budget."""
    left = {
        user: left
        for seat in room.staying
        if (user := room.seats[seat].user) is not None
        and (left := pause_left_ms(match, seat, spent_ms)) is not None
    }
    ends_in_ms, clocks_ms = clocks_shown(match, turn_left_ms)
    return v1.GamePaused(
        room.id,
        room.away,
        _grace_ms(room, grace_left_s),
        left or UNSET,
        ends_in_ms,
        ends_in_ms,
        clocks_ms,
    )


def _grace_ms(room: Room, left_s: float | None) -> int:
    grace_s: float = room.options.reconnect_grace_s if left_s is None else left_s
    return int(grace_s * 1000)


def classic_end(event: MatchEnded, room: Room) -> Iterator[Delivery]:
    """Deliver the end of a match to classic players; an abandoned match has no message."""
    s1, s2 = [*event.scores, 0, 0][:2]
    scores = classic.Scores(s1, s2)
    if event.reason in {*BY_THE_RULES, "void"}:
        # `game:timeup` is the only classic message that can express a draw.
        winner = _WINNERS.get(event.winner, "draw")
        timeup = classic.GameTimeup(room.id, winner, scores)
        yield Delivery(Sockets(tuple(room.player_sockets)), classic=timeup)
    elif event.reason != "abandoned":
        for index, seat in enumerate(room.seats):
            if seat.sockets:
                end = classic.GameEnd(
                    room.id, "you" if index == event.winner else "opponent", scores
                )
                yield Delivery(Sockets(tuple(seat.sockets)), classic=end)


def why_void(event: MatchEnded, world: World) -> str | UnsetType:
    """Return why a match is void, for people; UNSET for one that is not. `world` is from before."""
    match = world.matches.live.get(event.match)
    if event.reason != "void" or match is None:
        return UNSET
    owner = world.nodes.owner_of(event.room)
    node = None if owner is None else world.nodes.live.get(owner.node)
    rules = (match.game, match.rules_version)
    if node is not None and node.rules and rules not in node.rules:
        return (
            f"The match has no result: version {match.rules_version} of the rules of {match.game}, "
            "by which it began, is not here any more. A new match is played by another version."
        )
    return "The match has no result: its rules have failed, or an operator has ended it."


def match_running(
    audience: Audience, room: Room, seat: int | None, remaining_s: int | None, profiles: Profiles
) -> Delivery:
    """Deliver the start of a running match; spectators (seat None) exist in v1 only."""
    start = None if seat is None else game_start(room, seat, remaining_s or 0, profiles)
    return Delivery(audience, start, game_start_v1(room, seat, remaining_s, profiles))


def match_paused(  # noqa: PLR0913 - what a pause is
    audience: Audience,
    room: Room,
    match: Match,
    *,
    turn_left_ms: int | None,
    spent_ms: Sequence[int],
    grace_left_s: float | None,
) -> Delivery:
    """Deliver the pause of a match, with the times left now."""
    return Delivery(
        audience,
        game_paused(room, grace_left_s),
        game_paused_v1(room, match, turn_left_ms, spent_ms, grace_left_s),
    )


def match_timer(audience: Audience, room: Room, remaining_s: int) -> Delivery:
    """Deliver the remaining seconds of a match."""
    return to_both_dialects(audience, classic.GameTimer(room.id, remaining_s))


def moved(event: MatchInput, room: Room, match: Match) -> Iterator[Delivery]:
    """Deliver an input: to all the same, or in a match with secrets what each viewer may see."""
    if not match.has_secrets:
        yield from to_match(room, v1.GameMoved(room.id, event.seat, event.tick, event.input))
        return
    for viewer in (*map(seated, room.staying), SPECTATOR):
        part = part_for(viewer, event.input, event.shown)
        user = None if viewer.seat is None else room.seats[viewer.seat].user
        if part is not None:
            tick = match.tick_shown(viewer.key, event.tick)
            message = v1.GameMoved(room.id, event.seat, tick, part)
            if user is None:
                yield to_spectators(room, message)
            else:
                yield Delivery(Users((user,)), v1=message, durable=True)


def match_state(  # noqa: PLR0913, PLR0917 - what a state is, and who gets it
    audience: Audience,
    room: RoomId,
    match: Match,
    tick: int,
    view: View | msgspec.Raw,
    turn_left_ms: int | None,
    *,
    rates: frozenset[int] | None,
    has_classic: bool = True,
) -> Delivery:
    """Deliver the state of a match before `tick`, as the audience may see it, to `rates`.

    None is all of them. Without `has_classic` there is no socket in the room that gets the classic
    message.
    """
    clocks = clocks_shown(match, turn_left_ms)
    return Delivery(
        audience,
        classic.GameUpdate(room, view) if has_classic else None,
        v1.GameUpdate(room, match.shown_run, tick, view, *clocks),
        rates=rates,
    )
