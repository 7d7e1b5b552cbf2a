"""The SQLite store: commits, conflicts, and refusals."""

import pytest

from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData
from service.errors import Unavailable
from service.eventstore.plan import Append, Committed, VersionConflict
from service.eventstore.records import GENESIS
from service.eventstore.sqlite import SqliteStore
from service.eventstore.store import LogDiverged
from tests.integration.log_file import ENDED, STARTED, LogFile, append_of, joined, proposed


def committed(store: SqliteStore, *appends: Append) -> list[list[int]]:
    """Commit appends of which none fails, and return their positions."""
    answers = store.commit(appends)
    assert all(isinstance(answer, Committed) for answer in answers)
    return [answer.positions for answer in answers if isinstance(answer, Committed)]


def test_a_new_log_starts_at_position_zero_with_an_epoch(log_file: LogFile) -> None:
    head = log_file.store().head
    assert (head.position, head.hash, len(head.epoch)) == (0, GENESIS, 32)
    assert log_file.store().head == head


def test_positions_are_global_and_versions_are_per_stream(log_file: LogFile) -> None:
    store = log_file.store()
    appends = (append_of(joined(1), joined(2)), append_of(joined(1)))
    assert committed(store, *appends) == [[1, 2], [3]]
    assert log_file.query("SELECT position, stream, version FROM events ORDER BY position") == [
        (1, "user:1", 1),
        (2, "user:2", 1),
        (3, "user:1", 2),
    ]
    assert (store.head.position, store.hash_at(3)) == (3, store.head.hash)


@pytest.mark.parametrize("events", [1, 31, 32, 33, 64, 65, 200])
def test_a_batch_of_any_size_is_written_in_order(log_file: LogFile, events: int) -> None:
    store = log_file.store()
    batch = [append_of(joined(number % 7, number)) for number in range(events)]
    assert committed(store, *batch) == [[position] for position in range(1, events + 1)]
    rows = log_file.query("SELECT position, event_id, data ->> 'socket' FROM events")
    assert rows == [
        (number + 1, append.events[0].event_id, f"n1.1.{number}")
        for number, append in enumerate(batch)
    ]


