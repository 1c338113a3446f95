/* app_world: a whole server made from a configuration text, for the tests of server/app. No thread runs unless the test
 * starts them, and no upstream is contacted: the addresses belong to nobody on loopback. The log is kept in a file. */
#ifndef TEST_APP_WORLD_H
#define TEST_APP_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/server.h"
#include "common/clock.h"

struct app_world {
    struct server *server;
    struct log log;
    FILE *log_file;
    unsigned mails; /* that the workers sent */
    bool made;
};

/* Whether `port` of 127.0.0.1 is nobody's now, for TCP or UDP. */
static inline bool is_port_free(uint16_t port, int type)
{
    struct sockaddr_storage storage;
    struct address address;
    assert_true(address_parse("127.0.0.1:1", 0, &address));
    address.port = port;
    socklen_t size = address_to_socket(&address, &storage);
    int fd = socket(AF_INET, type, 0);
    bool is_free = bind(fd, (struct sockaddr *)&storage, size) == 0;
    close(fd);
    return is_free;
}

/* A port on which nobody listens now, below those which the kernel gives to connections, so that none of them gets it
 * meanwhile; each process begins at a place of its own, as test programs run side by side. */
static inline uint16_t free_port(void)
{
    enum { FIRST = 10000, COUNT = 10000 };
    static unsigned asked;
    for (unsigned i = 0; i < COUNT; i++) {
        uint16_t port = (uint16_t)(FIRST + ((unsigned)getpid() * 101 + asked++) % COUNT);
        if (is_port_free(port, SOCK_STREAM) && is_port_free(port, SOCK_DGRAM)) return port;
    }
    fail_msg("no free port");
    return 0;
}

static inline void app_on_mail(struct loop_source *source, uint32_t events)
{
    (void)source;
    (void)events;
}

/* `text` is YAML; `listen` and one upstream are added to it. */
static inline bool app_world_make(struct app_world *world, uint16_t port, const char *text)
{
    char yaml[1024];
    struct config config;
    const struct log_options options = {LOG_LEVEL_INFO, LOG_FORMAT_TEXT};
    int size = snprintf(yaml, sizeof yaml,
                        "listen: [\"127.0.0.1:%u\"]\n"
                        "upstreams: [{address: 127.0.0.1, port: 1, name: cloudflare-dns.com}]\n"
                        "http: {listen: \"\"}\n%s",
                        port, text);
    assert_true(config_parse(yaml, (size_t)size, "test.yaml", &config, stderr));
    *world = (struct app_world){.log_file = tmpfile()};
    assert_non_null(world->log_file);
    log_init(&world->log, &options, fileno(world->log_file));
    world->server = aligned_alloc(_Alignof(struct server), sizeof *world->server);
    assert_non_null(world->server);
    world->made = server_make(world->server, &config, &world->log, app_on_mail) && server_make_workers(world->server);
    return world->made;
}

/* What was logged so far, in a static buffer. */
static inline const char *app_world_log(struct app_world *world)
{
    static char text[8192];
    ssize_t size = pread(fileno(world->log_file), text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

static inline void app_world_free(struct app_world *world)
{
    server_free(world->server);
    free(world->server);
    fclose(world->log_file);
}

#endif
