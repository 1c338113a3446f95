/* state: what a configuration means for the state over a restart (server/state/), and how the server begins with that
 * of the run before. Main thread. */
#ifndef APP_STATE_H
#define APP_STATE_H

#include <stdbool.h>

#include "clients/cookie.h"
#include "config/config.h"
#include "state/keeper.h"

/* The mail that the keeper sends to the main thread. */
enum { STATE_SAVED = 2 };

/* The names are not shared by this. */
struct keeper_settings state_settings(const struct config *config, struct names *names, const struct cookie_keys *keys);

/* Makes the keeper, if a state is to be kept (else `ret_keeper` is NULL), and the list of names to warm up with. Keys
 * of cookies that are this process's own are replaced by those of the run before. False: memory is short. */
bool state_make(const struct keeper_deps *deps, const struct keeper_settings *settings, struct shared_tables *shared,
                struct cookie_keys *keys, struct keeper **ret_keeper);

#endif
