/* What responses mean for their question, judged one after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "upstream/opinion.h"
#include "upstream/upstream.h"

enum { UPSTREAMS = 4, NOW_S = 1000 };

#define NOW_NS (NOW_S * NS_PER_S)

static struct upstream upstreams[UPSTREAMS];
static struct opinions opinions;

/* The first two have one name, the others one of their own each. */
static int setup(void **state)
{
    (void)state;
    static const char *const names[UPSTREAMS] = {"dns.example", "dns.example", "other.example", "third.example"};
    memset(upstreams, 0, sizeof upstreams);
    for (unsigned i = 0; i < UPSTREAMS; i++) {
        upstreams[i].index = i;
        strcpy(upstreams[i].options.name, names[i]);
    }
    opinions = (struct opinions){0};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    opinion_done(&opinions);
    return 0;
}

static enum opinion judge_of(unsigned count, unsigned number, bool was_plain, enum answer_kind kind, uint16_t rcode)
{
    const struct answer answer = {.kind = kind, .rcode = rcode};
    const struct opinion_response response = {&upstreams[number], was_plain, ANSWER_GOOD, &answer};
    return opinion_judge(&opinions, upstreams, count, &response, NOW_NS);
}

static enum opinion judge(unsigned number, enum answer_kind kind, uint16_t rcode)
{
    return judge_of(UPSTREAMS, number, false, kind, rcode);
}

static void definitive_answers_and_verdicts_are_final(void **state)
{
    (void)state;
    assert_int_equal(judge(0, ANSWER_POSITIVE, DNS_RCODE_NOERROR), OPINION_FINAL);
    assert_int_equal(judge(0, ANSWER_NEGATIVE, DNS_RCODE_NXDOMAIN), OPINION_FINAL);
    assert_int_equal(judge(0, ANSWER_UNCACHEABLE, DNS_RCODE_NXDOMAIN), OPINION_FINAL);
    assert_int_equal(judge(0, ANSWER_VERDICT, DNS_RCODE_SERVFAIL), OPINION_FINAL);
    assert_int_equal(judge(0, ANSWER_VERDICT, DNS_RCODE_REFUSED), OPINION_FINAL);
    assert_false(opinions.failed);
    assert_int_equal(opinions.excluded, 0);
}

static void what_is_no_answer_or_cut_is_invalid_and_excludes_its_address(void **state)
{
    (void)state;
    static const enum answer_verdict verdicts[] = {ANSWER_MISMATCH, ANSWER_MALFORMED};
    for (int i = 0; i < 2; i++) {
        const struct opinion_response response = {&upstreams[0], false, verdicts[i], NULL};
        assert_int_equal(opinion_judge(&opinions, upstreams, UPSTREAMS, &response, NOW_NS), OPINION_INVALID);
    }
    assert_false(opinion_allows(&opinions, &upstreams[0]));
    assert_true(opinion_allows(&opinions, &upstreams[1])); /* of the same name */
    assert_int_equal(judge(1, ANSWER_TRUNCATED, DNS_RCODE_NOERROR), OPINION_INVALID);
    assert_false(opinion_allows(&opinions, &upstreams[1]));
    assert_false(opinions.failed);
    setup(NULL); /* where it is the only one it may be asked again */
    assert_int_equal(judge_of(1, 0, false, ANSWER_TRUNCATED, DNS_RCODE_NOERROR), OPINION_INVALID);
    assert_true(opinion_allows(&opinions, &upstreams[0]));
}

static void a_failure_is_asked_of_every_other_name_once(void **state)
{
    (void)state;
    assert_int_equal(judge(0, ANSWER_FAILURE, DNS_RCODE_SERVFAIL), OPINION_AGAIN);
    assert_false(opinion_allows(&opinions, &upstreams[0]) || opinion_allows(&opinions, &upstreams[1]));
    assert_true(opinion_allows(&opinions, &upstreams[2]) && opinion_allows(&opinions, &upstreams[3]));
    assert_int_equal(judge(2, ANSWER_FAILURE, DNS_RCODE_NOTIMP), OPINION_AGAIN);
    assert_true(opinion_allows_any(&opinions, upstreams, UPSTREAMS));
    assert_int_equal(judge(3, ANSWER_FAILURE, DNS_RCODE_REFUSED), OPINION_FAILED);
    assert_false(opinion_allows_any(&opinions, upstreams, UPSTREAMS));
    assert_true(opinions.failed);
    assert_int_equal(opinions.rcode, DNS_RCODE_REFUSED);
}

