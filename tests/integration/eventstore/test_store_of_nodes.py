"""The contract of the store where several nodes append to one log."""

from __future__ import annotations

import asyncio
import random
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import psycopg
import pytest

from service.domain.events.base import Event
from service.domain.events.matches import MatchEnded, MatchStarted
from service.domain.events.nodes import NodeLost, NodeStarted
from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData, Text
from service.eventstore import postgres as postgres_module
from service.eventstore.lock import LogInUse
from service.eventstore.plan import (
    Append,
    Committed,
    Condition,
    KeyConflict,
    NodeAlive,
    VersionConflict,
)
from service.eventstore.postgres import PostgresStore
from service.eventstore.records import Origin, propose
from service.eventstore.store import LeaseLost, LogDiverged
from tests.integration.eventstore.store_database import (
    Database,
    LostAnswer,
    committed,
    declare_early,
)
from tests.integration.log_file import append_of, joined, proposed
from tests.postgres import Postgres
from tests.proxy import Proxy, Way

pytestmark = pytest.mark.postgres

WRITERS = ("a", "b", "c")
ODD_KEYS = {"user:ünï", 'a"b', "a\\b", "a,b", "{x}", "NULL", " ", "", "room:r-1", "it's", "%s"}


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    """An empty log on PostgreSQL."""
    found = Database(postgres.create_log())
    yield found
    found.close()


def keyed(
    *events: Event,
    seen: int,
    keys: set[str] | None = None,
    needs: set[str] | None = None,
    marks: set[str] | None = None,
    expect: dict[str, int] | None = None,
) -> Append:
    """Return an append with a condition; `keys` are needed and marked."""
    condition = Condition(
        seen,
        frozenset(needs if needs is not None else keys or ()),
        frozenset(marks if marks is not None else keys or ()),
    )
    return Append(proposed(*events), expect or {}, NO_PERSONAL_DATA, condition)


def kinds(results: Sequence[Committed | Exception]) -> list[object]:
    """Return the positions of what is committed, and the types of the errors."""
    return [one.positions if isinstance(one, Committed) else type(one) for one in results]


def lose_answer(store: PostgresStore, *, is_before: bool = False) -> LostAnswer:
    """Cut the connection at the next statement: before it runs, or before the answer."""
    lost = LostAnswer(store, is_before=is_before)
    store._connection = lost  # type: ignore[assignment]  # noqa: SLF001 - the fault comes from outside
    return lost


