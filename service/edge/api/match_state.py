"""A match at one of its ticks, for operators: the whole state, and what each viewer sees of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from service.domain.events.matches import MatchCheckpoint
from service.edge.api import operator_shapes as shapes
from service.games.sight import SPECTATOR, Views, seated
from service.replay.run import encode_state, state_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.events.matches import MatchEvent
    from service.fanout.profiles import Profiles
    from service.replay.replay import Replay

BEFORE_MAX, AFTER_MAX = 30, 20
"""How many events before a tick, and after it, are shown."""


class StateAt(msgspec.Struct, frozen=True):
    """What a replay says of a tick."""

    tick: int
    state: dict[str, Any]
    hash: str
    views: list[dict[str, Any]]
    """What spectators see, and then each seat."""
    events: list[MatchEvent]


def state_at(replay: Replay, tick: int | None) -> StateAt:
    """Return the state before a tick is stepped, by default the latest; raise `RulesFailed`."""
    wanted = replay.ticks if tick is None else min(tick, replay.ticks)
    state = replay.at(wanted)
    views = Views(replay.game, len(replay.started.players))
    viewers = [SPECTATOR, *map(seated, range(len(replay.started.players)))]
    return StateAt(
        wanted,
        msgspec.json.decode(encode_state(state)),
        state_hash(state),
        [msgspec.to_builtins(views.view(state, viewer)) for viewer in viewers],
        _near(replay.events, wanted),
    )


def match_at_tick(found: StateAt, replay: Replay, profiles: Profiles) -> shapes.MatchAtTick:
    """Return the answer."""
    started = replay.started
    return shapes.MatchAtTick(
        match_id=started.match,
        game=started.game,
        rules_version=started.rules_version,
        players=profiles.users(started.players),
        is_live=replay.ended is None,
        tick=found.tick,
        ticks=replay.ticks,
        tick_hz=replay.game.tick_hz,
        state=found.state,
        hash=found.hash,
        sights=[
            shapes.Sight(seat=index - 1 if index else None, view=view)
            for index, view in enumerate(found.views)
        ],
        checkpoints=[one.tick for one in found.events if isinstance(one, MatchCheckpoint)],
        rewinds=replay.rewinds,
        events=[_view(event) for event in found.events],
    )


def _near(events: Sequence[MatchEvent], tick: int) -> list[MatchEvent]:
    before = [event for event in events if event.tick <= tick]
    after = [event for event in events if event.tick > tick]
    return [*before[-BEFORE_MAX:], *after[:AFTER_MAX]]


def _view(event: MatchEvent) -> shapes.MatchEventView:
    data = msgspec.json.decode(msgspec.json.encode(event), type=dict[str, Any])
    hidden = {"match", "tick", "state"} if isinstance(event, MatchCheckpoint) else {"match", "tick"}
    return shapes.MatchEventView(
        tick=event.tick,
        type=event.type,
        data={name: value for name, value in data.items() if name not in hidden},
    )
