/* failure: why the store cannot be used: its label in the metrics, the state it makes, and words for an operator. Pure;
 * any thread. */
#ifndef STORE_FAILURE_H
#define STORE_FAILURE_H

#include "metrics/counters.h"
#include "store/connection.h"
#include "store/resp.h"

/* What shared_cache_state shows. */
enum store_state {
    STORE_OFF,
    STORE_UNREACHABLE, /* no connection */
    STORE_REFUSED,     /* a connection, and the store answers with an error */
    STORE_LEFT_ALONE,  /* it is too slow */
    STORE_IN_USE
};

struct store_failure {
    enum label_shared_failure label;
    enum store_state state;
    const char *why; /* constant */
};

/* `why`: what the connection said, or NULL. */
struct store_failure store_failure_of_end(enum connection_end end, const char *why);

/* It answered with an error to AUTH, or to GET. */
struct store_failure store_failure_of_error(bool is_auth, const struct resp_reply *reply);

struct store_failure store_failure_slow(void);            /* questions were not answered in time */
struct store_failure store_failure_connect_timeout(void); /* no connection, or no reply on a new one, in time */

#endif
