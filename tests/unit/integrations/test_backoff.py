from itertools import islice

from service.integrations.backoff import PollSchedule, backoff


def test_backoff_doubles_up_to_the_maximum_with_jitter() -> None:
    for wait_s, whole_s in zip(islice(backoff(1, 5), 6), (1, 2, 4, 5, 5, 5), strict=True):
        assert whole_s / 2 <= wait_s <= whole_s


def test_the_first_backoff_is_not_above_the_maximum() -> None:
    assert next(backoff(10, 0.1)) <= 0.1


def test_a_poller_backs_off_on_failure_and_returns_to_its_interval() -> None:
    pace = PollSchedule(60, 1)
    assert (pace.failing, pace.wait_s()) == (False, 60)

    pace.failed()
    assert pace.failing
    assert pace.wait_s() <= 1
    pace.failed()
    assert 1 <= pace.wait_s() <= 2

    pace.succeeded()
    assert (pace.failing, pace.wait_s()) == (False, 60)
    pace.failed()
    assert pace.wait_s() <= 1
