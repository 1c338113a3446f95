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

#include "clients/udp_state.h"

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

/* Held: nothing is read of the sockets in use, and none of them is closed, so that they can be handed over
 * (app/handover.h), or since the worker has not begun yet. Questions that wait are still answered. */
void udp_set_held(struct udp *udp, bool held);

/* Which workers are active from now on. While not all are, the first worker has the kernel give questions to the
 * sockets of active ones only; a socket that all workers share is watched by active ones only. What an inactive worker
 * gets nevertheless it answers. While held, all sockets get questions, so that all their buffers hold them; and while
 * sockets of any worker are leaving, since one of them may have the address, and thereby the number, of one in use. */
void udp_set_part(struct udp *udp, const struct udp_part *part);

/* No question waits for its answer, and nothing is left in the sockets that were given up. */
bool udp_is_answered(const struct udp *udp);

/* Sockets that were handed over and are used no more: they are emptied and closed, as those that udp_set_sockets gives
 * up. */
void udp_give_up(struct udp *udp, const struct udp_sockets *former);

/* Once a turn, before the forwarder's: receives and hands over. */
void udp_receive(struct udp *udp);

/* At the end of a turn: sends what waits, and closes the sockets that were given up and are done with. */
void udp_tick(struct udp *udp);

/* When to call udp_receive next, at the latest: 0 if datagrams are left. */
uint64_t udp_deadline_ns(const struct udp *udp);

#endif
