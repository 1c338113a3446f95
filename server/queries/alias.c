#include "queries/alias.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "dns/validator.h"
#include "queries/reply.h"

/* A query whose rest is being resolved. */
struct alias {
    struct slot slot;
    struct list of_all;
    struct requester requester; /* that asked; its address may be gone */
    struct reply_profile profile;
    uint8_t *chain;
    size_t chain_size;
    uint8_t *rest; /* the reply to what the chain leads to */
    size_t rest_capacity;
};

static struct aliases *aliases_of(const struct requester *requester)
{
    const struct transport *first = requester->transport - requester->transport->label;
    return container_of(first, struct aliases, transports);
}

static void forget(struct aliases *aliases, struct alias *alias)
{
    list_remove(&alias->of_all);
    free(alias->chain);
    free(alias->rest);
    slots_give(&aliases->slots, alias);
}

static uint8_t *begin_reply(const struct requester *requester, size_t capacity)
{
    struct alias *alias = slots_find(&aliases_of(requester)->slots, requester->client);
    CHECK(alias);
    if (capacity <= alias->rest_capacity) return alias->rest;
    uint8_t *rest = realloc(alias->rest, capacity);
    if (!rest) return NULL;
    alias->rest = rest;
    alias->rest_capacity = capacity;
    return rest;
}

/* The size of the header and the question. */
static size_t question_size_of(const uint8_t *message, size_t size)
{
    struct reader reader = {.message = message, .size = size, .at = DNS_HEADER_BYTES};
    reader_name(&reader, false);
    reader_skip(&reader, 4);
    CHECK(!reader.failed); /* both messages were made by this program */
    return reader.at;
}

/* Where the OPT record begins, which is the last one; the end of the message if there is none. */
static size_t find_opt(const uint8_t *message, size_t size)
{
    struct reader reader = {.message = message, .size = size, .at = question_size_of(message, size)};
    size_t records = (size_t)message_count(message, DNS_ANSWER) + message_count(message, DNS_AUTHORITY) +
                     message_count(message, DNS_ADDITIONAL);
    for (; records > 0; records--) {
        struct record record;
        reader_record(&reader, &record);
        CHECK(!reader.failed);
        if (record.type == DNS_TYPE_OPT) return record.owner;
    }
    return size;
}

static void put_header(const struct alias *alias, const uint8_t *rest, bool has_opt, uint8_t *out)
{
    unsigned flags = DNS_QR | DNS_RA | (message_flags(rest) & (DNS_TC | DNS_RCODE));
    dns_put_u16(out, alias->profile.id);
    dns_put_u16(out + 2, (uint16_t)(flags | (alias->profile.flags & (DNS_RD | DNS_CD))));
    dns_put_u16(out + 6, (uint16_t)(message_count(alias->chain, DNS_ANSWER) + message_count(rest, DNS_ANSWER)));
    dns_put_u16(out + 8, message_count(rest, DNS_AUTHORITY));
    dns_put_u16(out + 10, (uint16_t)(message_count(rest, DNS_ADDITIONAL) - has_opt));
}

/* Puts chain and rest together at `out`, which has room for both. Returns the reply's size; 0 if it cannot be made:
 * it would be longer than a message, or a pointer would lead too far. */
static size_t put_together(const struct alias *alias, const uint8_t *rest, size_t rest_size, uint8_t *out)
{
    size_t question_size = question_size_of(rest, rest_size);
    size_t opt_at = find_opt(rest, rest_size);
    size_t body_size = opt_at - question_size;
    size_t opt_size = alias->profile.edns ? rest_size - opt_at : 0;
    size_t size = alias->chain_size + body_size;
    size_t target_size = question_size - DNS_HEADER_BYTES - 4;
    size_t records = (size_t)message_count(rest, DNS_ANSWER) + message_count(rest, DNS_AUTHORITY) +
                     message_count(rest, DNS_ADDITIONAL) - (opt_at < rest_size);
    if (size + opt_size > DNS_MESSAGE_MAX) return 0;
    memcpy(out, alias->chain, alias->chain_size);
    memcpy(out + alias->chain_size, rest + question_size, body_size);
    put_header(alias, rest, opt_at < rest_size, out);
    /* The chain ends in the data of its last CNAME record: the name that the rest was asked for. */
    if (!validator_move_pointers(out, size, alias->chain_size, records, alias->chain_size - question_size,
                                 question_size, alias->chain_size - target_size))
        return 0;
    if (size + opt_size > alias->profile.max_bytes) {
        size = question_size_of(out, size);
        memset(out + 6, 0, 6);
        dns_put_u16(out + 2, message_flags(out) | DNS_TC);
    }
    memcpy(out + size, rest + opt_at, opt_size);
    if (opt_size > 0) dns_put_u16(out + 10, (uint16_t)(message_count(out, DNS_ADDITIONAL) + 1));
    return size + opt_size;
}

