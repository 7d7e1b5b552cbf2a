"""The contract of the port `Store`, which every database must keep."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing

import psycopg
import pytest

from service.domain.events.outbox import USER_SERVICE, ConsumerSubscribed, ResultRejected
from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData, Text
from service.errors import ServiceError, Unavailable
from service.eventstore.plan import Append, Committed, Condition, VersionConflict
from service.eventstore.postgres import PostgresStore
from service.eventstore.postgres_schema import conninfo
from service.eventstore.read_models.match_history import MatchQuery, find_matches
from service.eventstore.read_models.outbox import due, entries, sealed_token, waiting_for_user
from service.eventstore.read_models.outbox_notes import OutboxNotes
from service.eventstore.records import GENESIS, Origin, RecordedEvent, propose
from service.eventstore.store import LogDiverged
from tests.integration.eventstore.store_database import Database, LostAnswer, committed
from tests.integration.log_file import BUSY_MS, ENDED, NODE, STARTED, append_of, joined, proposed
from tests.postgres import Postgres


@pytest.fixture
def on_postgres(postgres: Postgres) -> Iterator[Database]:
    """An empty log on PostgreSQL."""
    found = Database(postgres.create_log())
    yield found
    found.close()


def test_a_new_log_has_an_epoch_that_stays(database: Database) -> None:
    head = database.opened().head
    assert (head.position, head.hash, len(head.epoch)) == (0, GENESIS, 32)
    assert database.opened().head == head


def test_positions_are_global_and_versions_are_per_stream(database: Database) -> None:
    store = database.opened()
    first, second = committed(store, append_of(joined(1), joined(2)), append_of(joined(1)))
    assert (first.positions, second.positions) == ([1, 2], [3])
    assert [(one.position, one.version) for one in first.recorded] == [(1, 1), (2, 1)]
    assert second.recorded[0].version == 2
    assert database.query("SELECT position, stream, version FROM events ORDER BY position") == [
        (1, "user:1", 1),
        (2, "user:2", 1),
        (3, "user:1", 2),
    ]
    assert store.head.position == 3
    assert store.head.hash == store.hash_at(3)
    assert (store.hash_at(0), store.hash_at(4)) == (GENESIS, None)
    assert database.opened().head == store.head


def test_what_is_recorded_is_what_is_read(database: Database) -> None:
    origin = Origin("corr", "ana", "c-1", b"digest")
    events = propose([joined("ünï-" + "x" * 100), joined(2)], origin)
    (result,) = committed(database.opened(), Append(events, {}, NO_PERSONAL_DATA))
    read: list[RecordedEvent] = database.read(lambda reader: reader.page())
    assert result.recorded == read
    assert read[0].actor == "ana"
    assert read[0].meta == events[0].meta
    assert database.verify() == 2


def test_a_version_conflict_fails_only_its_append(database: Database) -> None:
    before, wrong, after = database.opened().commit(
        [
            append_of(joined(1), user_1=0),
            append_of(joined(2), joined(1), user_2=0, user_1=0),
            append_of(joined(1), user_1=1, user_2=0),
        ]
    )
    assert isinstance(before, Committed)
    assert isinstance(wrong, VersionConflict)
    assert "user:1 is at version 1, not at 0 as expected" in wrong.message
    assert isinstance(after, Committed)
    assert (before.positions, after.positions) == ([1], [2])
    assert database.verify() == 2


def test_the_store_of_a_single_process_looks_at_no_condition(database: Database) -> None:
    """Nobody else can have appended what a decision does not know."""
    store = database.opened()
    keys = frozenset({"user:1"})
    append = Append(proposed(joined(1)), {}, NO_PERSONAL_DATA, Condition(0, keys, keys))
    again = Append(proposed(joined(1)), {}, NO_PERSONAL_DATA, Condition(0, keys, keys))
    assert [one.positions for one in committed(store, append, again)] == [[1], [2]]
    assert committed(store, append, append_of(joined(2)))[0] == Committed([1], [])
    assert database.verify() == 3


def test_a_repeated_append_gets_its_first_positions(database: Database) -> None:
    store = database.opened()
    once, other = append_of(joined(1), joined(2), user_1=0), append_of(joined(3))
    committed(store, once)
    repeated, added = committed(store, once, other)
    assert repeated == Committed([1, 2], [])
    assert added.positions == [3]
    assert [one.positions for one in committed(database.opened(), once, other)] == [[1, 2], [3]]
    assert database.verify() == 3


def test_an_append_repeated_within_a_batch_is_recorded_once(database: Database) -> None:
    once = append_of(joined(1))
    first, second = committed(database.opened(), once, once)
    assert (first.positions, len(first.recorded)) == ([1], 1)
    assert second == Committed([1], [])
    assert database.verify() == 1


def test_an_append_that_is_partly_in_the_log_is_refused(database: Database) -> None:
    store = database.opened()
    once = append_of(joined(1))
    committed(store, once)
    more = Append([*once.events, *proposed(joined(2))], {}, NO_PERSONAL_DATA)
    refused, added = store.commit([more, append_of(joined(3))])
    assert isinstance(refused, VersionConflict)
    assert isinstance(added, Committed)
    assert database.query("SELECT stream FROM events ORDER BY position") == [
        ("user:1",),
        ("user:3",),
    ]


def test_a_batch_in_which_an_id_is_used_twice_leaves_nothing(database: Database) -> None:
    store = database.opened()
    (event,) = proposed(joined(1))
    twice = Append([event, event], {}, NO_PERSONAL_DATA)
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
        store.commit([append_of(joined(2)), twice])
    assert store.head.position == 0
    assert committed(store, append_of(joined(2)))[0].positions == [1]


@pytest.mark.parametrize("change", ["UPDATE events SET node = 'x'", "DELETE FROM events"])
def test_events_can_not_be_changed(database: Database, change: str) -> None:
    committed(database.opened(), append_of(joined(1)))
    with pytest.raises((sqlite3.IntegrityError, psycopg.Error), match="events are immutable"):
        database.query(change)
    assert database.verify() == 1


@pytest.mark.parametrize("change", ["UPDATE skipped SET reason = 'x'", "DELETE FROM skipped"])
def test_skips_can_not_be_changed(database: Database, change: str) -> None:
    database.query("INSERT INTO skipped VALUES (1, 'why', 'me', 0)")
    with pytest.raises((sqlite3.IntegrityError, psycopg.Error), match="skips are immutable"):
        database.query(change)


def test_read_models_are_written_with_their_events(database: Database) -> None:
    store = database.opened()
    committed(
        store,
        append_of(ConsumerSubscribed("webhook"), STARTED),
        append_of(ENDED, ResultRejected("webhook", "r-1", 410)),
    )
    at = dict(database.query("SELECT position, recorded_at FROM events"))
    assert database.query(
        "SELECT match, game, rules_version, started_position, started_at, ended_at, ticks, reason,"
        " winner, scores FROM matches"
    ) == [("r-1", "pong", 1, 2, at[2], at[3], 60, "timeup", 1, "[0,2]")]
    assert database.query('SELECT seat, "user" FROM match_players ORDER BY seat') == [
        (0, "7"),
        (1, "ana"),
    ]
    assert database.query("SELECT consumer, state, position, attempts FROM outbox") == [
        ("webhook", "rejected", 3, 1)
    ]


def test_a_projection_that_fails_takes_its_events_with_it(database: Database) -> None:
    store = database.opened()
    committed(store, append_of(STARTED))
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
        store.commit([append_of(joined(1), STARTED)])
    assert store.head.position == 1
    assert database.verify() == 1


def test_personal_data_is_kept_beside_the_log(database: Database) -> None:
    data = PersonalData({"7": "Ana's : 100 % \\"}, {"c-1": Text("salt", "hi ☃ %s :x")})
    store = database.opened()
    committed(store, Append(proposed(joined(1)), {}, data), Append((), {}, data))
    committed(store, Append((), {}, PersonalData({"7": "Eve"}, {"c-1": Text("other", "no")})))
    assert database.query('SELECT "user", name FROM profiles') == [("7", "Eve")]
    assert database.query("SELECT chat, salt, text FROM texts") == [("c-1", "salt", "hi ☃ %s :x")]


def test_personal_data_of_a_refused_append_is_not_stored(database: Database) -> None:
    store = database.opened()
    eve, ana = PersonalData({"1": "Eve"}, {"c": Text("", "no")}), PersonalData({"1": "Ana"})
    refused, _ = store.commit(
        [
            Append(proposed(joined(1)), {"user:1": 9}, eve),
            Append(proposed(joined(1)), {}, ana),
        ]
    )
    assert isinstance(refused, VersionConflict)
    committed(store, append_of(joined(2)))
    store.commit([Append(proposed(joined(1)), {"user:1": 9}, eve)])
    assert database.query('SELECT "user", name FROM profiles') == [("1", "Ana")]
    assert database.query("SELECT * FROM texts") == []


def test_times_do_not_go_back_by_a_small_step(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, now = database.opened(), 1_800_000_000_000_000_000
    times = []
    for step_s in (0, -0.5, 0.1, -5):
        monkeypatch.setattr("time.time_ns", lambda step=step_s: now + int(step * 1e9))
        (result,) = committed(store, append_of(joined(1)))
        times.append(result.recorded[0].recorded_at - now // 1000)
    assert times == [0, 0, 100_000, -5_000_000]


def test_snapshots_are_found_by_code_version_and_hash(database: Database) -> None:
    store = database.opened()
    committed(store, append_of(joined(1), joined(2), joined(3)))
    store.save_snapshot("world", "v1", 1, b"one", needed_from=0)
    store.save_snapshot("world", "v1", 3, b"three", needed_from=1)
    assert store.load_snapshot("world", "v1", 3) == (3, b"three")
    assert store.load_snapshot("world", "v1", 2) == (1, b"one")
    assert store.load_snapshot("world", "v2", 3) is None
    database.query("UPDATE snapshots SET hash = event_id FROM events WHERE events.position = 3")
    assert store.load_snapshot("world", "v1", 3) is None
    store.save_snapshot("world", "v1", 3, b"again", needed_from=3)
    store.drop_snapshot("world", 3)
    assert store.load_snapshot("world", "v1", 3) is None


def test_snapshots_of_code_versions_in_use_are_kept(database: Database) -> None:
    store = database.opened()
    committed(store, append_of(*(joined(user) for user in range(1, 6))))
    store.save_snapshot("world", "v1", 3, b"three", needed_from=3)
    store.save_snapshot("world", "v0", 2, b"two", needed_from=2, used={"v0", "v1"})
    assert store.load_snapshot("world", "v1", 9) == (3, b"three")
    store.save_snapshot("world", "v0", 4, b"four", needed_from=4, used={"v1"})
    assert store.load_snapshot("world", "v0", 3) is None
    assert store.load_snapshot("world", "v1", 9) == (3, b"three")
    store.save_snapshot("world", "v1", 5, b"five", needed_from=5)
    assert store.load_snapshot("world", "v0", 9) is None
    assert store.load_snapshot("world", "v1", 9) == (5, b"five")


def test_statements_beside_the_log_have_named_parameters(database: Database) -> None:
    store = database.opened()
    store.execute(
        'INSERT INTO bearers (match, "user", sealed) VALUES (:match, :user, :sealed)',
        {"match": "m", "user": "7", "sealed": b"\x00\xff"},
    )
    assert database.query('SELECT match, "user" FROM bearers') == [("m", "7")]
    with pytest.raises(Unavailable):
        store.execute("INSERT INTO nothing VALUES (:a)", {"a": 1})
    store.probe()


def test_the_state_of_deliveries_is_written_beside_the_log(database: Database) -> None:
    store = database.opened()
    committed(store, append_of(ConsumerSubscribed("webhook"), ConsumerSubscribed(USER_SERVICE)))
    committed(store, append_of(STARTED))

    async def execute(statement: str, parameters: Mapping[str, object], /) -> None:
        store.execute(statement, parameters)

    notes = OutboxNotes(execute)

    async def write() -> None:
        await notes.keep_token("r-1", "ana", b"\x00first")
        await notes.keep_token("r-2", "ana", b"no such match")
        committed(store, append_of(ENDED))
        await notes.keep_token("r-1", "ana", b"\x00second")
        await notes.forget_token("r-1", b"\x00first")
        await notes.record_failure("webhook", "r-1", "503: down", 5)
        await notes.reset_backoff("webhook")
        await notes.record_failure("webhook", "r-1", "503", 2**40)
        await notes.record_blocked(USER_SERVICE, "r-1", "no token")
        await notes.mark_due(USER_SERVICE, "r-1")
        await notes.record_reason(USER_SERVICE, "r-1", "why")

    asyncio.run(write())
    assert database.query('SELECT match, "user", sealed FROM bearers') == [
        ("r-1", "ana", b"\x00second")
    ]
    assert database.query(
        "SELECT consumer, state, attempts, next_at, last_error FROM outbox ORDER BY consumer"
    ) == [(USER_SERVICE, "waiting", 0, 0, "why"), ("webhook", "waiting", 2, 2**40, "503")]
    due_now = database.read(lambda reader: due(reader, "webhook", 2**41, 10))
    assert [one.match.id for one in due_now] == ["r-1"]
    assert database.read(lambda reader: due(reader, "webhook", 1, 10)) == []
    assert database.read(lambda reader: sealed_token(reader, "r-1", "ana")) == b"\x00second"
    waiting = database.read(lambda reader: waiting_for_user(reader, "ana"))
    assert waiting == [("r-1", [7, "ana"])]
    assert len(database.read(lambda reader: entries(reader, start="r-"))) == 2
    (played,) = database.read(lambda reader: find_matches(reader, MatchQuery(user="ana")))
    assert (played.users, played.winner, played.scores) == (["7", "ana"], 1, [0, 2])


def test_a_lost_tail_begins_a_new_epoch(database: Database) -> None:
    store = database.opened()
    committed(store, append_of(joined(1), joined(2)))
    store.check_end()
    epoch = store.head.epoch
    store.begin_epoch()
    assert store.head.epoch != epoch
    assert store.head.position == 2
    assert committed(store, append_of(joined(1)))[0].positions == [3]
    assert database.verify() == 3


def test_a_store_does_not_go_on_after_another_writer(database: Database) -> None:
    store = database.opened()
    committed(store, append_of(joined(1)))
    database.query("UPDATE log_head SET position = 0")
    with pytest.raises(LogDiverged):
        store.commit([append_of(joined(2))])


@pytest.mark.postgres
class TestOnPostgres:
    """What is so only where a server stands between the writer and the disk."""

    def test_a_second_process_is_refused(self, on_postgres: Database) -> None:
        on_postgres.opened()
        with pytest.raises(ServiceError, match="another ws-service is using the log"):
            PostgresStore(conninfo(on_postgres.url), NODE, BUSY_MS)

    @pytest.mark.parametrize("is_before", [True, False], ids=["before", "after"])
    def test_a_batch_whose_answer_is_lost_is_recorded_once(
        self, on_postgres: Database, *, is_before: bool
    ) -> None:
        store = on_postgres.opened()
        assert isinstance(store, PostgresStore)
        old = append_of(joined(1), user_1=0)
        committed(store, old)
        lost = LostAnswer(store, is_before=is_before)
        store._connection = lost  # type: ignore[assignment]  # noqa: SLF001 - the fault comes from outside
        batch = [
            append_of(joined(2), user_2=0),
            append_of(joined(3), user_2=0),
            old,
            append_of(joined(2), joined(4), user_2=1),
        ]
        first, refused, known, second = store.commit(batch)
        assert lost.is_used
        assert isinstance(refused, VersionConflict)
        assert known == Committed([1], [])
        assert isinstance(first, Committed)
        assert isinstance(second, Committed)
        # They are new to this process, which has to fold them.
        assert [one.position for one in (*first.recorded, *second.recorded)] == [2, 3, 4]
        assert (first.positions, second.positions) == ([2], [3, 4])
        assert committed(store, append_of(joined(9)))[0].positions == [5]
        assert on_postgres.verify() == 5

    def test_while_the_server_is_away_nothing_is_acknowledged(
        self, postgres: Postgres, on_postgres: Database
    ) -> None:
        store = PostgresStore(conninfo(on_postgres.url), NODE, BUSY_MS)
        try:
            committed(store, append_of(joined(1)))
            postgres.kill()
            with pytest.raises(Unavailable):
                store.commit([append_of(joined(2))])
            with pytest.raises(Unavailable):
                store.probe()
            postgres.start()
            store.probe()
            assert committed(store, append_of(joined(3)))[0].positions == [2]
        finally:
            store.close()
        assert on_postgres.verify() == 2

    def test_three_writers_leave_no_gap(self, on_postgres: Database) -> None:
        """Each appends for itself and to a stream of all, whose versions it does not expect."""
        failures: list[BaseException] = []

        def write(store: PostgresStore, name: str) -> None:
            try:
                with closing(store):
                    for number in range(20):
                        committed(store, *(append_of(joined(name), joined(n)) for n in range(3)))
                        store.commit([append_of(joined("all"), user_all=number)])
            except BaseException as error:  # noqa: BLE001 - it is raised by the test
                failures.append(error)

        threads = [
            threading.Thread(target=write, args=(on_postgres.node(name), name))
            for name in ("a", "b", "c")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        count = on_postgres.verify()
        (own,) = on_postgres.query("SELECT count(*) FROM events WHERE stream <> 'user:all'")[0]
        assert own == 3 * 20 * 6
        versions = on_postgres.query(
            "SELECT version FROM events WHERE stream = 'user:all' ORDER BY version"
        )
        assert [version for (version,) in versions] == list(range(1, count - own + 1))

    def test_events_can_not_be_truncated(self, on_postgres: Database) -> None:
        committed(on_postgres.opened(), append_of(joined(1)))
        with pytest.raises(psycopg.Error, match="events are immutable"):
            on_postgres.query("TRUNCATE events")

    def test_the_lock_is_released_by_the_end_of_the_connection(self, on_postgres: Database) -> None:
        on_postgres.opened()
        on_postgres.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND application_name = 'ws-service' AND datname = current_database()"
        )
        with closing(PostgresStore(conninfo(on_postgres.url), NODE, 2000)) as other:
            committed(other, append_of(joined(1)))
