"""Replays of a real log for the API."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from service.domain.events.matches import MatchEvent, MatchInput, MatchStarted
from service.edge.api import replays
from service.edge.api.problems import NotReplayable, TooManyReplays
from service.edge.api.replays import Replays
from service.edge.api.shapes import FramesParams
from service.eventstore.records import ANY
from service.games.catalogue import GAMES, Catalogue
from service.games.relay import RELAY
from tests.integration.log_file import LogFile, appended, proposed

MATCH = "r-1"
MOVES = 1200


def recorded(moves: int) -> list[MatchEvent]:
    """A match in the relay that is still under way."""
    begun = MatchStarted(
        match=MATCH,
        tick=0,
        game="relay",
        rules_version=1,
        players=[7, 8],
        seed=1,
        options={},
        pace="free",
        turn_s=None,
    )
    inputs = [
        MatchInput(
            match=MATCH,
            tick=tick,
            seat=tick % 2,
            socket="s",
            input=msgspec.Raw(b'{"kind":"relayed","seat":0,"move":{"step":1}}'),
        )
        for tick in range(moves)
    ]
    return [begun, *inputs]


async def replays_of(
    log_file: LogFile, events: Sequence[MatchEvent], games: Catalogue = GAMES
) -> Replays:
    log = log_file.started()
    await appended(log, proposed(*events), ANY)
    return Replays(log_file.reader(), games)


async def test_frames_are_streamed_in_order_in_chunks(log_file: LogFile) -> None:
    played = await replays_of(log_file, recorded(MOVES))
    replay = await played.load(MATCH)
    wanted = FramesParams(match_id=MATCH, start=3, to=MOVES - 1)

    some = [part async for part in played.frames(replay, wanted)]

    ticks = [msgspec.json.decode(line)["tick"] for part in some for line in part.splitlines()]
    assert ticks == list(range(3, MOVES))
    assert len(some) > 2
    assert max(len(part) for part in some) < 2 * replays.SLICE_BYTES
    assert await played.verify(MATCH) is None
    played.stop()


async def test_a_match_whose_rules_are_missing_is_not_replayed(log_file: LogFile) -> None:
    played = await replays_of(log_file, recorded(1), Catalogue([]))
    with pytest.raises(NotReplayable, match="which this build does not have"):
        await played.load(MATCH)
    played.stop()


@pytest.mark.parametrize("rule", ["setup", "view"])
async def test_a_match_whose_rules_fail_is_refused_before_its_first_frame(
    log_file: LogFile, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    played = await replays_of(log_file, recorded(1))
    monkeypatch.setattr(RELAY, rule, fail)
    frames = played.frames(await played.load(MATCH), FramesParams(match_id=MATCH))
    with pytest.raises(NotReplayable, match="have failed"):
        await anext(frames)
    played.stop()


async def test_a_match_that_is_too_long_is_not_replayed(
    log_file: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "EVENTS_MAX", 600)
    played = await replays_of(log_file, recorded(MOVES))
    with pytest.raises(NotReplayable, match="too long"):
        await played.load(MATCH)
    played.stop()


async def test_the_number_of_concurrent_replays_is_limited(log_file: LogFile) -> None:
    played = Replays(log_file.reader(), GAMES)
    turns = [played.turn() for _ in range(replays.REPLAYS_MAX)]
    for turn in turns:
        turn.__enter__()
    with pytest.raises(TooManyReplays), played.turn():
        pass
    turns.pop().__exit__(None, None, None)
    with played.turn():
        pass
    played.stop()
