/* mailbox: messages from one thread to another: a queue with a mutex, and an eventfd that wakes the reader's loop.
 *
 * For control messages only (reload, drain, stop, a new CA bundle); no query passes through a mailbox. */
#ifndef COMMON_MAILBOX_H
#define COMMON_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>

#include "common/list.h"
#include "common/loop.h"

/* The first member of every message. The sender allocates it; once posted it belongs to the reader, who frees it. */
struct mail {
    struct list node;
    int kind; /* the reader's enum */
};

struct mailbox {
    struct loop_source source; /* readable when mail waits */
    pthread_mutex_t lock;
    struct list waiting; /* of struct mail; guarded by `lock` */
};

/* `on_event` runs on the reader's thread; it calls mailbox_drain. False, with errno. */
bool mailbox_init(struct mailbox *mailbox, void (*on_event)(struct loop_source *, uint32_t));

/* Frees mail that was never read with free(). */
void mailbox_done(struct mailbox *mailbox);

/* Any thread. */
void mailbox_post(struct mailbox *mailbox, struct mail *mail);

/* Wakes the reader's loop, with or without mail. Any thread. */
void mailbox_wake(struct mailbox *mailbox);

/* The reader's thread: moves all waiting mail to `ret_mail`, an initialised list. */
void mailbox_drain(struct mailbox *mailbox, struct list *ret_mail);

#endif
