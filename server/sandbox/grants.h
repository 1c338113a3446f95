/* grants: the files and TCP ports that remain open to the program under Landlock, as a list that can be asked later: a
 * reload has to say why it cannot have a file or a port. Main thread.
 *
 * A file may be replaced by another one of the same name (a new CA bundle, an edited configuration), and Landlock knows
 * files, not names. So the folder of such a file is granted, and the folder of what it is a symbolic link to, with all
 * below them: the files of a ConfigMap are links into a folder that Kubernetes replaces. A folder that others share,
 * as /etc or a home directory, would grant too much: there the file alone is granted, and a file that replaces it is
 * out of reach until the next start. */
#ifndef SANDBOX_GRANTS_H
#define SANDBOX_GRANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sandbox/landlock.h"

enum { GRANTS_MAX = 32, GRANT_PORTS = 65536 };

/* Of TCP ports, a bit each. */
struct port_set {
    uint64_t words[GRANT_PORTS / 64];
};

struct grant {
    char *path; /* canonical; owned */
    bool is_folder;
    enum landlock_access access;
    dev_t device; /* these two tell the file from one that replaced it */
    ino_t inode;
};

/* About 18 KB. All zero: nothing is granted. */
struct grants {
    struct grant list[GRANTS_MAX];
    size_t count;
    struct port_set bind;
    struct port_set connect;
};

/* Grants the file, or the folder with all below it. What does not exist is left out; so is what comes after GRANTS_MAX.
 * False: left out. */
bool grants_add(struct grants *grants, const char *path, enum landlock_access access);

/* Grants a file that may be replaced; see above. Nothing for an empty path. */
void grants_add_file(struct grants *grants, const char *path);

void port_set_add(struct port_set *set, uint16_t port);
bool port_set_has(const struct port_set *set, uint16_t port);

/* The first port of `wanted` that `set` does not have; false if it has them all. */
bool port_set_find_missing(const struct port_set *set, const struct port_set *wanted, uint16_t *ret_port);

/* Makes the grants the only access to files and ports that this thread, and all that it starts, has from now on. False,
 * with errno: nothing is restricted. */
bool grants_enforce(const struct grants *grants, bool with_abstract_sockets, int *ret_abi);

/* Whether a grant has the path, as it is now. A file that does not exist: whether it could be read if it were made. */
bool grants_may_read(const struct grants *grants, const char *path);

void grants_done(struct grants *grants);

#endif
