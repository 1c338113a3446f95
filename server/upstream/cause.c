#include "upstream/cause.h"

#include "common/check.h"

const char *cause_text(enum cause cause)
{
    static const char *const texts[CAUSES] = {
        [CAUSE_CONNECT_REFUSED] = "connect_refused",
        [CAUSE_CONNECT_TIMEOUT] = "connect_timeout",
        [CAUSE_CONNECT_ERROR] = "connect_error",
        [CAUSE_TLS] = "tls",
        [CAUSE_TLS_TIMEOUT] = "tls_timeout",
        [CAUSE_CERTIFICATE] = "certificate",
        [CAUSE_CLOSED] = "closed",
        [CAUSE_RESET] = "reset",
        [CAUSE_SILENT] = "hung",
        [CAUSE_FRAME] = "bad_frame",
        [CAUSE_UNSOLICITED] = "unsolicited",
        [CAUSE_MISMATCH] = "mismatch",
        [CAUSE_MALFORMED] = "malformed",
        [CAUSE_IDLE] = "idle",
        [CAUSE_AGE] = "max_age",
        [CAUSE_REPLACED] = "replaced",
        [CAUSE_REVALIDATED] = "revalidated",
        [CAUSE_RELOAD] = "reload",
        [CAUSE_PEER_IDLE] = "peer_idle",
    };
    CHECK(cause < CAUSES);
    return texts[cause];
}
