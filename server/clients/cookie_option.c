#include "clients/cookie_option.h"

#include "dns/edns.h"
#include "dns/message.h"

enum { HEAD_BYTES = 4 }; /* an option's code and length */

_Static_assert(HEAD_BYTES + COOKIE_BYTES <= EDNS_OPTION_MAX, "a profile has room for a cookie");

static void count(struct counters *counters, enum label_cookie label)
{
    count_event_by(counters, cookies, label);
}

enum cookie_finding cookie_option_answer(struct cookie_service *service, const struct question *question,
                                         const struct address *client, uint32_t now_s, struct reply_profile *profile)
{
    const struct cookie_secrets *secrets = &service->keys.current;
    if (!service->enabled || !question->cookie) return COOKIE_ABSENT;
    if (!cookie_is_well_formed(question->cookie_size)) {
        count(service->counters, LABEL_COOKIE_MALFORMED);
        return COOKIE_MALFORMED;
    }
    cookie_keys_update(&service->keys, now_s);
    bool is_valid = cookie_is_valid(secrets, question->cookie, question->cookie_size, client, now_s);
    bool is_new = question->cookie_size == COOKIE_CLIENT_BYTES;
    count(service->counters, is_valid ? LABEL_COOKIE_VALID : is_new ? LABEL_COOKIE_CLIENT : LABEL_COOKIE_INVALID);
    dns_put_u16(profile->option, EDNS_COOKIE);
    dns_put_u16(profile->option + 2, COOKIE_BYTES);
    cookie_answer(secrets, question->cookie, is_valid, client, now_s, profile->option + HEAD_BYTES);
    profile->option_bytes = HEAD_BYTES + COOKIE_BYTES;
    return is_valid ? COOKIE_VALID : COOKIE_UNVERIFIED;
}
