/* fd_bag: descriptors on their way from one process to the next: messages of a Unix socket that nobody reads meanwhile
 * (SCM_RIGHTS, unix(7)), whose reading end somebody else keeps open.
 *
 * One kept descriptor so stands for thousands. What is open only in the bag stays open: the kernel goes on taking
 * connections, bytes and datagrams for it. Main thread. */
#ifndef COMMON_FD_BAG_H
#define COMMON_FD_BAG_H

#include <stdbool.h>

/* ---- filling ---- */

/* Where `ends[0]` is to be kept and `ends[1]` is filled. Both are closed on exec, and the caller closes them. */
bool fd_bag_make(int ret_ends[static 2]);

/* Puts copies of descriptors in, in this order. False: memory or the user's limit of descriptors on their way
 * (RLIMIT_NOFILE) is short; a part of them may be in it. */
bool fd_bag_put(int filling_end, const int *fds, unsigned count);

/* Whether somebody has the end that is to be kept open; the caller has closed its own. */
bool fd_bag_is_kept(int filling_end);

/* ---- reading ---- */

enum { FD_BAG_AT_ONCE = 253 /* the kernel's bound of a message, SCM_MAX_FD */ };

/* Copies descriptors out of a bag, in their order; the bag stays as it is, so that it can be read again. */
struct fd_bag_reader {
    int bag;
    int fds[FD_BAG_AT_ONCE];
    unsigned count; /* in `fds` */
    unsigned next;
    bool is_cut; /* there was no room for all descriptors of a message (RLIMIT_NOFILE); it ends before the first lost */
};

/* From the first one. False: it is no bag. */
bool fd_bag_begin(struct fd_bag_reader *reader, int bag);

/* The next descriptor, which is the caller's, and closed on exec; -1: there are no more. */
int fd_bag_next(struct fd_bag_reader *reader);

/* Closes what was copied and not asked for yet. */
void fd_bag_end(struct fd_bag_reader *reader);

/* Takes everything out and closes it, for whoever keeps the bag, too. */
void fd_bag_empty(int bag);

#endif
