/* Any datagram, from any kind of source: it is admitted or refused, and whatever is replied, an error or an answer, is
 * not larger than the profile allows, has the question's id, and to a foreign source is not larger than the datagram.
 * The first octet chooses the source (0: foreign), whether cookies are on and whether the limit is used up. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clients/udp_admission.h"
#include "common/clock.h"
#include "dns/edns.h"
#include "need.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PRIVATE = 1, COOKIES = 2, LIMITED = 4, CHOICES = 8, DATAGRAM_MAX = 2048 };

static const uint32_t now_s = 1559731985;

/* Made once for each choice, as the fuzzer comes back millions of times. */
static struct udp_admission *admission_for(unsigned choice)
{
    static struct udp_admission admissions[CHOICES];
    static struct cookie_service services[CHOICES];
    static const struct hash_key hash_key = {1, 2};
    struct udp_admission *admission = &admissions[choice];
    if (admission->ratelimit) return admission;
    const struct ratelimit_options limits = {.queries_per_s = choice & LIMITED ? 1 : 0, .burst = 1, .max_clients = 2};
    services[choice] = (struct cookie_service){choice & COOKIES, cookie_keys_draw(now_s), counters_new()};
    *admission = (struct udp_admission){
        .options = {.max_size = 1232, .max_size_unverified = 512, .responses_per_s = choice & LIMITED, .slip = 2},
        .cookies = &services[choice],
        .ratelimit = ratelimit_new(&limits, &hash_key),
    };
    need(admission->ratelimit && services[choice].counters);
    return admission;
}

static void check_reply(const uint8_t *reply, size_t size, const struct udp_question *asked, bool is_foreign)
{
    need(size >= DNS_HEADER_BYTES && message_id(reply) == asked->question->id && message_flags(reply) & DNS_QR);
    if (is_foreign) need(size <= asked->size);
}

/* The reply is an error with the longest text there is. */
static void check_errors(const struct udp_question *asked, const struct reply_profile *profile, bool is_foreign)
{
    static const uint16_t rcodes[] = {DNS_RCODE_NOERROR, DNS_RCODE_FORMERR, DNS_RCODE_SERVFAIL, DNS_RCODE_BADVERS,
                                      DNS_RCODE_BADCOOKIE};
    uint8_t reply[ANSWER_ERROR_MAX];
    for (size_t i = 0; i < sizeof rcodes / sizeof *rcodes; i++) {
        const struct answer_error error = {
            .rcode = rcodes[i], .ede_code = DNS_EDE_NETWORK_ERROR, .ede_text = "upstream is out of reach, so it says"};
        size_t size = answer_error(reply, asked->question, profile, &error);
        need(size <= sizeof reply);
        check_reply(reply, size, asked, is_foreign);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct question question;
    struct address client;
    if (size < 1 || size > DATAGRAM_MAX) return 0;
    unsigned choice = *data++ % CHOICES;
    size--;
    enum question_verdict verdict = question_parse(data, size, &question);
    if (verdict == QUESTION_CLOSE) return 0;
    need(address_parse(choice & PRIVATE ? "10.0.0.1" : "198.51.100.1", 53, &client));
    const struct udp_question asked = {&client, size, &question, verdict};
    struct reply_profile profile = reply_profile_of(&question);
    enum label_udp_source source;
    enum refusal refusal = udp_admit(admission_for(choice), &asked, NS_PER_S, now_s, &profile, &source);
    bool is_foreign = source == LABEL_UDP_SOURCE_FOREIGN;
    need(source == (choice & PRIVATE ? LABEL_UDP_SOURCE_PRIVATE : LABEL_UDP_SOURCE_FOREIGN));
    need(profile.max_bytes <= 1232 && (!is_foreign || profile.max_bytes <= size));
    need(choice & COOKIES || profile.option_bytes == 0);
    if (refusal == REFUSAL_RATE_BADCOOKIE || refusal == REFUSAL_BADCOOKIE) need(choice & COOKIES && question.cookie);
    check_errors(&asked, &profile, is_foreign);
    return 0;
}
