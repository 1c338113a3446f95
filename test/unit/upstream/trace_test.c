/* What the log says at level debug of one question and its session, and that it says nothing above that level. */
#include <stdio.h>
#include <unistd.h>

#include "pool_story.h"

/* Begins with two upstreams and a log in a file, which is unlinked and open. */
static FILE *begin_logged(enum log_level level)
{
    const struct log_options options = {.level = level, .format = LOG_FORMAT_TEXT};
    FILE *file = tmpfile();
    assert_non_null(file);
    begin(2);
    log_init(&story.log, &options, fileno(file));
    return file;
}

/* A question that is sent, retried on the other upstream, and answered there 40 ms after it was asked. */
static void ask_across_two_sessions(void)
{
    struct exchange *exchange = first_attempt(0);
    pass_ms(19);
    fake_end(0, CAUSE_RESET); /* a millisecond later */
    tick();
    fake_ready(1);
    tick();
    pass_ms(20);
    fake_answer(1, exchange, DNS_RCODE_NOERROR);
    assert_answered(0);
}

static const char *logged(FILE *file)
{
    static char text[8192];
    ssize_t size = pread(fileno(file), text, sizeof text - 1, 0);
    assert_true(size >= 0);
    text[size] = '\0';
    return text;
}

static void assert_logged(const char *log, const char *event)
{
    if (!strstr(log, event)) fail_msg("'%s' is not in:\n%s", event, log);
}

static void each_change_of_state_is_an_event(void **state)
{
    (void)state;
    FILE *file = begin_logged(LOG_LEVEL_DEBUG);
    ask_across_two_sessions();
    const char *log = logged(file);
    assert_logged(log, "event=\"question waits\" worker=0 question=1 session=0 upstream=none attempt=0");
    assert_logged(log, "event=\"session opened\" worker=0 session=1");
    assert_logged(log, "event=\"session ready\" worker=0 session=1");
    assert_logged(log, "event=\"question sent\" worker=0 question=1 session=1");
    assert_logged(log, "event=\"session ended\" worker=0 session=1");
    assert_logged(log, "cause=reset");
    assert_logged(log, "age_ms=20\n");
    assert_logged(log, "event=\"question retried\" worker=0 question=1 session=1");
    assert_logged(log, "event=\"question sent\" worker=0 question=1 session=2");
    assert_logged(log, "event=\"question answered\" worker=0 question=1 result=answered attempts=2 sessions_lost=1 "
                       "took_ms=40\n");
    end();
    fclose(file);
}

static void a_question_without_an_answer_is_given_up(void **state)
{
    (void)state;
    FILE *file = begin_logged(LOG_LEVEL_DEBUG);
    world.refuse[0] = world.refuse[1] = true;
    attempt(0);
    pass_ms(4501);
    assert_int_equal(story.askers[0].result, EXCHANGE_UNREACHABLE);
    assert_logged(logged(file),
                  "event=\"question given up\" worker=0 question=1 result=\"no upstream can be reached\"");
    end();
    fclose(file);
}

static void above_debug_there_are_no_such_events(void **state)
{
    (void)state;
    FILE *file = begin_logged(LOG_LEVEL_INFO);
    ask_across_two_sessions();
    assert_null(strstr(logged(file), "question"));
    assert_null(strstr(logged(file), "session opened"));
    end();
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_change_of_state_is_an_event),
        cmocka_unit_test(a_question_without_an_answer_is_given_up),
        cmocka_unit_test(above_debug_there_are_no_such_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
