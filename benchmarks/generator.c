/* A load generator for WebSocket servers: one thread, one epoll, no library but libc.
 *
 * It reads a plan (generator.py says its format), opens the connections, lets each one
 * follow its script, prints "ready", waits for a line on standard input, sends at a fixed rate
 * whatever the server does, and prints one line of JSON. Latencies and arrivals go to files.
 *
 * A message carries the time at which it was due, so a latency also holds what the generator was
 * late by. While it measures it never sleeps, it polls: else the server's `send` would pay for waking
 * it, which no client does that is on another machine. Times are in microseconds since EPOCH_US before the start of this process: ten digits,
 * which every JSON library passes on unchanged.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EPOCH_US 1000000000ull
#define READ_BYTES (1 << 18)
#define EVENTS_MAX 1024
#define PIDS_MAX 16
#define ROOM_MAX 80
#define PER_ADDRESS 10000 /* connections from one source address, well below its free ports */
#define STDIN_EVENT UINT32_MAX

/* The key of the example in RFC 6455, section 1.3, and its answer: it is no secret. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

enum opcode { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10 };
enum step_kind { STEP_SEND, STEP_AWAIT, STEP_ROOM, STEP_IF, STEP_BARRIER };
enum state { WAITING, CONNECTING, SHAKING, SCRIPTED, READY, GONE };

typedef struct {
    enum step_kind kind;
    char *pattern; /* what a frame must contain */
    char *text;    /* what is sent */
} step;

typedef struct {
    char *data;
    size_t length, capacity;
} buffer;

typedef struct {
    int fd;
    in_port_t port; /* in network order; that of the plan unless given */
    enum state state;
    char *target;
    step *steps;
    int steps_count, step_now;
    char **messages;
    int messages_count, messages_sent;
    buffer in, out;
    buffer last; /* the frame that was last waited for, which STEP_IF looks into */
    char room[ROOM_MAX];
} connection;

static struct {
    struct sockaddr_in address;
    int pids[PIDS_MAX], pids_count;
    int concurrency, leaders, burst;
    uint64_t patience_us, period_us, warmup_us, window_us, drain_us, fanout;
    char *stamp, *watch, *count, *refuse, *header, *latencies, *arrivals;
} plan = {.concurrency = 64, .burst = 1, .window_us = 1000000};

static connection *connections;
static int connections_count, opened, ready_count, gone_count, at_barrier;
static connection **senders;
static int senders_count;
static int epoll_fd;
static uint64_t base_ns, window_from = UINT64_MAX, window_to = UINT64_MAX, script_progress_at;
static uint64_t sent_all, sent_in_window, stamped_all, in_window, frames, bytes, counted, watched;
static uint64_t late_sum_us, late_max_us, window_bytes, idle_ns;
static FILE *latencies_file, *arrivals_file;
static uint64_t mask_state = 88172645463325252ull;

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now)) return 0;
    return (uint64_t)now.tv_sec * 1000000000ull + now.tv_nsec;
}

static uint64_t now_us(void) {
    return (clock_ns(CLOCK_MONOTONIC) - base_ns) / 1000 + EPOCH_US;
}

static void append(buffer *to, const void *data, size_t length) {
    if (to->length + length > to->capacity) {
        to->capacity = (to->length + length) * 2;
        to->data = realloc(to->data, to->capacity);
        if (!to->data) fail("out of memory");
    }
    memcpy(to->data + to->length, data, length);
    to->length += length;
}

/* Whole lines; the plan is read once, and its texts live as long as the process. */
static char *rest_of(char *line, const char *name) {
    size_t length = strlen(name);
    if (strncmp(line, name, length) || (line[length] != ' ' && line[length])) return NULL;
    return line[length] ? line + length + 1 : line + length;
}

static void add_step(enum step_kind kind, char *pattern, char *text) {
    if (!connections_count) fail("a step precedes the first connection");
    connection *c = &connections[connections_count - 1];
    c->steps = realloc(c->steps, (c->steps_count + 1) * sizeof(step));
    c->steps[c->steps_count++] = (step){kind, pattern, text};
}

static void add_connection(char *target) {
    static int capacity;
    if (connections_count == capacity) {
        capacity = capacity ? capacity * 2 : 1024;
        connections = realloc(connections, capacity * sizeof(connection));
    }
    connections[connections_count++] =
        (connection){.fd = -1, .port = plan.address.sin_port, .target = target};
}

