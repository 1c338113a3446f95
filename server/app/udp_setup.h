/* udp_setup: what UDP needs of the system: its sockets, and the secrets of cookies. Main thread only. */
#ifndef APP_UDP_SETUP_H
#define APP_UDP_SETUP_H

#include <stdbool.h>

#include "clients/cookie.h"
#include "clients/udp_listener.h"
#include "common/log.h"
#include "config/options.h"
#include "shared/ratelimit.h"

struct udp_setup {
    struct udp_listeners listeners; /* numbers of descriptors: the workers own the sockets */
    struct cookie_keys keys;
};

/* Opens the sockets and reads the secret file, if there is one. `current`: what is in use, of which sockets and
 * drawn keys are kept and which is not changed; NULL at the start. `former`: at the start, sockets that were handed
 * over, as in udp_listeners_open; else NULL. False: `ret_error` says which and why, and nothing new is open. */
bool udp_setup_open(struct udp_setup *ret_setup, const struct udp_setup *current, struct udp_former *former,
                    const struct config *config, const struct log *log, char ret_error[static LISTENER_ERROR_BYTES]);

/* Closes the sockets that are not among those of `kept`. */
void udp_setup_close_but(struct udp_setup *setup, const struct udp_setup *kept);

/* The limit of sources whose address is not verified. */
struct ratelimit_options udp_setup_limits(const struct config *config);

#endif
