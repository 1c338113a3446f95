#include "store/failure.h"

#include <string.h>

struct store_failure store_failure_of_end(enum connection_end end, const char *why)
{
    struct store_failure failure = {LABEL_SHARED_FAILURE_CONNECT, STORE_UNREACHABLE, "it cannot be reached"};
    switch (end) {
    case CONNECTION_UNREACHABLE: break;
    case CONNECTION_TLS:
        failure = (struct store_failure){LABEL_SHARED_FAILURE_TLS, STORE_UNREACHABLE, "TLS failed"};
        break;
    case CONNECTION_CERTIFICATE:
        failure = (struct store_failure){LABEL_SHARED_FAILURE_CERTIFICATE, STORE_REFUSED, "its certificate is refused"};
        break;
    case CONNECTION_CLOSED:
        failure = (struct store_failure){LABEL_SHARED_FAILURE_CLOSED, STORE_UNREACHABLE, "it closed the connection"};
        break;
    case CONNECTION_RESET:
        failure = (struct store_failure){LABEL_SHARED_FAILURE_RESET, STORE_UNREACHABLE, "it reset the connection"};
        break;
    case CONNECTION_PROTOCOL:
        failure = (struct store_failure){LABEL_SHARED_FAILURE_PROTOCOL, STORE_REFUSED,
                                         "what it sends is no reply of Valkey or Redis"};
        break;
    }
    if (why) failure.why = why;
    return failure;
}

struct store_failure store_failure_of_error(bool is_auth, const struct resp_reply *reply)
{
    static const struct {
        const char *begin;
        const char *why;
        bool is_of_credentials;
    } errors[] = {
        {"WRONGPASS", "it refuses the user or the password (WRONGPASS)", true},
        {"NOAUTH", "it wants a password (NOAUTH): set shared_cache.password_file", true},
        {"NOPERM", "its access list forbids the user GET or SET with keys of shared_cache.prefix (NOPERM)", true},
        {"LOADING", "it is loading its data (LOADING)", false},
        {"MASTERDOWN", "it is a replica without its primary (MASTERDOWN)", false},
        {"CLUSTERDOWN", "it is a cluster (CLUSTERDOWN)", false},
        {"MOVED", "it is a cluster (MOVED)", false},
        {"DENIED", "it runs in protected mode and refuses other machines (DENIED)", true},
    };
    struct store_failure failure = {LABEL_SHARED_FAILURE_REFUSED, STORE_REFUSED, "it answers with an error"};
    if (is_auth) failure = (struct store_failure){LABEL_SHARED_FAILURE_CREDENTIALS, STORE_REFUSED, "it refuses AUTH"};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        size_t size = strlen(errors[i].begin);
        if (reply->size < size || memcmp(reply->bytes, errors[i].begin, size) != 0) continue;
        failure.why = errors[i].why;
        if (errors[i].is_of_credentials) failure.label = LABEL_SHARED_FAILURE_CREDENTIALS;
        break;
    }
    return failure;
}

struct store_failure store_failure_slow(void)
{
    return (struct store_failure){LABEL_SHARED_FAILURE_SLOW, STORE_LEFT_ALONE,
                                  "it does not answer within shared_cache.timeout"};
}

struct store_failure store_failure_connect_timeout(void)
{
    return (struct store_failure){LABEL_SHARED_FAILURE_CONNECT_TIMEOUT, STORE_UNREACHABLE,
                                  "no connection could be made in time"};
}
