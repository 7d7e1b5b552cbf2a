"""Figures of the last minutes: what one sample counts, and how many are kept."""

from __future__ import annotations

from service.domain.events.presence import SocketOpened, UserCameOnline
from service.domain.projections.world import World
from service.figures import SAMPLES_MAX, Figures
from service.telemetry import Metrics


class Clock:
    """A clock, and the end of a log, that the test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.position = 0

    def figures(self, world: World, metrics: Metrics) -> Figures:
        return Figures(world, lambda: self.position, metrics, now=lambda: self.now_s)


def test_a_sample_counts_since_the_one_before() -> None:
    world, metrics, clock = World(), Metrics(), Clock()
    figures = clock.figures(world, metrics)
    world.fold(UserCameOnline(user=1), 1)
    world.fold(SocketOpened(user=1, socket="n1.1.1"), 2)
    world.fold(SocketOpened(user=1, socket="n1.1.2"), 3)
    metrics.committed(3, 0.0015)
    metrics.ticked(0.003)
    metrics.slow_client_dropped()
    clock.now_s, clock.position = 1005.0, 50
    figures.take()
    clock.now_s = 1010.0
    figures.take()
    first, second = figures.samples
    assert (first.at_ms, first.sockets, first.users) == (1_005_000, 2, 1)
    assert (first.events_per_s, first.commit_ms, first.tick_ms) == (10, 2, 4)
    assert first.slow_consumers == 1
    assert (second.events_per_s, second.commit_ms, second.tick_ms) == (0, None, None)
    assert second.slow_consumers == 0


def test_the_present_is_shown_and_not_kept() -> None:
    metrics, clock = Metrics(), Clock()
    figures = clock.figures(World(), metrics)
    clock.now_s, clock.position = 1002.0, 8
    assert figures.present().events_per_s == 4
    assert not figures.samples


def test_a_percentile_is_that_of_the_slowest_hundredth() -> None:
    metrics, clock = Metrics(), Clock()
    figures = clock.figures(World(), metrics)
    for _ in range(99):
        metrics.committed(1, 0.0004)
    metrics.committed(1, 9)
    assert figures.present().commit_ms == 0.5
    metrics.committed(1, 9)
    assert figures.present().commit_ms == 5000


def test_the_oldest_sample_goes_first() -> None:
    clock = Clock()
    figures = clock.figures(World(), Metrics())
    for number in range(SAMPLES_MAX + 2):
        clock.now_s = 1000.0 + number
        figures.take()
    assert len(figures.samples) == SAMPLES_MAX
    assert figures.samples[0].at_ms == 1_002_000
