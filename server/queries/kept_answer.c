#include "queries/kept_answer.h"

#include "queries/retention.h"

size_t kept_answer_write(uint8_t *bytes, size_t size, const struct question_key *key)
{
    static const struct answer_use as_is = {.ttl_max_s = UINT32_MAX, .ede_code = DNS_EDE_NONE};
    struct answer answer;
    if (!answer_unpack(bytes, size, &answer) || !retention_is_worth_keeping(bytes, size)) return 0;
    uint8_t flags = question_key_flags(key);
    const struct reply_profile profile = {
        .flags = (uint16_t)((flags & QUESTION_KEY_RD ? DNS_RD : 0) | (flags & QUESTION_KEY_CD ? DNS_CD : 0)),
        .edns = true,
        .dnssec_ok = flags & QUESTION_KEY_DO,
        .max_bytes = DNS_MESSAGE_MAX,
    };
    return answer_to_reply(bytes, size, &profile, key->bytes, &as_is);
}

bool kept_answer_judge(const struct forwarder_options *options, const struct kept_response *kept, uint8_t *parsed,
                       uint8_t *clamped, struct answer *ret_answer, uint64_t *ret_kept_ns)
{
    struct answer answer;
    if (answer_parse(kept->message, kept->size, kept->key, parsed, &answer) != ANSWER_GOOD) return false;
    if (answer.kind != ANSWER_POSITIVE && answer.kind != ANSWER_NEGATIVE) return false;
    retention_clamp_ttls(options, &answer, clamped, ret_answer);
    *ret_kept_ns = retention_ns(options, ret_answer);
    return true;
}
