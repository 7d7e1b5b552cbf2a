"""The hash chain detects changed, missing and swapped rows."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.eventstore.integrity import BrokenChain, ChainCheck
from service.eventstore.records import GENESIS, Head, Row, chain

LENGTH = 4


def rows_of(count: int = LENGTH) -> list[Row]:
    """Return the rows of a whole log."""
    rows, hash_ = list[Row](), GENESIS
    for position in range(1, count + 1):
        unhashed = (
            position,
            "user:1",
            position,
            "lobby.joined",
            1,
            bytes([position]) * 16,
            "test",
            None if position % 2 else "7",
            "n1",
            1_700_000_000_000_000 + position,
            b'{"user":1,"socket":"n1.1.1"}',
            None,
        )
        hash_ = chain(hash_, unhashed)
        rows.append(Row(*unhashed, hash_))
    return rows


def check(rows: list[Row], head: Head | None = None) -> None:
    found = ChainCheck()
    for row in rows:
        found.check(row)
    found.finish(head or Head(len(rows), rows[-1].hash if rows else GENESIS, "epoch"))


def test_an_intact_or_empty_log_verifies() -> None:
    check(rows_of())
    check([])


@given(at=st.integers(0, LENGTH - 1), field=st.sampled_from(Row._fields[1:]))
def test_a_row_that_was_changed_in_any_field_is_named(at: int, field: str) -> None:
    rows = rows_of()
    value = getattr(rows[at], field)
    changed: Any = (
        value + 1 if isinstance(value, int) else b"x" if isinstance(value, bytes) else "x"
    )
    rows[at] = rows[at]._replace(**{field: changed})
    with pytest.raises(BrokenChain, match=f"position {at + 1} was changed"):
        check(rows)


@given(at=st.integers(0, LENGTH - 2))
def test_a_missing_row_is_named(at: int) -> None:
    rows = rows_of()
    head = Head(LENGTH, rows[-1].hash, "epoch")
    del rows[at]
    with pytest.raises(BrokenChain, match=f"position {at + 1} is missing"):
        check(rows, head)


@given(at=st.integers(0, LENGTH - 2))
def test_swapped_rows_are_named(at: int) -> None:
    rows = rows_of()
    here, there = rows[at], rows[at + 1]
    rows[at : at + 2] = [
        there._replace(position=here.position),
        here._replace(position=there.position),
    ]
    with pytest.raises(BrokenChain, match=f"position {at + 1} was changed"):
        check(rows)


def test_a_row_forged_without_the_previous_hash_is_named() -> None:
    rows = rows_of()
    rows[2] = rows[2]._replace(hash=chain(GENESIS, rows[2][:-1]))
    with pytest.raises(BrokenChain, match="position 3 was changed"):
        check(rows)


@pytest.mark.parametrize("change", [{"position": LENGTH + 1}, {"position": 0}, {"hash": GENESIS}])
def test_a_wrong_head_is_detected(change: dict[str, Any]) -> None:
    rows = rows_of()
    with pytest.raises(BrokenChain, match=f"the log ends at {LENGTH}"):
        check(rows, Head(LENGTH, rows[-1].hash, "epoch")._replace(**change))


def test_the_hash_depends_on_field_boundaries() -> None:
    assert chain(GENESIS, ("ab", "c")) != chain(GENESIS, ("a", "bc"))
