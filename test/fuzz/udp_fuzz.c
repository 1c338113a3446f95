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

/* RFC 9018, A.1: the secret, the time and the address with which the cookie there is valid. */
static const char secret[] = "e5e973e5a6b2a43f48e7dc849e37bfcf";
static const char foreign_client[] = "198.51.100.100";
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
    char error[COOKIE_ERROR_BYTES];
    services[choice] = (struct cookie_service){.enabled = choice & COOKIES, .counters = counters_new()};
    need(cookie_keys_parse(secret, sizeof secret - 1, &services[choice].keys, error));
    *admission = (struct udp_admission){
        .options = {.max_size = 1232, .max_size_unverified = 512, .responses_per_s = choice & LIMITED, .slip = 2},
        .cookies = &services[choice],
        .ratelimit = ratelimit_new(&limits, &hash_key),
    };
    need(admission->ratelimit && services[choice].counters);
    return admission;
}

/* Some inputs have a valid cookie: an example of RFC 9018, and what a fuzzer that watches comparisons makes of it. */
static enum label_udp_source source_of(const struct udp_admission *admission, const struct udp_question *asked,
                                       bool is_private)
{
    const struct cookie_service *service = admission->cookies;
    const struct question *question = asked->question;
    if (service->enabled && question->cookie &&
        cookie_is_valid(&service->keys.current, question->cookie, question->cookie_size, asked->client, now_s))
        return LABEL_UDP_SOURCE_VERIFIED;
    return is_private ? LABEL_UDP_SOURCE_PRIVATE : LABEL_UDP_SOURCE_FOREIGN;
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
    need(address_parse(choice & PRIVATE ? "10.0.0.1" : foreign_client, 53, &client));
    const struct udp_question asked = {&client, size, &question, verdict};
    struct reply_profile profile = reply_profile_of(&question);
    enum label_udp_source source;
    struct udp_admission *admission = admission_for(choice);
    enum refusal refusal = udp_admit(admission, &asked, NS_PER_S, now_s, &profile, &source);
    bool is_foreign = source == LABEL_UDP_SOURCE_FOREIGN;
    need(source == source_of(admission, &asked, choice & PRIVATE));
    need(profile.max_bytes <= 1232 && (!is_foreign || profile.max_bytes <= size));
    need(choice & COOKIES || profile.option_bytes == 0);
    bool is_badcookie = refusal == REFUSAL_RATE_BADCOOKIE || refusal == REFUSAL_BADCOOKIE;
    if (is_badcookie) need(choice & COOKIES && question.cookie && source != LABEL_UDP_SOURCE_VERIFIED);
    check_errors(&asked, &profile, is_foreign);
    return 0;
}
