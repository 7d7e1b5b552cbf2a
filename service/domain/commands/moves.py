"""Decide moves: inputs, and the keys that each socket of a player holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from service.domain.commands.clocks import check_in_time, with_times
from service.domain.commands.ending import end_failed_match
from service.domain.commands.rules import as_logged, call_rules, call_rules_for_move
from service.domain.commands.secrets import with_shown
from service.domain.errors import MatchIsPaused, MatchNotRunning
from service.domain.events.base import Event, room_stream
from service.domain.events.matches import MatchInput, Pace
from service.domain.ids import RoomId, SocketId, UserId
from service.domain.projections.keys import Held, after_key, key_names
from service.domain.projections.matches import Match
from service.games.protocol import RulesFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.domain.commands.base import Context, MatchSnapshot
    from service.domain.projections.world import World
    from service.games.protocol import Game, GameEvent


INPUT_LEAD_TICKS_MAX = 6
"""How many ticks ahead of its match an input may take effect, when ticks are late."""


def pace_of(game: Game) -> Pace:
    """Return what advances the matches of a game."""
    if game.tick_hz:
        return "ticks"
    return "turns" if game.ordered else "free"


def input_events(
    match: Match, tick: int, seat: int, socket: SocketId | None, events: Iterable[GameEvent]
) -> list[MatchInput]:
    """Return the inputs for a seat's game events, which take effect from `tick` on.

    Without ticks each takes one, so that an input which is hidden leaves no gap for who counts on.
    """
    step = 0 if match.pace == "ticks" else 1
    return [
        as_logged(
            MatchInput(
                match=match.id,
                tick=tick + step * number,
                seat=seat,
                socket=socket,
                input=msgspec.Raw(msgspec.json.encode(event)),
            )
        )
        for number, event in enumerate(events)
    ]


def held_keys_input(  # noqa: PLR0913 - what an input is
    match: Match,
    seat: int,
    after: Held,
    snapshot: MatchSnapshot,
    game: Game,
    *,
    socket: SocketId | None = None,
) -> list[Event]:
    """Return the input by which `seat` holds these keys; none if it holds them already."""
    if after == snapshot.held.get(seat, {}):
        return []
    event = game.hold(seat, key_names(after))
    written = MatchInput(
        match=match.id,
        tick=snapshot.input_tick,
        seat=seat,
        socket=socket,
        input=msgspec.Raw(msgspec.json.encode(event)),
        held=dict(after),
    )
    return [as_logged(one) for one in with_shown([written], game, match, snapshot.state)]


def release_keys(match: Match, seat: int, snapshot: MatchSnapshot, context: Context) -> list[Event]:
    """Release all keys of `seat`; the match is void if its rules fail."""
    return hold_only(match, seat, {}, snapshot, context)


def hold_only(
    match: Match, seat: int, after: Held, snapshot: MatchSnapshot, context: Context
) -> list[Event]:
    """Release all keys of `seat` but these; the match is void if its rules fail."""
    try:
        return call_rules(
            match, context, lambda game: held_keys_input(match, seat, after, snapshot, game)
        )
    except RulesFailed as error:
        return [end_failed_match(match, snapshot, context, error)]


class Move(msgspec.Struct, frozen=True):
    """A player's input.

    It locks the room only in a turn-based game; elsewhere its tick determines the order.
    """

    user: UserId
    socket: SocketId
    room: RoomId
    move: Mapping[str, Any]

    def streams(self, world: World) -> set[str]:
        """The room, in a turn-based game."""
        room = world.rooms.rooms.get(self.room)
        match = world.matches.live.get(room.match or "") if room else None
        return {room_stream(self.room)} if match is not None and match.pace == "turns" else set()

    def decide(self, world: World, context: Context) -> list[Event]:
        """Let the rules decide."""
        # Keys of a socket that was replaced by another one would never be released.
        world.presence.check_socket_open(self.user, self.socket)
        room, seat = world.rooms.seat_of(self.user, self.room)
        match = world.matches.live.get(room.match or "")
        if match is None:
            raise MatchNotRunning
        snapshot = context.match_snapshot(match.id)
        if match.paused or snapshot.pausing:
            raise MatchIsPaused

        def decided(game: Game) -> list[Event]:
            key = game.key_in(self.move)
            if key is not None:
                after = after_key(snapshot.held.get(seat, {}), self.socket, key)
                return held_keys_input(match, seat, after, snapshot, game, socket=self.socket)
            check_in_time(snapshot)
            events = game.decide(snapshot.state, seat, self.move)
            inputs = input_events(match, snapshot.input_tick, seat, self.socket, events)
            shown = with_shown(inputs, game, match, snapshot.state)
            return with_times(shown, game, match, snapshot)

        return call_rules_for_move(match, context, seat, decided)
