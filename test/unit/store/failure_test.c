/* An operator reads why the store cannot be used, and the metrics tell the kinds apart. */
#include "store/failure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct store_failure of_error(bool is_auth, const char *text)
{
    const struct resp_reply reply = {RESP_ERROR, (const uint8_t *)text, strlen(text), strlen(text) + 3};
    return store_failure_of_error(is_auth, &reply);
}

static void errors_of_the_servers_are_explained(void **state)
{
    (void)state;
    static const struct {
        bool is_auth;
        const char *text;
        enum label_shared_failure label;
        const char *said;
    } cases[] = {
        {true, "WRONGPASS invalid username-password pair or user is disabled.", LABEL_SHARED_FAILURE_CREDENTIALS,
         "user or the password"},
        {true, "ERR AUTH <password> called without any password configured for the default user. Are you sure?",
         LABEL_SHARED_FAILURE_CREDENTIALS, "refuses AUTH"},
        {false, "NOAUTH Authentication required.", LABEL_SHARED_FAILURE_CREDENTIALS, "password_file"},
        {false, "NOPERM No permissions to access a key", LABEL_SHARED_FAILURE_CREDENTIALS, "access list"},
        {false, "DENIED Redis is running in protected mode because", LABEL_SHARED_FAILURE_CREDENTIALS, "protected"},
        {false, "LOADING Redis is loading the dataset in memory", LABEL_SHARED_FAILURE_REFUSED, "loading"},
        {false, "MASTERDOWN Link with MASTER is down", LABEL_SHARED_FAILURE_REFUSED, "replica"},
        {false, "CLUSTERDOWN Hash slot not served", LABEL_SHARED_FAILURE_REFUSED, "cluster"},
        {false, "MOVED 3999 127.0.0.1:6381", LABEL_SHARED_FAILURE_REFUSED, "cluster"},
        {false, "ERR whatever", LABEL_SHARED_FAILURE_REFUSED, "an error"},
        {false, "", LABEL_SHARED_FAILURE_REFUSED, "an error"},
        {false, "LOAD", LABEL_SHARED_FAILURE_REFUSED, "an error"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct store_failure failure = of_error(cases[i].is_auth, cases[i].text);
        assert_int_equal(failure.label, cases[i].label);
        assert_int_equal(failure.state, STORE_REFUSED);
        assert_non_null(strstr(failure.why, cases[i].said));
    }
}

static void ends_of_connections_have_labels_of_their_own(void **state)
{
    (void)state;
    static const enum label_shared_failure labels[] = {
        [CONNECTION_UNREACHABLE] = LABEL_SHARED_FAILURE_CONNECT,
        [CONNECTION_TLS] = LABEL_SHARED_FAILURE_TLS,
        [CONNECTION_CERTIFICATE] = LABEL_SHARED_FAILURE_CERTIFICATE,
        [CONNECTION_CLOSED] = LABEL_SHARED_FAILURE_CLOSED,
        [CONNECTION_RESET] = LABEL_SHARED_FAILURE_RESET,
        [CONNECTION_PROTOCOL] = LABEL_SHARED_FAILURE_PROTOCOL,
    };
    for (unsigned end = 0; end < sizeof labels / sizeof *labels; end++) {
        assert_int_equal(store_failure_of_end(end, NULL).label, labels[end]);
        assert_non_null(store_failure_of_end(end, NULL).why);
        assert_string_equal(store_failure_of_end(end, "the reason").why, "the reason");
    }
    assert_int_equal(store_failure_slow().state, STORE_LEFT_ALONE);
    assert_int_equal(store_failure_slow().label, LABEL_SHARED_FAILURE_SLOW);
    assert_int_equal(store_failure_connect_timeout().label, LABEL_SHARED_FAILURE_CONNECT_TIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_of_the_servers_are_explained),
        cmocka_unit_test(ends_of_connections_have_labels_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
