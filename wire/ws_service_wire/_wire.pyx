# cython: language_level=3, binding=False, auto_pickle=False, emit_code_comments=False
"""The hot paths between frames and sockets, in C; `service/edge/wire/python.py` is the twin.

Outgoing: a frame is queued for many sockets in one loop, and what is queued leaves in one system
call. Incoming: the text frames at the beginning of what was read become texts.

`service/edge/wire/interface.py` says what each function promises.
"""

import os
import resource

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdlib cimport calloc, free
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

cdef extern from "batch.h" nogil:
    enum: BATCH_MAX
    struct job:
        const char *data
        unsigned size
        int fd
        int is_registered
        int sent
    struct ring:
        int fd
    int batch_ring_open(ring *, unsigned)
    void batch_ring_close(ring *)
    int batch_ring_register(ring *, unsigned, int)
    int batch_ring_send(ring *, job *, unsigned)
    void batch_send(job *, unsigned)
    void unmask(char *, const char *, size_t, const char *)

cdef enum:
    SLOTS = 32768       # descriptors from here on are left to their transports
    DIRECT_MAX = 65536  # bytes; more than a socket takes at once is left to its transport, too
    RING_FROM = 32      # sockets; for fewer, the ring gains nothing over calls of send()
    GROUP_MIN = 16      # sockets; for fewer, there is little to gain by a group
    HEADER = 6          # bytes of a short frame's header, with its mask
    SOON = 1            # a queue is due at the end of the turn
    AT_TICK = 2         # a queue is due at the next frame tick


cdef Output grouping = None  # the output whose group has frames that no queue has yet


cdef class SendQueue:
    """The frames that wait to be written to one socket."""

    cdef public object transport
    cdef public bint is_slow, is_withheld
    cdef public long long written
    cdef list queued
    cdef int fd
    cdef unsigned holder, due
    cdef bint is_registered

    def __init__(self, transport):
        self.transport = transport
        self.queued = []
        self.fd = -1

    @property
    def frames(self):
        if grouping is not None:
            grouping._settle()
        return self.queued


cdef double now_s():
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec + now.tv_nsec * 1e-9


