"""Output by each kind of wire, over real sockets: the one in Python, and the native ones."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from service.edge.internals import descriptor
from tests.wire.kinds import KINDS, missing, wire_of

PATIENCE_S = 60
CLIENT_FD_MIN = 200

pytestmark = pytest.mark.parametrize("kind", KINDS)
MISSING = missing()


class Link:
    """A connection, and the client's end of it."""

    def __init__(self, send_queue: Any, client: socket.socket) -> None:
        self.send_queue = send_queue
        self.client = client
        self.flushed = 0
        """How often it was asked to write by itself."""
        self.fails: Exception | None = None

    def flush(self) -> int:
        self.flushed += 1
        if self.fails is not None:
            raise self.fails
        queue = self.send_queue
        data = b"".join(queue.frames)
        queue.frames.clear()
        if not data or queue.transport.is_closing():
            return 0
        queue.written += len(data)
        queue.transport.write(data)
        return len(data)

    def received(self) -> bytes:
        """Return what has come, without waiting."""
        try:
            return self.client.recv(1 << 20)
        except BlockingIOError:
            return b""

    async def read(self, size: int) -> bytes:
        """Return so many bytes."""
        data = b""
        while len(data) < size:
            data += await asyncio.get_running_loop().sock_recv(self.client, size - len(data))
        return data


class Node:
    """An output, and a server whose connections are attached to it."""

    def __init__(self, kind: str) -> None:
        self.failures: list[tuple[object, Exception]] = []
        self.lost: asyncio.Queue[asyncio.BaseTransport] = asyncio.Queue()
        if kind in MISSING:
            pytest.skip(MISSING[kind])
        wire = wire_of(kind)
        self.is_writing = True
        self.scheduled = 0
        """How often a flush was asked for."""
        self.flushed: list[int] = []
        """The bytes of each flush."""
        self.output = wire.new_output(self.failed, self.schedule, self.note, self.may_write)
        self.new_queue = wire.new_queue
        self._made: asyncio.Queue[asyncio.Transport] = asyncio.Queue()
        self.queues: dict[object, Any] = {}
        self.clients: list[socket.socket] = []
        self.links: list[Link] = []

    def failed(self, connection: object, error: Exception) -> None:
        self.failures.append((connection, error))

    def schedule(self) -> None:
        self.scheduled += 1

    def may_write(self) -> bool:
        return self.is_writing

    def note(self, written: int, took_s: float) -> None:
        assert 0 <= took_s < PATIENCE_S
        self.flushed.append(written)

    async def listen(self) -> None:
        node = self

        class Protocol(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                self.transport = transport
                node._made.put_nowait(transport)  # type: ignore[arg-type]

            def connection_lost(self, _error: Exception | None) -> None:
                queue = node.queues.pop(self.transport, None)
                if queue is not None:
                    node.output.detach(queue)
                node.lost.put_nowait(self.transport)

        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(Protocol, "127.0.0.1", 0)
        self.address = self.server.sockets[0].getsockname()

    async def connect(self, *, send_bytes: int | None = None, is_attached: bool = True) -> Link:
        with socket.socket() as low:
            # Out of the way: the lowest descriptors are those of the server's side.
            client = socket.socket(fileno=fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, CLIENT_FD_MIN))
        self.clients.append(client)
        if send_bytes is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, send_bytes)
        client.settimeout(0)
        await asyncio.get_running_loop().sock_connect(client, self.address)
        transport = await self._made.get()
        if send_bytes is not None:
            found = transport.get_extra_info("socket")
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_bytes)
        queue = self.queues[transport] = self.new_queue(transport)
        if is_attached:
            self.output.attach(queue, descriptor(transport))
        return Link(queue, client)


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[Node]:
    await node.listen()
    try:
        # What is wrong often leaves a client waiting.
        async with asyncio.timeout(PATIENCE_S):
            yield node
            for transport in list(node.queues):
                transport.abort()  # type: ignore[attr-defined]
            while node.queues:
                await node.lost.get()
    finally:
        node.server.close()
        for client in node.clients:
            client.close()


def node_of(kind: str) -> AbstractAsyncContextManager[Node]:
    return running(Node(kind))