static void add_message(char *text) {
    connection *c = &connections[connections_count - 1];
    c->messages = realloc(c->messages, (c->messages_count + 1) * sizeof(char *));
    c->messages[c->messages_count++] = text;
}

static void take_line(char *line) {
    char *rest;
    if ((rest = rest_of(line, "server"))) {
        char *port = strchr(rest, ' ');
        if (!port) fail("server needs an address and a port");
        *port++ = 0;
        plan.address.sin_family = AF_INET;
        plan.address.sin_port = htons(atoi(port));
        if (!inet_aton(rest, &plan.address.sin_addr)) fail("bad address %s", rest);
    } else if ((rest = rest_of(line, "pid"))) {
        if (plan.pids_count == PIDS_MAX) fail("too many pids");
        plan.pids[plan.pids_count++] = atoi(rest);
    } else if ((rest = rest_of(line, "concurrency"))) plan.concurrency = atoi(rest);
    else if ((rest = rest_of(line, "leaders"))) plan.leaders = atoi(rest);
    else if ((rest = rest_of(line, "burst"))) plan.burst = atoi(rest);
    else if ((rest = rest_of(line, "period_us"))) plan.period_us = strtoull(rest, NULL, 10);
    else if ((rest = rest_of(line, "warmup_us"))) plan.warmup_us = strtoull(rest, NULL, 10);
    else if ((rest = rest_of(line, "patience_us"))) plan.patience_us = strtoull(rest, NULL, 10);
    else if ((rest = rest_of(line, "window_us"))) plan.window_us = strtoull(rest, NULL, 10);
    else if ((rest = rest_of(line, "drain_us"))) plan.drain_us = strtoull(rest, NULL, 10);
    else if ((rest = rest_of(line, "fanout"))) plan.fanout = strtoull(rest, NULL, 10);
    else if ((rest = rest_of(line, "stamp"))) plan.stamp = rest;
    else if ((rest = rest_of(line, "watch"))) plan.watch = rest;
    else if ((rest = rest_of(line, "count"))) plan.count = rest;
    else if ((rest = rest_of(line, "refuse"))) plan.refuse = rest;
    else if ((rest = rest_of(line, "header"))) plan.header = rest;
    else if ((rest = rest_of(line, "latencies"))) plan.latencies = rest;
    else if ((rest = rest_of(line, "arrivals"))) plan.arrivals = rest;
    else if ((rest = rest_of(line, "connection"))) add_connection(rest);
    else if (connections_count && (rest = rest_of(line, "port")))
        connections[connections_count - 1].port = htons(atoi(rest));
    else if ((rest = rest_of(line, "send"))) add_step(STEP_SEND, NULL, rest);
    else if ((rest = rest_of(line, "await"))) add_step(STEP_AWAIT, rest, NULL);
    else if ((rest = rest_of(line, "room"))) add_step(STEP_ROOM, rest, NULL);
    else if (!strcmp(line, "barrier")) add_step(STEP_BARRIER, NULL, NULL);
    else if ((rest = rest_of(line, "if"))) {
        char *text = strchr(rest, '\t');
        if (!text) fail("if needs a tab before what is sent");
        *text++ = 0;
        add_step(STEP_IF, rest, text);
    } else if ((rest = rest_of(line, "message"))) add_message(rest);
    else fail("the plan has a line that is not known: %.60s", line);
}

static void read_plan(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) fail("cannot read %s", path);
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    while ((length = getline(&line, &capacity, file)) > 0) {
        if (line[length - 1] == '\n') line[--length] = 0;
        if (length) take_line(strdup(line));
    }
    free(line);
    fclose(file);
    for (int i = 0; i < connections_count; i++)
        if (connections[i].messages_count) {
            senders = realloc(senders, (senders_count + 1) * sizeof(connection *));
            senders[senders_count++] = &connections[i];
        }
}

/* Writing */

static void want(connection *c, int writable) {
    struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0),
                                .data.u32 = c - connections};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

