/* tcp_handover: a worker's TCP clients on their way from one process to the next (app/handover.h): what a connection is
 * beside its socket.
 *
 * The former process reads nothing more (tcp_handover_hold), ends its thread when what it had read is answered, and
 * describes each client. The next one takes them before its thread starts, and begins to read from them on it. Between
 * the two, the kernel keeps what clients send. */
#ifndef CLIENTS_TCP_HANDOVER_H
#define CLIENTS_TCP_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clients/tcp_clients.h"
#include "common/address.h"

/* A client with nothing in flight. Times are of common/clock.h, which goes on over a restart; 0: does not run. */
struct tcp_client_state {
    struct address address;
    bool greeted;   /* sent a byte at least */
    bool ended;     /* no more input is read */
    bool held_back; /* `partial` may hold whole messages */
    uint8_t end_cause;
    uint32_t discard;           /* bytes of an over-long message still to skip */
    uint32_t asked;             /* in the second that began at rate_started_ns */
    uint64_t input_started_ns;  /* of the time that runs for its input: first, read or idle, which the rest tells */
    uint64_t output_started_ns; /* of the time that runs while it takes nothing of its replies */
    uint64_t rate_started_ns;
    const uint8_t *partial; /* input that was read and not handled */
    size_t partial_bytes;
    const uint8_t *unsent; /* replies that the socket did not take */
    size_t unsent_bytes;
};

/* Bounds of what tcp_handover_take accepts. */
enum { TCP_PARTIAL_MAX = CLIENT_SCRATCH_BYTES, TCP_DISCARD_MAX = 65535, TCP_ASKED_MAX = 1000 * 1000 * 1000 };

/* A state that a client may have: all but its times, and memory. */
bool tcp_client_state_is_sound(const struct tcp_client_state *state);

/* ---- the former process ---- */

/* The worker's thread: reads and closes nothing more; times of input stand still. What is in flight is answered, and
 * replies are written. */
void tcp_handover_hold(struct tcp_clients *clients);

/* What was asked is answered, and no client is on its way from the acceptor. */
bool tcp_handover_is_quiet(const struct tcp_clients *clients);

/* After the thread's end: describes each client that may be handed over. Returns how many may not: a question of theirs
 * was not answered in time, or the connection is broken. `on_client` returns false to end it early. The state's bytes
 * belong to the client. */
unsigned tcp_handover_give(const struct tcp_clients *clients,
                           bool (*on_client)(void *context, int fd, const struct tcp_client_state *state),
                           void *context);

/* ---- the next process ---- */

enum tcp_take_verdict {
    TCP_TAKEN,
    TCP_TAKE_LIMIT, /* its bytes are more than max_buffered_bytes leaves */
    TCP_TAKE_MEMORY /* memory is short */
};

/* Before the thread starts: takes a client, with what connections_resume said of it. Nothing is read from it yet. The
 * state must be sound. Unless it is TCP_TAKEN, the socket is still the caller's. */
enum tcp_take_verdict tcp_handover_take(struct tcp_clients *clients, int fd, const struct tcp_client_state *state,
                                        uint8_t counted_bits);

/* Once, after the last was taken: times go on from where they were. False: memory is short. */
bool tcp_handover_resume_times(struct tcp_clients *clients);

/* The worker's thread: reads from the clients from now on. Those that may not ask any more are
 * closed; times that are over count only once what came meanwhile is read. */
void tcp_handover_begin(struct tcp_clients *clients);

#endif