static void a_better_answer_after_a_failure_is_final(void **state)
{
    (void)state;
    assert_int_equal(judge(0, ANSWER_FAILURE, DNS_RCODE_REFUSED), OPINION_AGAIN);
    assert_int_equal(judge(2, ANSWER_POSITIVE, DNS_RCODE_NOERROR), OPINION_FINAL);
}

static void where_all_have_one_name_the_first_failure_is_the_last(void **state)
{
    (void)state;
    assert_int_equal(judge_of(2, 0, false, ANSWER_FAILURE, DNS_RCODE_SERVFAIL), OPINION_FAILED);
}

static void routes_without_names_differ_by_their_address(void **state)
{
    (void)state;
    upstreams[0].options.name[0] = upstreams[1].options.name[0] = 0;
    assert_int_equal(judge_of(2, 0, false, ANSWER_FAILURE, DNS_RCODE_SERVFAIL), OPINION_AGAIN);
    assert_true(opinion_allows(&opinions, &upstreams[1]));
}

static void formerr_is_asked_again_without_opt_once(void **state)
{
    (void)state;
    assert_int_equal(judge(0, ANSWER_FAILURE, DNS_RCODE_FORMERR), OPINION_AGAIN);
    assert_true(opinion_is_plain(&opinions, &upstreams[0], NOW_NS));
    assert_false(opinion_is_plain(&opinions, &upstreams[1], NOW_NS));
    assert_int_equal(opinions.excluded, 0);
    assert_int_equal(judge_of(UPSTREAMS, 0, true, ANSWER_FAILURE, DNS_RCODE_FORMERR), OPINION_AGAIN);
    assert_false(opinion_allows(&opinions, &upstreams[0])); /* it is the question, not OPT */
    assert_int_equal(upstreams[0].plain_until_ns, 0);
}

static void an_upstream_that_answers_without_opt_is_asked_so_from_then_on(void **state)
{
    (void)state;
    assert_int_equal(judge(0, ANSWER_FAILURE, DNS_RCODE_FORMERR), OPINION_AGAIN);
    assert_int_equal(judge_of(UPSTREAMS, 0, true, ANSWER_POSITIVE, DNS_RCODE_NOERROR), OPINION_FINAL);
    const struct opinions of_another = {0};
    assert_true(opinion_is_plain(&of_another, &upstreams[0], NOW_NS));
    assert_true(opinion_is_plain(&of_another, &upstreams[0], NOW_NS + 3599 * NS_PER_S));
    assert_false(opinion_is_plain(&of_another, &upstreams[0], NOW_NS + 3600 * NS_PER_S)); /* it may have learnt */
    assert_false(opinion_is_plain(&of_another, &upstreams[1], NOW_NS));
}

static void the_errors_of_all_are_kept(void **state)
{
    (void)state;
    static const uint8_t first[] = "\0\17\0\3\0\26a";
    static const uint8_t second[] = "\0\17\0\3\0\27b";
    struct answer answer = {.kind = ANSWER_FAILURE, .rcode = DNS_RCODE_SERVFAIL, .errors = first, .errors_size = 7};
    struct opinion_response response = {&upstreams[0], false, ANSWER_GOOD, &answer};
    assert_int_equal(opinion_judge(&opinions, upstreams, UPSTREAMS, &response, NOW_NS), OPINION_AGAIN);
    answer.errors = second;
    response.upstream = &upstreams[2];
    assert_int_equal(opinion_judge(&opinions, upstreams, UPSTREAMS, &response, NOW_NS), OPINION_AGAIN);
    response.upstream = &upstreams[3]; /* says the same */
    assert_int_equal(opinion_judge(&opinions, upstreams, UPSTREAMS, &response, NOW_NS), OPINION_FAILED);
    assert_int_equal(opinions.errors_size, 14);
    assert_memory_equal(opinions.errors, first, 7);
    assert_memory_equal(opinions.errors + 7, second, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(definitive_answers_and_verdicts_are_final, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_answer_or_cut_is_invalid_and_excludes_its_address, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failure_is_asked_of_every_other_name_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_better_answer_after_a_failure_is_final, setup, teardown),
        cmocka_unit_test_setup_teardown(where_all_have_one_name_the_first_failure_is_the_last, setup, teardown),
        cmocka_unit_test_setup_teardown(routes_without_names_differ_by_their_address, setup, teardown),
        cmocka_unit_test_setup_teardown(formerr_is_asked_again_without_opt_once, setup, teardown),
        cmocka_unit_test_setup_teardown(an_upstream_that_answers_without_opt_is_asked_so_from_then_on, setup, teardown),
        cmocka_unit_test_setup_teardown(the_errors_of_all_are_kept, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
