"""An engine over a real log, with minimal commands."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from service.domain.commands.base import Context, MatchSnapshot
from service.domain.errors import TooManySockets
from service.domain.events.base import Event, user_stream
from service.domain.events.lobby import LobbyJoined
from service.domain.events.matches import MatchEvent
from service.domain.ids import Owner, UserId
from service.domain.projections.world import World
from service.eventstore.writer import EventLog
from service.fanout.audience import Message
from service.fanout.profiles import Profiles
from service.games.catalogue import GAMES
from service.runtime.conditions import Conditions
from service.runtime.engine import Engine
from service.runtime.gate import Hold
from service.runtime.projector import Observer
from service.settings.sections.play import Rules
from tests.integration.log_file import NODE


class NoRecipients:
    """A publisher without recipients."""

    def publish(self, message: Message, position: int = 0, /) -> None:
        """Publish to no one."""

    def published(self, position: int, /) -> None:
        """Keep nothing."""


class NoMatches:
    """A gate where no match is live."""

    def is_settled(self, _streams: set[str], /) -> bool:
        """Never have anything to record."""
        return True

    async def settled(self, streams: set[str]) -> None:
        """Wait for nothing."""

    def may_wait_s(self, events: Sequence[Event]) -> float:  # noqa: ARG002 - the same
        """Let nothing wait."""
        return 0.0

    def hold(self, event: MatchEvent) -> Hold | None:  # noqa: ARG002 - the gate's signature
        """Hold nothing."""
        return None

    def move_failed(self, match: str, seat: int) -> None:
        """Know of no match."""
        raise KeyError(match, seat)

    def match_snapshot(self, match: str) -> MatchSnapshot:
        """Know of no match."""
        raise KeyError(match)


class JoinNext(msgspec.Struct, frozen=True):
    """Add a tab to the lobby, numbered by how many there are: two decided at once would clash."""

    user: UserId
    max: int = 1000

    def streams(self, _world: World) -> set[str]:
        """The user."""
        return {user_stream(self.user)}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Count."""
        count = len(world.lobby.members.get(self.user, ()))
        if count >= self.max:
            raise TooManySockets
        return [LobbyJoined(user=self.user, socket=f"{NODE}.1.{count + 1}")]


class JoinAtOnce(JoinNext, frozen=True):
    """The same, where it does not matter what others decide: it wants no lock."""

    def streams(self, _world: World) -> set[str]:
        """None."""
        return set()


def never(answer: object) -> None:
    """Fail if it is called."""
    raise AssertionError(answer)


def engine_on(  # noqa: PLR0913 - what tests may replace
    log: EventLog,
    world: World,
    observers: Sequence[Observer] = (),
    *,
    rules: Rules | None = None,
    gate: NoMatches | None = None,
    conditions: Conditions | None = None,
) -> Engine:
    """Make an engine that changes `world`; the log is not started yet."""
    gate = gate or NoMatches()
    context = Context(
        node=Owner(NODE, world.nodes.incarnations.get(NODE, 0) + 1),
        rules=rules or Rules(),
        games=GAMES,
        new_room_id=lambda: "room",
        new_token=lambda: "token",
        new_seed=lambda: 7,
        match_snapshot=gate.match_snapshot,
    )
    engine = Engine(
        log,
        world,
        Profiles(),
        NoRecipients(),
        context=context,
        gate=gate,
        conditions=conditions,
    )
    for observer in observers:
        engine.subscribe(observer)
    return engine