def test_a_version_conflict_fails_only_its_append(log_file: LogFile) -> None:
    store = log_file.store()
    before, wrong, after = store.commit(
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
    assert after.positions == [2]
    assert log_file.query("SELECT stream FROM events") == [("user:1",), ("user:1",)]


def test_a_store_reads_the_versions_that_another_process_wrote(log_file: LogFile) -> None:
    committed(log_file.store(), append_of(joined(1), joined(1)))
    store = log_file.store()
    assert (store.last_version("user:1"), store.last_version("user:2")) == (2, 0)
    assert committed(store, append_of(joined(1), user_1=2)) == [[3]]


def test_a_repeated_append_gets_its_first_positions_and_adds_nothing(log_file: LogFile) -> None:
    store = log_file.store()
    once, other = append_of(joined(1), joined(2), user_1=0), append_of(joined(3))
    assert committed(store, once) == [[1, 2]]
    # What it expected was true the first time, and it is the first answer that it gets.
    (repeated, added) = store.commit([once, other])
    assert repeated == Committed([1, 2], [])
    assert isinstance(added, Committed)
    assert added.positions == [3]
    assert committed(log_file.store(), once, other) == [[1, 2], [3]]
    assert log_file.query("SELECT count(*) FROM events") == [(3,)]


def test_an_append_repeated_within_a_batch_is_recorded_once(log_file: LogFile) -> None:
    store = log_file.store()
    once = append_of(joined(1))
    assert committed(store, once, once) == [[1], [1]]
    assert store.head.position == 1


def test_an_append_that_is_partly_in_the_log_is_refused(log_file: LogFile) -> None:
    store = log_file.store()
    once = append_of(joined(1))
    committed(store, once)
    more = Append([*once.events, *proposed(joined(2))], {}, NO_PERSONAL_DATA)
    refused, added = store.commit([more, append_of(joined(3))])
    assert isinstance(refused, VersionConflict)
    assert isinstance(added, Committed)
    assert log_file.query("SELECT stream FROM events") == [("user:1",), ("user:3",)]


def test_a_failed_batch_leaves_nothing_and_can_be_retried(
    log_file: LogFile,
) -> None:
    store = log_file.store()
    committed(store, append_of(joined(1)))
    head, batch = store.head, [append_of(joined(1), STARTED), append_of(joined(2))]
    other = log_file.connect()
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        store.commit(batch)
    with pytest.raises(Unavailable, match="locked"):
        store.probe()
    other.close()
    assert store.head == head
    assert log_file.query("SELECT count(*) FROM events") == [(1,)]

    store.probe()
    assert store.head == head
    assert committed(store, *batch) == [[2, 3], [4]]
    assert log_file.query("SELECT max(version) FROM events WHERE stream = 'user:1'") == [(2,)]


def test_a_probe_leaves_no_trace(log_file: LogFile) -> None:
    store = log_file.store()
    committed(store, append_of(joined(1)))
    store.probe()
    assert log_file.query("SELECT position, hash FROM log_head") == [store.head[:2]]
    assert log_file.query("SELECT count(*) FROM snapshots") == [(0,)]


def test_a_write_by_another_writer_is_detected_as_divergence(log_file: LogFile) -> None:
    ours, theirs = log_file.store(), log_file.store()
    committed(theirs, append_of(joined(1)))
    with pytest.raises(LogDiverged):
        ours.commit([append_of(joined(2))])
    assert log_file.query("SELECT stream FROM events") == [("user:1",)]
    assert committed(theirs, append_of(joined(3))) == [[2]]


def test_a_commit_that_succeeded_despite_an_error_is_detected(log_file: LogFile) -> None:
    """A retry has the same ids; answering it from the log would hide that no event was folded."""
    ours, once = log_file.store(), append_of(joined(1))
    committed(log_file.store(), once)
    with pytest.raises(LogDiverged):
        ours.commit([once])


def test_names_are_stored_in_the_commit_and_the_newest_wins(log_file: LogFile) -> None:
    store = log_file.store()
    for name in ("Ana", "Anna"):
        committed(store, Append(proposed(joined(7)), {}, PersonalData(names={"7": name})))
    assert log_file.query("SELECT user, name FROM profiles") == [("7", "Anna")]
    committed(store, Append([], {}, PersonalData(names={"8": "Ben"})))
    assert log_file.query("SELECT count(*) FROM profiles") == [(2,)]
    assert store.head.position == 2


def test_the_match_history_is_written_in_the_transaction_of_its_events(log_file: LogFile) -> None:
    store = log_file.store()
    committed(store, append_of(joined(7)), append_of(STARTED))
    assert log_file.query("SELECT match, game, started_position, reason FROM matches") == [
        ("r-1", "pong", 2, None)
    ]
    assert log_file.query("SELECT seat, user FROM match_players ORDER BY seat") == [
        (0, "7"),
        (1, "ana"),
    ]
    committed(store, append_of(ENDED))
    assert log_file.query("SELECT ticks, reason, winner, scores FROM matches") == [
        (60, "timeup", 1, "[0,2]")
    ]
    ((started_at, ended_at),) = log_file.query("SELECT started_at, ended_at FROM matches")
    assert [(started_at,), (ended_at,)] == log_file.query(
        "SELECT recorded_at FROM events WHERE stream = 'match:r-1' ORDER BY position"
    )


def test_recorded_times_stay_ordered_after_a_small_clock_step_back(
    log_file: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = log_file.store()
    for clock_ms in (5000, 4500, 4000, 5001):
        monkeypatch.setattr("time.time_ns", lambda ms=clock_ms: ms * 1_000_000)
        committed(store, append_of(joined(1)))
    found = [at // 1000 for (at,) in log_file.query("SELECT recorded_at FROM events")]
    assert found == [5000, 5000, 5000, 5001]


def test_recorded_times_follow_the_clock_after_a_large_step_back(
    log_file: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the service was started while it was ahead."""
    hour_ms = 3_600_000
    for clock_ms in (1000, 1000 + hour_ms, 2000, 3000):
        monkeypatch.setattr("time.time_ns", lambda ms=clock_ms: ms * 1_000_000)
        committed(log_file.store(), append_of(joined(1)))
    found = [at // 1000 for (at,) in log_file.query("SELECT recorded_at FROM events")]
    assert found == [1000, 1000 + hour_ms, 2000, 3000]


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
@pytest.mark.parametrize("how", ["moved", "deleted", "replaced"])
def test_nothing_is_acknowledged_while_the_database_files_are_moved(
    log_file: LogFile, suffix: str, how: str
) -> None:
    store = log_file.store()
    committed(store, append_of(joined(1)))
    path = log_file.path.with_name(log_file.path.name + suffix)
    aside = path.with_name("aside")
    if how == "deleted":
        path.unlink()
    else:
        path.rename(aside)
    if how == "replaced":
        path.write_bytes(aside.read_bytes())
    with pytest.raises(Unavailable, match="was moved or deleted"):
        store.commit([append_of(joined(2))])
    with pytest.raises(Unavailable, match="was moved or deleted"):
        store.probe()
    with pytest.raises(Unavailable):
        store.save_snapshot("world", "v1", 1, b"", needed_from=0)
    assert store.head.position == 1
    if how != "deleted":
        aside.replace(path)
        store.probe()
        assert committed(store, append_of(joined(2))) == [[2]]


def test_a_snapshot_is_used_only_by_the_same_code_and_log(log_file: LogFile) -> None:
    store = log_file.store()
    assert store.load_snapshot("world", "v1", 9) is None
    committed(store, append_of(joined(1), joined(2)))
    store.save_snapshot("world", "v1", 2, b"two", needed_from=2)
    assert store.load_snapshot("world", "v1", 9) == (2, b"two")
    assert store.load_snapshot("world", "v2", 9) is None
    assert store.load_snapshot("other", "v1", 9) is None


def test_the_newest_snapshot_before_a_position_is_found(log_file: LogFile) -> None:
    store = log_file.store()
    committed(store, append_of(*(joined(user) for user in range(1, 10))))
    for position in (2, 4, 6):
        store.save_snapshot("world", "v1", position, b"%d" % position, needed_from=2)
    found = [store.load_snapshot("world", "v1", at_most) for at_most in (1, 2, 5, 9)]
    assert found == [None, (2, b"2"), (4, b"4"), (6, b"6")]


def test_unneeded_snapshots_are_deleted(log_file: LogFile) -> None:
    store = log_file.store()
    committed(store, append_of(*(joined(user) for user in range(1, 10))))
    store.save_snapshot("world", "v0", 1, b"", needed_from=0)
    for position in (2, 4, 6):
        store.save_snapshot("world", "v1", position, b"", needed_from=2)
    kept = "SELECT position FROM snapshots ORDER BY position"
    assert log_file.query(kept) == [(2,), (4,), (6,)]
    store.save_snapshot("world", "v1", 8, b"", needed_from=5)
    assert log_file.query(kept) == [(4,), (6,), (8,)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE events SET hash = zeroblob(32) WHERE position = 2",
        "DELETE FROM events WHERE position = 2",
    ],
)
def test_a_snapshot_of_another_log_is_not_used(log_file: LogFile, change: str) -> None:
    store = log_file.store()
    committed(store, append_of(joined(1), joined(2)))
    store.save_snapshot("world", "v1", 2, b"two", needed_from=2)
    log_file.change(change)
    assert store.load_snapshot("world", "v1", 9) is None


def test_an_unwritable_snapshot_raises_unavailable(log_file: LogFile) -> None:
    store = log_file.store()
    other = log_file.connect()
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable):
        store.save_snapshot("world", "v1", 0, b"", needed_from=0)
    other.close()