static void gone(connection *c, const char *why) {
    if (c->state == GONE) return;
    if (c->state != READY)
        fail("connection %ld: %s in step %d (last: %.*s)", (long)(c - connections), why,
             c->step_now, (int)(c->in.length > 200 ? 200 : c->in.length),
             c->in.data ? c->in.data : "");
    if (!gone_count) fprintf(stderr, "connection %ld: %s\n", (long)(c - connections), why);
    gone_count++;
    c->state = GONE;
    close(c->fd);
}

static void flush(connection *c) {
    size_t done = 0;
    while (done < c->out.length) {
        ssize_t sent = send(c->fd, c->out.data + done, c->out.length - done, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN) return gone(c, strerror(errno));
            break;
        }
        done += sent;
    }
    memmove(c->out.data, c->out.data + done, c->out.length - done);
    c->out.length -= done;
    if (c->out.length) want(c, 1);
}

static uint32_t new_mask(void) { /* xorshift64 */
    mask_state ^= mask_state << 13;
    mask_state ^= mask_state >> 7;
    mask_state ^= mask_state << 17;
    return (uint32_t)mask_state;
}

/* Queue a masked frame (RFC 6455, section 5.2). */
static void queue_frame(connection *c, enum opcode opcode, const char *payload, size_t length) {
    unsigned char head[14] = {0x80 | opcode};
    size_t size = 2;
    if (length < 126) head[1] = 0x80 | length;
    else if (length < 65536) {
        head[1] = 0x80 | 126;
        head[2] = length >> 8, head[3] = length;
        size = 4;
    } else fail("a message is longer than anything that is sent here");
    uint32_t mask = new_mask();
    memcpy(head + size, &mask, 4);
    append(&c->out, head, size + 4);
    append(&c->out, payload, length);
    unsigned char *key = head + size, *masked = (unsigned char *)c->out.data + c->out.length - length;
    for (size_t i = 0; i < length; i++) masked[i] ^= key[i & 3];
}

/* Queue a text; $T is replaced by the due time and $R by the room that was found. */
static void queue_text(connection *c, const char *text, uint64_t due) {
    static buffer filled;
    filled.length = 0;
    for (const char *from = text; *from;) {
        const char *dollar = strchr(from, '$');
        size_t plain = dollar ? (size_t)(dollar - from) : strlen(from);
        append(&filled, from, plain);
        if (!dollar) break;
        char number[24];
        if (dollar[1] == 'T') {
            int length = snprintf(number, sizeof number, "%llu", (unsigned long long)due);
            append(&filled, number, length);
        } else if (dollar[1] == 'R') append(&filled, c->room, strlen(c->room));
        else fail("the text has an unknown $%c", dollar[1]);
        from = dollar + 2;
    }
    queue_frame(c, TEXT, filled.data, filled.length);
}

/* Scripts */

static void open_more(void);

static void advance(connection *c) {
    size_t queued = c->out.length;
    while (c->step_now < c->steps_count) {
        step *now = &c->steps[c->step_now];
        if (now->kind == STEP_AWAIT || now->kind == STEP_ROOM) break;
        if (now->kind == STEP_BARRIER) {
            at_barrier++;
            open_more();
            break;
        }
        if (now->kind == STEP_SEND ||
            memmem(c->last.data, c->last.length, now->pattern, strlen(now->pattern)))
            queue_text(c, now->text, now_us());
        c->step_now++;
    }
    if (c->out.length > queued) flush(c);
    if (c->step_now == c->steps_count && c->state == SCRIPTED) {
        c->state = READY;
        ready_count++;
        open_more();
    }
}

static void find_room(connection *c, const char *payload, size_t length) {
    static const char key[] = "\"roomId\":\"";
    char *start = memmem(payload, length, key, sizeof key - 1);
    if (!start) fail("no roomId in %.*s", (int)length, payload);
    start += sizeof key - 1;
    char *end = memchr(start, '"', payload + length - start);
    if (!end || end - start >= ROOM_MAX) fail("a bad roomId in %.*s", (int)length, payload);
    memcpy(c->room, start, end - start);
    c->room[end - start] = 0;
}

static void follow(connection *c, const char *payload, size_t length) {
    if (plan.refuse && memmem(payload, length, plan.refuse, strlen(plan.refuse)))
        fail("refused in step %d: %.*s", c->step_now, (int)(length > 300 ? 300 : length), payload);
    step *now = &c->steps[c->step_now];
    if (now->kind == STEP_BARRIER || !memmem(payload, length, now->pattern, strlen(now->pattern)))
        return;
    script_progress_at = now_us();
    if (now->kind == STEP_ROOM) find_room(c, payload, length);
    c->last.length = 0;
    append(&c->last, payload, length);
    c->step_now++;
    advance(c);
}

