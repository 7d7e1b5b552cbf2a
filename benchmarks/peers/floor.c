/* The least that a fan-out can cost: each frame that comes in is sent to all other sockets, in the
 * way of send_loop.c or send_ring.c; a ping goes back to where it came from. No JWT, no JSON, no
 * rooms: a floor of the machine, not a peer.
 *
 * It answers the one key of the generator, and trusts it in all else.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "floor.h"

#define READ_BYTES 65536
#define EVENTS_MAX 256
#define PING "\"type\":\"ping\""
#define ANSWER                                                                       \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

static int open_sockets[SOCKETS_MAX], count;
static char shaken[SOCKETS_MAX];

static void drop(int socket) {
    for (int i = 0; i < count; i++)
        if (open_sockets[i] == socket) open_sockets[i] = open_sockets[--count];
    shaken[socket] = 0;
    closes(socket);
    close(socket);
}

static void deliver(int from, const unsigned char *frame, size_t length) {
    if (memmem(frame, length, PING, strlen(PING))) {
        send(from, frame, length, MSG_NOSIGNAL);
        return;
    }
    send_to_others(from, frame, length, open_sockets, count);
}

static void relay(int from, unsigned char *data, size_t length) {
    static unsigned char frame[READ_BYTES + 4];
    size_t at = 0;
    while (length - at >= 6) {
        size_t payload = data[at + 1] & 0x7f, head = 2, out = 2;
        if (payload == 126) payload = data[at + 2] << 8 | data[at + 3], head = 4;
        if (length - at < head + 4 + payload) return; /* such small frames come whole */
        unsigned char *mask = data + at + head;
        frame[0] = data[at];
        if (payload < 126) frame[1] = payload;
        else frame[1] = 126, frame[2] = payload >> 8, frame[3] = payload, out = 4;
        for (size_t i = 0; i < payload; i++) frame[out + i] = mask[4 + i] ^ mask[i & 3];
        if ((data[at] & 0x0f) == 1) deliver(from, frame, out + payload);
        at += head + 4 + payload;
    }
}

int main(void) {
    static unsigned char data[READ_BYTES];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    prepare();
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096)) return 1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS_MAX];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < ready; i++) {
            int socket = events[i].data.fd;
            if (socket == listener) {
                while ((socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                    event.data.fd = socket;
                    epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
                    open_sockets[count++] = socket;
                    opened(socket);
                }
                continue;
            }
            ssize_t length = recv(socket, data, sizeof data, 0);
            if (length < 0 && errno == EAGAIN) continue;
            if (length <= 0) drop(socket);
            else if (shaken[socket]) relay(socket, data, length);
            else {
                shaken[socket] = 1;
                send(socket, ANSWER, strlen(ANSWER), MSG_NOSIGNAL);
            }
        }
    }
}
