"""Which part of a tick each live match is stepped in, and when each part is to be visited.

A visit of a part costs the loop a wake-up, and the log a commit, however few matches are due. So
the parts are filled one after the other, and a part is left alone until a match in it has to show
its next state. Matches that show only some of their states do so in the same rounds.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from service.protocol.frame_rates import FRAME_HZ_MAX
from service.runtime.frame_schedule import LOWEST_RATE, FrameSchedule
from service.runtime.frame_schedule import PHASES as FRAME_PHASES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.domain.ids import MatchId
    from service.runtime.live_match import LiveMatch

PHASES = 4
"""The parts of a tick that matches are spread over, so that not all are due at once."""

GRID_HZ = 60
"""How often each phase comes round, per second."""

SLOT_S = 1 / GRID_HZ / PHASES
"""The time from one phase to the next."""

VISIT_MATCHES = 120
"""How many matches may be due in one visit before others are given another one: they take about
2.5 ms when all of them show their states."""

SHIFTS = (*range(0, FRAME_PHASES, 2), *range(1, FRAME_PHASES, 2))
"""By how many rounds the frames of a match may be shifted, in the order of choice: at half the
rate, every other shift leads to the same visits."""

ROUNDING_S = 1e-6
"""How early a phase may be visited, for rounding only: a frame that comes sooner after the one
before it makes the next one seem late."""

BLOCKED_ROUNDS = 3
"""After how many rounds a match that waits for a commit is looked at again. When the commit
succeeds, the match is stepped at once; this is for one that fails."""


class Place(NamedTuple):
    """Where a match is."""

    phase: int
    shift: int
    rounds: frozenset[int]
    """The rounds of its visits, modulo `FRAME_PHASES`."""


class TickSlots:
    """The live matches with ticks, by phase; all times are monotonic, in seconds."""

    def __init__(self, grid_at: float) -> None:
        """Let the first phase come round at `grid_at`, and each phase once a tick from then on."""
        self._grid_at = grid_at
        self._phases: list[dict[MatchId, LiveMatch]] = [{} for _ in range(PHASES)]
        self._loads = [[0] * FRAME_PHASES for _ in range(PHASES)]
        """How many matches are due, by phase and round."""
        self._places: dict[MatchId, Place] = {}
        self._visits = [math.inf] * PHASES
        """When each phase is to be visited next."""

    def __len__(self) -> int:
        """Return the number of matches."""
        return len(self._places)

    def add(self, live: LiveMatch) -> None:
        """Give a match its place: the first one with room for its frame rates, or the emptiest."""
        place = self._place_of(live.wanted)
        self._places[live.id] = place
        self._phases[place.phase][live.id] = live
        for round_ in place.rounds:
            self._loads[place.phase][round_] += 1

    def _place_of(self, rates: frozenset[int]) -> Place:
        best, best_load = None, math.inf
        for phase, loads in enumerate(self._loads):
            # All shifts are alike for those that show every state; they get each in turn.
            first = len(self._phases[phase])
            for turn in range(FRAME_PHASES):
                shift = SHIFTS[(first + turn) % FRAME_PHASES if FRAME_HZ_MAX in rates else turn]
                rounds = visits_of(rates, shift)
                load = max(loads[round_] for round_ in rounds)
                if load < VISIT_MATCHES:
                    return Place(phase, shift, rounds)
                if load < best_load:
                    best, best_load = Place(phase, shift, rounds), load
        if best is None:
            raise AssertionError(rates)
        return best

    def remove(self, match: MatchId) -> None:
        """Remove a match, if it is there."""
        place = self._places.pop(match, None)
        if place is not None:
            del self._phases[place.phase][match]
            for round_ in place.rounds:
                self._loads[place.phase][round_] -= 1

    def resume(self, live: LiveMatch, at: float) -> None:
        """Let the next tick of a match be due when its phase comes round, not before `at`.

        From then on its frames are those of its place.
        """
        phase, shift, _ = self._places[live.id]
        rounds = math.ceil((at - self._grid_at) * GRID_HZ)
        live.frames.align(live.run.tick, rounds + shift)
        # A little early, so that rounding never makes it wait for the next round.
        live.resume(self._grid_at + rounds / GRID_HZ + (phase - 0.5) * SLOT_S)
        self.plan(live)

    def visit_soon(self, live: LiveMatch, now: float) -> None:
        """Visit the phase of a match when it comes round next, whether or not a match is due then.

        That tells how late visits are before the first step.
        """
        phase = self._places[live.id].phase
        self._visits[phase] = min(self._visits[phase], self._round_after(phase, now))

    def plan(self, live: LiveMatch) -> None:
        """Visit the phase of a match in time for its next state."""
        place = self._places.get(live.id)
        if place is not None:
            visit_at = self._round_after(place.phase, live.wake_at)
            self._visits[place.phase] = min(self._visits[place.phase], visit_at)

    def due(self, phase: int, now: float) -> Iterator[LiveMatch]:
        """Yield the matches of a phase that are to be visited, and plan the next visit of it.

        They are stepped while this iterates, and may be removed.
        """
        soonest = math.inf
        for live in list(self._phases[phase].values()):
            if live.wake_at <= now:
                yield live
                if live.wake_at <= now:
                    soonest = min(soonest, now + (BLOCKED_ROUNDS - 0.5) / GRID_HZ)
                    continue
            soonest = min(soonest, live.wake_at)
        self._visits[phase] = self._round_after(phase, soonest)

    def phases_due(self, now: float) -> list[int]:
        """Return the phases that are to be visited, the longest overdue first."""
        due = [phase for phase in range(PHASES) if self._visits[phase] <= now + ROUNDING_S]
        return sorted(due, key=self._visits.__getitem__)

    def visit_at(self, phase: int) -> float:
        """Return when a phase is to be visited next."""
        return self._visits[phase]

    @property
    def next_visit(self) -> float:
        """When the next phase is to be visited; infinite while no match is to be stepped."""
        return min(self._visits)

    def _round_after(self, phase: int, at: float) -> float:
        """Return when a phase comes round, at `at` or next."""
        if at == math.inf:
            return at
        first = self._grid_at + phase * SLOT_S
        return first + math.ceil((at - first) * GRID_HZ) / GRID_HZ


@cache
def visits_of(rates: frozenset[int], shift: int) -> frozenset[int]:
    """Return the rounds, modulo `FRAME_PHASES`, in which a match is visited at these rates."""
    schedule = FrameSchedule(GRID_HZ, shift, 0)
    wanted = rates or LOWEST_RATE
    return frozenset(
        round_ for round_ in range(FRAME_PHASES) if schedule.ticks_until(round_ - 1, wanted) == 1
    )
