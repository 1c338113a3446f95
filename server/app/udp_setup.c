#include "app/udp_setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"

enum { SECRET_FILE_BYTES = 4096, BURST_S = 2 /* as many responses at once as in so many seconds */ };

static bool read_keys(const char *path, struct cookie_keys *ret_keys, char ret_error[static LISTENER_ERROR_BYTES])
{
    char text[SECRET_FILE_BYTES];
    char why[COOKIE_ERROR_BYTES];
    FILE *file = fopen(path, "re");
    size_t size = file ? fread(text, 1, sizeof text, file) : 0;
    bool is_read = file && !ferror(file);
    if (!is_read)
        snprintf(why, sizeof why, "%s", strerror(errno));
    else if (size == sizeof text)
        snprintf(why, sizeof why, "it is too large");
    bool good = is_read && size < sizeof text && cookie_keys_parse(text, size, ret_keys, why);
    if (!good) snprintf(ret_error, LISTENER_ERROR_BYTES, "udp.cookie_secret_file '%.100s': %s", path, why);
    if (file) fclose(file);
    explicit_bzero(text, sizeof text);
    return good;
}

static bool find_keys(struct udp_setup *setup, const struct udp_setup *current, const struct udp_options *options,
                      char ret_error[static LISTENER_ERROR_BYTES])
{
    if (options->cookies && options->cookie_secret_file[0] != '\0')
        return read_keys(options->cookie_secret_file, &setup->keys, ret_error);
    setup->keys = current && current->keys.rotates ? current->keys : cookie_keys_draw((uint32_t)clock_wall_s());
    return true;
}

bool udp_setup_open(struct udp_setup *ret_setup, const struct udp_setup *current, struct udp_former *former,
                    const struct config *config, const struct log *log, char ret_error[static LISTENER_ERROR_BYTES])
{
    const struct udp_options *options = &config->udp;
    const struct address *addresses = config->acceptor.listen;
    unsigned count = options->enabled ? config->acceptor.listen_count : 0;
    struct udp_setup setup = {.listeners.workers = config->workers};
    if (!find_keys(&setup, current, options, ret_error)) return false;
    bool good = current ? udp_listeners_reopen(&current->listeners, &setup.listeners, addresses, count,
                                               options->receive_buffer_bytes, log, ret_error)
                        : udp_listeners_open(&setup.listeners, former, addresses, count, config->workers,
                                             options->receive_buffer_bytes, log, ret_error);
    if (good) *ret_setup = setup;
    return good;
}

void udp_setup_close_but(struct udp_setup *setup, const struct udp_setup *kept)
{
    udp_listeners_close_but(&setup->listeners, &kept->listeners);
}

struct ratelimit_options udp_setup_limits(const struct config *config)
{
    struct ratelimit_options limits = config->ratelimit;
    limits.queries_per_s = config->udp.responses_per_s;
    limits.burst = BURST_S * config->udp.responses_per_s;
    return limits;
}
