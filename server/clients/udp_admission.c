#include "clients/udp_admission.h"

#include "dns/edns.h"
#include "dns/message.h"

enum {
    SIZE_MIN = 512,     /* what every client takes, and what a smaller size means (RFC 6891, 6.2.3) */
    OPT_BYTES = 11,     /* an OPT record without options */
    QUESTION_FIXED = 4, /* type and class */
};

/* Ports of services that answer whatever they get: echo, daytime, chargen, time; 0 is nobody's. */
static bool is_answering_port(uint16_t port)
{
    return port == 0 || port == 7 || port == 13 || port == 19 || port == 37;
}

unsigned udp_why_dropped(const struct access_list *access, const struct datagram *datagram,
                         const struct address *client)
{
    bool is_query = datagram->size >= DNS_HEADER_BYTES && !(message_flags(datagram->bytes) & DNS_QR);
    if (!access_is_allowed(access, client)) return LABEL_UDP_DROPPED_ACCESS;
    if (!is_query) return LABEL_UDP_DROPPED_NOT_QUERY;
    if (is_answering_port(client->port)) return LABEL_UDP_DROPPED_PORT;
    if (datagram->is_old) return LABEL_UDP_DROPPED_OLD;
    return LABEL_UDP_DROPPED_COUNT;
}

static bool is_private_ipv4(const uint8_t ip[static 4])
{
    return ip[0] == 127 || ip[0] == 10 || (ip[0] == 192 && ip[1] == 168) || (ip[0] == 172 && ip[1] >> 4 == 1) ||
           (ip[0] == 100 && ip[1] >> 6 == 1) || (ip[0] == 169 && ip[1] == 254);
}

/* Of a range that is not routed in the internet: RFC 1918, 6598, 3927, 4193, 4291 (link-local and loopback). */
static bool is_private(const struct address *client)
{
    if (address_is_ipv4(client)) return is_private_ipv4(client->ip + 12);
    bool is_unique_local = client->ip[0] >> 1 == 0xfc >> 1;
    bool is_link_local = client->ip[0] == 0xfe && client->ip[1] >> 6 == 2;
    return is_unique_local || is_link_local || address_is_loopback(client);
}

static uint16_t smaller(size_t a, size_t b)
{
    return (uint16_t)(a < b ? a : b);
}

static uint16_t reply_size(const struct udp_options *options, const struct udp_question *asked,
                           enum label_udp_source source)
{
    uint16_t of_client = asked->question->udp_size < SIZE_MIN ? SIZE_MIN : asked->question->udp_size;
    uint16_t size = smaller(of_client, options->max_size);
    if (source != LABEL_UDP_SOURCE_FOREIGN) return size;
    return smaller(smaller(size, options->max_size_unverified), asked->size);
}

/* The reply keeps its cookie only if there is room for it beside the question. */
static void fit_cookie(const struct question *question, struct reply_profile *profile)
{
    size_t question_size = question->name ? (size_t)question->name_size + QUESTION_FIXED : 0;
    size_t least = DNS_HEADER_BYTES + question_size + OPT_BYTES + profile->option_bytes;
    if (least > profile->max_bytes) profile->option_bytes = 0;
}

/* A question over the limit of sources that are not verified. */
static enum refusal refuse_over_limit(struct udp_admission *admission, struct reply_profile *profile)
{
    uint32_t slip = admission->options.slip;
    if (profile->option_bytes > 0) return REFUSAL_RATE_BADCOOKIE;
    if (slip == 0 || ++admission->over_limit % slip != 0) return REFUSAL_RATE_DROP;
    profile->max_bytes = 0; /* so that nothing fits, and TC is set */
    return REFUSAL_RATE_TRUNCATE;
}

/* A message with a cookie and no question (RFC 7873, 5.4). */
static enum refusal refuse_without_question(enum cookie_finding cookie, const struct question *question)
{
    if (cookie == COOKIE_ABSENT) return REFUSAL_FORMERR;
    bool is_good = cookie == COOKIE_VALID || question->cookie_size == COOKIE_CLIENT_BYTES;
    return is_good ? REFUSAL_COOKIE : REFUSAL_BADCOOKIE;
}

enum refusal udp_admit(struct udp_admission *admission, const struct udp_question *asked, uint64_t now_ns,
                       uint32_t now_s, struct reply_profile *profile, enum label_udp_source *ret_source)
{
    const struct question *question = asked->question;
    enum cookie_finding cookie = cookie_option_answer(admission->cookies, question, asked->client, now_s, profile);
    enum label_udp_source source = LABEL_UDP_SOURCE_FOREIGN;
    if (cookie == COOKIE_VALID)
        source = LABEL_UDP_SOURCE_VERIFIED;
    else if (is_private(asked->client))
        source = LABEL_UDP_SOURCE_PRIVATE;
    *ret_source = source;
    profile->max_bytes = reply_size(&admission->options, asked, source);
    if (profile->option_bytes > 0) fit_cookie(question, profile);

    bool is_limited = source != LABEL_UDP_SOURCE_VERIFIED && admission->options.responses_per_s > 0;
    if (is_limited && !ratelimit_take_one(admission->ratelimit, &admission->last_client, asked->client, 0, now_ns))
        return refuse_over_limit(admission, profile);
    if (cookie == COOKIE_MALFORMED) return REFUSAL_FORMERR;
    return asked->verdict == QUESTION_COOKIE ? refuse_without_question(cookie, question) : REFUSAL_NONE;
}
