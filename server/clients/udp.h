/* udp: questions that come over UDP to one worker, and the replies to them: a transport (queries/transport.h).
 *
 * In each turn of the worker at most DATAGRAMS_MAX datagrams of each socket are received with one system call and
 * handed over; replies that are made at once leave together with one more. So a burst delays the worker's TCP clients
 * by no more than that. A question that waits for an answer has a slot, found by a handle, with the path that its reply
 * takes: max_pending slots at most; above that questions are answered from the cache, or refused.
 *
 * Dropped and counted are datagrams of addresses that may not ask, of ports that answer whatever they get (an answer
 * to an answer would go back and forth), responses, whatever is shorter than a header, and what waited for too
 * long in the kernel (clients/udp_queue.h). One thread. */
#ifndef CLIENTS_UDP_H
#define CLIENTS_UDP_H

#include <stdbool.h>
#include <stdint.h>

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

/* False if memory is short. */
bool udp_init(struct udp *udp, const struct udp_options *options, const struct udp_deps *deps);
void udp_done(struct udp *udp); /* closes its sockets */

/* False where memory for max_pending is short: the former bound stays. */
bool udp_set_options(struct udp *udp, const struct udp_options *options);

/* Who may ask from now on; takes a share. To be called before the first socket is there. */
void udp_set_access(struct udp *udp, struct access_list *access);

/* From now on these sockets, of which it becomes the owner unless they are shared. Those it had and that are not
 * among them are emptied, and closed when the last question that came on them is answered. */
void udp_set_sockets(struct udp *udp, const struct udp_sockets *sockets);

/* The same with none: nothing more is read but what is there. Those that are shared are left as they are. */
void udp_drain(struct udp *udp);

/* No socket is left: it was drained, and what was asked is answered; or it never had one. */
bool udp_is_drained(const struct udp *udp);

/* Once a turn, before the forwarder's: receives and hands over. */
void udp_receive(struct udp *udp);

/* At the end of a turn: sends what waits, and closes the sockets that were given up and are done with. */
void udp_tick(struct udp *udp);

/* When to call udp_receive next, at the latest: 0 if datagrams are left. */
uint64_t udp_deadline_ns(const struct udp *udp);

#endif