async def test_frames_arrive_once_in_order_and_in_one_piece(kind: str) -> None:
    async with node_of(kind) as node:
        links = [await node.connect() for _ in range(9)]
        for frame in (b"one", b"two"):
            assert list(node.output.queue(frame, links)) == []
        node.output.queue(b"three", links[:1])
        assert node.output.flush() == 9 * 6 + 5
        assert [await link.read(6) for link in links] == [b"onetwo"] * 9
        assert await links[0].read(5) == b"three"
        assert node.output.flush() == 0
        assert [link.send_queue.written for link in links] == [11] + [6] * 8
        assert [link.flushed for link in links] == [0] * 9


MEMBERS = 20
"""So many that frames for the same list of them are given to their queues together."""


async def test_frames_for_the_same_list_leave_in_order_with_those_for_one_of_it(kind: str) -> None:
    async with node_of(kind) as node:
        links = [await node.connect() for _ in range(MEMBERS)]
        for part in (b"a", b"b", b"c"):
            node.output.queue(part, links)
        node.output.queue(b"-", links[:1])
        for part in (b"d", b"e"):
            node.output.queue(part, links)
        assert node.output.flush() == 5 * MEMBERS + 1
        assert await links[0].read(6) == b"abc-de"
        assert [await link.read(5) for link in links[1:]] == [b"abcde"] * (MEMBERS - 1)
        node.output.queue(b"f", links)
        assert node.output.flush() == MEMBERS


async def test_the_frames_of_a_queue_are_all_that_were_queued_for_it(kind: str) -> None:
    async with node_of(kind) as node:
        links = [await node.connect() for _ in range(MEMBERS)]
        for part in (b"a", b"b"):
            node.output.queue(part, links)
        assert links[3].send_queue.frames == [b"a", b"b"]
        links[3].send_queue.frames.insert(1, b"-")
        node.output.queue(b"c", links)
        node.output.flush()
        assert await links[3].read(4) == b"a-bc"
        assert await links[4].read(3) == b"abc"


async def test_the_frames_of_a_queue_are_complete_where_there_are_two_outputs(kind: str) -> None:
    async with node_of(kind) as node, node_of(kind) as other:
        for one in (node, other):
            one.links = [await one.connect() for _ in range(MEMBERS)]
        for _ in range(2):
            for one in (node, other):
                one.output.queue(b"x", one.links)
        for one in (node, other):
            assert [link.send_queue.frames for link in one.links] == [[b"x", b"x"]] * MEMBERS
            assert one.output.flush() == 2 * MEMBERS


async def test_slow_connections_of_a_list_miss_each_frame_that_they_may_miss(kind: str) -> None:
    async with node_of(kind) as node:
        links = [await node.connect() for _ in range(MEMBERS)]
        slow = links[5]
        slow.send_queue.is_slow = True
        for part in (b"a", b"b"):
            assert list(node.output.queue(part, links, may_miss=True)) == [slow]
        for part in (b"c", b"d"):
            assert list(node.output.queue(part, links)) == []
        assert slow.send_queue.frames == [b"c", b"d"]
        assert links[6].send_queue.frames == [b"a", b"b", b"c", b"d"]


async def test_frames_of_a_list_that_wait_for_a_tick_do_not_keep_others_waiting(kind: str) -> None:
    async with node_of(kind) as node:
        links = [await node.connect() for _ in range(MEMBERS)]
        for part in (b"a", b"b"):
            node.output.queue(part, links, at_tick=True)
        assert (node.output.flush(), node.output.is_due) == (0, False)
        node.output.queue(b"c", links, at_tick=True)
        assert node.output.flush(at_tick=True) == 3 * MEMBERS
        node.output.queue(b"d", links)
        assert node.output.is_due
        assert node.output.flush() == MEMBERS
        assert await links[0].read(4) == b"abcd"


async def test_a_flush_is_scheduled_once_unless_the_end_of_a_read_callback_flushes(
    kind: str,
) -> None:
    async with node_of(kind) as node:
        links = [await node.connect() for _ in range(2)]
        for _ in range(2):
            node.output.queue(b"x", links)
            node.output.mark(links)
        assert (node.scheduled, node.output.is_due) == (1, True)
        node.output.flush()
        assert (node.scheduled, node.output.is_due) == (1, False)
        node.output.queue(b"x", links, at_tick=True)
        assert (node.scheduled, node.output.is_due) == (1, False)
        node.output.flush(at_tick=True)
        node.output.is_reading = True
        node.output.queue(b"x", links)
        assert (node.scheduled, node.output.is_due) == (1, True)
        node.output.flush()
        node.output.is_reading = False
        node.output.mark(links)
        assert node.scheduled == 2


