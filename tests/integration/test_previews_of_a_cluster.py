"""Previews of live matches that another node runs: from what this one folds of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from service.domain.commands.moves import Move
from service.domain.commands.seats import LeaveRoom
from service.fanout.profiles import Profiles
from service.protocol import v1
from service.runtime.match_publisher import FramePublisher, MatchPublisher
from service.runtime.recorded_states import RecordedStates
from tests.integration.node_parts import Cluster, Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.runtime.projector import Observer

ANA, BEN = 1, 2

NOTHING = (None, None, None, None)


class PreviewNode(Node):
    """A node that makes previews."""

    def observers(self) -> Sequence[Observer]:
        self.recorded_states = RecordedStates(self.world, self.games, self.owner)
        self.previews = MatchPublisher(
            self.matches,
            self.world,
            Profiles(),
            cast("FramePublisher", None),
            clock=self.time,
            grace_left_s=lambda _room: None,
            recorded=self.recorded_states,
        )
        return (self.recorded_states.observe,)


class PreviewCluster(Cluster):
    node_type = PreviewNode


async def playing(game: str, **options: Any) -> tuple[PreviewCluster, PreviewNode, PreviewNode]:
    """Begin a match that the first node runs."""
    cluster = PreviewCluster("one", "two")
    one, two = cast("list[PreviewNode]", await cluster.started())
    await cluster.play(game, (ANA, one), (BEN, two), on=one, **options)
    return cluster, one, two


def preview(node: PreviewNode) -> v1.LiveMatch:
    return node.previews.seen_by_spectators(node.world.rooms.rooms["room"])


def shown(node: PreviewNode) -> tuple[Any, ...]:
    seen = preview(node)
    return seen.state, seen.scores, seen.moves, seen.remaining_ms


async def test_a_match_elsewhere_is_shown_as_of_its_newest_checkpoint() -> None:
    cluster, one, two = await playing("pong")
    assert shown(two) == shown(one)
    await cluster.tick(60)
    before = shown(two)
    # Until the next checkpoint, at which both show the same state.
    for _ in range(120):
        await cluster.tick()
        if shown(two) != before:
            break
    assert shown(two) == shown(one)
    assert preview(two).scores == [0, 0]
    assert isinstance(preview(two).remaining_ms, int)


async def test_a_turn_based_match_elsewhere_is_shown_with_its_last_move() -> None:
    cluster, one, two = await playing("connect_four")
    for number in range(5):
        live = one.matches.get("room-1")
        assert live is not None
        turn = msgspec.to_builtins(live.run.state)["turn"]
        user = live.match.players[turn]
        socket = next(iter(one.world.presence.sockets[user]))
        await cluster.do(one, Move(user, socket, "room", {"column": number}))
        assert shown(two) == shown(one)
        assert preview(two).moves == number + 1


async def test_what_spectators_are_shown_later_has_no_preview() -> None:
    cluster, _, two = await playing("pong", spectator_delay_s=5)
    await cluster.tick(180)
    assert shown(two) == NOTHING


async def test_a_node_that_comes_later_shows_a_match_from_its_next_checkpoint_on() -> None:
    cluster, _, two = await playing("pong")
    await cluster.tick(100)
    # A start folds the world without observers.
    two.recorded_states._events.clear()  # noqa: SLF001 - as it is then
    assert shown(two) == NOTHING
    await cluster.tick(120)
    assert preview(two).state is not None


async def test_what_is_kept_of_a_match_goes_with_it() -> None:
    cluster, one, two = await playing("pong")
    await cluster.tick(120)
    await cluster.do(one, LeaveRoom(ANA, "room"))
    assert not two.world.matches.live
    assert not two.recorded_states._events  # noqa: SLF001 - what it keeps
    assert not one.recorded_states._events  # noqa: SLF001 - as above
