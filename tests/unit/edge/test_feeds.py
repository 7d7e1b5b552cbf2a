"""How often everybody is told who is there."""

import pytest

from service.edge.feeds import TELLING_PART_MAX, telling_pause_s

LEAST_S = 0.1


@pytest.mark.parametrize("sockets", [0, 1, 100, 1000])
def test_with_few_sockets_the_pause_is_the_setting(sockets: int) -> None:
    assert telling_pause_s(LEAST_S, sockets) == LEAST_S


def test_with_many_sockets_the_pause_grows_with_their_number() -> None:
    assert telling_pause_s(LEAST_S, 40_000) == pytest.approx(2 * telling_pause_s(LEAST_S, 20_000))
    assert telling_pause_s(LEAST_S, 20_000) == pytest.approx(20_000 * 10e-6 / TELLING_PART_MAX)


def test_a_long_message_is_told_less_often() -> None:
    assert telling_pause_s(LEAST_S, 2000, 64_000) > telling_pause_s(LEAST_S, 2000, 32_000) > LEAST_S