async def test_what_is_due_stays_due_while_nothing_may_be_written(kind: str) -> None:
    async with node_of(kind) as node:
        link = await node.connect()
        node.output.queue(b"x", [link])
        node.output.queue(b"y", [link], at_tick=True)
        node.is_writing = False
        assert node.output.flush() + node.output.flush(at_tick=True) == 0
        assert (node.output.is_due, node.flushed, link.received()) == (True, [], b"")
        node.is_writing = True
        assert node.output.flush() == 2
        assert await link.read(2) == b"xy"


async def test_each_flush_of_something_is_told_with_its_bytes(kind: str) -> None:
    async with node_of(kind) as node:
        links = [await node.connect() for _ in range(2)]
        node.output.flush()
        node.output.queue(b"two", links)
        node.output.flush()
        node.output.flush(at_tick=True)
        assert node.flushed == [6]


async def test_each_gets_its_own_frames_also_where_others_get_as_many(kind: str) -> None:
    async with node_of(kind) as node:
        links = [await node.connect() for _ in range(5)]
        node.output.queue(b"to all,", links)
        for number, link in enumerate(links[1:]):
            node.output.queue(b"%d" % number, [link])
        node.output.queue(b"last", links[:1])
        node.output.flush()
        assert await links[0].read(11) == b"to all,last"
        assert [await link.read(8) for link in links[1:]] == [b"to all,%d" % n for n in range(4)]


@pytest.mark.parametrize("many", [1, 3, 4, 5])
async def test_few_and_many_are_sent_alike(kind: str, many: int) -> None:
    async with node_of(kind) as node:
        links = [await node.connect() for _ in range(many)]
        for number in range(3):
            node.output.queue(b"%d" % number, links)
            node.output.flush()
        assert [await link.read(3) for link in links] == [b"012"] * many


async def test_who_is_slow_gets_no_frame_that_may_be_missed(kind: str) -> None:
    async with node_of(kind) as node:
        slow, quick = await node.connect(), await node.connect()
        slow.send_queue.is_slow = True
        assert list(node.output.queue(b"lost", [slow, quick], may_miss=True)) == [slow]
        assert list(node.output.queue(b"kept", [slow, quick])) == []
        node.output.flush()
        assert slow.flushed == 1, "whether it still is slow, it has to find out by itself"
        assert await slow.read(4) == b"kept"
        assert await quick.read(8) == b"lostkept"


async def test_frames_for_the_tick_wait_for_it_unless_others_leave_before(kind: str) -> None:
    async with node_of(kind) as node:
        waiting, hurried = await node.connect(), await node.connect()
        node.output.queue(b"tick", [waiting, hurried], at_tick=True)
        node.output.queue(b"now", [hurried])
        assert node.output.flush() == 7
        assert await hurried.read(7) == b"ticknow"
        assert waiting.received() == b""
        assert node.output.flush(at_tick=True) == 4
        assert await waiting.read(4) == b"tick"


async def test_a_connection_may_be_due_without_a_new_frame(kind: str) -> None:
    async with node_of(kind) as node:
        link = await node.connect()
        link.send_queue.frames.append(b"by hand")
        node.output.mark([link])
        node.output.mark([link], at_tick=True)
        assert node.output.flush() == 7
        assert node.output.flush(at_tick=True) == 0


async def test_what_is_withheld_is_left_to_the_connection(kind: str) -> None:
    async with node_of(kind) as node:
        links = [await node.connect() for _ in range(5)]
        links[2].send_queue.is_withheld = True
        node.output.queue(b"x", links)
        node.output.flush()
        assert links[2].flushed == 1


async def test_nothing_leaves_for_who_is_discarded(kind: str) -> None:
    async with node_of(kind) as node:
        links = [await node.connect() for _ in range(2)]
        node.output.queue(b"x", links)
        node.output.queue(b"y", links, at_tick=True)
        node.output.discard(links[0])
        assert node.output.flush() == 2
        assert node.output.flush(at_tick=True) == 0
        assert await links[1].read(2) == b"xy"
        assert links[0].received() == b""


