#include "queries/incoming.h"

void incoming_set_route(struct incoming *incoming, uint16_t route, const struct names *names,
                        const struct hash_key *hash_key)
{
    struct question_key *key = &incoming->key;
    incoming->route = route;
    if (route != NAMES_ROUTE_DEFAULT) question_key_set_route(key, names_route_identity(names, route));
    incoming->hashed = (struct hashed_key){key->bytes, key->size, hash_bytes(hash_key, key->bytes, key->size)};
}

void incoming_read(struct incoming *ret_incoming, const struct client_message *message, const struct names *names,
                   const struct hash_key *hash_key)
{
    /* Most is filled on the way, and not set to zero for each query. */
    struct question *question = &ret_incoming->question;
    struct names_found *found = &ret_incoming->found;
    ret_incoming->verdict = question_parse(message->bytes, message->size, question);
    if (ret_incoming->verdict != QUESTION_GOOD) return;
    question_key(question, &ret_incoming->key);
    found->verdict = NAMES_RESOLVE;
    found->route = NAMES_ROUTE_DEFAULT;
    if (names) names_find(names, ret_incoming->key.bytes, question->name_size, question->type, found);
    if (found->verdict == NAMES_RESOLVE) incoming_set_route(ret_incoming, found->route, names, hash_key);
}
