"""Traces of a real service, as received by a collector."""

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.acceptance.service_process import StartService
from tests.fakes.collector import Collector


def attributes(span: Span) -> dict[str, str | int]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


async def test_a_trace_links_the_message_to_the_commit_of_its_events(
    start_service: StartService,
) -> None:
    collector = Collector()
    async with collector.running():
        service = start_service(WS_OTEL_ENDPOINT=collector.url)
        ana = await service.connect(7, "Ana")
        ben = await service.connect(8, "Ben")
        await ana.send("invite", to=8)
        await ben.expect("invite:received")
        await service.terminate()

    assert collector.services == {"ws-service"}
    by_id = {span.span_id: span for span in collector.spans}
    (message,) = [span for span in collector.spans if attributes(span).get("type") == "invite"]
    assert message.name == "websocket.message"
    assert not message.parent_span_id
    (row,) = service.database("SELECT correlation_id FROM events WHERE type = 'invite.sent'")
    assert attributes(message)["correlation_id"] == row[0]

    (execute,) = [one for one in collector.spans if one.parent_span_id == message.span_id]
    assert execute.name == "engine.execute"
    assert attributes(execute) == {"command": "SendInvite"}
    (append,) = [one for one in collector.spans if one.parent_span_id == execute.span_id]
    assert append.name == "log.append"
    (commit,) = [
        span
        for span in collector.spans
        if span.name == "log.commit" and append.span_id in {link.span_id for link in span.links}
    ]
    assert commit.trace_id != message.trace_id
    assert append.start_time_unix_nano <= commit.start_time_unix_nano
    assert commit.end_time_unix_nano <= append.end_time_unix_nano
    # Every commit links to its appends.
    for span in collector.spans:
        if span.name == "log.commit":
            assert {by_id[link.span_id].name for link in span.links} == {"log.append"}


async def test_the_service_works_while_the_collector_is_down(start_service: StartService) -> None:
    collector = Collector()
    async with collector.running():
        url = collector.url
    service = start_service(WS_OTEL_ENDPOINT=url)
    ana = await service.connect(7, "Ana")
    await ana.sync()
    assert await service.terminate() == 0
