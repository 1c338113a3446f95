/* list: an intrusive, circular, doubly linked list. The head is a node of its own. A node that is in no list points to
 * itself, so removing it twice does no harm. Lists have no lock: a list belongs to one thread, or is guarded by a lock
 * that its owner names.
 */
#ifndef COMMON_LIST_H
#define COMMON_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct list {
    struct list *next;
    struct list *previous;
};

/* The structure of `type` whose `member` is `*pointer`. */
#define container_of(pointer, type, member) ((type *)((uintptr_t)(pointer)-offsetof(type, member)))

static inline void list_init(struct list *list)
{
    list->next = list;
    list->previous = list;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_push(struct list *head, struct list *node) /* to the end */
{
    node->next = head;
    node->previous = head->previous;
    head->previous->next = node;
    head->previous = node;
}

static inline void list_remove(struct list *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    list_init(node);
}

/* The oldest node, or NULL. */
static inline struct list *list_first(const struct list *head)
{
    return list_is_empty(head) ? NULL : head->next;
}

/* Removes and returns the oldest node, or NULL. */
static inline struct list *list_take(struct list *head)
{
    struct list *node = list_first(head);
    if (node) list_remove(node);
    return node;
}

/* Moves all nodes of `from` to the end of `to`, in order; `from` is empty afterwards. */
static inline void list_append(struct list *to, struct list *from)
{
    if (list_is_empty(from)) return;
    from->next->previous = to->previous;
    to->previous->next = from->next;
    from->previous->next = to;
    to->previous = from->previous;
    list_init(from);
}

#define list_for_each(node, head) for (struct list *node = (head)->next; node != (head); node = node->next)

/* The same; the body may remove `node`. */
#define list_for_each_safe(node, head)                                                                                 \
    for (struct list *node = (head)->next, *node##_next = node->next; node != (head);                                  \
         node = node##_next, node##_next = node->next)

#endif
