/* A server that takes connections and answers nothing. */
#ifndef SILENT_H
#define SILENT_H

#include "expect.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* Listens; `at` gets its URL. */
static int silent(char *at, size_t size)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT(listener >= 0 && bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 4) == 0);
    EXPECT(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    snprintf(at, size, "http://127.0.0.1:%d", ntohs(address.sin_port));
    return listener;
}

#endif
