"""Commands of moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from service.domain.commands.ending import end_failed_match
from service.domain.commands.rules import as_logged, call_rules, call_rules_for_move
from service.domain.errors import MatchIsPaused, MatchNotRunning
from service.domain.events.base import Event, room_stream
from service.domain.events.matches import MatchInput, Pace
from service.domain.ids import RoomId, SocketId, UserId
from service.domain.projections.keys import Held, after_key, key_names
from service.domain.projections.matches import Match
from service.games.protocol import RulesFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from service.domain.commands.base import Context, MatchSnapshot
    from service.domain.projections.world import World
    from service.games.protocol import Game, GameEvent


INPUT_LEAD_TICKS_MAX = 6
"""How far ahead of its match an input may take effect, when ticks are late."""


def pace_of(game: Game) -> Pace:
    """Say what moves the matches of a game on."""
    if game.tick_hz:
        return "ticks"
    return "turns" if game.ordered else "free"


def input_events(
    match: Match, tick: int, seat: int, socket: SocketId | None, events: Iterable[GameEvent]
) -> list[Event]:
    """Write a seat's game events down as inputs that take effect at `tick`."""
    return [
        as_logged(
            MatchInput(
                match=match.id,
                tick=tick,
                seat=seat,
                socket=socket,
                input=msgspec.Raw(msgspec.json.encode(event)),
            )
        )
        for event in events
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
    """Let the tabs of `seat` hold these keys, by an input of `socket`; none if they do already."""
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
    return [as_logged(written)]


def release_keys(match: Match, seat: int, snapshot: MatchSnapshot, context: Context) -> list[Event]:
    """Let go of whatever `seat` holds in any tab; the match is void when its rules fail."""
    return hold_only(match, seat, {}, snapshot, context)


def hold_only(
    match: Match, seat: int, after: Held, snapshot: MatchSnapshot, context: Context
) -> list[Event]:
    """Let the tabs of `seat` hold only these keys; the match is void when its rules fail."""
    try:
        return call_rules(
            match, context, lambda game: held_keys_input(match, seat, after, snapshot, game)
        )
    except RulesFailed as error:
        return [end_failed_match(match, snapshot, context, error)]


class Move(msgspec.Struct, frozen=True):
    """A player's input. Only a game of turns wants a lock, else its tick gives it its place."""

    user: UserId
    socket: SocketId
    room: RoomId
    move: Mapping[str, Any]

    def streams(self, world: World) -> set[str]:
        """The room, in a game of turns."""
        room = world.rooms.rooms.get(self.room)
        match = world.matches.live.get(room.match or "") if room else None
        return {room_stream(self.room)} if match is not None and match.pace == "turns" else set()

    def decide(self, world: World, context: Context) -> list[Event]:
        """Ask the rules."""
        # A tab that had to go for another one may still press keys, which nobody would let go.
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
            events = game.decide(snapshot.state, seat, self.move)
            return input_events(match, snapshot.input_tick, seat, self.socket, events)

        return call_rules_for_move(match, context, seat, decided)
