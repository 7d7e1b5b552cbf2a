"""The capacity model, and its tables in docs/scaling.md."""

import msgspec
import pytest

from benchmarks.capacity import (
    CORE_SHARE_MAX,
    DATABASE_SHARE_MAX,
    PAGE,
    Constants,
    Load,
    Measured,
    Run,
    greatest,
    page_with_tables,
    predict,
    read,
    tables,
)


def constants(**values: float) -> Constants:
    """Return constants that cost nothing but these."""
    names = Constants.__struct_fields__
    given = {name: {"value": 0.0, "unit": "", "source": ""} for name in names}
    for name, value in values.items():
        given[name]["value"] = value
    return msgspec.convert(given, Constants)


def test_events_follow_from_keys_and_checkpoints() -> None:
    assert Load(100).events_per_s == pytest.approx(550)
    assert Load(100, checkpoint_s=5).events_per_s == pytest.approx(470)
    assert Load(100, keys_per_s=0, checkpoint_s=1).events_per_s == pytest.approx(150)


def test_a_single_node_has_nothing_to_follow_and_no_remote_frames() -> None:
    costs = constants(follow_us=4, frame_us=3)
    assert predict(costs, Load(1000), 1).node_share == 0
    # Half of 5,500 events, and 60 frames for half of 500 matches, sent and received.
    expected = 2750 * 4e-6 + 2 * 60 * 500 * 0.5 * 3e-6
    assert predict(costs, Load(1000), 2).node_share == pytest.approx(expected)


def test_the_database_costs_the_same_with_any_number_of_nodes() -> None:
    costs = constants(append_us=20)
    for nodes in (1, 2, 6):
        assert predict(costs, Load(1000), nodes).database_share == pytest.approx(0.11)


def test_batches_are_as_many_as_events_until_a_node_has_as_many_as_it_can() -> None:
    costs = constants(batch_us=500, batches_per_s=60, follow_batch_us=300)
    few = predict(costs, Load(10), 2)
    assert few.database_share == pytest.approx(55 * 500e-6)
    assert few.node_share == pytest.approx(55 / 2 * 300e-6)
    many = predict(costs, Load(1000), 3)
    assert many.database_share == pytest.approx(3 * 60 * 500e-6)
    assert many.node_share == pytest.approx(2 * 60 * 300e-6)


def test_of_players_who_are_apart_one_gets_all_frames_from_another_node() -> None:
    costs = constants(frame_us=3)
    apart = Load(1000, are_apart=True)
    assert predict(costs, apart, 1).node_share == 0
    assert predict(costs, apart, 2).node_share == pytest.approx(2 * 60 * 500 * 3e-6)


def test_an_append_waits_for_the_commits_of_all_nodes() -> None:
    assert predict(constants(commit_ms=2), Load(1), 3).commit_ms == 6


def test_memory_has_the_own_connections_and_all_users() -> None:
    mib = 1024**2
    costs = constants(base_mib=100, connection_kib=1024, user_bytes=mib, room_bytes=2 * mib)
    # 30 users, 10 rooms; 15 connections at each of two nodes.
    assert predict(costs, Load(10), 2).node_mib == pytest.approx(100 + 15 + 30 + 20)


@pytest.mark.parametrize(
    ("costs", "scarce"),
    [({"match_ms": 3.0}, "the nodes"), ({"match_ms": 1.0, "append_us": 500.0}, "the database")],
)
def test_the_greatest_load_is_that_of_the_scarcest_resource(
    costs: dict[str, float], scarce: str
) -> None:
    made = constants(append_us=costs.get("append_us", 1.0), match_ms=costs["match_ms"])
    most, found = greatest(made, 1, Load(0))
    assert found == scarce
    at_most = predict(made, Load(most), 1)
    assert at_most.node_share <= CORE_SHARE_MAX
    assert at_most.database_share <= DATABASE_SHARE_MAX
    more = predict(made, Load(most + 1), 1)
    assert more.node_share > CORE_SHARE_MAX or more.database_share > DATABASE_SHARE_MAX


def test_the_greatest_load_leaves_room_for_what_each_node_costs_anyway() -> None:
    made = constants(match_ms=2.0, idle_share=0.1, follow_batch_us=500, batches_per_s=60)
    most, _ = greatest(made, 3, Load(0))
    assert predict(made, Load(most), 3).node_share == pytest.approx(CORE_SHARE_MAX, abs=0.002)


def test_runs_stand_beside_their_predictions() -> None:
    run = Run("2026-11-26", 3, 100, node_share=0.2, database_share=0.1, commit_ms=5.5)
    found = tables(Measured(constants(commit_ms=2, match_ms=3), [run]))
    assert "| 2026-11-26 | 3 | 100 | 10% / 20% | 0% / 10% | 6.0 / 5.5 ms |" in found


def test_the_tables_of_the_page_are_those_of_the_file() -> None:
    page = PAGE.read_text()
    assert page_with_tables(page, read()) == page, "python -m benchmarks.capacity --write"
    assert tables(read()) in page
