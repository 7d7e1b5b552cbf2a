/* Sends one buffer each on many sockets, without blocking: in one io_uring_enter, or in a loop.
 *
 * The ring is used by raw system calls and by one thread. It needs Linux 6.1; everywhere else, and
 * where io_uring is forbidden, batch_ring_open answers an errno and batch_send does the work.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__has_include) && __has_include(<linux/io_uring.h>)
#include <linux/io_uring.h>
#endif

#define BATCH_MAX 1024 /* requests of one io_uring_enter; a power of two */

struct job {
    const char *data;
    unsigned size;
    int fd;
    int is_registered; /* whether the ring's table has this descriptor, under its own number */
    int sent;          /* answer: bytes, or a negative errno */
};

static void batch_send(struct job *jobs, unsigned n) {
    for (struct job *job = jobs; job < jobs + n; job++) {
        do
            job->sent = (int)send(job->fd, job->data, job->size, MSG_DONTWAIT | MSG_NOSIGNAL);
        while (job->sent < 0 && errno == EINTR);
        if (job->sent < 0)
            job->sent = -errno;
    }
}

struct ring {
    int fd;
    char *rings;
    size_t rings_size;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
    unsigned *sq_head, *sq_tail, *cq_head, *cq_tail, cq_mask;
};

#ifdef IORING_SETUP_DEFER_TASKRUN

static void batch_ring_close(struct ring *ring) {
    if (ring->sqes)
        munmap(ring->sqes, BATCH_MAX * sizeof *ring->sqes);
    if (ring->rings)
        munmap(ring->rings, ring->rings_size);
    if (ring->fd >= 0)
        close(ring->fd);
    memset(ring, 0, sizeof *ring);
    ring->fd = -1;
}

static void *batch_map(int fd, size_t size, off_t what) {
    void *at = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);
    return at == MAP_FAILED ? NULL : at;
}

/* Make a ring with room for this many descriptors; returns 0 or an errno. */
static int batch_ring_open(struct ring *ring, unsigned files) {
    struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                         IORING_SETUP_SUBMIT_ALL};
    struct io_uring_rsrc_register table = {.nr = files, .flags = IORING_RSRC_REGISTER_SPARSE};
    memset(ring, 0, sizeof *ring);
    ring->fd = (int)syscall(__NR_io_uring_setup, BATCH_MAX, &p);
    if (ring->fd < 0)
        return errno;
    ring->rings_size = p.cq_off.cqes + p.cq_entries * sizeof *ring->cqes;
    if (ring->rings_size < p.sq_off.array + p.sq_entries * sizeof(unsigned))
        ring->rings_size = p.sq_off.array + p.sq_entries * sizeof(unsigned);
    ring->rings = batch_map(ring->fd, ring->rings_size, IORING_OFF_SQ_RING);
    ring->sqes = batch_map(ring->fd, BATCH_MAX * sizeof *ring->sqes, IORING_OFF_SQES);
    if (!ring->rings || !ring->sqes ||
        syscall(__NR_io_uring_register, ring->fd, IORING_REGISTER_FILES2, &table, sizeof table) < 0) {
        int error = errno;
        batch_ring_close(ring);
        return error;
    }
    ring->sq_head = (unsigned *)(ring->rings + p.sq_off.head);
    ring->sq_tail = (unsigned *)(ring->rings + p.sq_off.tail);
    ring->cq_head = (unsigned *)(ring->rings + p.cq_off.head);
    ring->cq_tail = (unsigned *)(ring->rings + p.cq_off.tail);
    ring->cqes = (struct io_uring_cqe *)(ring->rings + p.cq_off.cqes);
    ring->cq_mask = p.cq_entries - 1;
    for (unsigned i = 0; i < BATCH_MAX; i++) /* request i always stands in entry i */
        ((unsigned *)(ring->rings + p.sq_off.array))[i] = i;
    return 0;
}

/* Put a descriptor into the table under its own number, or -1 to take it out. */
static int batch_ring_register(struct ring *ring, unsigned slot, int fd) {
    struct io_uring_files_update update = {.offset = slot, .fds = (size_t)&fd};
    return syscall(__NR_io_uring_register, ring->fd, IORING_REGISTER_FILES_UPDATE, &update, 1) == 1;
}

/* Send at most BATCH_MAX buffers; returns 0 or an errno, with which the ring is of no more use. */
static int batch_ring_send(struct ring *ring, struct job *jobs, unsigned n) {
    unsigned head, left = n, tail = *ring->sq_tail;
    int error = 0;
    for (unsigned i = 0; i < n; i++) {
        struct io_uring_sqe *sqe = &ring->sqes[(tail + i) & (BATCH_MAX - 1)];
        memset(sqe, 0, sizeof *sqe);
        sqe->opcode = IORING_OP_SEND;
        sqe->flags = jobs[i].is_registered ? IOSQE_FIXED_FILE : 0;
        sqe->fd = jobs[i].fd;
        sqe->addr = (size_t)jobs[i].data;
        sqe->len = jobs[i].size;
        sqe->msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
        sqe->user_data = i;
        jobs[i].sent = -EAGAIN;
    }
    __atomic_store_n(ring->sq_tail, tail + n, __ATOMIC_RELEASE);
    while (left) { /* once: what may not wait is done within the call */
        unsigned to_submit = *ring->sq_tail - __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE);
        if (syscall(__NR_io_uring_enter, ring->fd, to_submit, left, IORING_ENTER_GETEVENTS, 0, 0) < 0 &&
            errno != EINTR) {
            error = errno;
            /* What the kernel has not taken stays unsent; what it has taken is still waited for. */
            head = __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE);
            left -= *ring->sq_tail - head;
            __atomic_store_n(ring->sq_tail, head, __ATOMIC_RELEASE);
            if (to_submit == 0)
                break;
        }
        for (head = *ring->cq_head; head != __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE); head++) {
            struct io_uring_cqe *cqe = &ring->cqes[head & ring->cq_mask];
            jobs[cqe->user_data].sent = cqe->res;
            left--;
        }
        __atomic_store_n(ring->cq_head, head, __ATOMIC_RELEASE);
    }
    return error;
}

#else

static void batch_ring_close(struct ring *ring) { ring->fd = -1; }
static int batch_ring_open(struct ring *ring, unsigned files) {
    (void)files;
    ring->fd = -1;
    return ENOSYS;
}
static int batch_ring_register(struct ring *ring, unsigned slot, int fd) {
    (void)ring, (void)slot, (void)fd;
    return 0;
}
static int batch_ring_send(struct ring *ring, struct job *jobs, unsigned n) {
    (void)ring, (void)jobs, (void)n;
    return ENOSYS;
}

#endif

/* Unmask a payload (RFC 6455, 5.3). */
static void unmask(char *to, const char *from, size_t n, const char *mask) {
    for (size_t i = 0; i < n; i++)
        to[i] = from[i] ^ mask[i & 3];
}
