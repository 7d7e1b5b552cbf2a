"""Which frames of a match the ticker publishes at all frame rates, and which are thinned."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from msgspec import Raw
from msgspec.json import encode
from msgspec.structs import replace

from service.domain.commands.ending import FinishMatch
from service.domain.events.matches import MatchInput, MatchPaused, MatchStarted
from service.games.catalogue import GAMES
from service.games.pong import KeysHeld
from service.protocol.frame_rates import ALL_RATES
from service.runtime.live_match import LiveMatch
from service.runtime.live_matches import LiveMatches
from service.runtime.tick_slots import GRID_HZ, PHASES, VISIT_MATCHES
from service.runtime.ticker import Ticker
from service.telemetry import Metrics
from tests.unit.domain.story import ROOM, Story

DURATION_S = 2


class Engine:
    """Commits at once, and changes nothing."""

    def __init__(self, story: Story) -> None:
        self.world = story.world
        self.context = story.context
        self.executed: list[object] = []

    async def execute(self, command: object, _origin: object) -> None:
        self.executed.append(command)

    def dispatch(self, command: object, _origin: object, done: Callable[[object], None]) -> None:
        self.executed.append(command)
        done(None)

    def hurry(self) -> None:
        self.executed.append("hurry")


class Shown:
    """Notes what is published, by tick."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.slot = 0
        """The phase of the tick that is being stepped."""
        self.rates: list[tuple[tuple[int, int], frozenset[int]]] = []
        """The rates that are due, by phase and tick."""

    def frame_rates(self, _room: object) -> frozenset[int]:
        return ALL_RATES

    def publish_tick(self, live: LiveMatch) -> None:
        self.calls.append(("thinned", live.run.tick))
        self.rates.append(((self.slot, live.run.tick), live.frames.advance(live.run.tick)))

    def publish_frame(self, live: LiveMatch) -> None:
        self.calls.append(("all", live.run.tick))
        live.frames.show_all(live.run.tick)

    def publish_newest(self, live: LiveMatch) -> None:
        self.calls.append(("newest", live.run.tick))


class Play:
    """A match of Pong that a ticker steps, by a clock of the test."""

    def __init__(self, matches: int = 1) -> None:
        story = Story()
        self.match = story.match("pong", 1, 2, duration_s=DURATION_S)
        self.shown = Shown()
        self.now = 0.0
        self.live = LiveMatches(lambda: self.now, Metrics())
        engine: Any = Engine(story)
        shown: Any = self.shown
        self.engine: Engine = engine
        self.ticker = Ticker(
            engine,
            self.live,
            SimpleNamespace(rules=lambda name, *_: GAMES[name]),  # type: ignore[arg-type]  # the part of a catalogue that it needs
            shown,
            checkpoint_s=1,
            clock=lambda: self.now,
            metrics=Metrics(),
        )
        started = next(event for event in story.events if isinstance(event, MatchStarted))
        for number in range(matches):
            match = f"{ROOM}-{1000 + number}" if number else self.match.id
            story.world.matches.live[match] = replace(self.match, id=match)
            self.ticker.observe(replace(started, match=match), 1)

    async def step(self) -> None:
        """Let the time of one tick pass."""
        self.now += 1 / GRID_HZ
        for phase in range(PHASES):
            self.shown.slot = phase
            self.ticker.advance(phase, self.now)
        await asyncio.sleep(0)

    async def until_the_end(self) -> None:
        while not any(isinstance(one, FinishMatch) for one in self.engine.executed):
            await self.step()


async def test_the_first_and_the_last_state_and_outcomes_are_shown_at_all_rates() -> None:
    play = Play()
    await play.until_the_end()
    shown = [tick for how, tick in play.shown.calls if how == "all"]
    outcomes = [
        event.tick + 1
        for command in play.engine.executed
        for event in getattr(command, "events", ())
        if event.type == "match.outcome"
    ]
    assert shown[0] == 0
    assert shown[-1] == GRID_HZ * DURATION_S
    assert shown[1:-1] == outcomes
    assert len(outcomes) >= 2


async def test_all_other_states_are_thinned() -> None:
    play = Play()
    await play.until_the_end()
    ticks = sorted(tick for _, tick in play.shown.calls)
    assert ticks == list(range(GRID_HZ * DURATION_S + 1))
    assert sum(how == "thinned" for how, _ in play.shown.calls) > 0.9 * len(ticks)


async def test_a_pause_shows_the_newest_state_to_those_who_have_not_seen_it() -> None:
    play = Play()
    while ("thinned", 2) not in play.shown.calls:
        await play.step()
    play.ticker.observe(MatchPaused(match=play.match.id, tick=2), 2)
    await play.step()
    assert play.shown.calls[-1] == ("newest", 2)


def pressed(play: Play, live: LiveMatch) -> MatchInput:
    keys = Raw(encode(KeysHeld(0, up=True, down=False)))
    return MatchInput(match=play.match.id, seat=0, tick=live.run.tick, socket="s", input=keys)


async def test_an_input_that_is_committed_before_the_visit_of_its_match_does_not_step_it() -> None:
    play = Play()
    while ("thinned", 2) not in play.shown.calls:
        await play.step()
    live = next(iter(play.live))
    shown = list(play.shown.calls)
    event = pressed(play, live)
    hold = live.hold(event)
    play.now = live.wake_at + 0.0001
    hold.release()
    play.ticker.observe(event, 2)
    assert play.shown.calls == shown
    play.ticker.advance(0, play.now)
    assert play.shown.calls == [*shown, ("thinned", 3)]


async def test_a_match_whose_input_is_committed_after_its_visit_is_stepped_at_once() -> None:
    play = Play()
    while ("thinned", 2) not in play.shown.calls:
        await play.step()
    live = next(iter(play.live))
    shown = list(play.shown.calls)
    events = pressed(play, live), pressed(play, live)
    holds = [live.hold(event) for event in events]
    await play.step()
    assert play.shown.calls == shown
    assert play.engine.executed[-1] == "hurry"
    for event, hold in zip(events, holds, strict=True):
        assert play.shown.calls == shown
        hold.release()
        play.ticker.observe(event, 2)
    assert play.shown.calls == [*shown, ("thinned", 3)]


async def test_many_matches_share_the_ticks_of_each_phase_evenly() -> None:
    many = VISIT_MATCHES * PHASES
    play = Play(many)
    while len(play.shown.rates) < 2 * many:
        await play.step()
    for hz in (30, 20):
        counts = Counter(slot for slot, rates in play.shown.rates if hz in rates)
        # In each phase of each tick.
        assert set(counts.values()) == {VISIT_MATCHES * hz // GRID_HZ}
