/* Any bytes as a client's message: what is good is good to ldns (records.h), and makes a query that means the same;
 * every verdict has a reply that ldns can read. */
#include "records.h" /* first: ldns wants to be */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns/answer.h"
#include "dns/question.h"
#include "dns/validator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_view(const uint8_t *data, size_t size, const struct question *question)
{
    need(question->id == message_id(data) && question->flags == message_flags(data));
    if (!question->name) return;
    need(question->name == data + DNS_HEADER_BYTES && question->name_size > 0);
    need(DNS_HEADER_BYTES + question->name_size + 4u <= size);
}

static void check_replies(const struct question *question)
{
    uint8_t out[ANSWER_ERROR_MAX];
    const struct reply_profile profile = reply_profile_of(question);
    const uint16_t rcodes[] = {DNS_RCODE_FORMERR, DNS_RCODE_BADVERS};
    for (size_t i = 0; i < 2; i++) {
        const struct answer_error error = {.rcode = rcodes[i], .ede_code = question->id, .ede_text = "fuzz"};
        size_t size = answer_error(out, question, &profile, &error);
        need(size <= sizeof out);
        need_ldns_to_read(out, size);
        need(message_count(out, DNS_ADDITIONAL) == question->edns);
    }
}

static void check_good(const struct question *question, uint16_t block)
{
    struct question_key key;
    struct question_key again;
    struct question ours;
    uint8_t query[QUESTION_QUERY_MAX];
    const struct question_wire wire = {.id = question->id, .padding_block = block};
    question_key(question, &key);
    size_t size = question_write_query(&key, &wire, query);
    need(size <= sizeof query && (block == 0 || size % block == 0));
    need(question_parse(query, size, &ours) == QUESTION_GOOD);
    question_key(&ours, &again);
    need(ours.id == question->id && again.size == key.size && memcmp(again.bytes, key.bytes, key.size) == 0);

    struct spelling spelling;
    uint8_t name[DNS_NAME_MAX];
    spelling_take(question->name, question->name_size, &spelling);
    spelling_apply(&spelling, key.bytes, question->name_size, name);
    need(memcmp(name, question->name, question->name_size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct question question;
    enum question_verdict verdict = question_parse(data, size, &question);
    need((verdict == QUESTION_CLOSE) == (size < DNS_HEADER_BYTES || message_flags(data) & DNS_QR));
    if (verdict == QUESTION_CLOSE) return 0;
    check_view(data, size, &question);
    check_replies(&question);
    if (verdict == QUESTION_COOKIE) need(question.cookie && !question.name);
    if (verdict == QUESTION_FORMERR || verdict == QUESTION_NOTIMP || verdict == QUESTION_COOKIE) return 0;
    need(question.name);
    need_ldns_to_read(data, size);
    if (verdict != QUESTION_GOOD) return 0;
    need(validator_is_message(data, size)); /* also where it is asked for nothing but the name, if for anything */
    need(question_is_confirmed(&question));
    check_good(&question, question.id % 513);
    return 0;
}
