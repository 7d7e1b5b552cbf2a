"""Metrics of a running service, as Prometheus scrapes them."""

from contextlib import suppress

import aiohttp
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.crash import begin_match
from tests.acceptance.service_process import Running, StartService, subprotocols

V1 = "ws-service.v1"

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


async def scrape(service: Running, accept: str = "text/plain") -> tuple[str, str]:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{service.url}/metrics", headers={"Accept": accept}) as answer,
    ):
        assert answer.status == 200
        return answer.headers["Content-Type"], await answer.text()


async def samples(service: Running) -> dict[str, float]:
    """Return all samples, by their names with labels."""
    _, text = await scrape(service)
    return {
        one.name + "".join(f",{label}={value}" for label, value in sorted(one.labels.items())): (
            one.value
        )
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


async def test_gauges_report_the_current_state(start_service: StartService) -> None:
    service = start_service(WS_PRESENCE_GRACE_S="0.1")
    before = await samples(service)
    assert before["ws_sockets_open"] == before["ws_users_online"] == 0

    seated = await begin_match(service)
    watcher = await service.connect(9, "Watcher")
    second_tab = await service.connect(9, "Watcher")
    during = await samples(service)
    assert during["ws_sockets_open"] == 4
    assert during["ws_users_online"] == 3
    assert during["ws_rooms_open"] == during["ws_matches_live"] == 1
    assert during["ws_append_queue_length"] == during["ws_projection_lag_events"] == 0
    assert during["ws_outbox_backlog"] == 0
    assert during["ws_snapshot_age_seconds"] > 0

    await watcher.close()
    await second_tab.close()
    await seated.left.expect("user:offline", userId=9)
    after = await samples(service)
    assert after["ws_sockets_open"] == after["ws_users_online"] == 2


async def test_counters_count_what_happens(start_service: StartService) -> None:
    service = start_service(WS_PRESENCE_GRACE_S="0.1", WS_SOCKETS_PER_USER_MAX="1")
    seated = await begin_match(service)
    replaced = await service.connect(7, "Ana")
    ana = await service.connect(7, "Ana")
    assert (await replaced.closed())[0] == 4504
    await ana.send("invite", to=7)
    await ana.expect("error", code="SELF_INVITE")
    await ana.send("made:up")
    await ana.send_raw("junk")
    await ana.send_raw(b"junk")
    for code in ("UNKNOWN_TYPE", "BAD_JSON", "BINARY_FRAME"):
        await ana.expect("error", code=code)
    assert (await (await service.connect(greeted=False)).closed())[0] == 1008
    await ana.close(4999)
    await seated.left.expect("user:offline", userId=7)

    events = len(service.events())
    now = await samples(service)
    assert now["ws_messages_received_total,type=invite"] == 2
    assert now["ws_messages_received_total,type=invalid"] == 3
    assert now["ws_messages_refused_total,code=SELF_INVITE"] == 1
    assert now["ws_messages_refused_total,code=UNKNOWN_TYPE"] == 1
    assert now["ws_messages_sent_total,type=welcome"] == 4
    assert now["ws_messages_sent_total,type=error"] == 4
    assert now["ws_handshakes_refused_total,error_code=MISSING_WEBSOCKET_TOKEN"] == 1
    assert now["ws_disconnects_total,code=other"] == 1
    assert now["ws_disconnects_total,code=4504"] == 1
    assert events <= now["ws_commit_batch_events_sum"] <= len(service.events())
    assert now["ws_commit_duration_seconds_count"] == now["ws_commit_batch_events_count"]
    assert now["ws_tick_lateness_seconds_count"] > 0
    assert now["ws_fanout_duration_seconds_count"] > 0
    received = sum(
        len(repr(message)) for tab in (seated.left, seated.right) for message in tab.received
    )
    assert now["ws_sent_bytes_total"] > received / 2
    assert not [name for name in now if "made:up" in name or "4999" in name]


async def test_resumes_are_counted_by_outcome(start_service: StartService) -> None:
    service = start_service()
    ana = await service.connect(7, "Ana", greeted=False, subprotocols=subprotocols(V1))
    welcome = await ana.expect("welcome")
    epoch, position = welcome["epoch"], welcome["position"]
    await ana.send("resume", position=position, epoch=epoch)
    await ana.expect("resumed")
    # One at a time: another one is refused while what this one sends is under way.
    await ana.send("resume", position=position, epoch="another")
    await ana.expect("resync", reason="wrong_epoch")

    now = await samples(service)
    assert now["ws_resumes_total,outcome=resumed"] == 1
    assert now["ws_resumes_total,outcome=wrong_epoch"] == 1
    assert now["ws_resumes_total,outcome=too_old"] == 0
    assert now["ws_messages_received_total,type=resume"] == 2
    assert now["ws_messages_sent_total,type=resumed"] == 1


async def test_a_slow_consumer_is_counted_by_its_internal_close_code(
    start_service: StartService,
) -> None:
    service = start_service(
        WS_SLOW_BYTES="1024",
        WS_SLOW_BYTES_MAX="1024",
        WS_PRESENCE_GRACE_S="0.1",
        # It is to end for what it does not read, before it is for how much it asks.
        WS_MESSAGES_PER_S="100000",
        WS_MESSAGES_BURST="1000000",
    )
    ana = await service.connect(7, "Ana")
    slow = await service.connect(8, "Slow")
    slow.connection.transport.pause_reading()
    friends = [f"{number:060}" for number in range(900)]
    # It may be closed before the last one.
    with suppress(ConnectionError):
        for _ in range(100):
            await slow.send("friends:subscribe", friendIds=friends)
    await ana.expect("user:offline", userId=8)
    slow.connection.transport.resume_reading()

    now = await samples(service)
    assert now["ws_slow_clients_dropped_total"] == 1
    assert now["ws_disconnects_total,code=4008"] == 1


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (OPEN_METRICS, OPEN_METRICS),
        ("text/plain;version=0.0.4", "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
    ],
)
async def test_a_scrape_negotiates_its_format(
    service: Running, accept: str, content_type: str
) -> None:
    found, text = await scrape(service, accept)
    assert found.startswith(content_type)
    assert text.endswith("# EOF\n") == (accept == OPEN_METRICS)
    if accept == OPEN_METRICS:
        assert "ws_sockets_open" in {
            family.name
            for family in openmetrics.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
        }
