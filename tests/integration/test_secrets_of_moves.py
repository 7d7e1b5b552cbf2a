"""A move of several inputs, some of them hidden: others count only what they are shown."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from service.domain.events.matches import MatchInput
from tests.integration.test_secrets import ANA, BEN, MATCH, assert_same, run_of
from tests.integration.watched_parts import match_events_of

STORY = [
    ("move", ANA, {"say": "a"}),
    ("move", BEN, {"say": "b"}),
    ("visit", 1),
    ("tab", BEN),
    ("history", 0),
]


@pytest.mark.parametrize("game", ["letters", "loose_letters"])
@pytest.mark.parametrize("names", [("n1",), ("n1", "n2")])
def test_a_hidden_input_beside_a_shown_one_of_the_same_move_is_not_told(
    game: str, names: tuple[str, ...]
) -> None:
    told = []
    for secret in ([], ["x"], ["x", "yy"]):
        first = ("move", ANA, {"say": "a", "write": secret})
        told.append(asyncio.run(run_of(game, [first, *STORY[1:]], [], names=names))[1])
    assert_same(told[0], told[1])
    assert_same(told[0], told[2])


async def test_each_input_of_a_move_takes_a_tick_of_its_own() -> None:
    move = {"say": "a", "write": ["x", "y"]}
    run, _ = await run_of("letters", [("move", ANA, move), ("move", BEN, {"say": "b"})], [])
    inputs = [one for one in match_events_of(run.one, MATCH) if isinstance(one, MatchInput)]
    kinds = [(one.tick, msgspec.json.decode(one.input)["kind"]) for one in inputs]
    assert kinds == [(0, "wrote"), (1, "wrote"), (2, "said"), (3, "said")]