class TestConflictsByKeys:
    """An append is refused if an event after `seen` has a key that it needs."""

    def test_of_two_nodes_that_want_one_user_the_second_conflicts(self, database: Database) -> None:
        a, b = database.node("a"), database.node("b")
        committed(a, append_of(joined(9)), keyed(joined(1), seen=0, keys={"user:1", "room:x"}))
        (conflict,) = b.commit([keyed(joined(1), seen=1, keys={"user:1"})])
        assert isinstance(conflict, KeyConflict)
        assert conflict.position == 2
        assert committed(b, keyed(joined(1), seen=2, keys={"user:1"}))[0].positions == [3]
        assert database.verify() == 3

    @pytest.mark.parametrize(
        ("first", "second", "is_met"),
        [
            ({"user:1"}, {"user:2"}, False),
            ({"user:1", "user:2"}, {"user:3", "user:2"}, True),
            (set(), {"user:2"}, False),
            ({"user:2"}, set(), False),
        ],
    )
    def test_only_a_key_of_both_is_a_conflict(
        self, database: Database, first: set[str], second: set[str], *, is_met: bool
    ) -> None:
        a, b = database.node("a"), database.node("b")
        committed(a, keyed(joined(1), seen=0, keys=first))
        (result,) = b.commit([keyed(joined(1), seen=0, keys=second)])
        assert isinstance(result, KeyConflict) is is_met

    def test_what_is_marked_meets_what_is_needed(self, database: Database) -> None:
        a, b = database.node("a"), database.node("b")
        committed(a, keyed(joined(1), seen=0, needs={"own:x"}, marks=set()))
        committed(b, keyed(joined(2), seen=0, needs={"own:x"}, marks=set()))
        committed(b, keyed(joined(2), seen=0, needs=set(), marks={"own:x"}))
        (conflict,) = a.commit([keyed(joined(1), seen=2, needs={"own:x"}, marks=set())])
        assert isinstance(conflict, KeyConflict)
        # Who only marks can't be refused.
        committed(a, keyed(joined(1), seen=0, needs=set(), marks={"own:x"}))

    def test_an_append_without_a_condition_meets_nothing_and_marks_nothing(
        self, database: Database
    ) -> None:
        a, b = database.node("a"), database.node("b")
        committed(a, keyed(joined(1), seen=0, keys={"user:1"}))
        committed(b, append_of(joined(1)))
        assert database.query("SELECT keys FROM events ORDER BY position") == [
            (["user:1"],),
            (None,),
        ]

    def test_the_last_event_of_an_append_has_its_keys(self, database: Database) -> None:
        """So an append that was decided between its events conflicts as well."""
        a, b = database.node("a"), database.node("b")
        committed(a, keyed(joined(1), joined(2), joined(3), seen=0, keys={"user:1"}))
        (conflict,) = b.commit([keyed(joined(1), seen=2, keys={"user:1"})])
        assert isinstance(conflict, KeyConflict)
        assert conflict.position == 3

    @pytest.mark.parametrize("key", sorted(ODD_KEYS))
    def test_keys_are_any_texts(self, database: Database, key: str) -> None:
        a, b = database.node("a"), database.node("b")
        committed(a, keyed(joined(1), seen=0, keys=ODD_KEYS))
        stored = database.query("SELECT unnest(keys) FROM events")
        assert {one for (one,) in stored} == ODD_KEYS
        assert kinds(b.commit([keyed(joined(2), seen=0, keys={key, "other"})])) == [KeyConflict]
        assert kinds(b.commit([keyed(joined(2), seen=0, keys={f"{key}x", "other"})])) == [[2]]

    def test_appends_of_one_batch_meet_each_other(self, database: Database) -> None:
        """A batch is as if each of its appends were committed by itself."""
        a = database.node("a")
        results = a.commit(
            [
                keyed(joined(1), joined(2), seen=0, keys={"user:1"}),
                keyed(joined(3), seen=0, keys={"user:3"}),
                keyed(joined(4), seen=0, keys={"user:1", "user:4"}),
                keyed(joined(5), seen=0, keys={"user:4"}),
            ]
        )
        assert kinds(results) == [[1, 2], [3], KeyConflict, [4]]
        assert isinstance(results[2], KeyConflict)
        assert results[2].position == 3
        assert database.verify() == 4

    def test_an_append_that_was_refused_marks_nothing(self, database: Database) -> None:
        a, b = database.node("a"), database.node("b")
        committed(a, keyed(joined(1), seen=0, keys={"user:1"}))
        results = b.commit(
            [
                keyed(joined(1), joined(2), seen=0, keys={"user:1", "user:2"}),
                Append((), {}, NO_PERSONAL_DATA, Condition(1, frozenset({"x"}), frozenset({"x"}))),
                keyed(joined(2), seen=1, keys={"user:2"}),
            ]
        )
        assert kinds(results) == [KeyConflict, [], [2]]

    def test_what_was_seen_long_ago_conflicts_if_it_needs_keys(self, database: Database) -> None:
        a = database.node("a")
        for _ in range(5):
            committed(
                a, *(append_of(*(joined(number) for number in range(100))) for _ in range(20))
            )
        committed(a, append_of(joined(1)))
        wanted = {"user:x"}
        assert kinds(a.commit([keyed(joined(1), seen=0, keys=wanted)])) == [KeyConflict]
        assert kinds(a.commit([keyed(joined(1), seen=1, keys=wanted)])) == [[10_002]]
        assert kinds(a.commit([keyed(joined(1), seen=0, needs=set(), marks=wanted)])) == [[10_003]]

    @pytest.mark.parametrize("change", [NodeStarted("c", 1), NodeLost("c", 1)])
    def test_what_was_seen_before_nodes_changed_conflicts_if_it_needs_keys(
        self, database: Database, change: Event
    ) -> None:
        a, b = database.node("a"), database.node("b")
        committed(a, append_of(joined(1)), append_of(change, joined(1)))
        results = b.commit(
            [
                keyed(joined(2), seen=2, keys={"user:2"}),
                keyed(joined(3), seen=0, needs=set(), marks={"user:3"}),
                append_of(joined(4)),
                keyed(joined(5), seen=3, keys={"user:5"}),
            ]
        )
        assert kinds(results) == [KeyConflict, [4], [5], [6]]

    def test_nodes_that_change_in_a_batch_are_seen_by_its_later_appends(
        self, database: Database
    ) -> None:
        a = database.node("a")
        results = a.commit(
            [
                keyed(joined(1), seen=0, keys={"user:1"}),
                append_of(NodeStarted("c", 1)),
                keyed(joined(2), seen=0, keys={"user:2"}),
            ]
        )
        assert kinds(results) == [[1], [2], KeyConflict]

    def test_a_key_conflict_and_a_version_conflict_cost_only_their_appends(
        self, database: Database
    ) -> None:
        a, b = database.node("a"), database.node("b")
        once = keyed(joined(1), joined(8), seen=0, keys={"user:1"})
        committed(a, once)
        partly = Append(
            [once.events[0], *proposed(joined(7))], {}, NO_PERSONAL_DATA, once.condition
        )
        batch = [
            keyed(joined(2), seen=1, keys={"user:2"}, expect={"user:2": 0}),
            keyed(joined(1), seen=1, keys={"user:1"}),
            keyed(joined(2), seen=1, keys={"user:3"}, expect={"user:2": 0}),
            once,
            partly,
            append_of(joined(2), joined(2), user_2=1),
            keyed(joined(6), seen=2, keys={"user:1"}),
        ]
        expected: list[object] = [
            [3],
            KeyConflict,
            VersionConflict,
            [1, 2],
            VersionConflict,
            [4, 5],
            [6],
        ]
        results = b.commit(batch)
        assert kinds(results) == expected
        assert [one.version for one in committed(b, append_of(joined(2)))[0].recorded] == [4]
        assert database.verify() == 7
        # Sent again as a whole, all of it has the answers that it had.
        assert kinds(b.commit(batch)) == expected
        assert database.verify() == 7

    def test_personal_data_of_a_refused_append_is_not_stored(self, database: Database) -> None:
        a, b = database.node("a"), database.node("b")
        committed(a, keyed(joined(1), seen=0, keys={"user:1"}))

        def said(name: str, chat: str, seen: int) -> Append:
            data = PersonalData({"1": name}, {chat: Text("salt", f"text of {chat}")})
            condition = Condition(seen, frozenset({"user:1"}), frozenset())
            return Append(proposed(joined(1)), {}, data, condition)

        again = said("Ana", "c-1", 1)
        assert kinds(b.commit([said("Eve", "c-0", 0), again])) == [KeyConflict, [2]]
        assert kinds(b.commit([said("Eve", "c-2", 0), again])) == [KeyConflict, [2]]
        assert database.query('SELECT "user", name FROM profiles') == [("1", "Ana")]
        assert database.query("SELECT chat, text FROM texts") == [("c-1", "text of c-1")]

    def test_read_models_follow_only_what_is_added(self, database: Database) -> None:
        a, b = database.node("a"), database.node("b")
        committed(a, keyed(joined(1), seen=0, keys={"room:x"}))

        def played(match: str, seen: int) -> Append:
            started = MatchStarted(match, 0, "pong", 1, [7, "ana"], 1, {}, "ticks", None)
            return keyed(
                started, MatchEnded(match, 9, "timeup", 1, [0, 2], "h"), seen=seen, keys={"room:x"}
            )

        assert kinds(b.commit([played("m-0", 0), played("m-1", 1)])) == [KeyConflict, [2, 3]]
        assert database.query("SELECT match, started_position, ticks FROM matches") == [
            ("m-1", 2, 9)
        ]


