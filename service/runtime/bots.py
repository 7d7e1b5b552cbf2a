"""Bots of live matches: at a settled rate, each is shown what its seat sees, and makes its moves.

The node that runs a match also runs its bots. They need nothing that it could hand over: a bot
decides by what it sees now and at its previous decision, and by a chance that follows from the
match.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from service.domain.commands.bots import ForfeitBot, MoveBot
from service.domain.ids import bot_level
from service.errors import Unavailable
from service.eventstore.records import Origin
from service.games.bots import BOT_HZ, MOVES_MAX, Memory, bot_chance
from service.games.protocol import RulesFailed
from service.games.sight import seated
from service.telemetry import note_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.domain.ids import MatchId
    from service.games.protocol import Move
    from service.runtime.bot_thread import BotThread
    from service.runtime.engine import Engine
    from service.runtime.live_match import LiveMatch
    from service.runtime.live_matches import LiveMatches
    from service.runtime.pending import Executed
    from service.telemetry import Metrics

THINK_S = 0.6
"""How long a bot takes for a move in a game without ticks, as people do."""

THINK_PART = 0.1
"""The part of what is left of a turn that it takes at the most."""

CPU_SHARE_MAX = 0.1
"""The part of a CPU that a bot may use: a slow one decides less often."""

RETRY_S = 1.0
"""How much later a bot is asked again that makes no move, or while the log can't be written."""

FAULTS_MAX = 10
"""After so many faults in a row a bot forfeits its seat."""

ORIGIN = Origin("bot")
"""The origin of commands of bots."""


class _Bot:
    """A bot in a live match."""

    __slots__ = ("faults", "is_asked", "level", "memory", "next_at", "seat", "shown_tick", "tick")

    def __init__(self, seat: int, level: int) -> None:
        self.seat = seat
        self.level = level
        self.memory = Memory()
        self.tick = -1
        """The tick of its match when it was last considered."""
        self.shown_tick = -1
        """What the player of its seat took that tick for: hidden inputs take none."""
        self.next_at = 0.0
        self.is_asked = False
        """It is deciding, or its moves are not committed yet."""
        self.faults = 0


