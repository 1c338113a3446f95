#include "common/mailbox.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool mailbox_init(struct mailbox *mailbox, void (*on_event)(struct loop_source *, uint32_t))
{
    mailbox->source.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    mailbox->source.on_event = on_event;
    pthread_mutex_init(&mailbox->lock, NULL);
    list_init(&mailbox->waiting);
    return mailbox->source.fd >= 0;
}

void mailbox_done(struct mailbox *mailbox)
{
    struct list *node;
    while ((node = list_take(&mailbox->waiting))) free(container_of(node, struct mail, node));
    pthread_mutex_destroy(&mailbox->lock);
    if (mailbox->source.fd >= 0) close(mailbox->source.fd);
    mailbox->source.fd = -1;
}

void mailbox_post(struct mailbox *mailbox, struct mail *mail)
{
    pthread_mutex_lock(&mailbox->lock);
    list_push(&mailbox->waiting, &mail->node);
    pthread_mutex_unlock(&mailbox->lock);
    mailbox_wake(mailbox);
}

void mailbox_wake(struct mailbox *mailbox)
{
    /* Fails only if the counter is full, and then the reader is awake. */
    (void)!write(mailbox->source.fd, &(uint64_t){1}, sizeof(uint64_t));
}

void mailbox_drain(struct mailbox *mailbox, struct list *ret_mail)
{
    uint64_t count;
    (void)!read(mailbox->source.fd, &count, sizeof count);
    pthread_mutex_lock(&mailbox->lock);
    list_append(ret_mail, &mailbox->waiting);
    pthread_mutex_unlock(&mailbox->lock);
}
