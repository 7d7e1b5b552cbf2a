/* A floor that sends to all sockets by one `io_uring_enter`, for at most 4096 of them at a time.
 *
 * The sockets are registered files, a send that succeeds leaves no completion, and none may wait:
 * so all is done when the call returns.
 */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "floor.h"

#define ENTRIES 4096 /* a power of two */

static int ring;
static struct io_uring_sqe *entries;
static unsigned *tail, *done_head, *done_tail, files;

static void fail(const char *call) {
    perror(call);
    exit(1);
}

static void *map(size_t size, off_t what) {
    void *at = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, what);
    if (at == MAP_FAILED) fail("mmap");
    return at;
}

void prepare(void) {
    struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                         IORING_SETUP_SUBMIT_ALL};
    ring = syscall(__NR_io_uring_setup, ENTRIES, &p);
    if (ring < 0) fail("io_uring_setup");
    /* One mapping has both rings, and the array of the one stands behind the other. */
    char *rings = map(p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    entries = map(ENTRIES * sizeof *entries, IORING_OFF_SQES);
    tail = (unsigned *)(rings + p.sq_off.tail);
    done_head = (unsigned *)(rings + p.cq_off.head);
    done_tail = (unsigned *)(rings + p.cq_off.tail);
    for (unsigned i = 0; i < ENTRIES; i++) ((unsigned *)(rings + p.sq_off.array))[i] = i;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    files = limit.rlim_cur < SOCKETS_MAX ? limit.rlim_cur : SOCKETS_MAX;
    struct io_uring_rsrc_register table = {.nr = files, .flags = IORING_RSRC_REGISTER_SPARSE};
    if (syscall(__NR_io_uring_register, ring, IORING_REGISTER_FILES2, &table, sizeof table) < 0)
        fail("io_uring_register");
}

/* Put a file into the slot of a socket; -1 empties it. */
static void put(int socket, int file) {
    struct io_uring_files_update update = {.offset = socket, .fds = (size_t)&file};
    if (syscall(__NR_io_uring_register, ring, IORING_REGISTER_FILES_UPDATE, &update, 1) != 1)
        fail("io_uring_register");
}

void opened(int socket) { put(socket, socket); }
void closes(int socket) { put(socket, -1); }

void send_to_others(int from, const unsigned char *frame, size_t length, const int *sockets, int count) {
    for (int i = 0; i < count;) {
        unsigned n = 0;
        for (; i < count && n < ENTRIES; i++) {
            if (sockets[i] == from) continue;
            struct io_uring_sqe *entry = &entries[(*tail + n++) & (ENTRIES - 1)];
            memset(entry, 0, sizeof *entry);
            entry->opcode = IORING_OP_SEND;
            entry->flags = IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
            entry->fd = sockets[i];
            entry->addr = (size_t)frame;
            entry->len = length;
            entry->msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
        }
        __atomic_store_n(tail, *tail + n, __ATOMIC_RELEASE);
        syscall(__NR_io_uring_enter, ring, n, 0, IORING_ENTER_GETEVENTS, 0, 0);
        /* As in send_loop.c, it matters to nobody here what failed. */
        __atomic_store_n(done_head, __atomic_load_n(done_tail, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
    }
}
