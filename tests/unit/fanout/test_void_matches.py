"""A void match says why it has no result."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from service.domain.commands.base import Context
from service.domain.commands.ending import VoidMatch
from service.domain.commands.nodes import StartNode
from service.domain.events.matches import EndReason, MatchEnded
from service.fanout.match_views import why_void
from service.games.catalogue import Catalogue
from service.games.pong import PONG
from service.games.relay import RELAY
from tests.unit.domain.story import Story


def why(story: Story, reason: EndReason = "void") -> str | UnsetType:
    """Return what is told of the live match when it ends for this reason."""
    (match,) = story.world.matches.live.values()
    ended = MatchEnded(match=match.id, tick=1, reason=reason, winner=None, scores=[0, 0], hash="")
    return why_void(ended, story.world)


@pytest.mark.parametrize("reason", ["left", "timeup", "abandoned"])
def test_a_match_that_is_not_void_needs_no_message(reason: EndReason) -> None:
    story = Story()
    story.match("pong", 1, 2)
    assert why(story, reason) is UNSET


def test_failed_rules_are_told() -> None:
    story = Story()
    story.match("pong", 1, 2)
    assert "its rules have failed" in str(why(story))


def test_a_version_that_is_gone_is_named() -> None:
    story = Story()
    match = story.match("pong", 1, 2)
    story.context = _with_games(story, Catalogue([RELAY]))
    story.do(StartNode("n1"))
    assert "version 1 of the rules of pong" in str(why(story))
    story.context = _with_games(story, Catalogue([PONG]))
    story.do(StartNode("n1"))
    assert "its rules have failed" in str(why(story))
    story.do(VoidMatch(match.id, 0))
    assert story.world.matches.live == {}


def _with_games(story: Story, games: Catalogue) -> Context:
    return msgspec.structs.replace(story.context, games=games)