/* Whether the rcode needs an OPT record, which the client cannot have. */
static bool is_untellable(const struct alias *alias, const uint8_t *rest, size_t rest_size)
{
    enum { RCODE_HIGH_AT = 5 }; /* of an OPT record whose owner is the root */
    size_t opt_at = find_opt(rest, rest_size);
    return !alias->profile.edns && opt_at < rest_size && rest[opt_at + RCODE_HIGH_AT] != 0;
}

/* Ends the client's query with the rest. False if it cannot be: the client has gone, or there is no such message. */
static bool give(const struct alias *alias, const struct requester *to, size_t rest_size)
{
    if (is_untellable(alias, alias->rest, rest_size)) return false;
    uint8_t *reply = to->transport->begin_reply(to, alias->chain_size + rest_size);
    size_t size = reply ? put_together(alias, alias->rest, rest_size, reply) : 0;
    if (size > 0) to->transport->end_reply(to, size);
    return size > 0;
}

static void give_failure(struct aliases *aliases, const struct alias *alias, const struct requester *to)
{
    static const struct answer_error failure = {
        .rcode = DNS_RCODE_SERVFAIL, .ede_code = DNS_EDE_OTHER, .ede_text = "the answer is too long"};
    struct reader reader = {.message = alias->chain, .size = alias->chain_size, .at = DNS_HEADER_BYTES};
    struct question question = {.name = alias->chain + DNS_HEADER_BYTES, .class = DNS_CLASS_IN};
    question.name_size = (uint8_t)reader_name(&reader, false);
    question.type = reader_u16(&reader);
    const struct query_end end = {to, &question, .error = failure, .source = LABEL_SOURCE_LOCAL};
    notices_end(aliases->notices, &end);
    reply_error(aliases->notices->counters, to, &question, &alias->profile, &failure);
}

static void end_reply(const struct requester *requester, size_t size)
{
    struct aliases *aliases = aliases_of(requester);
    struct alias *alias = slots_find(&aliases->slots, requester->client);
    CHECK(alias);
    struct requester to = alias->requester;
    to.address = requester->address;
    to.batched = requester->batched;
    if (size == 0)
        to.transport->end_reply(&to, 0);
    else if (!give(alias, &to, size))
        give_failure(aliases, alias, &to);
    forget(aliases, alias);
}

static void abort_client(const struct requester *requester)
{
    (void)requester; /* what is resolved here was asked by this program, and breaks no protocol */
}

bool aliases_init(struct aliases *aliases, uint32_t max, struct notices *notices)
{
    *aliases = (struct aliases){.notices = notices};
    for (int label = 0; label < LABEL_TRANSPORT_COUNT; label++)
        aliases->transports[label] = (struct transport){
            .label = (enum label_transport)label,
            .max_reply_bytes = DNS_MESSAGE_MAX,
            .begin_reply = begin_reply,
            .end_reply = end_reply,
            .abort = abort_client,
        };
    list_init(&aliases->all);
    return slots_init(&aliases->slots, sizeof(struct alias), max);
}

void aliases_done(struct aliases *aliases)
{
    if (!aliases->notices) return;
    list_for_each_safe (node, &aliases->all) forget(aliases, container_of(node, struct alias, of_all));
    slots_done(&aliases->slots);
    aliases->notices = NULL;
}

bool aliases_begin(struct aliases *aliases, const struct incoming *in, const uint8_t *chain, size_t chain_size,
                   struct requester *ret_requester, struct reply_profile *ret_profile)
{
    const struct requester *requester = in->requester;
    struct alias *alias = slots_take(&aliases->slots);
    if (!alias) return false;
    list_push(&aliases->all, &alias->of_all);
    alias->requester = *requester;
    alias->profile = in->profile;
    alias->chain_size = chain_size;
    alias->chain = malloc(chain_size);
    if (!alias->chain) {
        forget(aliases, alias);
        return false;
    }
    memcpy(alias->chain, chain, chain_size);
    memcpy(alias->chain + DNS_HEADER_BYTES, in->question.name, in->question.name_size);
    struct transport *transport = &aliases->transports[requester->transport->label];
    *ret_requester = (struct requester){transport, slot_handle(alias), requester->address, requester->batched,
                                        requester->must_not_wait};
    *ret_profile = in->profile;
    ret_profile->edns = true; /* so that the reply says all there is to say */
    ret_profile->max_bytes = DNS_MESSAGE_MAX;
    return true;
}
