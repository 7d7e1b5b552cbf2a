"""Everything that a Socket.IO client sends counts against its rate, not only events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from service.domain.commands.presence import CLEAN_CLOSES
from service.edge.socketio.link import Link
from service.edge.wire.python import SendQueue
from service.settings.sections.connections import ConnectionLimits, Rate, UserLimits
from tests.limits import session_limits

if TYPE_CHECKING:
    from service.edge.endpoint import Connect

BURST = 20


async def make_link(closed: list[Link]) -> Link:
    async def serve(*_: Any) -> None:
        """Serve no client."""

    limits = ConnectionLimits(
        user=UserLimits(session=session_limits(Rate(0.001, BURST))),
        heartbeat_s=120,
        socketio_connect_s=60,
    )
    request: Any = None
    return Link(
        "sid",
        request,
        limits,
        serve=serve,
        closed=closed.append,
        changed=lambda _: None,
        attach=lambda *_: None,
    )


@pytest.mark.parametrize(
    "packet",
    [
        "3",
        "3probe",
        "6",
        "bAAAA",
        "41/other,",
        "40/other,",
        "43/other,1[]",
        "451-/o,[]",
        '42/o,["ping"]',
    ],
)
async def test_control_packets_count_and_close_the_connection_when_they_go_on(packet: str) -> None:
    closed: list[Link] = []
    link = await make_link(closed)
    for number in range(BURST):
        await link.receive(packet)
        assert not link.is_closed, number
    await link.receive(packet)
    assert link.is_closed
    assert closed == [link]


@pytest.mark.parametrize("packet", ["43[]", "6", '42/o,["ping"]'])
async def test_long_control_packets_cost_more(packet: str) -> None:
    closed: list[Link] = []
    link = await make_link(closed)
    long = packet + " " * (4 * 4096)
    for number in range(BURST // 5):
        await link.receive(long.replace("43", "43/o,"))
        assert not link.is_closed, number
    await link.receive("6")
    assert closed == [link]


async def test_polls_and_posts_count_against_the_rate() -> None:
    link = await make_link([])
    assert [await link.spend() for _ in range(BURST + 1)] == [True] * BURST + [False]


async def test_control_packets_of_a_user_are_charged_to_their_session() -> None:
    link = await make_link([])
    link._connect("token")  # noqa: SLF001 - there is no other way to a session without a service
    session = link._session  # noqa: SLF001 - there is no public way
    assert session is not None
    counted: list[int] = []

    def count() -> bool:
        counted.append(1)
        return len(counted) < 3

    session.set_message_handler(lambda _text: False, count)
    assert [await link.spend() for _ in range(4)] == [True, True, False, False]
    link.lost(1000)


async def test_a_ping_to_a_client_that_reads_nothing_closes_nothing() -> None:
    link = await make_link([])
    link.polling.write(b"x" * 2_000_000)
    link._ping()  # noqa: SLF001 - a timer calls it
    assert not link.is_closed
    link.lost(1000)


@pytest.mark.parametrize(
    ("code", "is_told"), [(4013, True), (4001, True), (1002, False), (1009, False)]
)
async def test_nothing_more_is_sent_after_a_protocol_error(code: int, *, is_told: bool) -> None:
    link = await make_link([])
    await link.close(code, "over")
    assert link.has_unread_reason is is_told


async def test_a_lost_link_gets_no_closing_packet() -> None:
    link = await make_link([])
    link.lost(1006)
    assert not link.has_unread_reason


async def test_an_engineio_close_is_not_a_clean_close() -> None:
    link = await make_link([])
    link._connect("token")  # noqa: SLF001 - there is no other way to a session without a service
    session = link._session  # noqa: SLF001 - there is no public way
    assert session is not None
    await link.receive("1")
    assert session.close_code is not None
    assert session.close_code not in CLEAN_CLOSES


async def test_a_connection_that_ended_before_its_authentication_is_not_counted_again() -> None:
    changed: list[Link] = []
    connects: list[Connect] = []
    served = asyncio.Event()

    async def serve(_link: Link, _session: object, _token: str | None, connect: Connect) -> None:
        connects.append(connect)
        served.set()

    request: Any = None
    link = Link(
        "sid",
        request,
        ConnectionLimits(heartbeat_s=120, socketio_connect_s=60),
        serve=serve,
        closed=lambda _: None,
        changed=changed.append,
        attach=lambda *_: None,
    )
    await link.receive("40")
    await served.wait()
    link.lost(1006)
    counted = len(changed)
    connects[0]("n1.1.1", 1, SendQueue)
    assert len(changed) == counted
