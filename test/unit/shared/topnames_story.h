/* topnames_story: a table of top names, and what tests of it do all the time. */
#ifndef UNIT_SHARED_TOPNAMES_STORY_H
#define UNIT_SHARED_TOPNAMES_STORY_H

#include "shared/topnames.h"

#include <stdlib.h>

#include "keys.h"

enum { MANY = 2000 };

#define START_NS  (100 * NS_PER_S)
#define HALF_LIFE (600 * NS_PER_S)

static inline struct topnames *topnames_of(uint32_t top)
{
    struct topnames *topnames = topnames_new(&(struct topnames_options){.top = top, .half_life_ns = HALF_LIFE});
    assert_non_null(topnames);
    return topnames;
}

static inline void query(struct topnames *topnames, const char *name, unsigned number, unsigned times, uint64_t now_ns)
{
    struct test_key key;
    key_of(&key, name, number);
    while (times-- > 0) topnames_count(topnames, &key.hashed, 0, now_ns);
}

static inline void answer(struct topnames *topnames, const char *name, unsigned number, uint64_t lifetime_ns,
                          uint64_t now_ns)
{
    struct test_key key;
    topnames_answered(topnames, key_of(&key, name, number), lifetime_ns, now_ns);
}

/* A name of the top with an answer that lives so long from START_NS on. */
static inline void ask_and_answer(struct topnames *topnames, const char *name, unsigned number, uint64_t lifetime_ns)
{
    query(topnames, name, number, 10, START_NS);
    answer(topnames, name, number, lifetime_ns, START_NS);
}

static inline bool is_key(const uint8_t *bytes, uint16_t size, const char *name, unsigned number)
{
    struct test_key key;
    key_of(&key, name, number);
    return size == key.hashed.size && memcmp(bytes, key.text, size) == 0;
}

/* The asks of a name by the list, 0 where it is not of the top. */
static inline uint32_t listed(struct topnames *topnames, const char *name, unsigned number)
{
    struct topname *names = calloc(MANY, sizeof *names);
    size_t count = topnames_list(topnames, names, MANY);
    uint32_t queries = 0;
    for (size_t i = 0; i < count; i++)
        if (is_key(names[i].bytes, names[i].size, name, number)) queries = names[i].queries;
    free(names);
    return queries;
}

static inline size_t listed_count(struct topnames *topnames)
{
    struct topname *names = calloc(MANY, sizeof *names);
    size_t count = topnames_list(topnames, names, MANY);
    free(names);
    return count;
}

/* How many are due for a single worker; the first of them is returned too, and when to come again. */
static inline size_t take(struct topnames *topnames, uint64_t now_ns, struct topname_due *ret_first,
                          uint64_t *ret_next_ns)
{
    struct topname_due *due = calloc(MANY, sizeof *due);
    uint64_t next_ns;
    size_t count = topnames_take_due(topnames, 0, 1, now_ns, due, MANY, &next_ns);
    if (count && ret_first) *ret_first = due[0];
    if (ret_next_ns) *ret_next_ns = next_ns;
    free(due);
    return count;
}

static inline size_t due_count(struct topnames *topnames, uint64_t now_ns)
{
    return take(topnames, now_ns, NULL, NULL);
}

#endif
