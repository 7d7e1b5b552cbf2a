"""The event log: group commit, results after the commit, and close."""

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from service.errors import Unavailable
from service.eventstore.commit_thread import WriterDied
from service.eventstore.lock import LogInUse
from service.eventstore.plan import VersionConflict
from service.eventstore.records import RecordedEvent
from service.eventstore.side_file import LostTail
from service.eventstore.store import LogDiverged
from tests.integration.engine_parts import never
from tests.integration.log_file import LogFile, appended, events_of, joined, proposed


async def test_append_returns_after_its_events_are_folded(log_file: LogFile) -> None:
    log, seen = log_file.log(), list[str]()

    def fold(recorded: Sequence[RecordedEvent]) -> None:
        seen.extend(f"folded {one.position}" for one in recorded)

    async def append(user: int) -> None:
        (position,) = await appended(log, proposed(joined(user)))
        seen.append(f"answered {position}")

    log.start(fold)
    await asyncio.gather(append(1), append(2))
    assert seen == ["folded 1", "folded 2", "answered 1", "answered 2"]


async def test_appends_in_one_loop_turn_share_a_commit(log_file: LogFile) -> None:
    log, commits = log_file.log(), list[int]()
    log.start(lambda recorded: commits.append(len(recorded)))
    answers = await asyncio.gather(
        *(appended(log, proposed(joined(user))) for user in range(1, 101))
    )
    assert answers == [[position] for position in range(1, 101)]
    assert commits == [100]


async def test_a_version_conflict_fails_only_the_conflicting_append(log_file: LogFile) -> None:
    log = log_file.started()
    answers = await asyncio.gather(
        appended(log, proposed(joined(1)), {"user:1": 0}),
        appended(log, proposed(joined(1)), {"user:1": 0}),
        appended(log, proposed(joined(2))),
        return_exceptions=True,
    )
    assert isinstance(answers[1], VersionConflict)
    assert [answers[0], answers[2]] == [[1], [2]]
    assert events_of(log_file.committed) == [joined(1), joined(2)]


async def test_a_repeated_append_is_published_once(log_file: LogFile) -> None:
    log, once = log_file.started(), proposed(joined(1))
    assert await appended(log, once, {"user:1": 0}) == [1]
    assert await appended(log, once, {"user:1": 0}) == [1]
    assert len(log_file.committed) == 1


