"""Pause a match while a player is away, within that player's pause budget.

Each player has a budget per match, the room option `pause_budget_s`. Once all players who are away
have used theirs up, the match continues without them, and their seats are kept for the rest of the
room's grace period. The ticker measures the times; the events record them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.commands.boundaries import MatchCommand
from service.domain.commands.moves import hold_only, release_keys
from service.domain.events.base import Event
from service.domain.events.matches import (
    MatchEnded,
    MatchPaused,
    MatchResumed,
    MatchRewound,
    room_of,
)
from service.domain.projections.matches import START_DELAY_S, Match, pause_left_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from service.domain.commands.base import Context, MatchSnapshot
    from service.domain.projections.room import Room
    from service.domain.projections.world import World


def is_waited_for(room: Room, match: Match, seat: int, spent_ms: Sequence[int]) -> bool:
    """Return whether a paused match waits for `seat`: its player is away and has budget left.

    Time that the service itself was down counts against no budget.
    """
    place = room.seats[seat]
    if place.gone or place.is_present:
        return False
    return place.excused or pause_left_ms(match, seat, spent_ms) != 0


def pause_match(match: Match, context: Context) -> list[Event]:
    """Release all keys and pause the match, or pause it for one more player.

    The match is void if its rules fail.
    """
    snapshot = context.match_snapshot(match.id)
    releases: list[Event] = []
    for seat in snapshot.held:
        releases += release_keys(match, seat, snapshot, context)
        if releases and isinstance(releases[-1], MatchEnded):
            return releases[-1:]
    pause = MatchPaused(
        match=match.id,
        tick=snapshot.tick,
        turn_left_ms=snapshot.turn_left_ms,
        spent_ms=list(snapshot.spent_ms),
    )
    return [*releases, pause]


def handle_lost_player(room: Room, match: Match, seat: int, context: Context) -> list[Event]:
    """Decide what follows when the player of `seat` has lost their last socket."""
    snapshot = context.match_snapshot(match.id)
    is_excused = room.seats[seat].excused
    if not is_excused and pause_left_ms(match, seat, snapshot.spent_ms) == 0:
        if match.paused:
            return resume_match_without(room, match, [], context)
        return release_keys(match, seat, snapshot, context)
    return pause_match(match, context)


def resume_match(match: Match, snapshot: MatchSnapshot) -> MatchResumed:
    """Return the event that resumes the match; the start delay counts as pause as well."""
    delay_ms = START_DELAY_S * 1000 if match.pace == "ticks" else 0
    spent_ms = [
        spent + delay_ms if spent > before else spent
        for spent, before in zip(snapshot.spent_ms, match.spent_ms, strict=True)
    ]
    return MatchResumed(match=match.id, tick=snapshot.tick, run=match.run + 1, spent_ms=spent_ms)


def resume_match_without(
    room: Room, match: Match, here: Iterable[int], context: Context
) -> list[Event]:
    """Resume a paused match that waits for no seat other than `here`, whose players are back."""
    snapshot = context.match_snapshot(match.id)
    others = (seat for seat in room.staying if seat not in here)
    if any(is_waited_for(room, match, seat, snapshot.spent_ms) for seat in others):
        return []
    return [resume_match(match, snapshot)]


class TakeOver(MatchCommand, frozen=True):
    """Continue a live match where it stands in the log: after a restart, or the loss of its node.

    After a restart all of its players are away, and it is paused.
    """

    def decide(self, world: World, context: Context) -> list[Event]:
        """Resume it if it was running and waits for nobody, else pause it.

        Also records the tick to which it was rewound, and releases the keys of lost sockets.
        """
        match = world.matches.live.get(self.match)
        if match is None or match.paused or match.pace == "free":
            return []
        room, snapshot = world.rooms.rooms[room_of(match.id)], context.match_snapshot(match.id)
        if any(is_waited_for(room, match, seat, snapshot.spent_ms) for seat in room.staying):
            follows = pause_match(match, context)
        else:
            follows = _resume_with_open_tabs(room, match, snapshot, context)
        if match.pace != "ticks" or match.suspended:
            # Every frame shown was covered by a commit.
            return follows
        return [MatchRewound(match=match.id, tick=snapshot.tick), *follows]


def _resume_with_open_tabs(
    room: Room, match: Match, snapshot: MatchSnapshot, context: Context
) -> list[Event]:
    """Release the keys of sockets that are no longer in the room, and resume the match."""
    events: list[Event] = []
    for seat, held in snapshot.held.items():
        kept = {tab: names for tab, names in held.items() if tab in room.seats[seat].sockets}
        events += hold_only(match, seat, kept, snapshot, context)
        if events and isinstance(events[-1], MatchEnded):
            return events[-1:]
    return [*events, resume_match(match, snapshot)]


class EndPause(MatchCommand, frozen=True):
    """Resume a match: a player who is away has used up their pause budget."""

    def decide(self, world: World, context: Context) -> list[Event]:
        """Resume it, unless it waits for somebody else."""
        match = world.matches.live.get(self.match)
        if match is None or not match.paused:
            return []
        return resume_match_without(world.rooms.rooms[room_of(match.id)], match, [], context)
