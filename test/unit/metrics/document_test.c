/* document: docs/METRICS.md is what the program says it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/catalogue.h"
#include "metrics/document.h"

/* The caller frees. */
static char *document(void)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    document_write(out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void every_metric_has_its_row(void **state)
{
    (void)state;
    size_t count;
    char *text = document();
    const struct metric *metrics = catalogue(&count);
    for (size_t i = 0; i < count; i++) {
        char row[256];
        snprintf(row, sizeof row, "\n| `%s` | ", metrics[i].name);
        const char *found = strstr(text, row);
        assert_non_null(found);
        assert_null(strstr(found + 1, row));
    }
    free(text);
}

static void a_row_has_type_labels_meaning_and_bound(void **state)
{
    (void)state;
    char *text = document();
    assert_non_null(
        strstr(text, "\n| `dns_tls_proxy_prefetch_total` | counter | `result`: `refreshed` `failed` `over_share` | "
                     "Refreshes of top names, by result. | 3 |\n"));
    assert_non_null(strstr(text, "\n| `dns_tls_proxy_upstream_up` | gauge | `upstream` | "));
    assert_non_null(strstr(text, "\n| `dns_tls_proxy_upstream_handshakes_total` | counter | "
                                 "`upstream`<br>`resumed`: `false` `true` | "));
    assert_non_null(strstr(text, "\n| `dns_tls_proxy_client_queries_per_second` | gauge | `client`<br>`port` | "));
    free(text);
}

static void bounds_are_products_of_the_labels(void **state)
{
    (void)state;
    size_t count;
    const struct metric *metrics = catalogue(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(metrics[i].name, "dns_tls_proxy_upstream_handshakes_total") == 0)
            assert_int_equal(metric_series_max(&metrics[i]), UPSTREAM_SERIES * 2);
        if (strcmp(metrics[i].name, "dns_tls_proxy_request_duration_seconds") == 0)
            assert_int_equal(metric_series_max(&metrics[i]),
                             LABEL_SOURCE_COUNT * LABEL_TRANSPORT_COUNT * (HISTOGRAM_EDGES + 3));
        if (strcmp(metrics[i].name, "dns_tls_proxy_cache_hits_total") == 0)
            assert_int_equal(metric_series_max(&metrics[i]), 1);
        if (strcmp(metrics[i].name, "dns_tls_proxy_client_queries_per_second") == 0)
            assert_int_equal(metric_series_max(&metrics[i]), BUSIEST_MAX);
    }
}

/* What promtool would complain of, and what Prometheus' naming rules ask. */
static void names_follow_the_rules(void **state)
{
    (void)state;
    size_t count;
    const struct metric *metrics = catalogue(&count);
    for (size_t i = 0; i < count; i++) {
        const char *name = metrics[i].name;
        size_t size = strlen(name);
        bool is_total = size > 6 && strcmp(name + size - 6, "_total") == 0;
        assert_int_equal(is_total, metrics[i].type == METRIC_COUNTER);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), size);
        assert_true(strncmp(name, "dns_tls_proxy_", 14) == 0 || strncmp(name, "process_", 8) == 0);
        for (size_t j = 0; j < i; j++) assert_string_not_equal(name, metrics[j].name);
    }
}

/* From test/unit/metrics/ to docs/. */
static FILE *open_docs(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s", __FILE__);
    char *slash = strrchr(path, '/');
    assert_non_null(slash);
    strcpy(slash, "/../../../docs/METRICS.md");
    return fopen(path, "r");
}

static void the_file_in_docs_is_current(void **state)
{
    (void)state;
    char *text = document();
    FILE *file = open_docs();
    if (!file) { /* built from a tree without docs/ */
        free(text);
        skip();
    }
    size_t size = strlen(text);
    char *kept = calloc(1, size + 2);
    assert_non_null(kept);
    size_t read = fread(kept, 1, size + 1, file);
    fclose(file);
    if (read != size || strcmp(kept, text) != 0)
        fail_msg("docs/METRICS.md is old: dns-tls-proxy --print-config-doc=metrics > docs/METRICS.md");
    free(kept);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_metric_has_its_row),          cmocka_unit_test(a_row_has_type_labels_meaning_and_bound),
        cmocka_unit_test(bounds_are_products_of_the_labels), cmocka_unit_test(names_follow_the_rules),
        cmocka_unit_test(the_file_in_docs_is_current),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