async def test_a_cancelled_append_does_not_affect_others(log_file: LogFile) -> None:
    log = log_file.started()
    waiting = [asyncio.create_task(appended(log, proposed(joined(user)))) for user in (1, 2, 3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    assert [await waiting[0], await waiting[2]] == [[1], [3]]
    with pytest.raises(asyncio.CancelledError):
        await waiting[1]
    # Their appends were queued, and are committed and published like the others.
    assert events_of(log_file.committed) == [joined(1), joined(2), joined(3)]
    assert await appended(log, proposed(joined(4))) == [4]


async def test_close_commits_queued_appends_and_refuses_new_ones(log_file: LogFile) -> None:
    log = log_file.started()
    waiting = [asyncio.create_task(appended(log, proposed(joined(user)))) for user in (1, 2)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(log_file.close_logs())
    assert await asyncio.gather(*waiting) == [[1], [2]]
    await closing
    with pytest.raises(Unavailable):
        await appended(log, proposed(joined(3)))
    assert log_file.query("SELECT count(*) FROM events") == [(2,)]


async def test_appends_are_refused_while_the_log_is_unwritable(log_file: LogFile) -> None:
    log, other = log_file.started(), log_file.connect()
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable):
        await appended(log, proposed(joined(1)))
    with pytest.raises(Unavailable):
        await log.probe()
    other.close()
    await log.probe()
    assert await appended(log, proposed(joined(2))) == [1]
    assert events_of(log_file.committed) == [joined(2)]


async def test_the_writer_stops_when_the_log_has_diverged(log_file: LogFile) -> None:
    log = log_file.log()
    writer = log.start(log_file.committed.extend)
    log_file.change("UPDATE log_head SET position = 5")
    with pytest.raises(Unavailable):
        await appended(log, proposed(joined(1)))
    with pytest.raises(LogDiverged):
        await writer
    with pytest.raises(Unavailable):
        await appended(log, proposed(joined(2)))
    assert log_file.committed == []


async def test_the_writer_stops_when_a_fold_fails(log_file: LogFile) -> None:
    def fail(_recorded: object) -> None:
        raise ZeroDivisionError

    log = log_file.log()
    writer = log.start(fail)
    with pytest.raises(Unavailable):
        await appended(log, proposed(joined(1)))
    with pytest.raises(ZeroDivisionError):
        await writer


async def test_after_a_failure_nothing_more_is_committed(log_file: LogFile) -> None:
    def fail(_recorded: object) -> None:
        raise ZeroDivisionError

    log = log_file.log()
    writer = log.start(fail)
    first = asyncio.create_task(appended(log, proposed(joined(1))))
    await asyncio.wait([first])
    with pytest.raises(Unavailable):
        log.append(proposed(joined(2)), never)
    await log_file.close_logs()
    assert log_file.query("SELECT count(*) FROM events") == [(1,)]
    with pytest.raises(ZeroDivisionError):
        await writer
    with pytest.raises(Unavailable):
        await first


async def test_a_failing_append_callback_does_not_affect_others(
    log_file: LogFile,
) -> None:
    log = log_file.started()
    log.append(proposed(joined(1)), never)
    assert await appended(log, proposed(joined(2))) == [2]
    assert events_of(log_file.committed) == [joined(1), joined(2)]


async def test_a_call_on_the_writer_thread_runs_between_the_surrounding_appends(
    log_file: LogFile,
) -> None:
    log = log_file.started()
    first = asyncio.create_task(appended(log, proposed(joined(1))))
    await asyncio.sleep(0)
    probe = asyncio.create_task(log.probe())
    await asyncio.sleep(0)
    second = asyncio.create_task(appended(log, proposed(joined(2))))
    await probe
    assert [await first, await second] == [[1], [2]]


async def test_a_log_has_one_writer(log_file: LogFile) -> None:
    log_file.started()
    with pytest.raises(LogInUse, match="stop it first"):
        log_file.log()
    await log_file.close_logs()
    assert await appended(log_file.started(), proposed(joined(1))) == [1]


async def test_a_reopened_log_continues_at_its_last_position(log_file: LogFile) -> None:
    log = log_file.started()
    await appended(log, proposed(joined(1)))
    await log_file.close_logs()
    again = log_file.started()
    assert again.head == log.head
    assert await appended(again, proposed(joined(1)), {"user:1": 1}) == [2]


async def lost(log_file: LogFile) -> None:
    """Write three events, and lose the last one, as a restored copy of an older file does."""
    log = log_file.started()
    for user in (1, 2, 3):
        await appended(log, proposed(joined(user)))
    await log_file.close_logs()
    log_file.change(
        "DELETE FROM events WHERE position = 3",
        "UPDATE log_head SET position = 2, hash = (SELECT hash FROM events WHERE position = 2)",
    )


async def test_a_truncated_log_is_refused(log_file: LogFile) -> None:
    await lost(log_file)
    for _ in range(2):
        with pytest.raises(LostTail, match="ends at position 2, but it once had the event 3"):
            log_file.log()


async def test_a_log_of_the_same_length_with_another_history_is_refused(
    log_file: LogFile,
) -> None:
    await lost(log_file)
    store = log_file.store()
    with pytest.raises(LostTail):
        log_file.log()
    log_file.path.with_suffix(".head").rename(log_file.path.with_suffix(".kept"))
    store.close()
    log = log_file.started()
    assert await appended(log, proposed(joined(4))) == [3]
    await log_file.close_logs()
    log_file.path.with_suffix(".kept").rename(log_file.path.with_suffix(".head"))
    with pytest.raises(LostTail):
        log_file.log()


async def test_accepting_a_lost_tail_starts_a_new_epoch(log_file: LogFile) -> None:
    await lost(log_file)
    ((before,),) = log_file.query("SELECT epoch FROM log_head")
    log = log_file.started(accept_lost_tail=True)
    assert log.head.epoch != before
    assert await appended(log, proposed(joined(4)), {"user:3": 0}) == [3]
    await log_file.close_logs()
    # From then on it is a log as any other.
    assert log_file.log().head == log.head
    assert log_file.query("SELECT epoch FROM log_head") == [(log.head.epoch,)]


async def test_accept_lost_tail_changes_nothing_for_a_complete_log(log_file: LogFile) -> None:
    log = log_file.started()
    await appended(log, proposed(joined(1)))
    await log_file.close_logs()
    assert log_file.log(accept_lost_tail=True).head == log.head


async def test_an_unwritable_side_file_stops_neither_appends_nor_shutdown(
    log_file: LogFile,
) -> None:
    log_file.path.with_suffix(".draft").mkdir()
    log = log_file.started()
    assert await appended(log, proposed(joined(1))) == [1]
    await log_file.close_logs()
    assert log_file.log().head == log.head


async def test_a_half_written_side_file_does_not_prevent_the_start(log_file: LogFile) -> None:
    log_file.path.with_suffix(".head").write_bytes(b'{"epoch":')
    assert log_file.log().head.position == 0


async def test_an_outage_is_logged_once_at_its_start_and_once_at_its_end(log_file: LogFile) -> None:
    log = log_file.started()
    for _ in range(2):
        other = log_file.connect()
        other.execute("BEGIN IMMEDIATE")
        with capture_logs() as logs:
            for _ in range(3):
                with pytest.raises(Unavailable):
                    await appended(log, proposed(joined(1)))
                with pytest.raises(Unavailable):
                    await log.probe()
        assert [(line["log_level"], line["error_code"]) for line in logs] == [
            ("error", "LOG_UNWRITABLE")
        ]
        assert "locked" in logs[0]["metadata"]["reason"]
        other.close()
        with capture_logs() as logs:
            await appended(log, proposed(joined(1)))
            await appended(log, proposed(joined(1)))
            await log.probe()
        assert [line["event"] for line in logs] == ["the event log can be written again"]


async def test_an_outage_found_by_a_probe_is_logged(log_file: LogFile) -> None:
    log = log_file.started()
    aside = log_file.path.with_name("aside")
    log_file.path.rename(aside)
    with capture_logs() as logs, pytest.raises(Unavailable, match="moved or deleted"):
        await log.probe()
    assert [line["error_code"] for line in logs] == ["LOG_UNWRITABLE"]
    assert not log_file.path.exists()
    aside.rename(log_file.path)
    with capture_logs() as logs:
        await log.probe()
    assert [line["log_level"] for line in logs] == ["warning"]


async def test_pending_appends_fail_when_the_writer_thread_dies(log_file: LogFile) -> None:
    log = log_file.log()
    writer = log.start(lambda _: None)

    def die(_batch: object) -> None:
        raise SystemExit

    log._store.commit = die  # type: ignore[assignment, method-assign]  # noqa: SLF001 - a fault there
    with pytest.raises(Unavailable):
        await appended(log, proposed(joined(1)))
    with pytest.raises(WriterDied):
        await writer
    with pytest.raises(Unavailable):
        await appended(log, proposed(joined(2)))
    await log.close()
    log_file._logs.clear()  # noqa: SLF001 - it is closed already


async def test_an_append_that_can_never_be_committed_fails_alone(log_file: LogFile) -> None:
    log = log_file.started()
    bad = joined("\ud800")
    answers = await asyncio.gather(
        appended(log, proposed(joined(1))),
        appended(log, proposed(bad)),
        appended(log, proposed(joined(2))),
        return_exceptions=True,
    )
    assert [answers[0], answers[2]] == [[1], [2]]
    assert isinstance(answers[1], UnicodeEncodeError)
