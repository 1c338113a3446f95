/* confinement: what the program keeps itself from (server/sandbox), by its configuration, in the order of a start:
 *
 *   confinement_begin       no_new_privs; who the program is to become
 *   confinement_restrict    Landlock: once the sockets are open, before any thread
 *   confinement_take_user   once all sockets are open, HTTP's too
 *   confinement_seal        seccomp for all threads, directly before the program says that it is ready
 *
 * What the kernel does not know, or a container forbids, is left out, and said: never a reason not to start. Files and
 * ports that a reload wants beside those of the start are refused, with the reason. Main thread, except where it says
 * otherwise. */
#ifndef APP_CONFINEMENT_H
#define APP_CONFINEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/log.h"
#include "config/options.h"
#include "metrics/figures.h"
#include "sandbox/call_log.h"
#include "sandbox/grants.h"
#include "sandbox/identity.h"

enum { CONFINEMENT_WHY_BYTES = 128 };

struct confinement {
    const struct log *log;
    enum sandbox_mode mode;
    bool no_new_privileges;
    bool takes_user;                          /* `identity` is somebody else, and it is root that starts */
    struct identity identity;                 /* if so */
    struct grants *grants;                    /* owned; NULL: files and ports are not restricted */
    int landlock_abi;                         /* 0: not in force, */
    char landlock_why[CONFINEMENT_WHY_BYTES]; /* and why not */
    /* Written when other threads run, which read them. */
    _Atomic unsigned calls;                    /* allowed by seccomp; 0: it is not in force, */
    _Atomic(const char *) seccomp_why;         /* and why not: constant, or the text below */
    char seccomp_error[CONFINEMENT_WHY_BYTES]; /* written once, before `seccomp_why` points to it */
    _Atomic(struct call_log *) call_log;       /* NULL: not in mode `log`, or the kernel logs */
};

/* False: the reason was logged. */
bool confinement_begin(struct confinement *confinement, const struct config *config, const struct log *log);

/* `config_file`: NULL: there is none. `http_port`: of civetweb on loopback, or 0. */
void confinement_restrict(struct confinement *confinement, const struct config *config, const char *config_file,
                          uint16_t http_port);

/* False: the reason was logged, and the program must end. */
bool confinement_take_user(const struct confinement *confinement);

/* Logs what is in force, too. */
void confinement_seal(struct confinement *confinement, const struct config *config);

/* Ends the thread of mode `log`. As late as possible. */
void confinement_done(struct confinement *confinement);

/* Whether the sandbox lets the program read the file; any other reason why it could not is not looked for. False:
 * `ret_why`, in which the file is called by `setting`. */
bool confinement_check_file(const struct confinement *confinement, const char *setting, const char *path, char *ret_why,
                            size_t why_bytes);

/* Whether it lets the program listen and connect where a reload wants to. `listens`: it opens sockets itself. */
bool confinement_check_ports(const struct confinement *confinement, const struct config *config, bool listens,
                             char *ret_why, size_t why_bytes);

/* For metrics and status page. Any thread, after confinement_seal; before it tells what is known. */
void confinement_read(const struct confinement *confinement, struct figures *figures);

/* For --check-config: false, and why, if there is no such user. */
bool confinement_check_user(const struct config *config, FILE *errors);

#endif
