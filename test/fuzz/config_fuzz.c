/* Any bytes as a configuration file: never a crash; either good options within their bounds, or faults, each one
 * printable line with its place. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "need.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_good(const struct config *config)
{
    need(config->workers >= 1 && config->workers <= WORKERS_MAX);
    need(config->acceptor.listen_count >= 1 && config->acceptor.listen_count <= LISTENERS_MAX);
    need(config->pool.upstream_count >= 1 && config->pool.upstream_count <= UPSTREAMS_MAX);
    for (unsigned i = 0; i < config->acceptor.listen_count; i++) need(config->acceptor.listen[i].port != 0);
    for (unsigned i = 0; i < config->pool.upstream_count; i++) {
        need(config->pool.upstreams[i].address.port != 0);
        need(config->pool.upstreams[i].name[0] != '\0');
    }
    need(config->forwarder.cache_min_ns <= config->forwarder.cache_max_ns);
    need(config->ratelimit.queries_per_s == 0 || config->ratelimit.burst > 0);
    need(config->pool.padding <= 512 && config->pool.hedge_percent <= 100 && config->pool.max_in_flight >= 1);
    need(config->client.max_query_bytes >= 512 && config->client.max_query_bytes <= 65535);
}

static void check_faults(const char *faults)
{
    need(faults[0] != '\0');
    for (const char *line = faults; *line; line = strchr(line, '\n') + 1) {
        need(strncmp(line, "fuzz.yaml:", 10) == 0 || strncmp(line, "dns-tls-proxy: more faults", 26) == 0);
        need(strchr(line, '\n') != NULL);
    }
    for (const char *c = faults; *c; c++) need(*c == '\n' || (*c >= ' ' && *c < 0x7f));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *faults = NULL;
    size_t faults_size;
    struct config config;
    FILE *errors = open_memstream(&faults, &faults_size);
    if (!errors) return 0;
    bool is_good = config_parse((const char *)data, size, "fuzz.yaml", &config, errors);
    fclose(errors);
    if (is_good) {
        need(faults_size == 0);
        check_good(&config);
        config_free(&config);
    } else {
        check_faults(faults);
    }
    free(faults);
    return 0;
}
