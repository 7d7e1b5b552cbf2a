"""Map events to deadlines, and expired deadlines to commands.

A deadline starts with an event. Deadlines that are pending when the service starts count anew from
the first socket that it accepts, and last at least the restart grace: while the service was down,
nobody could reconnect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.commands.bots import OfferBot
from service.domain.commands.hosting import CloseEmptyRoom, CloseUntakenRoom
from service.domain.commands.invites import EndInviteCooldown, ExpireInvite
from service.domain.commands.matchmaking import GiveUpSearch
from service.domain.commands.pauses import EndPause, is_waited_for
from service.domain.commands.presence import ExpirePresence
from service.domain.commands.seats import ForfeitSeat
from service.domain.commands.turns import NoteTurn, TimeOutTurn, note_every_s
from service.domain.events.invites import InviteDeclined, InviteSent
from service.domain.events.matches import (
    MatchEnded,
    MatchInput,
    MatchPaused,
    MatchResumed,
    MatchStarted,
    MatchTurnNoted,
    room_of,
)
from service.domain.events.matchmaking import SearchStarted
from service.domain.events.presence import SocketClosed
from service.domain.events.rooms import RoomCreated, SeatForfeited, SeatLeft, SpectatorLeft
from service.domain.projections.matches import pause_left_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.domain.commands.base import Command
    from service.domain.events.base import Event, Position
    from service.domain.ids import Owner, UserId
    from service.domain.projections.matches import Match
    from service.domain.projections.room import Room
    from service.domain.projections.world import World
    from service.settings.sections.play import Times


PAUSE_SLACK_MS = 20
"""Added to the pause deadline in ms, so that the measured budget is used up when it fires."""


class Deadline(msgspec.Struct, frozen=True):
    """A command, and how long after the event at `since` it is due."""

    since: Position
    after_s: float
    command: Command


def pending(world: World, times: Times) -> Iterator[Deadline]:
    """Return all pending deadlines."""
    for user in world.presence.in_grace:
        yield from _of_presence(user, world, times)
    for inviter, invites in world.invites.pending.items():
        for invitee in invites:
            yield from _of_invite(inviter, invitee, world, times)
    for inviter, decliners in world.invites.declined.items():
        for invitee in decliners:
            yield from _of_decline(inviter, invitee, world, times)
    for game, queue in world.matchmaking.queues.items():
        for user in queue:
            yield from _of_search(user, game, world, times)
    for room in world.rooms.rooms.values():
        yield from _of_room(room, times)
    for match in world.matches.live.values():
        yield from _of_turn(match)
        yield from _of_pause(match, world.rooms.rooms[room_of(match.id)])


def with_restart_grace(deadline: Deadline, times: Times) -> Deadline:
    """Return `deadline` extended to the restart grace, for one that is pending at a start."""
    after_s = max(deadline.after_s, times.restart_grace_s)
    return msgspec.structs.replace(deadline, after_s=after_s)


def after_node_change(world: World, times: Times) -> Iterator[Deadline]:
    """Return all pending deadlines as they count anew on a node that becomes responsible for them.

    A turn goes on with what was logged as left of it. Seats whose players lost their last socket
    with a node wait at least the restart grace.
    """
    for deadline in pending(world, times):
        is_excused = isinstance(deadline.command, ForfeitSeat) and _is_excused(
            deadline.command, world
        )
        yield with_restart_grace(deadline, times) if is_excused else deadline
    for match in world.matches.live.values():
        left_ms, since = match.turn_left_ms, match.turn_since
        if left_ms is not None and not match.paused and match.turn_noted != since:
            yield Deadline(since, left_ms / 1000, TimeOutTurn(match.id, since))


def _is_excused(forfeit: ForfeitSeat, world: World) -> bool:
    room, seat = world.rooms.seat_of(forfeit.user, forfeit.room)
    return room.seats[seat].excused


def responsible_for(command: Command, world: World) -> Owner | None:
    """Return the node that carries a deadline's command out: the owner of its room, or a home."""
    return world.nodes.responsible_for(command.streams(world))


