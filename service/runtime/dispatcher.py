"""What parts that carry out commands of clients need: the engine, or the router of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData

if TYPE_CHECKING:
    from service.domain.commands.base import Command, Context
    from service.domain.ids import UserId
    from service.domain.projections.world import World
    from service.eventstore.records import Origin
    from service.fanout.profiles import Profiles
    from service.runtime.pending import Executed, OnResult
    from service.runtime.recall import Recall


class Dispatcher(Protocol):
    """Carries out commands, as `Engine` does; see there."""

    @property
    def world(self) -> World:
        """The projections of this node."""

    @property
    def profiles(self) -> Profiles:
        """Display names and texts."""

    @property
    def context(self) -> Context:
        """What decisions use besides the world."""

    @property
    def recall(self) -> Recall:
        """Which commands from before the start are still to be read."""

    def dispatch(
        self,
        command: Command,
        origin: Origin,
        done: OnResult,
        *,
        personal_data: PersonalData = NO_PERSONAL_DATA,
    ) -> None:
        """Carry out `command`, and call `done` once with the result or the error."""

    async def execute(
        self, command: Command, origin: Origin, *, personal_data: PersonalData = NO_PERSONAL_DATA
    ) -> Executed:
        """Carry out `command`; return the result or raise the error."""

    def check_unused(self, user: UserId, id_: str) -> None:
        """Raise `IdReused` if a command had this id."""
