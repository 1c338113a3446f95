/* fetching: how a question that the cache does not answer is: by the cache of the fleet if there is one, by upstream if
 * that has no answer or is late. What comes first is given to all clients that wait, and kept. Private to the forwarder
 * (forwarder_fetch.c). One thread. */
#ifndef QUERIES_FETCHING_H
#define QUERIES_FETCHING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/hash.h"
#include "dns/question.h"

struct forwarder;
struct query;

/* For whom a question is asked. */
enum requester_kind { REQUESTER_NONE, REQUESTER_LIGHT, REQUESTER_OTHER };

/* The query in flight for a question, or NULL: there is none, or its name was purged since it was asked, so that its
 * answer is for those alone who wait for it already. */
struct query *fetch_find(struct forwarder *forwarder, const struct hashed_key *key);

/* Begins to ask a question, of whom the route says; NULL at the bound, or if memory is short. */
struct query *fetch_begin(struct forwarder *forwarder, uint16_t route, const struct question_key *key, uint64_t hash,
                          enum requester_kind kind);

/* A light client waits for it, too. */
void fetch_promote(struct query *query);

/* Gives every client that waits the stale answer. False if there is none any more. */
bool fetch_give_stale(struct forwarder *forwarder, struct query *query);

/* Forgets it; those who wait get no reply. */
void fetch_cancel(struct forwarder *forwarder, struct query *query);

#endif
