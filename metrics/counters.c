#include "metrics/counters.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

/* Two lines, since processors fetch them in pairs: no two threads' blocks share one. */
enum { BLOCK_ALIGNMENT = 128 };

enum label_qtype counters_qtype_label(uint16_t qtype)
{
    switch (qtype) {
    case 1: return LABEL_QTYPE_A;
    case 28: return LABEL_QTYPE_AAAA;
    case 5: return LABEL_QTYPE_CNAME;
    case 15: return LABEL_QTYPE_MX;
    case 2: return LABEL_QTYPE_NS;
    case 12: return LABEL_QTYPE_PTR;
    case 6: return LABEL_QTYPE_SOA;
    case 33: return LABEL_QTYPE_SRV;
    case 16: return LABEL_QTYPE_TXT;
    case 65: return LABEL_QTYPE_HTTPS;
    case 64: return LABEL_QTYPE_SVCB;
    case 43: return LABEL_QTYPE_DS;
    case 48: return LABEL_QTYPE_DNSKEY;
    case 35: return LABEL_QTYPE_NAPTR;
    case 257: return LABEL_QTYPE_CAA;
    case 52: return LABEL_QTYPE_TLSA;
    case 255: return LABEL_QTYPE_ANY;
    default: return LABEL_QTYPE_OTHER;
    }
}

enum label_rcode counters_rcode_label(uint16_t rcode)
{
    switch (rcode) {
    case 0: return LABEL_RCODE_NOERROR;
    case 1: return LABEL_RCODE_FORMERR;
    case 2: return LABEL_RCODE_SERVFAIL;
    case 3: return LABEL_RCODE_NXDOMAIN;
    case 4: return LABEL_RCODE_NOTIMP;
    case 5: return LABEL_RCODE_REFUSED;
    case 16: return LABEL_RCODE_BADVERS;
    case 23: return LABEL_RCODE_BADCOOKIE;
    default: return LABEL_RCODE_OTHER;
    }
}

/* The codes are in the order of their numbers. */
enum label_ede counters_ede_label(uint16_t code)
{
    _Static_assert(LABEL_EDE_0 == 0 && (int)LABEL_EDE_35 == 35 && (int)LABEL_EDE_OTHER == LABEL_EDE_COUNT - 1,
                   "LABELS_EDE lists the codes without a gap");
    return code < LABEL_EDE_OTHER ? (enum label_ede)code : LABEL_EDE_OTHER;
}

struct counters *counters_new(void)
{
    size_t bytes = (sizeof(struct counters) + BLOCK_ALIGNMENT - 1) / BLOCK_ALIGNMENT * BLOCK_ALIGNMENT;
    struct counters *counters = aligned_alloc(BLOCK_ALIGNMENT, bytes);
    if (counters) memset(counters, 0, bytes);
    return counters;
}

void counters_free(struct counters *counters)
{
    free(counters);
}

static uint64_t merge_two(enum counter_kind kind, uint64_t a, uint64_t b)
{
    switch (kind) {
    case GAUGE_MAX: return a > b ? a : b;
    case TIME_SEEN: return a; /* merge_certificates */
    case COUNTER_SUM:
    case GAUGE_SUM: break;
    }
    return a + b;
}

static void merge_row(enum counter_kind kind, _Atomic uint64_t *total, const _Atomic uint64_t *block, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        gauge_set(&total[i], merge_two(kind, counter_read(&total[i]), counter_read(&block[i])));
}

static void merge_histograms(struct histogram *total, const struct histogram *block, unsigned count)
{
    for (unsigned i = 0; i < count; i++) histogram_add(&total[i], &block[i]);
}

/* A worker that has not used an upstream for weeks still knows its former certificate: the last look is right. */
static void merge_certificates(struct counters *total, const struct counters *block)
{
    for (unsigned i = 0; i < UPSTREAM_SERIES; i++) {
        uint64_t validated_s = value_upstream_validated(block, i);
        if (validated_s <= value_upstream_validated(total, i)) continue;
        set_gauge_by(total, upstream_validated, i, validated_s);
        set_gauge_by(total, upstream_expiry, i, value_upstream_expiry(block, i));
    }
}

/* Rows of the block go to the free ones of the total. */
static void merge_sessions(struct counters *total, const struct counters *block)
{
    unsigned to = 0;
    for (unsigned from = 0; from < SESSIONS_SHOWN_MAX; from++) {
        const struct session_row *row = &block->sessions[from];
        if (counter_read(&row->number) == 0) continue;
        while (to < SESSIONS_SHOWN_MAX && counter_read(&total->sessions[to].number) != 0) to++;
        if (to == SESSIONS_SHOWN_MAX) return;
        merge_row(COUNTER_SUM, &total->sessions[to].worker, &row->worker, sizeof *row / sizeof row->worker);
    }
}

static void merge_block(struct counters *total, const struct counters *block)
{
#define X(member, kind, name, set1, label1, set2, label2, help)                                                        \
    merge_row(kind, total->member[0], block->member[0], LABEL_##set1##_COUNT *LABEL_##set2##_COUNT);
    COUNTERS(X)
#undef X
#define X(member, name, set1, label1, set2, label2, help)                                                              \
    merge_histograms(total->member[0], block->member[0], LABEL_##set1##_COUNT *LABEL_##set2##_COUNT);
    HISTOGRAMS(X)
#undef X
#define X(member, name, help)                                                                                          \
    merge_row(COUNTER_SUM, total->member.buckets, block->member.buckets, SIZE_EDGES);                                  \
    merge_row(COUNTER_SUM, &total->member.sum_bytes, &block->member.sum_bytes, 1);
    SIZES(X)
#undef X
    merge_certificates(total, block);
    merge_sessions(total, block);
    for (unsigned i = 0; i < UPSTREAM_SERIES; i++)
        if (upstream_error(block, i)) set_upstream_error(total, i, upstream_error(block, i));
    if (shared_error(block)) set_shared_error(total, shared_error(block));
    merge_row(GAUGE_MAX, &total->upstream_answered_ns, &block->upstream_answered_ns, 1);
    merge_row(GAUGE_MAX, total->upstream_last_ns, block->upstream_last_ns, UPSTREAM_SERIES);
}

void counters_merge(struct counters *const *blocks, unsigned count, struct counters *ret_total)
{
    memset(ret_total, 0, sizeof *ret_total);
    for (unsigned i = 0; i < count; i++) merge_block(ret_total, blocks[i]);
}

static void forget(_Atomic uint64_t *cells, size_t count)
{
    for (size_t i = 0; i < count; i++) gauge_set(&cells[i], 0);
}

void counters_forget_upstreams(struct counters *counters, unsigned first, unsigned count)
{
    CHECK(first + count <= UPSTREAM_SERIES);
#define X(member, ...)                                                                                                 \
    if (sizeof counters->member / sizeof counters->member[0] == UPSTREAM_SERIES) {                                     \
        const size_t width = sizeof counters->member[0] / sizeof counters->member[0][0];                               \
        forget(&counters->member[0][0] + first * width, count * width);                                                \
    }
    COUNTERS(X)
#undef X
    for (unsigned i = first; i < first + count; i++) {
        forget(counters->upstream_duration[i][0].buckets, HISTOGRAM_EDGES + 1);
        gauge_set(&counters->upstream_duration[i][0].sum_ns, 0);
        set_upstream_error(counters, i, NULL);
        gauge_set(&counters->upstream_last_ns[i], 0);
    }
}
