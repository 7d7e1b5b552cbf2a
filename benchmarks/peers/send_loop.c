/* A floor that calls `send` once for each socket. */
#include <sys/socket.h>

#include "floor.h"

void prepare(void) {}
void opened(int socket) { (void)socket; }
void closes(int socket) { (void)socket; }

void send_to_others(int from, const unsigned char *frame, size_t length, const int *sockets, int count) {
    for (int i = 0; i < count; i++)
        if (sockets[i] != from) send(sockets[i], frame, length, MSG_NOSIGNAL);
}