cdef class Output:
    cdef readonly bint is_stopped
    cdef public bint is_reading
    cdef ring ring
    cdef job *jobs
    cdef unsigned *holders  # how often each descriptor has changed hands
    cdef unsigned files, ring_from
    cdef object failed, schedule, flushed, may_write
    cdef list soon, at_tick, sending, buffers, joined
    cdef bytes joint
    # Frames that follow one for the same list of connections, as in a room: they are given to the
    # queues together, when anything else is queued, is flushed or asks for a queue's frames.
    cdef list group, group_frames, group_slow
    cdef bint group_may_miss, group_at_tick

    def __cinit__(self):
        self.ring.fd = -1
        self.jobs = <job *>calloc(BATCH_MAX, sizeof(job))
        self.holders = <unsigned *>calloc(SLOTS, sizeof(unsigned))
        if not self.jobs or not self.holders:
            raise MemoryError

    def __init__(
        self, failed, schedule, flushed, may_write,
        *, bint may_use_ring=True, unsigned ring_from=RING_FROM
    ):
        self.failed, self.schedule, self.flushed = failed, schedule, flushed
        self.may_write = may_write
        self.ring_from = ring_from
        self.soon, self.at_tick, self.sending, self.buffers, self.joined = [], [], [], [], []
        self.joint = b""
        self.group_frames = []
        if may_use_ring:
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            batch_ring_open(&self.ring, min(SLOTS, limit if limit > 0 else SLOTS))
            # Older tables let go of a file a second late, and its connection would end as late.
            release = os.uname().release.split(".")
            if (int(release[0]), int(release[1])) >= (6, 4):
                self.files = min(SLOTS, limit if limit > 0 else SLOTS)

    def __dealloc__(self):
        batch_ring_close(&self.ring)
        free(self.jobs)
        free(self.holders)

    @property
    def method(self):
        return "send" if self.ring.fd < 0 else "ring"

    def attach(self, SendQueue queue, int fd):
        self.detach(queue)
        if 0 <= fd < SLOTS:
            self.holders[fd] += 1
            queue.fd, queue.holder = fd, self.holders[fd]
            if self.ring.fd >= 0 and fd < <int>self.files:
                queue.is_registered = batch_ring_register(&self.ring, fd, fd)

    def detach(self, SendQueue queue):
        if queue.fd >= 0 and queue.holder == self.holders[queue.fd]:
            self.holders[queue.fd] += 1
            if queue.is_registered and self.ring.fd >= 0:
                batch_ring_register(&self.ring, queue.fd, -1)
        queue.fd, queue.is_registered = -1, False

    def stop(self):
        self.is_stopped = True

    @property
    def is_due(self):
        return bool(self.soon)

    def queue(self, bytes frame, connections, *, bint may_miss=False, bint at_tick=False):
        cdef SendQueue queue
        global grouping
        if (
            connections is self.group and self.group is not None
            and may_miss == self.group_may_miss and at_tick == self.group_at_tick
        ):
            self.group_frames.append(frame)
            if grouping is not None and grouping is not self:
                grouping._settle()
            grouping = self
            return self.group_slow
        self._settle()
        slow = []
        for connection in connections:
            queue = connection.send_queue
            if may_miss and queue.is_slow:
                slow.append(connection)
            else:
                queue.queued.append(frame)
            self._mark(connection, queue, at_tick)
        if type(connections) is list and len(connections) >= GROUP_MIN:
            self.group, self.group_slow = connections, slow
            self.group_may_miss, self.group_at_tick = may_miss, at_tick
        return slow

    cdef int _settle(self) except -1:
        """Give the frames of the group to its queues, and begin no new one."""
        cdef SendQueue queue
        global grouping
        group, self.group = self.group, None
        if self.group_frames:
            grouping = None
            frames, self.group_frames = self.group_frames, []
            for connection in group:
                queue = connection.send_queue
                if not (self.group_may_miss and queue.is_slow):
                    queue.queued.extend(frames)
        return 0

    def mark(self, connections, *, bint at_tick=False):
        self._settle()
        for connection in connections:
            self._mark(connection, connection.send_queue, at_tick)

    cdef inline int _mark(self, connection, SendQueue queue, bint at_tick) except -1:
        cdef unsigned flag = AT_TICK if at_tick else SOON
        if not queue.due & flag:
            queue.due |= flag
            if not (at_tick or self.is_reading or self.soon):
                self.schedule()
            (self.at_tick if at_tick else self.soon).append(connection)
        return 0

    def discard(self, connection):
        cdef SendQueue queue = connection.send_queue
        queue.due = 0

    def flush(self, *, bint at_tick=False):
        cdef double began_s
        cdef long long written = 0
        cdef list due = self.at_tick if at_tick else self.soon
        if due and (self.may_write is None or self.may_write()):
            if at_tick:
                self.at_tick = []
            else:
                self.soon = []
            self._settle()
            began_s = now_s()
            written = self._flush(due, AT_TICK if at_tick else SOON)
            self.flushed(written, now_s() - began_s)
        return written

    cdef long long _flush(self, list due, unsigned flag) except -1:
        cdef long long written = 0
        cdef SendQueue queue
        later = []
        for connection in due:
            queue = connection.send_queue
            if not queue.due & flag:
                continue
            queue.due &= ~flag
            if self.is_stopped:
                queue.queued.clear()
            elif not queue.queued and not queue.is_slow:
                continue
            else:
                try:
                    if self._is_direct(queue):
                        written += self._take(connection, queue)
                    else:
                        later.append(connection)
                except Exception as error:
                    self.failed(connection, error)
                if len(self.sending) == BATCH_MAX:
                    self._send()
        self._send()
        for connection in later:
            try:
                written += connection.flush()
            except Exception as error:
                self.failed(connection, error)
        return written

    cdef bint _is_direct(self, SendQueue queue) except -1:
        return (
            queue.fd >= 0 and not queue.is_slow and not queue.is_withheld
            and queue.holder == self.holders[queue.fd]
            and not queue.transport.is_closing() and queue.transport.get_write_buffer_size() == 0
            and self._size(queue.queued) <= DIRECT_MAX
        )

    cdef Py_ssize_t _size(self, list frames) except -1:
        cdef Py_ssize_t size = 0
        for frame in frames:
            size += PyBytes_GET_SIZE(<bytes?>frame)
        return size

    cdef Py_ssize_t _take(self, connection, SendQueue queue) except -1:
        """Put the frames of a socket into the batch, as one buffer."""
        cdef bytes data = self._join(queue.queued)
        cdef job *job = &self.jobs[len(self.sending)]
        job.data, job.size = PyBytes_AS_STRING(data), <unsigned>PyBytes_GET_SIZE(data)
        job.fd, job.is_registered = queue.fd, queue.is_registered
        self.sending.append(connection)
        self.buffers.append(data)
        queue.written += job.size
        queue.queued.clear()
        return job.size

    cdef bytes _join(self, list frames):
        """Join frames; many sockets get the same ones, which are joined once."""
        cdef Py_ssize_t i, n = len(frames)
        if n == 1:
            return frames[0]
        if n == len(self.joined):
            for i in range(n):
                if frames[i] is not self.joined[i]:
                    break
            else:
                return self.joint
        self.joined, self.joint = frames[:], b"".join(frames)
        return self.joint

    cdef int _send(self) except -1:
        """Send the batch, and leave what is left of it to the transports."""
        cdef unsigned i, n = <unsigned>len(self.sending)
        cdef int error = 0, sent
        if n < self.ring_from:
            # So few take less time than it may take to get the GIL back.
            batch_send(self.jobs, n)
        elif self.ring.fd < 0:
            with nogil:
                batch_send(self.jobs, n)
        else:
            with nogil:
                error = batch_ring_send(&self.ring, self.jobs, n)
        sending, self.sending, buffers, self.buffers = self.sending, [], self.buffers, []
        self.joined, self.joint = [], b""
        if error:
            batch_ring_close(&self.ring)
            self.failed(None, OSError(error, "io_uring has failed"))
        for i in range(n):
            sent = self.jobs[i].sent
            if sent < <int>self.jobs[i].size:
                queue = <SendQueue>sending[i].send_queue
                try:
                    queue.transport.write(buffers[i][max(sent, 0):])
                except Exception as error_:
                    self.failed(sending[i], error_)
        return 0