/* Reading */

static void write_number(FILE *file, uint64_t number) {
    uint32_t small = number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
    if (file) fwrite(&small, sizeof small, 1, file);
}

static void measure(connection *c, const char *payload, size_t length, uint64_t now) {
    int inside = now >= window_from && now < window_to;
    if (plan.stamp) {
        char *found = memmem(payload, length, plan.stamp, strlen(plan.stamp));
        if (found) {
            uint64_t due = 0;
            for (char *digit = found + strlen(plan.stamp);
                 digit < payload + length && *digit >= '0' && *digit <= '9'; digit++)
                due = due * 10 + (*digit - '0');
            stamped_all++;
            if (inside) {
                in_window++;
                write_number(latencies_file, now > due ? now - due : 0);
            }
        }
    }
    if (plan.watch && memmem(payload, length, plan.watch, strlen(plan.watch)) && inside) {
        watched++;
        write_number(arrivals_file, c - connections);
        write_number(arrivals_file, now - window_from);
    }
    if (plan.count) {
        const char *from = payload, *end = payload + length;
        size_t size = strlen(plan.count);
        while ((from = memmem(from, end - from, plan.count, size))) counted++, from += size;
    }
}

static void take_frame(connection *c, int opcode, char *payload, size_t length, uint64_t now) {
    frames++;
    if (opcode == PING) {
        queue_frame(c, PONG, payload, length);
        flush(c);
    } else if (opcode == CLOSE) {
        int code = length >= 2 ? ((unsigned char)payload[0] << 8) | (unsigned char)payload[1] : 0;
        char why[200];
        snprintf(why, sizeof why, "closed with %d %.*s", code, length > 2 ? (int)length - 2 : 0,
                 payload + 2);
        gone(c, why);
    } else if (opcode == TEXT) {
        if (length == 1 && *payload == '2') { /* Engine.IO's ping */
            queue_frame(c, TEXT, "3", 1);
            flush(c);
        }
        if (c->state == SCRIPTED) follow(c, payload, length);
        measure(c, payload, length, now);
    }
}

/* Take all whole frames, and return how many bytes that were. */
static size_t take_frames(connection *c, char *data, size_t length, uint64_t now) {
    size_t at = 0;
    while (c->state != GONE && length - at >= 2) {
        unsigned char *head = (unsigned char *)data + at;
        size_t payload = head[1] & 0x7f, size = 2;
        if (head[1] & 0x80) fail("the server sent a masked frame");
        if (!(head[0] & 0x80)) fail("the server sent a message in several frames");
        if (payload >= 126) {
            int bytes_of_length = payload == 126 ? 2 : 8;
            if (length - at < 2u + bytes_of_length) break;
            payload = 0;
            for (int i = 0; i < bytes_of_length; i++) payload = payload << 8 | head[2 + i];
            size += bytes_of_length;
        }
        if (length - at < size + payload) break;
        take_frame(c, head[0] & 0x0f, data + at + size, payload, now);
        at += size + payload;
    }
    return at;
}

static size_t take_handshake(connection *c, char *data, size_t length) {
    char *end = memmem(data, length, "\r\n\r\n", 4);
    if (!end) return 0;
    if (strncmp(data, "HTTP/1.1 101", 12) || !memmem(data, end - data, ACCEPT, strlen(ACCEPT)))
        fail("the handshake was refused: %.*s", (int)(end - data > 300 ? 300 : end - data), data);
    c->state = SCRIPTED;
    script_progress_at = now_us();
    advance(c);
    return end + 4 - data;
}

static void take_bytes(connection *c, char *data, size_t length, uint64_t now) {
    size_t taken = 0;
    if (c->state == SHAKING) taken = take_handshake(c, data, length);
    if (c->state == SCRIPTED || c->state == READY)
        taken += take_frames(c, data + taken, length - taken, now);
    if (data == c->in.data) {
        memmove(data, data + taken, length - taken);
        c->in.length = length - taken;
    } else if (taken < length) append(&c->in, data + taken, length - taken);
}

