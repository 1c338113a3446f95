/* options: what of the configuration the state over a restart uses. */
#ifndef STATE_OPTIONS_H
#define STATE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum { STATE_PATH_MAX = 256 };

struct state_options {
    char directory[STATE_PATH_MAX]; /* "": the one that systemd names in $STATE_DIRECTORY; without it nothing is kept */
    uint64_t save_interval_ns;
    bool is_off; /* by the flag --no-state: nothing is read or written */
};

#endif
