/* cookie_option: the COOKIE option of a query, and the one that its reply then has, over any transport (RFC 7873, 5.2).
 * One thread. */
#ifndef CLIENTS_COOKIE_OPTION_H
#define CLIENTS_COOKIE_OPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "clients/cookie.h"
#include "dns/answer.h"
#include "dns/question.h"
#include "metrics/counters.h"

/* What a worker needs for cookies. */
struct cookie_service {
    bool enabled; /* false: the option is ignored */
    struct cookie_keys keys;
    struct counters *counters;
};

enum cookie_finding {
    COOKIE_ABSENT,     /* no option, or the service is off */
    COOKIE_MALFORMED,  /* a length that is none: FORMERR */
    COOKIE_UNVERIFIED, /* a client cookie alone, or a server cookie that is not valid */
    COOKIE_VALID,      /* the client has shown that it receives what is sent to its address */
};

/* Judges and counts the question's cookie, and adds to `profile` the cookie of the reply if one is due. `now_s`: of
 * the wall clock. */
enum cookie_finding cookie_option_answer(struct cookie_service *service, const struct question *question,
                                         const struct address *client, uint32_t now_s, struct reply_profile *profile);

#endif
