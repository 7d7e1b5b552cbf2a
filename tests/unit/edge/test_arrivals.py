"""New connections are read from at once, or in order of arrival when many come together."""

import asyncio

import pytest

from service.edge.http import arrivals
from service.edge.http.arrivals import BURST, Arrivals


class Connection:
    """A transport that notes when it is read from."""

    def __init__(self, number: int, read: list[int]) -> None:
        self.number = number
        self.read = read
        self.is_paused = self.is_closed = False
        self.resumed = asyncio.Event()

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False
        self.read.append(self.number)
        self.resumed.set()

    def is_closing(self) -> bool:
        return self.is_closed


@pytest.fixture
def read() -> list[int]:
    """The numbers of the connections that were resumed."""
    return []


@pytest.fixture
def connections(read: list[int]) -> list[Connection]:
    return [Connection(number, read) for number in range(3 * BURST)]


async def test_a_few_connections_are_read_from_at_once(connections: list[Connection]) -> None:
    paced = Arrivals()
    for connection in connections[:BURST]:
        paced.arrived(connection)
    assert not any(connection.is_paused for connection in connections)


async def test_many_connections_are_read_from_in_order_of_arrival(
    connections: list[Connection], read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The pace of this machine has no part in it.
    monkeypatch.setattr(arrivals, "ARRIVALS_PER_S", 0)
    paced = Arrivals()
    for connection in connections:
        paced.arrived(connection)
    assert [one.number for one in connections if one.is_paused] == list(range(BURST, 3 * BURST))
    monkeypatch.undo()
    await connections[-1].resumed.wait()
    assert read == list(range(BURST, 3 * BURST))


async def test_a_newcomer_does_not_overtake_those_who_wait(
    connections: list[Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "ARRIVALS_PER_S", 0)
    paced = Arrivals()
    for connection in connections[: BURST + 1]:
        paced.arrived(connection)
    monkeypatch.setattr(arrivals, "ARRIVALS_PER_S", 1e9)
    paced.arrived(connections[BURST + 1])
    assert connections[BURST + 1].is_paused


async def test_a_connection_that_was_closed_meanwhile_is_passed_over(
    connections: list[Connection], read: list[int]
) -> None:
    paced = Arrivals()
    for connection in connections:
        paced.arrived(connection)
    closed = next(one for one in connections if one.is_paused)
    closed.is_closed = True
    await connections[-1].resumed.wait()
    assert closed.number not in read