static void read_some(connection *c) {
    static char data[READ_BYTES];
    ssize_t length = recv(c->fd, data, sizeof data, 0);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (length <= 0) return gone(c, length ? strerror(errno) : "the server hung up");
    uint64_t now = now_us();
    bytes += length;
    if (now >= window_from && now < window_to) window_bytes += length;
    if (c->in.length) {
        append(&c->in, data, length);
        take_bytes(c, c->in.data, c->in.length, now);
    } else take_bytes(c, data, length, now);
}

/* Connecting */

static void open_one(void) {
    int index = opened++;
    connection *c = &connections[index];
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) fail("socket: %s", strerror(errno));
    int on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in source = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + index / PER_ADDRESS);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(c->fd, (struct sockaddr *)&source, sizeof source)) fail("bind: %s", strerror(errno));
    struct sockaddr_in target = plan.address;
    target.sin_port = c->port;
    if (connect(c->fd, (struct sockaddr *)&target, sizeof target) &&
        errno != EINPROGRESS)
        fail("connect: %s", strerror(errno));
    c->state = CONNECTING;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.u32 = index};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event)) fail("epoll: %s", strerror(errno));
}

/* So many at a time; the leaders must be ready before the others begin. */
static void open_more(void) {
    while (opened < connections_count && opened - ready_count - at_barrier < plan.concurrency &&
           (opened < plan.leaders || ready_count >= plan.leaders))
        open_one();
}

/* All are there: let them go on. */
static void lift_barrier(void) {
    at_barrier = 0;
    for (int i = 0; i < connections_count; i++) {
        connections[i].step_now++;
        advance(&connections[i]);
    }
}

static void shake(connection *c) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) fail("connect: %s", strerror(error));
    char request[8192];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY "\r\n"
                          "Sec-WebSocket-Version: 13\r\n%s%s\r\n",
                          c->target, inet_ntoa(plan.address.sin_addr),
                          ntohs(c->port), plan.header ? plan.header : "",
                          plan.header ? "\r\n" : "");
    if (length >= (int)sizeof request) fail("a target is too long");
    c->state = SHAKING;
    append(&c->out, request, length);
    flush(c);
    want(c, c->out.length > 0);
}

/* The loop */

static int stdin_line; /* a line came, or the end */

static int turn(int64_t wait_us) {
    static struct epoll_event events[EVENTS_MAX];
    struct timespec timeout = {wait_us / 1000000, wait_us % 1000000 * 1000};
    int count = epoll_pwait2(epoll_fd, events, EVENTS_MAX, wait_us < 0 ? NULL : &timeout, NULL);
    if (count < 0 && errno != EINTR) fail("epoll: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == STDIN_EVENT) {
            char line[64];
            if (read(0, line, sizeof line) <= 0) exit(0);
            stdin_line = 1;
            continue;
        }
        connection *c = &connections[events[i].data.u32];
        if (c->state == GONE) continue;
        if (c->state == CONNECTING) {
            if (events[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) shake(c);
            continue;
        }
        if (events[i].events & EPOLLOUT) {
            flush(c);
            if (c->state != GONE && !c->out.length) want(c, 0);
        }
        if (c->state != GONE && events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) read_some(c);
    }
    return count > 0;
}

/* Take what has come; time in which there was nothing to do is idle. */
static void poll_once(void) {
    uint64_t from = clock_ns(CLOCK_MONOTONIC);
    if (!turn(0)) idle_ns += clock_ns(CLOCK_MONOTONIC) - from;
}

static void send_due(uint64_t due, uint64_t number) {
    connection *c = senders[number % senders_count];
    if (c->state == GONE) return;
    uint64_t late = now_us() - due;
    int inside = due >= window_from && due < window_to;
    for (int i = 0; i < plan.burst; i++)
        queue_text(c, c->messages[c->messages_sent++ % c->messages_count], due);
    sent_all += plan.burst;
    if (inside) {
        sent_in_window += plan.burst;
        late_sum_us += late * plan.burst;
        if (late > late_max_us) late_max_us = late;
    }
    flush(c);
}

static uint64_t due_at(uint64_t number, uint64_t start) {
    return start + number * plan.period_us / senders_count;
}

static clockid_t cpu_clock(int pid) {
    clockid_t clock;
    if (clock_getcpuclockid(pid, &clock)) fail("no process %d", pid);
    return clock;
}