async def test_one_switch_stops_all_output(kind: str) -> None:
    async with node_of(kind) as node:
        links = [await node.connect() for _ in range(6)]
        node.output.queue(b"before", links)
        node.output.queue(b"before", links, at_tick=True)
        node.output.stop()
        node.output.queue(b"after", links)
        links[0].send_queue.is_slow = True
        node.output.mark(links)
        assert node.output.flush() + node.output.flush(at_tick=True) == 0
        assert node.output.is_stopped
        await asyncio.sleep(0)
        assert [link.received() for link in links] == [b""] * 6
        assert [link.send_queue.frames for link in links] == [[]] * 6, "what is dropped is freed"


@pytest.mark.parametrize("many", [2, 6])
async def test_what_is_sent_in_part_goes_on_by_the_transport(kind: str, many: int) -> None:
    async with node_of(kind) as node:
        links = [await node.connect(send_bytes=4096) for _ in range(many)]
        sent = [b""] * many
        for number in range(60):
            frame = bytes([number]) * 9000
            node.output.queue(frame, links)
            assert node.output.flush() == 9000 * many
            sent = [one + frame for one in sent]
        assert all(link.send_queue.transport.get_write_buffer_size() for link in links)
        assert all(0 < link.flushed < 60 for link in links)
        for link, expected in zip(links, sent, strict=True):
            assert await link.read(len(expected)) == expected
            assert link.send_queue.written == len(expected)


async def test_much_at_once_is_left_to_the_connection(kind: str) -> None:
    async with node_of(kind) as node:
        link = await node.connect()
        for _ in range(3):
            node.output.queue(bytes(30_000), [link])
        node.output.flush()
        assert link.flushed == 1
        assert len(await link.read(90_000)) == 90_000


async def test_frames_follow_what_the_transport_still_has(kind: str) -> None:
    async with node_of(kind) as node:
        links = [await node.connect(send_bytes=4096) for _ in range(5)]
        before = bytes(1_000_000)
        for link in links:
            link.send_queue.transport.write(before)
        node.output.queue(b"after", links)
        node.output.flush()
        for link in links:
            assert link.flushed == 1
            assert await link.read(len(before) + 5) == before + b"after"


async def test_nothing_is_written_to_who_is_closing(kind: str) -> None:
    async with node_of(kind) as node:
        links = [await node.connect() for _ in range(5)]
        for link in links:
            link.send_queue.transport.close()
        node.output.queue(b"late", links)
        assert node.output.flush() == 0
        for link in links:
            assert await asyncio.get_running_loop().sock_recv(link.client, 9) == b""


@pytest.mark.parametrize("many", [1, 6])
async def test_a_client_that_is_gone_is_found_by_its_transport(kind: str, many: int) -> None:
    async with node_of(kind) as node:
        links = [await node.connect() for _ in range(many)]
        # Abort: the server learns of it when it writes, or from its own loop.
        for link in links:
            link.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            link.client.close()
        node.output.queue(b"x", links)
        node.output.flush()
        async with asyncio.timeout(10):
            for _ in links:
                await node.lost.get()
        node.output.queue(b"x", links)
        assert node.output.flush() == 0
        assert node.failures == []


async def test_what_fails_costs_one_connection_alone(kind: str) -> None:
    async with node_of(kind) as node:
        links = [await node.connect() for _ in range(6)]
        links[1].send_queue.is_slow = True
        links[1].fails = ZeroDivisionError()
        node.output.queue(b"x", links)
        assert node.output.flush() == 5
        assert node.failures == [(links[1], links[1].fails)]
        assert [await link.read(1) for link in links[2:]] == [b"x"] * 4


async def test_frames_arrive_also_when_io_uring_fails_at_run_time(kind: str) -> None:
    # The loop has rings of its own.
    others = rings()
    node = Node(kind)
    own = rings() - others
    assert len(own) == (kind == "ring")
    async with running(node):
        links = [await node.connect() for _ in range(6)]
        for fd in own:
            os.close(fd)
        for _ in range(2):
            node.output.queue(b"x", links)
            node.output.flush()
        assert [await link.read(2) for link in links] == [b"xx"] * 6
        assert [one for one, _ in node.failures] == [None] * len(own)
        assert node.output.method == ("send" if own else node.output.method)


