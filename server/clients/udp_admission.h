/* udp_admission: whether a question that came over UDP is answered, and how large its reply may be. The address it came
 * from may be forged, so that the reply would go to somebody who did not ask.
 *
 * A source is verified if the question has a valid cookie (clients/cookie.h); else it is private, if its address is of
 * a range that is not routed in the internet, or foreign. A verified one is treated as a TCP client, and counts in the
 * same rate limit. For any other:
 * - A rate limit of its own, by prefixes, so that a forged source takes nothing from the TCP client it names. Over the
 *   limit a question with a COOKIE option gets BADCOOKIE and a new cookie (RFC 7873, 5.2.3); of the others every
 *   `slip`th gets an empty reply with TC, which sends an honest client to TCP, and the rest get none.
 * - A foreign source gets no reply that is larger than its question, so that nothing is gained by forging one. What
 * does not fit is cut, with TC; a cookie that does not fit is left out, and the client gets it over TCP.
 *
 * One thread; the rate limit is shared and locks itself. */
#ifndef CLIENTS_UDP_ADMISSION_H
#define CLIENTS_UDP_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "clients/cookie_option.h"
#include "clients/datagrams.h"
#include "clients/udp_options.h"
#include "dns/answer.h"
#include "dns/question.h"
#include "metrics/counters.h"
#include "queries/refusal.h"
#include "shared/access.h"
#include "shared/ratelimit.h"

struct udp_admission {
    struct udp_options options;
    struct cookie_service *cookies;
    struct ratelimit *ratelimit;       /* of UDP alone */
    struct ratelimit_last last_client; /* whose question took a token of it last */
    uint32_t over_limit;               /* questions over the limit that get no cookie, ever; wraps */
};

/* A question as it came. */
struct udp_question {
    const struct address *client;
    size_t size; /* bytes of the datagram */
    const struct question *question;
    enum question_verdict verdict;
};

/* Why a datagram is dropped unread (LABEL_UDP_DROPPED_), or LABEL_UDP_DROPPED_COUNT: it is not. */
unsigned udp_why_dropped(const struct access_list *access, const struct datagram *datagram,
                         const struct address *client);

/* Why the question is refused, or REFUSAL_NONE. Completes `profile` with the reply's size and cookie. `now_s`: of the
 * wall clock. */
enum refusal udp_admit(struct udp_admission *admission, const struct udp_question *asked, uint64_t now_ns,
                       uint32_t now_s, struct reply_profile *profile, enum label_udp_source *ret_source);

#endif
