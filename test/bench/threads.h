/* threads: `TOOL PORT [THREADS]`: runs `serve` in so many threads (default: 2), each with the port; it
 * does not return. */
#ifndef BENCH_THREADS_H
#define BENCH_THREADS_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS_MAX = 64 };

/* The exit status: 2 where the arguments are wrong, 1 where a thread came back. */
static inline int threads_main(int count, char **arguments, void *(*serve)(void *port))
{
    uint16_t port = count > 1 ? (uint16_t)strtoul(arguments[1], NULL, 10) : 0;
    unsigned long threads = count > 2 ? strtoul(arguments[2], NULL, 10) : 2;
    if (port == 0 || threads == 0 || threads > THREADS_MAX) {
        fprintf(stderr, "usage: %s PORT [THREADS]\n", arguments[0]);
        return 2;
    }
    pthread_t thread;
    while (threads-- > 1) pthread_create(&thread, NULL, serve, &port);
    serve(&port);
    return 1;
}

#endif