class BotPlayers:
    """Has the bots of the matches of this node play."""

    def __init__(
        self,
        engine: Engine,
        matches: LiveMatches,
        thread: BotThread,
        *,
        clock: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        """Ask bots in `thread`; `clock` is monotonic, in seconds."""
        self._engine = engine
        self._matches = matches
        self._thread = thread
        self._clock = clock
        self._metrics = metrics
        self._bots: dict[MatchId, list[_Bot]] = {}

    async def run(self) -> None:
        """Have bots play until cancelled."""
        while True:
            await self._matches.bots_play.wait()
            self.step(self._clock())
            await asyncio.sleep(1 / BOT_HZ)

    async def stop(self) -> None:
        """Let the thread end."""
        self._thread.stop()

    def step(self, now: float) -> None:
        """Ask each bot whose turn it may be."""
        playing = self._matches.with_bots()
        for match in self._bots.keys() - {live.id for live in playing}:
            del self._bots[match]
        for live in playing:
            if live.id not in self._bots:
                self._bots[live.id] = [
                    _Bot(seat, level)
                    for seat, user in enumerate(live.match.players)
                    if (level := bot_level(user)) is not None
                ]
            if not live.is_playable:
                continue
            for bot in self._bots[live.id]:
                if not live.room.seats[bot.seat].gone and not bot.is_asked:
                    self._consider(live, bot, now)

    def _consider(self, live: LiveMatch, bot: _Bot, now: float) -> None:
        """Ask a bot, if it is time."""
        tick = live.run.tick
        if tick != bot.tick:
            self._see_tick(live, bot, now)
        if now < bot.next_at:
            return
        game = live.run.game
        try:
            sight = bot.memory.look(game, live.run.state, bot.seat, bot.shown_tick)
        except Exception as error:  # noqa: BLE001 - it harms this match alone
            self._matches.fail(live, error)
            return
        if live.is_stepped_by_inputs and not sight.moves:
            # It is not its turn.
            bot.next_at = math.inf
            return
        bot.is_asked = True
        chance = bot_chance(live.match.seed, bot.seat, bot.shown_tick)
        level = min(bot.level, max(1, game.bot_levels))
        self._thread.ask(
            asyncio.get_running_loop(),
            partial(game.bot, sight, level, chance),
            partial(self._answered, live, bot, tick, sight.moves),
        )

    @staticmethod
    def _see_tick(live: LiveMatch, bot: _Bot, now: float) -> None:
        """Note that the match has moved on, and let a bot think about that.

        An input that is hidden from it neither changes what it does nor makes it take longer, which
        others would see; but its turn may come by it.
        """
        bot.tick = live.run.tick
        shown = live.match.tick_shown(seated(bot.seat).key, bot.tick)
        is_news = shown != bot.shown_tick or bot.next_at == math.inf
        bot.shown_tick = shown
        if live.is_stepped_by_inputs and is_news:
            bot.next_at = now + _think_s(live, now)

    def _answered(  # noqa: PLR0913, PLR0917 - what was asked, and the answer
        self,
        live: LiveMatch,
        bot: _Bot,
        tick: int,
        legal: Sequence[Move],
        answer: Sequence[Move] | BaseException,
        cpu_s: float,
    ) -> None:
        """Make the moves that a bot has decided on, or one for it if it has failed."""
        bot.is_asked = False
        if self._matches.get(live.id) is not live:
            return
        bot.next_at = self._clock() + cpu_s / CPU_SHARE_MAX
        try:
            moves = _checked(answer)
        except Exception as error:  # noqa: BLE001 - it costs this bot alone
            self._failed(live, bot, tick, legal, error)
            return
        if moves:
            self._move(live, bot, tick, legal, moves)
        else:
            bot.faults = 0
            if live.is_stepped_by_inputs:
                bot.next_at = self._clock() + RETRY_S

    def _move(
        self,
        live: LiveMatch,
        bot: _Bot,
        tick: int,
        legal: Sequence[Move],
        moves: Sequence[Move],
    ) -> None:
        bot.is_asked = True

        def done(outcome: Executed | Exception) -> None:
            bot.is_asked = False
            if isinstance(outcome, Unavailable):
                bot.next_at = self._clock() + RETRY_S
            elif isinstance(outcome, Exception):
                self._failed(live, bot, tick, legal, outcome)
            else:
                bot.faults = 0

        self._engine.dispatch(MoveBot(live.id, bot.seat, tick, moves), ORIGIN, done)

    def _failed(
        self, live: LiveMatch, bot: _Bot, tick: int, legal: Sequence[Move], error: BaseException
    ) -> None:
        """Log the fault of a bot, and have it make any legal move; in the end it forfeits."""
        note_fault(self._metrics, "bot", error, match=live.id, seat=bot.seat)
        if self._matches.get(live.id) is not live:
            return
        bot.faults += 1
        bot.next_at = self._clock() + RETRY_S
        if bot.faults > FAULTS_MAX or (bot.faults > 1 and live.is_stepped_by_inputs):
            bot.is_asked = True
            self._engine.dispatch(ForfeitBot(live.id, bot.seat), ORIGIN, lambda _outcome: None)
        elif live.is_stepped_by_inputs and legal:
            move = bot_chance(live.match.seed, bot.seat, bot.shown_tick).choice(legal)
            self._move(live, bot, tick, legal, [move])


def _think_s(live: LiveMatch, now: float) -> float:
    left_ms = live.clock.turn_left_ms(now)
    return THINK_S if left_ms is None else min(THINK_S, THINK_PART * left_ms / 1000)


def _checked(answer: object) -> list[Move]:
    """Return the moves in the answer of a bot; raise its error, or `RulesFailed` for no moves."""
    if isinstance(answer, Exception):
        raise answer
    if isinstance(answer, BaseException):
        raise RulesFailed(f"A bot has raised {answer!r}.") from answer
    if not isinstance(answer, list | tuple) or len(answer) > MOVES_MAX:
        raise RulesFailed(f"A bot has returned {str(answer)[:200]!r}, no list of moves.")
    if not all(isinstance(move, Mapping) for move in answer):
        raise RulesFailed(f"A bot has returned {str(answer)[:200]!r}, of which some are no moves.")
    return list(answer)
