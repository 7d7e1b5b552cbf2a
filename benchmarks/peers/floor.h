/* What a way of sending has to do for floor.c. */
#include <stddef.h>

#define SOCKETS_MAX 65536

void prepare(void);
void opened(int socket);
void closes(int socket);
void send_to_others(int from, const unsigned char *frame, size_t length, const int *sockets, int count);
