#include "store/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the files' contents ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool store_secret_parse(const char *text, size_t size, uint8_t ret_secret[static ENTRY_SECRET_BYTES])
{
    uint8_t secret[ENTRY_SECRET_BYTES];
    while (size > 0 && is_space(text[size - 1])) size--;
    for (; size > 0 && is_space(*text); size--) text++;
    if (size != 2 * sizeof secret) return false;
    for (size_t i = 0; i < sizeof secret; i++) {
        int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        secret[i] = (uint8_t)(high * 16 + low);
    }
    memcpy(ret_secret, secret, sizeof secret);
    explicit_bzero(secret, sizeof secret);
    return true;
}

bool store_password_parse(const char *text, size_t size, char ret_password[static SETUP_PASSWORD_MAX + 1])
{
    if (size > 0 && text[size - 1] == '\n') size--;
    if (size > 0 && text[size - 1] == '\r') size--;
    if (size == 0 || size > SETUP_PASSWORD_MAX || memchr(text, '\0', size) || memchr(text, '\n', size)) return false;
    memcpy(ret_password, text, size);
    ret_password[size] = '\0';
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

void store_origin_write(const struct upstream_options *upstreams, unsigned count,
                        char ret_origin[static SETUP_ORIGIN_BYTES])
{
    enum { TEXT_BYTES = UPSTREAM_NAME_MAX + 1 };
    _Static_assert((int)ADDRESS_TEXT_BYTES <= (int)TEXT_BYTES, "an address has room, too");
    char texts[UPSTREAMS_MAX][TEXT_BYTES];
    size_t used = 0;
    for (unsigned i = 0; i < count; i++) {
        char address[ADDRESS_TEXT_BYTES];
        const char *name = upstreams[i].name;
        snprintf(texts[i], TEXT_BYTES, "%s", name[0] ? name : address_format(&upstreams[i].address, address));
    }
    qsort(texts, count, TEXT_BYTES, by_text);
    ret_origin[0] = '\0';
    for (unsigned i = 0; i < count; i++) {
        if (i > 0 && strcmp(texts[i], texts[i - 1]) == 0) continue;
        used += (size_t)snprintf(ret_origin + used, SETUP_ORIGIN_BYTES - used, "%s%s", used > 0 ? "," : "", texts[i]);
    }
}

/* ---- making it ---- */

enum { FILE_BYTES = 4096 };

/* Why a file cannot be used; NULL if it can, and then `ret_text` has the whole of it. A pipe would be waited for. */
static const char *read_whole(int fd, char ret_text[static FILE_BYTES], size_t *ret_size)
{
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) return strerror(errno);
    if (!S_ISREG(status.st_mode)) return "it is no regular file";
    ssize_t size = read(fd, ret_text, FILE_BYTES);
    if (size < 0) return strerror(errno);
    *ret_size = (size_t)size;
    return size < FILE_BYTES ? NULL : "it is too large";
}

/* False: `ret_error` says why, and names the setting. */
static bool read_file(const char *path, const char *setting, char ret_text[static FILE_BYTES], size_t *ret_size,
                      char ret_error[static SETUP_ERROR_BYTES])
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    const char *why = read_whole(fd, ret_text, ret_size);
    if (why) snprintf(ret_error, SETUP_ERROR_BYTES, "%s '%.200s': %s", setting, path, why);
    if (fd >= 0) close(fd);
    return !why;
}

static bool read_secret(struct store_setup *setup, char ret_error[static SETUP_ERROR_BYTES])
{
    char text[FILE_BYTES];
    size_t size = 0;
    const char *path = setup->options.secret_file;
    uint8_t secret[ENTRY_SECRET_BYTES] = {0};
    bool good = true;
    if (strcmp(path, STORE_UNSIGNED) != 0) {
        good = read_file(path, "shared_cache.secret_file", text, &size, ret_error);
        bool is_secret = good && store_secret_parse(text, size, secret);
        if (good && !is_secret)
            snprintf(ret_error, SETUP_ERROR_BYTES,
                     "shared_cache.secret_file '%.200s': must hold 64 hexadecimal digits and nothing else", path);
        good = is_secret;
        explicit_bzero(text, sizeof text);
    }
    entry_keys_derive(secret, &setup->keys);
    explicit_bzero(secret, sizeof secret);
    return good;
}

static bool read_password(struct store_setup *setup, char ret_error[static SETUP_ERROR_BYTES])
{
    char text[FILE_BYTES];
    size_t size = 0;
    const char *path = setup->options.password_file;
    if (path[0] == '\0') return true;
    bool good = read_file(path, "shared_cache.password_file", text, &size, ret_error);
    bool is_password = good && store_password_parse(text, size, setup->password);
    if (good && !is_password)
        snprintf(ret_error, SETUP_ERROR_BYTES,
                 "shared_cache.password_file '%.200s': must hold one line of 1 to %d bytes", path, SETUP_PASSWORD_MAX);
    explicit_bzero(text, sizeof text);
    return is_password;
}

struct store_setup *store_setup_new(const struct store_options *options, const struct upstream_options *upstreams,
                                    unsigned upstream_count, struct tls_context *tls,
                                    char ret_error[static SETUP_ERROR_BYTES])
{
    struct store_setup *setup = calloc(1, sizeof *setup);
    snprintf(ret_error, SETUP_ERROR_BYTES, "out of memory");
    if (!setup) return NULL;
    atomic_init(&setup->owners, 1);
    setup->options = *options;
    setup->tls = tls ? tls_context_share(tls) : NULL;
    store_origin_write(upstreams, upstream_count, setup->origin);
    if (read_secret(setup, ret_error) && read_password(setup, ret_error)) return setup;
    store_setup_free(setup);
    return NULL;
}

struct store_setup *store_setup_with_tls(const struct store_setup *setup, struct tls_context *tls)
{
    struct store_setup *changed = malloc(sizeof *changed);
    if (!changed) return NULL;
    changed->options = setup->options;
    changed->keys = setup->keys;
    memcpy(changed->password, setup->password, sizeof changed->password);
    memcpy(changed->origin, setup->origin, sizeof changed->origin);
    changed->tls = tls_context_share(tls);
    atomic_init(&changed->owners, 1);
    return changed;
}

struct store_setup *store_setup_share(struct store_setup *setup)
{
    if (setup) atomic_fetch_add(&setup->owners, 1);
    return setup;
}

void store_setup_free(struct store_setup *setup)
{
    if (!setup || atomic_fetch_sub(&setup->owners, 1) != 1) return;
    tls_context_free(setup->tls);
    explicit_bzero(setup, sizeof *setup);
    free(setup);
}

bool store_setup_is_same_store(const struct store_setup *setup, const struct store_setup *other)
{
    const struct store_options *options = &setup->options, *others = &other->options;
    return address_equal(&options->address, &others->address) && strcmp(options->prefix, others->prefix) == 0 &&
           strcmp(options->user, others->user) == 0 && strcmp(setup->password, other->password) == 0 &&
           strcmp(options->tls_name, others->tls_name) == 0 && setup->tls == other->tls &&
           strcmp(setup->origin, other->origin) == 0 && memcmp(&setup->keys, &other->keys, sizeof setup->keys) == 0;
}
