"""Given what has happened, when a command comes, then this happens: decisions without a service.

    scenario().given(ONLINE_1, ONLINE_2).when(SendInvite(1, 2, "pong")).then(InviteSent(...))
    scenario().given(ONLINE_1).when(SendInvite(1, 2, "pong")).then_refused(UserOffline)

Events are folded one after the other from position 2 on; at 1 the node has started.
"""

from __future__ import annotations

from typing import Any

from service.domain.commands.base import Command
from service.domain.events.base import Event
from service.errors import ClientError
from service.settings.sections.play import Rules
from tests.unit.domain.story import Story


class Outcome:
    """What a command has come to: events, or a refusal."""

    def __init__(self, events: list[Event], refused: ClientError | None) -> None:
        self.events = events
        self.refused = refused

    def then(self, *events: Event) -> None:
        """Check that exactly these events were decided, in this order."""
        assert self.refused is None, f"refused: {self.refused!r}"
        assert self.events == list(events)

    def then_types(self, *types: str) -> list[Event]:
        """Check the types of the events that were decided, and return the events."""
        assert self.refused is None, f"refused: {self.refused!r}"
        assert [event.type for event in self.events] == list(types)
        return self.events

    def then_nothing(self) -> None:
        """Check that the command was fine and changed nothing."""
        self.then()

    def then_refused(self, error: type[ClientError]) -> None:
        """Check that it was refused for this very reason."""
        assert type(self.refused) is error, f"not refused by {error.__name__}: {self}"

    def __repr__(self) -> str:
        return repr(self.refused or self.events)


class Scenario:
    """A world in which something has happened."""

    def __init__(self, story: Story) -> None:
        self.story = story

    def given(self, *happened: Event | Command) -> Scenario:
        """Fold events; a command is replaced by the events that it decides here."""
        for one in happened:
            if isinstance(one, Event):
                self.story.fold(one)
            else:
                self.story.do(one)
        return self

    def measured(self, **fields: Any) -> Scenario:
        """Say what the service measures of every live match, as fields of `MatchSnapshot`."""
        self.story.measured |= fields
        return self

    def when(self, command: Command) -> Outcome:
        """Decide a command, and fold what it decides."""
        try:
            return Outcome(self.story.do(command), None)
        except ClientError as error:
            return Outcome([], error)


def scenario(**rules: Any) -> Scenario:
    """Begin without users, under these rules."""
    return Scenario(Story(Rules(**rules)))