def started_by(event: Event, position: Position, world: World, times: Times) -> list[Deadline]:
    """Return the deadlines that `event` starts; `world` has just folded it."""
    deadlines: list[Deadline] = []
    match event:
        case SocketClosed():
            deadlines += _of_presence(event.user, world, times)
            room = world.rooms.rooms.get(world.rooms.seated.get(event.user, ""))
            deadlines += _of_room(room, times) if room else ()
        case InviteSent():
            deadlines += _of_invite(event.inviter, event.invitee, world, times)
        case InviteDeclined():
            deadlines += _of_decline(event.inviter, event.invitee, world, times)
        case SearchStarted():
            deadlines += _of_search(event.user, event.game, world, times)
        case RoomCreated() | SeatLeft() | SeatForfeited() | SpectatorLeft() | MatchEnded():
            deadlines += _of_room(world.rooms.rooms[event.room], times)
        case MatchPaused():
            match = world.matches.live.get(event.match)
            deadlines += _of_pause(match, world.rooms.rooms[event.room]) if match else ()
        case MatchStarted() | MatchInput() | MatchResumed() | MatchTurnNoted():
            match = world.matches.live.get(event.match)
            deadlines += _of_turn(match) if match is not None else ()
        case _:
            pass
    return [deadline for deadline in deadlines if deadline.since == position]


def _of_presence(user: UserId, world: World, times: Times) -> Iterator[Deadline]:
    since = world.presence.in_grace.get(user)
    if since is not None:
        yield Deadline(since, times.presence_grace_s, ExpirePresence(user, since))


def _of_invite(inviter: UserId, invitee: UserId, world: World, times: Times) -> Iterator[Deadline]:
    invite = world.invites.find(inviter, invitee)
    if invite is not None:
        since = invite.since
        yield Deadline(since, times.invite_ttl_s, ExpireInvite(inviter, invitee, since))


def _of_decline(inviter: UserId, invitee: UserId, world: World, times: Times) -> Iterator[Deadline]:
    since = world.invites.declined_since(inviter, invitee)
    if since is not None:
        command = EndInviteCooldown(inviter, invitee, since)
        yield Deadline(since, times.invite_cooldown_s, command)


def _of_search(user: UserId, game: str, world: World, times: Times) -> Iterator[Deadline]:
    since = world.matchmaking.waiting_since(user, game)
    if since is not None:
        yield Deadline(since, times.matchmaking_timeout_s, GiveUpSearch(user, game, since))
        if times.bot_after_s and not world.matchmaking.is_offered_bot(user, game):
            yield Deadline(since, times.bot_after_s, OfferBot(user, game, since))


def _of_turn(match: Match) -> Iterator[Deadline]:
    if match.turn_left_ms is None or match.paused:
        return
    noted, every_s = match.turn_noted, note_every_s(match)
    yield Deadline(noted, every_s, NoteTurn(match.id, noted))
    since = match.turn_since
    if noted == since:
        yield Deadline(since, match.turn_left_ms / 1000, TimeOutTurn(match.id, since))


def _of_pause(match: Match, room: Room) -> Iterator[Deadline]:
    """Return the deadlines at which players who are away have used up their pause budgets."""
    for seat in room.staying if match.paused else ():
        left = pause_left_ms(match, seat, match.spent_ms)
        is_counted = (
            is_waited_for(room, match, seat, match.spent_ms) and not room.seats[seat].excused
        )
        if left is not None and is_counted:
            after_s = (left + PAUSE_SLACK_MS) / 1000
            yield Deadline(match.paused_at, after_s, EndPause(match.id))


def _of_room(room: Room, times: Times) -> Iterator[Deadline]:
    if room.phase == "gathering" and not room.hosted:
        yield Deadline(room.created_at, times.seat_take_s, CloseUntakenRoom(room.id))
    if room.hosted or room.phase in {"ready", "playing"}:
        for index in room.staying:
            seat = room.seats[index]
            if seat.user is not None and seat.away_since is not None:
                yield Deadline(
                    seat.away_since,
                    room.options.reconnect_grace_s,
                    ForfeitSeat(seat.user, room.id, seat.away_since),
                )
    if room.empty_since is not None:
        yield Deadline(
            room.empty_since, times.room_empty_s, CloseEmptyRoom(room.id, room.empty_since)
        )
