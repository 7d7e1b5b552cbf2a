"""New connections go on at once, or in order of arrival when many come together."""

import asyncio

import pytest

from service.edge.http import arrivals
from service.edge.http.arrivals import BURST, Arrivals


class Connection:
    """A connection that notes when it goes on."""

    def __init__(self, number: int, read: list[int]) -> None:
        self.number = number
        self.read = read
        self.is_waiting = self.is_lost = False
        self.resumed = asyncio.Event()

    def arrive(self, paced: Arrivals) -> None:
        self.is_waiting = not paced.may_go_on(self)

    def go_on(self) -> None:
        self.is_waiting = False
        self.read.append(self.number)
        self.resumed.set()


@pytest.fixture
def read() -> list[int]:
    """The numbers of the connections that have waited."""
    return []


@pytest.fixture
def connections(read: list[int]) -> list[Connection]:
    return [Connection(number, read) for number in range(3 * BURST)]


async def test_a_few_connections_go_on_at_once(connections: list[Connection]) -> None:
    paced = Arrivals()
    for connection in connections[:BURST]:
        connection.arrive(paced)
    assert not any(connection.is_waiting for connection in connections)


async def test_many_connections_go_on_in_order_of_arrival(
    connections: list[Connection], read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The pace of this machine has no part in it.
    monkeypatch.setattr(arrivals, "ARRIVALS_PER_S", 0)
    paced = Arrivals()
    for connection in connections:
        connection.arrive(paced)
    assert [one.number for one in connections if one.is_waiting] == list(range(BURST, 3 * BURST))
    monkeypatch.undo()
    await connections[-1].resumed.wait()
    assert read == list(range(BURST, 3 * BURST))


async def test_a_newcomer_does_not_overtake_those_who_wait(
    connections: list[Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "ARRIVALS_PER_S", 0)
    paced = Arrivals()
    for connection in connections[: BURST + 1]:
        connection.arrive(paced)
    monkeypatch.setattr(arrivals, "ARRIVALS_PER_S", 1e9)
    connections[BURST + 1].arrive(paced)
    assert connections[BURST + 1].is_waiting


async def test_a_connection_that_was_closed_meanwhile_is_passed_over(
    connections: list[Connection], read: list[int]
) -> None:
    paced = Arrivals()
    for connection in connections:
        connection.arrive(paced)
    closed = next(one for one in connections if one.is_waiting)
    closed.is_lost = True
    await connections[-1].resumed.wait()
    assert closed.number not in read
