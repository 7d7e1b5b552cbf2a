from itertools import islice

from service.integrations.backoff import PollSchedule, backoff


def test_waits_double_up_to_the_longest_with_some_of_it_left_off_by_chance() -> None:
    for wait_s, whole_s in zip(islice(backoff(1, 5), 6), (1, 2, 4, 5, 5, 5), strict=True):
        assert whole_s / 2 <= wait_s <= whole_s


def test_the_first_wait_is_not_above_the_longest() -> None:
    assert next(backoff(10, 0.1)) <= 0.1


def test_what_fails_is_tried_again_sooner_and_then_steadily_when_it_works() -> None:
    pace = PollSchedule(60, 1)
    assert (pace.failing, pace.wait_s()) == (False, 60)

    pace.failed()
    assert pace.failing
    assert pace.wait_s() <= 1
    pace.failed()
    assert 1 <= pace.wait_s() <= 2

    pace.worked()
    assert (pace.failing, pace.wait_s()) == (False, 60)
    pace.failed()
    assert pace.wait_s() <= 1