class TestLostAnswers:
    """What was committed is found by its event ids, whoever appended since."""

    @pytest.mark.parametrize("is_before", [True, False], ids=["before", "after"])
    @pytest.mark.parametrize("kind", ["keyed", "unkeyed", "mixed"])
    def test_a_batch_whose_answer_is_lost_is_recorded_once(
        self, database: Database, kind: str, *, is_before: bool
    ) -> None:
        a, b = database.node("a"), database.node("b")
        committed(b, keyed(joined(0), seen=0, keys={"user:0"}))

        def made(user: int, seen: int, *, has_keys: bool) -> Append:
            if has_keys:
                return keyed(joined(user), joined(9), seen=seen, keys={f"user:{user}"})
            return append_of(joined(user), joined(9))

        batch = [
            made(1, 1, has_keys=kind != "unkeyed"),
            made(2, 0, has_keys=kind == "keyed"),
            keyed(joined(0), seen=0, keys={"user:0"}),
            made(3, 1, has_keys=kind != "unkeyed"),
        ]
        lost = lose_answer(a, is_before=is_before)
        results = a.commit(batch)
        assert lost.is_used
        assert kinds(results) == [[2, 3], [4, 5], KeyConflict, [6, 7]]
        # They are new to this process, which has to fold them.
        recorded = [
            one for result in results if isinstance(result, Committed) for one in result.recorded
        ]
        assert [(one.position, one.version) for one in recorded] == [
            (2, 1),
            (3, 1),
            (4, 1),
            (5, 2),
            (6, 1),
            (7, 3),
        ]
        assert kinds(a.commit(batch)) == [[2, 3], [4, 5], KeyConflict, [6, 7]]
        assert database.verify() == 7

    def test_events_of_others_between_the_loss_and_the_repetition_change_nothing(
        self, database: Database
    ) -> None:
        a, b = database.node("a"), database.node("b")
        once = keyed(joined(1), joined(2), seen=0, keys={"user:1"})
        committed(a, once)
        committed(b, keyed(joined(1), seen=2, keys={"user:1"}), append_of(NodeStarted("c", 1)))
        assert kinds(a.commit([once])) == [[1, 2]]
        assert kinds(a.commit([keyed(joined(5), seen=2, keys={"user:1"}), once])) == [
            KeyConflict,
            [1, 2],
        ]
        # Another process, which never saw the answer, gets it as well.
        assert kinds(database.node("a", 2).commit([once])) == [[1, 2]]

    async def test_a_server_that_does_not_answer_is_left(
        self, postgres: Postgres, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The network has lost the way back: the batch may be in the log, or waits for a lock."""
        monkeypatch.setattr(postgres_module, "ANSWER_S", 0.2)
        database.node("a")
        async with Proxy(postgres.port) as proxy:
            address = database.conninfo.replace(str(postgres.port), str(proxy.port))
            store = await asyncio.to_thread(PostgresStore, address, "a", 50, is_shared=True)
            store.begin_incarnation(1)
            once = append_of(joined(1))
            proxy.next_to_client = [Way()]
            proxy.to_client.flows.clear()
            results = await asyncio.to_thread(store.commit, [once])
            assert kinds(results) == [[1]]
            proxy.to_client.flows.set()
            store.close()
        assert await asyncio.to_thread(database.verify) == 1

    def test_a_batch_is_repeated_until_the_server_answers(
        self, postgres: Postgres, database: Database
    ) -> None:
        a = database.node("a", busy_ms=1)
        database.node("b")
        postgres.kill()
        restarted = threading.Timer(0.5, postgres.start)
        restarted.start()
        try:
            lose_answer(a, is_before=True)
            assert kinds(a.commit([append_of(joined(1))])) == [[1]]
        finally:
            restarted.join()
        assert database.verify() == 1


class TestFencing:
    """No event of an incarnation stands after its loss."""

    def test_a_lost_incarnation_appends_nothing(self, database: Database) -> None:
        a, b = database.node("a"), database.node("b")
        before = keyed(joined(1), seen=0, keys={"user:1"})
        committed(a, before)
        database.query("UPDATE nodes SET expires_at = now() WHERE node = 'a'")
        declare_early(database)
        committed(b, append_of(NodeLost("a", 1)))
        assert database.query("SELECT node, lost FROM nodes ORDER BY node") == [
            ("a", True),
            ("b", False),
        ]
        renames = Append((), {}, PersonalData({"1": "Eve"}))
        new = [append_of(joined(2)), keyed(joined(3), seen=2, keys={"user:3"}), renames]
        # What it has in the log, it is still told.
        assert kinds(a.commit([before, *new])) == [[1], LeaseLost, LeaseLost, LeaseLost]
        assert kinds(a.commit(new)) == [LeaseLost] * 3
        assert database.query("SELECT * FROM profiles") == []
        committed(database.node("a", 2), append_of(joined(4)))
        assert kinds(a.commit(new)) == [LeaseLost] * 3
        assert database.verify() == 3

    def test_a_former_incarnation_appends_nothing(self, database: Database) -> None:
        former = database.node("a", 1)
        committed(database.node("a", 2), append_of(joined(1)))
        assert kinds(former.commit([append_of(joined(2))])) == [LeaseLost]

    def test_a_node_that_has_not_joined_appends_nothing(self, database: Database) -> None:
        database.node("a")
        stranger = PostgresStore(database.conninfo, "d", 100, is_shared=True)
        try:
            with pytest.raises(LeaseLost):
                stranger.commit([append_of(joined(1))])
            stranger.begin_incarnation(1)
            assert kinds(stranger.commit([append_of(joined(1))])) == [LeaseLost]
        finally:
            stranger.close()

    def test_a_node_with_a_lease_is_not_declared_lost(self, database: Database) -> None:
        a, b = database.node("a"), database.node("b")
        declare_early(database)
        results = b.commit(
            [append_of(joined(1)), append_of(NodeLost("a", 1)), append_of(joined(2))]
        )
        assert kinds(results) == [[1], NodeAlive, [2]]
        committed(a, append_of(joined(3)))
        assert database.verify() == 3

    def test_of_several_nodes_all_or_none_are_declared_lost(self, database: Database) -> None:
        database.node("a")
        b, c = database.node("b"), database.node("c")
        declare_early(database)
        database.query("UPDATE nodes SET expires_at = now() WHERE node = 'a'")
        both = append_of(NodeLost("a", 1), NodeLost("c", 1))
        assert kinds(b.commit([both])) == [NodeAlive]
        assert database.query("SELECT count(*) FROM nodes WHERE lost") == [(0,)]
        database.query("UPDATE nodes SET expires_at = now() WHERE node = 'c'")
        assert kinds(b.commit([both])) == [[1, 2]]
        assert kinds(b.commit([both])) == [[1, 2]]
        assert kinds(c.commit([append_of(joined(1))])) == [LeaseLost]

    def test_nobody_is_declared_lost_soon_after_the_start_of_the_server(
        self, database: Database
    ) -> None:
        database.node("a")
        b = database.node("b")
        database.query("UPDATE nodes SET expires_at = now() WHERE node = 'a'")
        declare_early(database, after_s=3600)
        assert kinds(b.commit([append_of(NodeLost("a", 1))])) == [NodeAlive]
        declare_early(database)
        database.query("UPDATE nodes SET renewals = 1 WHERE node = 'b'")
        assert kinds(b.commit([append_of(NodeLost("a", 1))])) == [NodeAlive]
        database.query("UPDATE nodes SET renewals = 2, server_started = now() WHERE node = 'b'")
        assert kinds(b.commit([append_of(NodeLost("a", 1))])) == [NodeAlive]

    def test_nodes_without_a_row_and_former_incarnations_may_be_declared_lost(
        self, database: Database
    ) -> None:
        a = database.node("a", 3)
        assert kinds(a.commit([append_of(NodeLost("n1", 0), NodeLost("a", 2), joined(1))])) == [
            [1, 2, 3]
        ]
        committed(a, append_of(joined(1)))

    def test_the_loss_of_a_node_may_be_its_own_last_word(self, database: Database) -> None:
        a = database.node("a")
        results = a.commit(
            [append_of(joined(1)), append_of(NodeLost("a", 1)), append_of(joined(2))]
        )
        assert kinds(results) == [[1], [2], LeaseLost]
        assert kinds(a.commit([append_of(joined(3))])) == [LeaseLost]

    def test_no_event_stands_after_the_loss_of_its_node(self, database: Database) -> None:
        """In each round a node appends as fast as it can while it is declared lost."""
        declare_early(database)
        watcher = database.node("w")
        for incarnation in range(1, 21):
            store = database.node("a", incarnation)
            is_lost = threading.Event()

            def write(store: PostgresStore = store, is_lost: threading.Event = is_lost) -> None:
                while kinds(store.commit([append_of(joined("a"))])) != [LeaseLost]:
                    pass
                is_lost.set()

            thread = threading.Thread(target=write)
            thread.start()
            database.query("UPDATE nodes SET expires_at = now() WHERE node = 'a'")
            committed(watcher, append_of(NodeLost("a", incarnation)))
            thread.join()
            assert is_lost.is_set()
            store.close()
            (last,) = database.query(
                "SELECT max(position) FILTER (WHERE node = 'a'),"
                " max(position) FILTER (WHERE type = 'node.lost') FROM events"
            )
            assert last[0] is None or last[0] < last[1]
        database.verify()


class TestManyWriters:
    """Positions have no gaps, and of several that want one thing one gets it."""

    def test_of_three_that_want_one_user_exactly_one_gets_them(self, database: Database) -> None:
        stores = [database.node(name) for name in WRITERS]
        rounds = 300
        barrier = threading.Barrier(3)
        chance = random.Random(1)  # noqa: S311 - the same each time
        winners: list[list[str]] = [[] for _ in range(rounds)]

        def want(name: str, store: PostgresStore, number: int, position: int) -> None:
            wanted = keyed(
                joined(name), joined(f"new-{name}-{number}"), seen=position, keys={f"user:{number}"}
            )
            filler = [append_of(joined(name)) for _ in range(chance.randrange(3))]
            result = store.commit([*filler, wanted])[-1]
            if isinstance(result, Committed):
                winners[number].append(name)
            else:
                assert isinstance(result, KeyConflict)
                assert result.position > position

        def run(name: str, store: PostgresStore) -> None:
            for number in range(rounds):
                barrier.wait()
                position = head_of(database, store)
                barrier.wait()
                want(name, store, number, position)

        in_threads([partial(run, *one) for one in zip(WRITERS, stores, strict=True)])
        assert [len(names) for names in winners] == [1] * rounds
        database.verify()

    def test_three_nodes_leave_no_gap_in_positions_and_versions(self, database: Database) -> None:
        stores = [database.node(name) for name in WRITERS]

        def run(name: str, store: PostgresStore) -> None:
            chance = random.Random(name)  # noqa: S311 - the same each time
            seen = 0
            for _ in range(40):
                batch = [
                    keyed(
                        joined("all"),
                        joined(name),
                        seen=seen,
                        keys={f"user:{chance.randrange(50)}"},
                    )
                    for _ in range(chance.randrange(1, 6))
                ]
                for result in store.commit(batch):
                    seen = result.position if isinstance(result, KeyConflict) else seen

        in_threads([partial(run, *one) for one in zip(WRITERS, stores, strict=True)])
        count = database.verify()
        versions = database.query("SELECT version FROM events WHERE stream = 'user:all' ORDER BY 1")
        assert [version for (version,) in versions] == list(range(1, count // 2 + 1))
        assert database.query("SELECT DISTINCT node FROM events ORDER BY 1") == [
            ("a",),
            ("b",),
            ("c",),
        ]


class TestTheLog:
    """What the function writes is what a reader checks."""

    def test_the_hash_covers_rows_of_all_sizes(self, database: Database) -> None:
        """MessagePack has other forms at these lengths and numbers."""
        a = database.node("a")
        sizes = (0, 1, 100, 180, 220, 255, 256, 65_480, 65_536, 70_000)
        for size in sizes:
            origin = Origin(
                "c" * min(size, 64), "ü" * min(size, 60) or None, "i" * (size % 300) or None
            )
            events = propose([joined("u" * min(size, 190), size), joined("x" * 20)], origin)
            committed(a, Append(events, {}, NO_PERSONAL_DATA))
        committed(a, append_of(*(joined("many") for _ in range(300))))
        assert database.verify() == 2 * len(sizes) + 300

    def test_the_data_of_an_event_may_be_long(self, database: Database) -> None:
        a = database.node("a")
        for size in (200, 255, 300, 65_400, 65_600):
            ended = MatchEnded("m", 1, "timeup", None, [], "h" * size)
            committed(a, append_of(ended))
        assert database.verify() == 5

    def test_a_single_process_and_nodes_refuse_each_other(self, database: Database) -> None:
        database.node("a")
        with pytest.raises(LogInUse, match=r"using the log.* stop it first.* join its cluster by"):
            PostgresStore(database.conninfo, "n1", 100)
        database.close()
        single = PostgresStore(database.conninfo, "n1", 100)
        with pytest.raises(LogInUse, match=r"using the log.* alone; stop it first, and set WS_BUS"):
            PostgresStore(database.conninfo, "a", 100, is_shared=True)
        with pytest.raises(LogInUse, match=r"using the log.* stop it first"):
            PostgresStore(database.conninfo, "n1", 100)
        single.close()

    def test_times_are_those_of_the_database(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        a = database.node("a")
        monkeypatch.setattr("time.time_ns", lambda: 0)
        (result,) = committed(a, append_of(joined(1)))
        (now,) = database.query("SELECT (extract(epoch FROM now()) * 1000000)::bigint")[0]
        assert 0 <= now - result.recorded[0].recorded_at < 60_000_000

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE log_head SET position = 1",
            "UPDATE log_head SET hash = sha256(hash)",
        ],
    )
    def test_a_node_does_not_go_on_with_another_log(self, database: Database, change: str) -> None:
        """As after the loss of a server whose standby had not received all."""
        a = database.node("a")
        committed(a, append_of(joined(1)), append_of(joined(2)))
        database.query(change)
        with pytest.raises(LogDiverged):
            a.commit([append_of(joined(3))])

    def test_a_node_does_not_go_on_with_a_log_that_went_on_without_its_events(
        self, database: Database
    ) -> None:
        a = database.node("a")
        committed(a, append_of(joined(1)))
        a.head = a.head._replace(hash=bytes(32))
        committed(database.node("b"), append_of(joined(2)))
        with pytest.raises(LogDiverged):
            a.commit([append_of(joined(3))])

    def test_a_decision_on_events_that_the_log_has_not_is_refused(self, database: Database) -> None:
        a = database.node("a")
        with pytest.raises(LogDiverged):
            a.commit([keyed(joined(1), seen=1, keys={"user:1"})])

    def test_versions_of_the_head_that_a_dump_keeps_are_not_passed(
        self, database: Database
    ) -> None:
        """Each commit makes one; passing them all would slow every commit down."""
        a = database.node("a")
        committed(a, append_of(joined(1)))
        with psycopg.connect(database.conninfo) as dump:
            dump.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM events LIMIT 1")
            for _ in range(600):
                committed(a, append_of(joined(1)))
            ((source,),) = database.query("SELECT prosrc FROM pg_proc WHERE proname = 'ws_append'")
            found = re.search(r"FROM log_head AS l (.*?) FOR UPDATE", source, re.DOTALL)
            assert found is not None
            with psycopg.connect(database.conninfo) as other:
                other.execute("SET enable_seqscan TO off")
                explain = (
                    "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT l.ctid FROM log_head AS l "
                )
                plan = other.execute((explain + found[1]).encode()).fetchone()
        assert plan is not None
        pages = plan[0][0]["Plan"]["Shared Hit Blocks"] + plan[0][0]["Plan"]["Shared Read Blocks"]
        assert pages < 6

    def test_nodes_that_begin_an_empty_log_at_once_share_its_epoch(
        self, database: Database
    ) -> None:
        stores: list[PostgresStore] = []

        def join(name: str) -> None:
            stores.append(database.node(name))

        in_threads([partial(join, name) for name in WRITERS])
        assert len({store.head.epoch for store in stores}) == 1
        for store in stores:
            store.check_end()


def head_of(database: Database, store: PostgresStore) -> int:
    """Return the position of the head by the connection of a node."""
    row = store._one("SELECT position FROM log_head")  # noqa: SLF001 - no connection each time
    assert row is not None, database.url
    position: int = row[0]
    return position


def in_threads(calls: Sequence[Callable[[], None]]) -> None:
    """Run calls at once; raise the first failure."""
    failures: list[BaseException] = []

    def run(call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - it is raised below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(call,), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if failures:
        raise failures[0]
