/* landlock: Linux's Landlock (landlock(7)), with which a process gives up access to files and TCP ports for good. By
 * raw system calls and constants of our own, because the headers of Debian 12 know a part of them only. What the
 * running kernel does not know is left out, by the version of its interface (ABI): 1 files, 2 moving files between
 * folders, 3 cutting files, 4 TCP ports, 5 ioctl of devices, 6 signals and abstract UNIX sockets.
 *
 * What is not restricted: files that are open already, stat(2) and path names as such, UDP, UNIX sockets with a path
 * name, listen(2) on a socket without a port. Main thread, before any other thread is started: threads inherit it. */
#ifndef SANDBOX_LANDLOCK_H
#define SANDBOX_LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct landlock {
    int fd; /* of the rules, until landlock_enforce */
    int abi;
};

enum landlock_access {
    LANDLOCK_READ,  /* files, and lists of folders */
    LANDLOCK_WRITE, /* the same, and to make, change, rename and remove files in a folder */
};

/* The ABI of the running kernel; 0, with errno, where it has no Landlock, or does not let us have it. */
int landlock_abi(void);

/* Begins rules that allow nothing. `with_abstract_sockets`: abstract UNIX sockets of other processes may be used all
 * the same. False, with errno. */
bool landlock_open(struct landlock *ret_landlock, bool with_abstract_sockets);

/* Allows access to the file or folder, and to all below it. `path_fd` is the caller's. False, with errno. */
bool landlock_allow_path(const struct landlock *landlock, int path_fd, bool is_folder, enum landlock_access access);

/* Allows a TCP port; 0 is any one that the kernel chooses. Nothing to do before ABI 4. False, with errno. */
bool landlock_allow_bind(const struct landlock *landlock, uint16_t port);
bool landlock_allow_connect(const struct landlock *landlock, uint16_t port);

/* From now on the rules hold for this thread and all that it starts, for ever. Needs no_new_privs. Closes the rules.
 * False, with errno: nothing is restricted. */
bool landlock_enforce(struct landlock *landlock);

#endif
