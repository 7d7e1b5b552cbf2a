from hypothesis import given
from hypothesis import strategies as st

from service.settings.sections.integrations import RetryPolicy

PACE = RetryPolicy(retry_s=1, retry_max_s=300)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_retry_delay_is_between_half_and_all_of_its_bound(attempts: int, chance: float) -> None:
    bound = min(300, 2 ** min(attempts - 1, 20))
    assert bound / 2 <= PACE.after(attempts, chance) <= bound


@given(st.integers(1, 100))
def test_the_retry_bound_doubles_up_to_the_maximum(attempts: int) -> None:
    now, then = PACE.after(attempts, 1), PACE.after(attempts + 1, 1)
    assert then == min(2 * now, 300)


def test_the_first_retry_is_soon() -> None:
    assert PACE.after(1, 0) == 0.5
    assert PACE.after(1, 1) == 1