static uint64_t servers_cpu_ns(void) {
    uint64_t sum = 0;
    for (int i = 0; i < plan.pids_count; i++) sum += clock_ns(cpu_clock(plan.pids[i]));
    return sum;
}

typedef struct {
    uint64_t at_us, server_ns, own_ns, idle_ns;
} reading;

static reading take_reading(void) {
    return (reading){now_us(), servers_cpu_ns(), clock_ns(CLOCK_PROCESS_CPUTIME_ID),
                     idle_ns};
}

int main(int count, char **arguments) {
    if (count != 2) fail("usage: generator PLAN");
    base_ns = clock_ns(CLOCK_MONOTONIC);
    read_plan(arguments[1]);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = STDIN_EVENT};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &event);

    uint64_t connect_from = script_progress_at = now_us();
    open_more();
    while (ready_count < connections_count) {
        turn(100000);
        if (at_barrier == connections_count) lift_barrier();
        if (now_us() - connect_from > plan.patience_us)
            fail("%d of %d connections were ready in %.0f s: the server is saturated",
                 ready_count, connections_count, plan.patience_us / 1e6);
        if (now_us() - script_progress_at > 30000000) {
            for (int i = 0; i < opened; i++)
                if (connections[i].state == SCRIPTED)
                    fail("connection %d waits in vain for %s", i,
                         connections[i].steps[connections[i].step_now].kind == STEP_BARRIER
                             ? "the others"
                             : connections[i].steps[connections[i].step_now].pattern);
            fail("no connection comes about");
        }
    }
    double connect_s = (now_us() - connect_from) / 1e6;
    printf("ready\n");
    fflush(stdout);
    while (!stdin_line) turn(-1);

    if (plan.latencies) latencies_file = fopen(plan.latencies, "wb");
    if (plan.arrivals) arrivals_file = fopen(plan.arrivals, "wb");
    uint64_t start = now_us() + 1000, number = 0;
    window_from = start + plan.warmup_us;
    window_to = window_from + plan.window_us;
    reading first = {0}, last;
    for (;;) {
        uint64_t now = now_us();
        if (!first.at_us && now >= window_from) first = take_reading();
        if (now >= window_to) break;
        if (senders_count && due_at(number, start) <= now) {
            send_due(due_at(number, start), number);
            /* Reading goes on between the messages of a generator that is behind. */
            if (++number % 16) continue;
        }
        poll_once();
    }
    last = take_reading();
    /* What was due is sent, however late. */
    for (; senders_count && due_at(number, start) < window_to; number++)
        send_due(due_at(number, start), number);
    uint64_t expected = sent_all * plan.fanout, drain_until = now_us() + plan.drain_us;
    while (stamped_all < expected && now_us() < drain_until) turn(10000);
    if (latencies_file) fclose(latencies_file);
    if (arrivals_file) fclose(arrivals_file);

    double window_s = (last.at_us - first.at_us) / 1e6;
    printf("{\"connections\":%d,\"connect_s\":%.3f,\"window_s\":%.6f,\"sent\":%llu,"
           "\"deliveries\":%llu,\"sent_all\":%llu,\"delivered_all\":%llu,\"watched\":%llu,"
           "\"counted\":%llu,\"frames\":%llu,\"bytes\":%llu,\"window_bytes\":%llu,\"gone\":%d,"
           "\"late_mean_us\":%.1f,\"late_max_us\":%llu,\"server_cpu_s\":%.6f,"
           "\"generator_cpu_s\":%.6f,\"generator_busy_s\":%.6f}\n",
           connections_count, connect_s, window_s, (unsigned long long)sent_in_window,
           (unsigned long long)in_window, (unsigned long long)sent_all,
           (unsigned long long)stamped_all, (unsigned long long)watched,
           (unsigned long long)counted, (unsigned long long)frames, (unsigned long long)bytes,
           (unsigned long long)window_bytes, gone_count,
           sent_in_window ? (double)late_sum_us / sent_in_window : 0.0,
           (unsigned long long)late_max_us, (last.server_ns - first.server_ns) / 1e9,
           (last.own_ns - first.own_ns) / 1e9,
           window_s - (last.idle_ns - first.idle_ns) / 1e9);
    return 0;
}