def rings() -> set[int]:
    """Return the descriptors of this process that are io_uring's."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        # That of the listing itself is closed by now.
        with suppress(FileNotFoundError):
            if "io_uring" in str(link.readlink()):
                found.add(int(link.name))
    return found


async def test_a_closed_connection_ends_at_once_for_its_client(kind: str) -> None:
    """A table of the kernel that still had the socket would keep the connection open."""
    async with node_of(kind) as node:
        # The quickest of three counts: other processes have their turns as well.
        took_s = [await ends_of_eight_s(node) for _ in range(3)]
        assert min(took_s) < 0.5, took_s


async def ends_of_eight_s(node: Node) -> float:
    """Close connections after a byte; return how long it takes until all clients have seen it."""
    links = [await node.connect() for _ in range(8)]
    node.output.queue(b"x", links)
    node.output.flush()
    began = time.monotonic()
    for link in links:
        link.send_queue.transport.close()
    for link in links:
        assert await link.read(1) == b"x"
        assert await asyncio.get_running_loop().sock_recv(link.client, 1) == b""
    return time.monotonic() - began


async def test_a_queue_that_was_not_detached_writes_to_nobody_else(kind: str) -> None:
    async with node_of(kind) as node:
        first = await node.connect()
        forgotten = node.queues.pop(first.send_queue.transport)
        fd = descriptor(forgotten.transport)
        forgotten.transport.close()
        await node.lost.get()
        first.client.close()
        second = [await node.connect() for _ in range(4)]
        while fd not in {descriptor(link.send_queue.transport) for link in second}:
            second.append(await node.connect())
        # As if its transport did not know that it is closed.
        forgotten.transport = Open()
        node.output.queue(b"old", [first])
        node.output.queue(b"new", second)
        node.output.flush()
        assert {await link.read(3) for link in second} == {b"new"}
        assert {link.received() for link in second} == {b""}


class Open:
    """A transport that says that it is open and has written all."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        self.written.append(data)


async def test_descriptors_beyond_the_table_of_the_ring_are_written_to_as_well(kind: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The table has as many places as there may be descriptors when it is made.
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, hard))
    try:
        node = Node(kind)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    async with running(node):
        links = [await node.connect() for _ in range(50)]
        node.output.queue(b"x", links)
        assert node.output.flush() == 50
        assert {await link.read(1) for link in links} == {b"x"}
        assert max(descriptor(link.send_queue.transport) for link in links) > 40
        assert not any(link.flushed for link in links)


async def test_other_transports_get_what_is_written(kind: str) -> None:
    async with node_of(kind) as node:
        queue = node.new_queue(Open())
        node.output.attach(queue, descriptor(queue.transport))
        link = Link(queue, socket.socket())
        node.output.queue(b"x", [link])
        node.output.flush()
        assert queue.transport.written == [b"x"]
        link.client.close()


async def test_descriptors_change_hands_while_everybody_is_told(kind: str) -> None:
    """10,000 connections come and go; each gets frames of its own time, and its own, alone."""
    async with node_of(kind) as node:
        links: list[Link] = []
        loop = asyncio.get_running_loop()
        for number in range(10_000):
            link = await node.connect()
            links.append(link)
            node.output.queue(b"<%d>" % number, [link])
            node.output.queue(b".", links)
            node.output.flush()
            if len(links) > 12:
                # The oldest goes: by its own side, by the server, or in a hurry.
                gone = links.pop(number % 5)
                if number % 3 == 0:
                    gone.client.close()
                elif number % 3 == 1:
                    gone.send_queue.transport.close()
                else:
                    gone.send_queue.transport.abort()
                # Its descriptor is free when the loop has come around, or is not yet.
                if number % 2:
                    await asyncio.sleep(0)
                node.output.queue(b"!", [gone])
                node.output.flush()
                if number % 3:
                    data = b""
                    while got := await loop.sock_recv(gone.client, 4096):
                        data += got
                    first, _, rest = data.partition(b">")
                    assert first[1:].isdigit()
                    assert set(rest) == {ord(".")}, data
                    gone.client.close()
        assert node.failures == []
