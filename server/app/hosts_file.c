#include "app/hosts_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dns/hosts.h"

enum {
    TTL_S = 60,      /* short, because the file is read again when it changes */
    BAD_LOGGED = 10, /* bad lines logged one by one */
    IPV4_AT = 12,    /* of an IPv4-mapped address */
};

struct loading {
    struct names *names;
    const struct log *log;
    const char *path;
    struct hosts_line line;
    int64_t number; /* of the line */
    int64_t bad;
    int64_t records;
};

static bool add(struct loading *loading, const uint8_t *owner, size_t owner_size, uint16_t type, const uint8_t *data,
                size_t data_size)
{
    const struct names_record record = {
        .owner = owner,
        .owner_size = (uint8_t)owner_size,
        .type = type,
        .data_size = (uint16_t)data_size,
        .ttl_s = TTL_S,
        .data = data,
    };
    loading->records++;
    return names_add_record(loading->names, &record);
}

/* localhost has its addresses by its own right (RFC 6761, 6.3). */
static bool is_localhost(const struct hosts_name *name)
{
    static const char localhost[] = "\11localhost";
    return name->size >= sizeof localhost &&
           memcmp(name->bytes + name->size - sizeof localhost, localhost, sizeof localhost) == 0;
}

/* Addresses that are no host's have no name: 127.0.0.1 and ::1 are localhost's, and 0.0.0.0 stands for none. */
static bool has_reverse_name(const struct address *address)
{
    static const uint8_t none[4];
    if (address_is_loopback(address) || address_is_any(address)) return false;
    return !address_is_ipv4(address) || memcmp(address->ip + IPV4_AT, none, sizeof none) != 0;
}

static bool add_line(struct loading *loading)
{
    const struct hosts_line *line = &loading->line;
    bool is_ipv4 = address_is_ipv4(&line->address);
    const uint8_t *ip = line->address.ip + (is_ipv4 ? IPV4_AT : 0);
    for (unsigned i = 0; i < line->name_count; i++) {
        if (is_localhost(&line->names[i])) continue;
        if (!add(loading, line->names[i].bytes, line->names[i].size, is_ipv4 ? DNS_TYPE_A : DNS_TYPE_AAAA, ip,
                 is_ipv4 ? 4 : 16))
            return false;
    }
    uint8_t reverse[DNS_NAME_MAX];
    if (!has_reverse_name(&line->address) || is_localhost(&line->names[0])) return true;
    size_t size = hosts_reverse_name(&line->address, reverse);
    return add(loading, reverse, size, DNS_TYPE_PTR, line->names[0].bytes, line->names[0].size);
}

static void note_bad_line(struct loading *loading)
{
    if (loading->bad++ < BAD_LOGGED)
        log_warning(loading->log, "line of the hosts file skipped", log_text("file", loading->path),
                    log_number("line", loading->number), log_text("why", "not an IP address and host names"));
}

/* False: memory is short. */
static bool read_lines(struct loading *loading, FILE *file)
{
    char *text = NULL;
    size_t capacity = 0;
    ssize_t size;
    bool good = true;
    while (good && (size = getline(&text, &capacity, file)) >= 0) {
        loading->number++;
        if (size > 0 && text[size - 1] == '\n') size--;
        switch (hosts_parse_line(text, (size_t)size, &loading->line)) {
        case HOSTS_LINE: good = add_line(loading); break;
        case HOSTS_BAD: note_bad_line(loading); break;
        case HOSTS_EMPTY: break;
        }
    }
    free(text);
    if (ferror(file))
        log_warning(loading->log, "hosts file not read to its end", log_text("file", loading->path),
                    log_text("why", strerror(errno)));
    return good;
}

/* Opens a file that can be read to its end in a bounded time; NULL: `ret_why` says why there is none. */
static FILE *open_file(const char *path, const char **ret_why)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO without a writer would hold the thread */
    *ret_why = NULL;
    if (fd >= 0 && fstat(fd, &status) == 0) {
        if (!S_ISREG(status.st_mode)) *ret_why = "no regular file";
        if (status.st_size > HOSTS_FILE_BYTES) *ret_why = "larger than 64 MiB";
        FILE *file = *ret_why ? NULL : fdopen(fd, "r");
        if (file) return file;
    }
    if (!*ret_why) *ret_why = strerror(errno);
    if (fd >= 0) close(fd);
    return NULL;
}

static bool read_file(const char *path, FILE *file, struct names *names, const struct log *log)
{
    uint32_t left_out = names_figures(names).left_out;
    struct loading *loading = calloc(1, sizeof *loading);
    if (!loading) return false;
    *loading = (struct loading){.names = names, .log = log, .path = path};
    bool good = read_lines(loading, file);
    log_info(log, "hosts file read", log_text("file", path), log_number("records", loading->records),
             log_number("bad_lines", loading->bad));
    free(loading);
    left_out = names_figures(names).left_out - left_out;
    if (left_out > 0)
        log_warning(log, "records of the hosts file left out", log_text("file", path), log_number("records", left_out),
                    log_number("most_for_a_name", NAMES_HOSTS_MAX));
    return good;
}

bool hosts_file_add(const char *path, struct names *names, const struct names *former, const struct log *log)
{
    const char *why;
    FILE *file = open_file(path, &why);
    if (file) {
        bool good = read_file(path, file, names, log);
        fclose(file);
        return good;
    }
    log_warning(log, "hosts file not read", log_text("file", path), log_text("why", why),
                log_text("records", former ? "those read before" : "none"));
    return !former || names_add_hosts_of(names, former);
}
