/* identity: the rights that the process gives up: those that a program could gain by executing another one, and, where
 * it was started as root and is to be somebody else, those of root. Main thread. */
#ifndef SANDBOX_IDENTITY_H
#define SANDBOX_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { IDENTITY_GROUPS_MAX = 64, IDENTITY_WHY_BYTES = 160 };

struct identity {
    uid_t user;
    gid_t group;
    gid_t groups[IDENTITY_GROUPS_MAX]; /* supplementary ones, those of `group` included */
    size_t group_count;
};

/* Nothing that this process executes gets more rights (no_new_privs). Before any thread is started. False, with
 * errno. */
bool identity_forbid_new_privileges(void);

/* Finds a user by name or number, with the groups that it is in. Loads libraries and reads files: before the sandbox.
 * A number without an entry in the user database stands for a user and a group of that number. False: `ret_why`. */
bool identity_find(const char *user, struct identity *ret_identity, char ret_why[static IDENTITY_WHY_BYTES]);

/* While still root, before any thread is started: empties the sets of capabilities that executing a program would give.
 * What cannot be emptied does no harm beside no_new_privs. */
void identity_drop_bounds(void);

/* Makes all threads those of this user, without capabilities. Only for root. False, with errno: some rights may be
 * gone, and the program must end. */
bool identity_take(const struct identity *identity);

#endif
