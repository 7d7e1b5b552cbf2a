import pytest

from service.edge.close_codes import CloseCode, label_of
from service.telemetry import Metrics
from service.telemetry.metrics import GAUGES


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_gauge_is_read_at_each_scrape() -> None:
    metrics, sockets = Metrics(), [1, 2]
    metrics.read(sockets_open=lambda: len(sockets))
    assert value(metrics, "ws_sockets_open") == 2
    sockets.append(3)
    assert value(metrics, "ws_sockets_open") == 3


def test_a_gauge_without_a_source_is_zero() -> None:
    metrics = Metrics()
    assert {value(metrics, f"ws_{name}") for name in GAUGES} == {0}


def test_a_source_for_an_unknown_gauge_is_refused() -> None:
    with pytest.raises(KeyError):
        Metrics().read(sockets=lambda: 0)


def test_two_services_in_one_process_count_separately() -> None:
    one, other = Metrics(), Metrics()
    one.sent.counts["welcome"] += 3
    assert value(one, "ws_messages_sent_total", type="welcome") == 3
    assert value(other, "ws_messages_sent_total", type="welcome") is None


def test_resume_outcomes_are_initialized_to_zero() -> None:
    metrics = Metrics()
    metrics.resumed("too_old")
    assert value(metrics, "ws_resumes_total", outcome="resumed") == 0
    assert value(metrics, "ws_resumes_total", outcome="too_old") == 1


def test_close_codes_invented_by_clients_share_a_label() -> None:
    labels = {label_of(code) for code in range(5000)}
    assert labels == {"other"} | {str(code) for code in range(1000, 1016)} | {
        str(int(code)) for code in CloseCode
    }
