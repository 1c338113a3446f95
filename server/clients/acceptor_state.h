/* acceptor_state: the state of the acceptor and its listening sockets, private to acceptor and acceptor_sockets. */
#ifndef CLIENTS_ACCEPTOR_STATE_H
#define CLIENTS_ACCEPTOR_STATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "clients/acceptor_deps.h"
#include "common/loop.h"
#include "common/mailbox.h"

/* A reload may replace every socket; the former stay open for a while. */
enum { LISTENING_MAX = 2 * LISTENERS_MAX };

struct listening_socket {
    struct loop_source source;
    struct acceptor *acceptor;
    uint64_t closes_ns; /* CLOCK_NEVER: it stays open */
    bool waiting;       /* connections may wait to be accepted */
};

struct acceptor {
    pthread_t thread;
    struct acceptor_deps deps;
    struct loop loop;
    struct mailbox mailbox;
    struct listening_socket listening[LISTENING_MAX]; /* those without a descriptor (-1) are free */
    bool inherited;                                   /* the sockets are systemd's, and stay open after a stop */
    bool keeps_listeners;                             /* after a stop they stay open, whosever they are */
    struct access_list *access;                       /* a share */
    int parked_fd;                                    /* a connection for which there was no room yet; -1: none */
    struct address parked_address;
    struct counters *counters;
    struct log_repeat trouble;
    uint64_t resume_ns; /* while pausing; 0 = not */
    struct placement placement;
    unsigned sheds_in_vain; /* requests to close connections since one was admitted */
    bool stopping;
};

static inline bool listening_socket_is_open(const struct listening_socket *listener)
{
    return listener->source.fd >= 0;
}

/* Takes one connection; false if none waits or accepting must pause. */
bool acceptor_take_one(struct acceptor *acceptor, struct listening_socket *listener);

/* Those of the set that are not open yet. False: there is no room in the loop for one. */
bool acceptor_open_listeners(struct acceptor *acceptor, const struct listeners *listeners);

/* Sockets that are not kept stay open for a second and a half, for clients that have connected already. */
void acceptor_leave_listeners(struct acceptor *acceptor, const struct listeners *kept);

/* Closes those whose time is over; `now_ns` CLOCK_NEVER: all. Connections that wait in them are accepted first. */
void acceptor_close_left(struct acceptor *acceptor, uint64_t now_ns);

#endif