cdef class Reader:
    """Takes the place of a connection's protocol, and handles texts when they are read."""

    cdef public bint is_plain
    cdef readonly double heard_at_s
    cdef Output output
    cdef object connection, incoming, handle
    cdef Py_ssize_t size_max

    def __init__(self, Output output, connection, incoming, handle, Py_ssize_t size_max):
        self.output, self.connection, self.incoming = output, connection, incoming
        self.handle, self.size_max = handle, size_max
        self.is_plain = True

    def data_received(self, data):
        self.heard_at_s = now_s()
        self.output.is_reading = True
        try:
            if self.is_plain:
                data = self._read_texts(data)
            if data:
                self.is_plain = self.incoming.read(data)
        finally:
            self.output.is_reading = False
            if self.output.soon:
                self.output.flush()

    def connection_lost(self, error):
        self.connection.connection_lost(error)

    def eof_received(self):
        return self.connection.eof_received()

    def pause_writing(self):
        self.connection.pause_writing()

    def resume_writing(self):
        self.connection.resume_writing()

    cdef _read_texts(self, bytes data):
        """Handle the texts at the beginning of `data`, up to one that is kept; return the rest."""
        cdef const char *at = PyBytes_AS_STRING(data)
        cdef const unsigned char *head
        cdef Py_ssize_t left = PyBytes_GET_SIZE(data), begin, size
        cdef char payload[65536]
        while left >= HEADER and self.is_plain:
            head = <const unsigned char *>at
            begin, size = HEADER, head[1] & 0x7F
            if size == 126 and left >= HEADER + 2:
                begin, size = HEADER + 2, head[2] << 8 | head[3]
                if size < 126:
                    break
            elif size >= 126:
                break
            # Final, of text, masked, not too long, and here to its end.
            if head[0] != 0x81 or head[1] < 0x80 or size > self.size_max or left < begin + size:
                break
            unmask(payload, at + begin, size, at + begin - 4)
            try:
                text = PyUnicode_DecodeUTF8(payload, size, NULL)
            except UnicodeDecodeError:
                break
            at += begin + size
            left -= begin + size
            self._handle(text)
        return data[PyBytes_GET_SIZE(data) - left:] if left else None

    cdef int _handle(self, text) except -1:
        try:
            if not self.handle(text):
                self.is_plain = False
                self.incoming.keep(text)
        except Exception as error:
            self.incoming.fail(error)
        return 0
