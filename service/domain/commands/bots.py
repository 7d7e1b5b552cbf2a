"""Commands of bots: the host adds one, matchmaking offers one, and bots move.

A bot is a player whose user id says so (`ids.is_bot`). It is seated and moves by the same events as
anybody, but has no socket: nobody waits for it, and it is always ready.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.commands.boundaries import MatchCommand, MemberCommand
from service.domain.commands.clocks import copy_state, is_out_of_time, with_times
from service.domain.commands.hosting import hosted_by
from service.domain.commands.moves import input_events
from service.domain.commands.room_options import PAIR
from service.domain.commands.rules import call_rules
from service.domain.commands.seats import (
    become_ready,
    check_game,
    create_room_for,
    is_complete_with,
    play_on_without,
    start_match,
)
from service.domain.commands.secrets import with_shown
from service.domain.errors import (
    MatchAlreadyStarted,
    NoBotOffered,
    NodesTooOld,
    NoSuchBot,
    RoomFull,
)
from service.domain.events.base import Event, Position, queue_stream, room_stream, user_stream
from service.domain.events.matches import MatchInput, room_of
from service.domain.events.matchmaking import SearchBotOffered
from service.domain.events.rooms import PlayerSeated, SeatForfeited
from service.domain.ids import MatchId, UserId, bot_id, is_bot
from service.games.bots import MOVES_MAX

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from service.domain.commands.base import Context, MatchSnapshot
    from service.domain.projections.matches import Match
    from service.domain.projections.room import Room
    from service.domain.projections.world import World
    from service.games.protocol import Game, Move

NAMES = (
    "ada", "bela", "cora", "dina", "emil", "fred", "gita", "hugo",
    "ines", "jan", "kira", "luis", "mona", "nils", "olga", "pia",
)  # fmt: skip
"""The names of bots: so many can play in a room."""


def check_level(game: Game, level: int) -> None:
    """Raise `NoSuchBot` unless the bots of a game have this level."""
    if not game.bot_levels:
        raise NoSuchBot(f"There are no bots for {game.name}.")
    if not 1 <= level <= game.bot_levels:
        raise NoSuchBot(f"Bots of {game.name} have the levels 1 to {game.bot_levels}.")


def new_bot(level: int, players: Collection[UserId]) -> UserId:
    """Return a bot that is none of `players`."""
    taken = {bot_id(name, each) for name in NAMES for each in range(1, 10)} & set(players)
    names = {str(bot).split(":")[1] for bot in taken}
    return bot_id(next(name for name in NAMES if name not in names), level)


class AddBot(MemberCommand, frozen=True):
    """Give a free seat to a bot, as the host of a room."""

    level: int

    def decide(self, world: World, context: Context) -> list[Event]:
        """Seat it; the match starts if nobody else was missing, and all others are ready."""
        room = hosted_by(self.user, self.room, world)
        game = check_game(room.game, context)
        check_level(game, self.level)
        _check_nodes(world)
        if room.phase == "playing":
            raise MatchAlreadyStarted
        seat = room.free_seat
        if seat is None or len(room.bots) >= len(NAMES):
            raise RoomFull
        bot = new_bot(self.level, room.players)
        events: list[Event] = [PlayerSeated(room=room.id, user=bot, seat=seat)]
        if not all(other.is_present for other in room.seats_without(())):
            return events
        events += become_ready(room, len(room.players) + 1)
        is_awaited = any(not is_bot(user) for user in room.players) and not room.unready
        if is_awaited and is_complete_with(room, 1):
            seats = [one.user for one in room.seats]
            seats[seat] = bot
            players = [user for user in seats if user is not None]
            events.append(start_match(room, players, context))
        return events


class OfferBot(msgspec.Struct, frozen=True):
    """Offer a bot to a user whose search began at `since` and has found nobody for a while."""

    user: UserId
    game: str
    since: Position

    def streams(self, _world: World) -> set[str]:
        """The queue and the user."""
        return {queue_stream(self.game), user_stream(self.user)}

    def decide(self, world: World, context: Context) -> list[Event]:
        """Offer it, unless the search has ended, or the game has none for two players."""
        if world.matchmaking.waiting_since(self.user, self.game) != self.since:
            return []
        game = context.games.get(self.game)
        is_known = world.nodes.level >= SearchBotOffered.needs_level
        if game is None or not game.bot_levels or PAIR not in game.seats or not is_known:
            return []
        return [SearchBotOffered(user=self.user, game=self.game, levels=game.bot_levels)]


class AcceptBot(msgspec.Struct, frozen=True):
    """Play against the bot that was offered, instead of waiting for somebody."""

    user: UserId
    game: str
    level: int

    def streams(self, world: World) -> set[str]:
        """The queue, the user, and the finished room that they leave."""
        ours = {queue_stream(self.game), user_stream(self.user)}
        return ours | world.rooms.streams_of([self.user])

    def decide(self, world: World, context: Context) -> list[Event]:
        """Create a room for both, which ends the search."""
        game = check_game(self.game, context)
        check_level(game, self.level)
        if not world.matchmaking.is_offered_bot(self.user, self.game):
            raise NoBotOffered
        world.presence.check_connected([self.user])
        world.rooms.check_free(self.user)
        return create_room_for([self.user, new_bot(self.level, ())], self.game, world, context)


class MoveBot(msgspec.Struct, frozen=True):
    """Moves of a bot, which it has decided on by what it saw at `tick`.

    Like moves of players they lock the room only in a turn-based game.
    """

    match: MatchId
    seat: int
    tick: int
    moves: Sequence[Move]

    def streams(self, world: World) -> set[str]:
        """The room, in a turn-based game."""
        match = world.matches.live.get(self.match)
        is_ordered = match is not None and match.pace == "turns"
        return {room_stream(room_of(self.match))} if is_ordered else set()

    def decide(self, world: World, context: Context) -> list[Event]:
        """Let the rules decide; nothing when the match has moved on, is paused or over.

        Raises `RulesFailed` when they refuse a move: the bot is at fault.
        """
        match = world.matches.live.get(self.match)
        if match is None or match.paused:
            return []
        room = world.rooms.rooms[room_of(match.id)]
        snapshot = context.match_snapshot(match.id)
        has_passed = match.pace == "turns" and snapshot.tick != self.tick
        if snapshot.pausing or has_passed or is_out_of_time(snapshot):
            return []
        if not _is_playing(room, self.seat):
            return []
        return call_rules(match, context, lambda game: self._decided(game, match, snapshot))

    def _decided(self, game: Game, match: Match, snapshot: MatchSnapshot) -> list[Event]:
        state = copy_state(game, snapshot.state)
        inputs, held = list[MatchInput](), list[MatchInput]()
        for move in self.moves[:MOVES_MAX]:
            events = game.decide(state, self.seat, move)
            tick = snapshot.input_tick + (0 if match.pace == "ticks" else len(inputs))
            made = input_events(match, tick, self.seat, None, events)
            shown = list(with_shown(made, game, match, state))
            for event in events:
                game.apply(state, event)
            if match.pace == "ticks" and game.key_in(move) is not None:
                # All of them take effect at one tick, and the last one says which keys are held.
                held = shown[-1:] or held
            else:
                inputs += shown
        return with_times([*inputs, *held], game, match, snapshot)


class ForfeitBot(MatchCommand, frozen=True):
    """Take the seat of a bot away that makes no move which the rules take."""

    seat: int

    def decide(self, world: World, context: Context) -> list[Event]:
        """Free it, as the seat of a player who is away for too long."""
        match = world.matches.live.get(self.match)
        if match is None:
            return []
        room = world.rooms.rooms[room_of(match.id)]
        user = room.seats[self.seat].user
        if user is None or not _is_playing(room, self.seat):
            return []
        gone = SeatForfeited(room=room.id, user=user)
        return [gone, *play_on_without(room, match, self.seat, "forfeit", context)]


def _check_nodes(world: World) -> None:
    """Raise `NodesTooOld` while a node runs that would wait for the socket of a bot."""
    if world.nodes.level < SearchBotOffered.needs_level:
        raise NodesTooOld


def _is_playing(room: Room, seat: int) -> bool:
    return room.seats[seat].is_bot and not room.seats[seat].gone
