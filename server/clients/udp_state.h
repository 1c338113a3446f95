/* udp_state: the state of a worker's UDP and of its sockets, private to udp and udp_socket. */
#ifndef CLIENTS_UDP_STATE_H
#define CLIENTS_UDP_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "clients/datagram_sender.h"
#include "clients/datagrams.h"
#include "clients/udp_admission.h"
#include "clients/udp_listener.h"
#include "clients/udp_options.h"
#include "clients/udp_queue.h"
#include "common/loop.h"
#include "common/slots.h"
#include "metrics/counters.h"
#include "queries/notice.h"
#include "queries/transport.h"
#include "shared/access.h"
#include "shared/ratelimit.h"

/* What it uses of its worker; all outlive it. */
struct udp_deps {
    struct loop *loop;
    struct counters *counters;
    struct ratelimit *ratelimit; /* of UDP alone */
    struct cookie_service *cookies;
    struct notices *notices; /* told of what is dropped */
    struct dnstap_tap *tap;  /* copies of responses go there; NULL: none are made */
    atomic_uint *leaving;    /* sockets that are given up and not closed yet, of all workers; shared ones are not */
};

/* Which of the workers it belongs to, `index`, and that workers 0 to active-1 are active. workers 0: not told yet. */
struct udp_part {
    unsigned index;
    unsigned active;
    unsigned workers;
};

/* Sockets in use, and as many that a reload has given up and that still have replies to send. */
enum { UDP_SOCKETS_MAX = 2 * LISTENERS_MAX };

struct dnstap_tap;
struct udp;

struct udp_socket {
    struct loop_source source; /* fd -1: not in use */
    struct udp *udp;
    bool is_wildcard;
    bool is_shared; /* with other workers; not closed */
    bool is_readable;
    bool is_watched;     /* in the loop */
    bool is_leaving;     /* given up: closed when what came on it is answered */
    uint16_t last_reads; /* reads left to it, while it is leaving */
    uint32_t pending;    /* questions that wait for an answer */
    uint32_t generation; /* of its use */
    bool counts_drops;   /* what the kernel drops is counted here, by one of the workers that share it */
    struct udp_queue queue;
};

struct udp {
    struct transport transport; /* first: a transport is its clients */
    struct udp_admission admission;
    struct loop *loop;
    struct counters *counters;
    struct notices *notices;
    struct dnstap_tap *tap;
    struct access_list *access; /* a share */
    struct udp_socket sockets[UDP_SOCKETS_MAX];
    unsigned used;        /* none behind the first so many was ever in use */
    struct slots pending; /* of struct udp_pending */
    uint32_t max_pending; /* that wait */
    struct datagram_receiver *receiver;
    struct datagram_sender *sender;
    struct udp_socket *sending; /* the socket that the sender's replies leave from */
    uint64_t wall_ns;           /* CLOCK_REALTIME of this turn */
    bool is_held;               /* udp_set_held */
    bool must_follow;           /* as soon as no socket of any worker is leaving */
    atomic_uint *leaving;
    struct udp_part part; /* udp_set_part */

    /* The messages that are handed over next, READ_AHEAD_MAX at most: they may be read together. NULL: they need not.
     */
    void (*read_ahead)(struct udp *udp, struct client_message *messages, unsigned count);

    /* A message, from a batched requester. Its query is ended by one end_reply, at once or later. */
    void (*on_message)(struct udp *udp, const struct requester *requester, const struct client_message *message);
};

/* A question that waits for its answer. */
struct udp_pending {
    struct slot slot;
    struct datagram_path path;
    struct udp_socket *socket;
    uint32_t generation; /* of the socket */
    uint16_t size;       /* of the question's datagram */
    uint8_t source;      /* LABEL_UDP_SOURCE_ */
};

static inline bool udp_socket_is_open(const struct udp_socket *socket)
{
    return socket->source.fd >= 0;
}

/* A socket of this worker or another one is given up and not closed yet. */
static inline bool udp_is_any_leaving(const struct udp *udp)
{
    return atomic_load(udp->leaving) > 0;
}

/* Questions that came on it and still wait are dropped. */
void udp_socket_close(struct udp_socket *socket);

/* Follows part, is_held and leaving in all sockets in use. */
void udp_sockets_follow(struct udp *udp);

/* Sends the replies that wait in the sender. */
void udp_send_waiting(struct udp *udp);

#endif
