import pytest
import typer

from service.cli.match_source import tick_of
from service.games.catalogue import GAMES
from service.games.options import set_up
from service.games.pong import PONG
from service.replay.replay import Replay
from tests.unit.replay.recordings import checkpoint, started

TICKS = 4 * 3600 * 60


@pytest.fixture(scope="module")
def long_match() -> Replay:
    options = {"duration_s": 600}
    return Replay(
        [started(PONG, 1, options, 2), checkpoint(set_up(PONG, 1, options, 2), TICKS)], GAMES
    )


@pytest.mark.parametrize(
    ("place", "tick"),
    [
        ("12s", 720),
        ("12.5", 750),
        ("720t", 720),
        # As the terminal and the page show times.
        ("2:05.3", 7518),
        ("0:59.9", 3594),
        ("1:02:05.9", 223554),
        # Half a tick is rounded up, as on the page.
        ("0.175", 11),
        ("0.141666667", 9),
        ("999999999s", TICKS),
    ],
)
def test_a_moment_is_named_by_a_time_or_a_tick(long_match: Replay, place: str, tick: int) -> None:
    assert tick_of(place, long_match) == tick


@pytest.mark.parametrize(
    "place", ["", "soon", "-1s", "12m", "2:05t", "1:2:3:4", "nan", "1e3", ":5"]
)
def test_what_names_no_moment_is_refused_with_the_forms(long_match: Replay, place: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"12\.5s or 2:05\.3"):
        tick_of(place, long_match)
