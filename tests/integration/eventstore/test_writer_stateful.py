"""The event log on a real SQLite file, compared with a list as model."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from service.domain.events.base import Event
from service.domain.events.lobby import LobbyJoined
from service.eventstore import migrate
from service.eventstore.integrity import ChainCheck
from service.eventstore.plan import VersionConflict
from service.eventstore.reader import Reader, open_database
from service.eventstore.records import Origin, ProposedEvent, RecordedEvent, new_event_id
from service.eventstore.writer import EventLog
from tests.integration.log_file import appended

USERS = st.integers(1, 3)
ORIGIN = Origin("test", 7)


def event_of(user: int, number: int) -> Event:
    return LobbyJoined(user=user, socket=f"n1.1.{number}")


class LogMachine(RuleBasedStateMachine):
    """Appends, repeats, opens again and reads; the model is the list of what must be there."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "log.db"
        self.url = f"sqlite+aiosqlite:///{self.path}"
        self.loop = asyncio.new_event_loop()
        self.model: list[tuple[bytes, Event]] = []
        self.committed: list[RecordedEvent] = []
        migrate.upgrade(self.url)
        self.open()

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def open(self) -> None:
        self.run(self._open())

    async def _open(self) -> None:
        self.reader = Reader(open_database(self.url))
        self.log = EventLog(self.path, node="n1", busy_ms=100)
        self.log.start(self.committed.extend)

    async def _close(self) -> None:
        await self.log.close()
        await self.reader.close()

    def teardown(self) -> None:
        self.run(self._close())
        self.loop.close()
        self.directory.cleanup()

    def version(self, user: int) -> int:
        return sum(event.stream == f"user:{user}" for _, event in self.model)

    @rule(users=st.lists(USERS, min_size=1, max_size=4), right=st.none() | st.booleans())
    def append(self, users: list[int], *, right: bool | None) -> None:
        """Append to one or several streams, expecting nothing, the right or a wrong version."""
        start = len(self.model)
        events = [
            ProposedEvent(event_of(user, start + index), new_event_id(), ORIGIN)
            for index, user in enumerate(users)
        ]
        expect = {}
        if right is not None:
            expect[f"user:{users[0]}"] = self.version(users[0]) + (0 if right else 1)
        try:
            positions = self.run(appended(self.log, events, expect))
        except VersionConflict:
            assert right is False
            return
        assert right is not False
        assert positions == list(range(start + 1, start + 1 + len(users)))
        self.model += [(one.event_id, one.event) for one in events]

    @rule(counts=st.lists(st.integers(1, 3), min_size=2, max_size=6))
    def append_at_once(self, counts: list[int]) -> None:
        """Append from several callers in the same turn: one commit, each its own answer."""
        start = len(self.model)
        batches = [
            [
                ProposedEvent(event_of(1, start + index), new_event_id(), ORIGIN)
                for index in range(count)
            ]
            for count in counts
        ]

        async def together() -> list[list[int]]:
            return list(await asyncio.gather(*(appended(self.log, batch) for batch in batches)))

        answers = self.run(together())
        flat = [position for positions in answers for position in positions]
        assert flat == list(range(start + 1, start + 1 + sum(counts)))
        self.model += [(one.event_id, one.event) for batch in batches for one in batch]

    @rule(index=st.integers(0, 1000))
    def repeat(self, index: int) -> None:
        """Append what is there already: the first answer, and nothing new."""
        if self.model:
            position = index % len(self.model) + 1
            event_id, event = self.model[position - 1]
            proposed = [ProposedEvent(event, event_id, ORIGIN)]
            assert self.run(appended(self.log, proposed)) == [position]

    @rule()
    def reopen(self) -> None:
        self.run(self._close())
        self.open()

    @rule(after=st.integers(0, 1000))
    def read_from_anywhere(self, after: int) -> None:
        after %= len(self.model) + 1

        async def read() -> list[RecordedEvent]:
            return [one async for page in self.reader.read(after) for one in page]

        found = self.run(read())
        assert [(one.position, one.event) for one in found] == [
            (position, event)
            for position, (_, event) in enumerate(self.model, 1)
            if position > after
        ]

    @rule(user=USERS)
    def read_a_stream(self, user: int) -> None:
        stream = f"user:{user}"

        async def read() -> list[RecordedEvent]:
            return [one async for page in self.reader.read(stream=stream) for one in page]

        found = self.run(read())
        assert [one.version for one in found] == list(range(1, len(found) + 1))
        assert [one.event for one in found] == [
            event for _, event in self.model if event.stream == stream
        ]

    @rule()
    def verify(self) -> None:
        async def check() -> None:
            chain = ChainCheck()
            async for page in self.reader.rows():
                for row in page:
                    chain.check(row)
            chain.finish(await self.reader.head())

        self.run(check())

    @invariant()
    def each_event_was_told_once_and_in_order(self) -> None:
        assert [one.event for one in self.committed] == [event for _, event in self.model]
        assert [one.position for one in self.committed] == list(range(1, len(self.model) + 1))


TestLog = LogMachine.TestCase
TestLog.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
