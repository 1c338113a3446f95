#include "upstream/exchange.h"

#include <string.h>

#include "common/check.h"

void exchange_begin(struct exchange *exchange, uint64_t number)
{
    timeout_init(&exchange->deadline);
    list_init(&exchange->waiting);
    for (int i = 0; i < EXCHANGE_ATTEMPTS_MAX; i++) exchange->attempts[i] = (struct attempt){.exchange = exchange};
    exchange->number = number;
    exchange->waiting_ns = exchange->sent_ns = 0;
    exchange->attempts_made = exchange->lost = exchange->deaths = exchange->invalid = exchange->cut = 0;
    exchange->slow = exchange->asked = false;
    exchange->tried = exchange->met_silence = exchange->failed_at = 0;
    exchange->last = NULL;
    exchange->opinions = (struct opinions){0};
}

/* Leaves every list. */
static void leave(struct exchange *exchange)
{
    for (int i = 0; i < EXCHANGE_ATTEMPTS_MAX; i++) session_forget(&exchange->attempts[i]);
    timeout_stop(&exchange->deadline);
    list_remove(&exchange->waiting);
    CHECK(!exchange_is_live(exchange) && !exchange_is_waiting(exchange));
}

void exchange_finish(struct exchange *exchange, enum exchange_result result, const struct answer *answer)
{
    CHECK((result == EXCHANGE_ANSWERED) == (answer != NULL));
    CHECK(timeout_is_running(&exchange->deadline) || result == EXCHANGE_TIMED_OUT || result == EXCHANGE_UNREACHABLE);
    struct opinions opinions = exchange->opinions; /* its memory outlives the exchange, which its owner may free */
    if (result != EXCHANGE_ANSWERED && opinions.failed) result = EXCHANGE_FAILED;
    leave(exchange);
    exchange->on_done(exchange, result, answer);
    opinion_done(&opinions);
}

void exchange_cancel(struct exchange *exchange)
{
    leave(exchange);
    opinion_done(&exchange->opinions);
}

unsigned exchange_in_flight(const struct exchange *exchange)
{
    unsigned count = 0;
    for (int i = 0; i < EXCHANGE_ATTEMPTS_MAX; i++) count += exchange->attempts[i].session != NULL;
    return count;
}

void exchange_note_failure(struct exchange *exchange, const struct upstream *upstream, unsigned count)
{
    CHECK(upstream->index < count && count <= UPSTREAMS_MAX);
    uint16_t bit = (uint16_t)(1u << upstream->index);
    exchange->failed_at |= bit;
    if (exchange->failed_at == (1u << count) - 1) exchange->failed_at = bit;
}

bool exchange_may_try(const struct exchange *exchange)
{
    if (exchange->attempts_made >= EXCHANGE_ATTEMPTS_TOTAL || exchange->invalid >= EXCHANGE_INVALID_MAX) return false;
    return exchange->lost + exchange_in_flight(exchange) < EXCHANGE_SESSIONS_MAX;
}

bool exchange_is_spent(const struct exchange *exchange)
{
    return exchange_in_flight(exchange) == EXCHANGE_ATTEMPTS_MAX && exchange->attempts_made >= EXCHANGE_HASTE_MAX;
}

unsigned exchange_slow_max(const struct exchange *exchange)
{
    unsigned further = 0;
    for (unsigned rest = exchange->tried; rest; rest &= rest - 1) further++;
    return EXCHANGE_SLOW_ATTEMPTS_MAX + (further > 0 ? further - 1 : 0);
}

bool exchange_may_be_answered(const struct exchange *exchange)
{
    for (int i = 0; i < EXCHANGE_ATTEMPTS_MAX; i++)
        if (exchange->attempts[i].session && session_is_relied_on(exchange->attempts[i].session)) return true;
    return false;
}

enum exchange_class exchange_class(const struct exchange *exchange)
{
    if (exchange->slow || exchange->lost >= EXCHANGE_ALONE) return EXCHANGE_SOLITARY;
    return exchange->deaths > 0 ? EXCHANGE_SUSPECT : EXCHANGE_CLEAN;
}

const char *exchange_result_text(enum exchange_result result)
{
    static const char *const texts[EXCHANGE_RESULTS] = {
        [EXCHANGE_ANSWERED] = "answered",
        [EXCHANGE_TIMED_OUT] = "no answer in time",
        [EXCHANGE_UNREACHABLE] = "no upstream can be reached",
        [EXCHANGE_FAULTY] = "no valid answer",
        [EXCHANGE_FAILED] = "upstream failed",
    };
    CHECK(result < EXCHANGE_RESULTS);
    return texts[result];
}
