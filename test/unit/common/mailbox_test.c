#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/mailbox.h"

enum { LETTERS = 500, SENDERS = 3 };

struct letter {
    struct mail mail;
    int number;
};

static struct mailbox mailbox;
static struct loop loop;
static unsigned woken;
static unsigned received;
static int last_of[SENDERS];

static void on_mail(struct loop_source *source, uint32_t events)
{
    (void)events;
    assert_ptr_equal(source, &mailbox.source);
    struct list mail;
    struct list *node;
    list_init(&mail);
    mailbox_drain(&mailbox, &mail);
    while ((node = list_take(&mail))) {
        struct letter *letter = container_of(node, struct letter, mail.node);
        assert_int_equal(letter->number, last_of[letter->mail.kind] + 1);
        last_of[letter->mail.kind] = letter->number;
        received++;
        free(letter);
    }
    woken++;
}

static void post(int kind, int number)
{
    struct letter *letter = calloc(1, sizeof *letter);
    if (!letter) abort();
    letter->mail.kind = kind;
    letter->number = number;
    mailbox_post(&mailbox, &letter->mail);
}

static int setup(void **state)
{
    (void)state;
    woken = received = 0;
    for (int i = 0; i < SENDERS; i++) last_of[i] = 0;
    return loop_init(&loop) && mailbox_init(&mailbox, on_mail) && loop_add(&loop, &mailbox.source, EPOLLIN) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    mailbox_done(&mailbox);
    loop_done(&loop);
    return 0;
}

static void an_empty_mailbox_wakes_nobody(void **state)
{
    (void)state;
    loop_turn(&loop, 0);
    assert_int_equal(woken, 0);
}

static void it_may_be_woken_without_mail(void **state)
{
    (void)state;
    mailbox_wake(&mailbox);
    loop_turn(&loop, CLOCK_NEVER);
    assert_int_equal(loop.taken, 1);
    assert_int_equal(received, 0);
}

static void mail_is_read_in_order_and_in_one_go(void **state)
{
    (void)state;
    post(0, 1);
    post(0, 2);
    post(0, 3);
    loop_turn(&loop, 0);
    assert_int_equal(received, 3);
    assert_int_equal(woken, 1);
    loop_turn(&loop, 0);
    assert_int_equal(woken, 1);
    post(0, 4);
    loop_turn(&loop, 0);
    assert_int_equal(received, 4);
}

static void draining_an_empty_mailbox_is_harmless(void **state)
{
    (void)state;
    struct list mail;
    list_init(&mail);
    mailbox_drain(&mailbox, &mail);
    assert_true(list_is_empty(&mail));
}

static void *send(void *kind)
{
    for (int i = 1; i <= LETTERS; i++) post((int)(intptr_t)kind, i);
    return NULL;
}

static void no_letter_of_many_threads_is_lost(void **state)
{
    (void)state;
    pthread_t senders[SENDERS];
    for (intptr_t i = 0; i < SENDERS; i++) assert_int_equal(pthread_create(&senders[i], NULL, send, (void *)i), 0);
    while (received < SENDERS * LETTERS) loop_turn(&loop, CLOCK_NEVER); /* a lost wake-up would wait for ever */
    for (int i = 0; i < SENDERS; i++) pthread_join(senders[i], NULL);
    assert_int_equal(received, SENDERS * LETTERS);
}

static void mail_that_nobody_reads_is_freed(void **state)
{
    (void)state;
    post(0, 1); /* a leak would be seen by the leak checker */
    post(0, 2);
    loop_remove(&loop, &mailbox.source);
    mailbox_done(&mailbox);
    assert_int_equal(mailbox.source.fd, -1);
    assert_true(mailbox_init(&mailbox, on_mail)); /* for teardown */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_mailbox_wakes_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(it_may_be_woken_without_mail, setup, teardown),
        cmocka_unit_test_setup_teardown(mail_is_read_in_order_and_in_one_go, setup, teardown),
        cmocka_unit_test_setup_teardown(draining_an_empty_mailbox_is_harmless, setup, teardown),
        cmocka_unit_test_setup_teardown(no_letter_of_many_threads_is_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(mail_that_nobody_reads_is_freed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
