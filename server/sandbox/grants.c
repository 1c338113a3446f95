#include "sandbox/grants.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/check.h"

/* Folders that hold the files of many; of "/home" the folders below it, too (hier(7)). */
static const char *const shared_folders[] = {
    "/",        "/boot",      "/dev",           "/etc",  "/etc/ssl", "/home",    "/media", "/mnt",
    "/opt",     "/proc",      "/run",           "/root", "/srv",     "/sys",     "/tmp",   "/usr",
    "/usr/etc", "/usr/local", "/usr/local/etc", "/var",  "/var/lib", "/var/tmp",
};

static bool is_shared(const char *folder)
{
    for (size_t i = 0; i < sizeof shared_folders / sizeof *shared_folders; i++)
        if (strcmp(folder, shared_folders[i]) == 0) return true;
    return strncmp(folder, "/home/", strlen("/home/")) == 0 && !strchr(folder + strlen("/home/"), '/');
}

static bool has_grant(const struct grants *grants, const char *path, enum landlock_access access)
{
    for (size_t i = 0; i < grants->count; i++)
        if (grants->list[i].access >= access && strcmp(grants->list[i].path, path) == 0) return true;
    return false;
}

bool grants_add(struct grants *grants, const char *path, enum landlock_access access)
{
    struct stat status;
    char *canonical = realpath(path, NULL);
    bool good = canonical && stat(canonical, &status) == 0;
    if (good && has_grant(grants, canonical, access)) {
        free(canonical);
        return true;
    }
    if (!good || grants->count == GRANTS_MAX) {
        free(canonical);
        return false;
    }
    grants->list[grants->count++] = (struct grant){
        .path = canonical,
        .is_folder = S_ISDIR(status.st_mode),
        .access = access,
        .device = status.st_dev,
        .inode = status.st_ino,
    };
    return true;
}

/* The folder of a path, which need not exist itself; false if there is none. */
static bool folder_of(const char *path, char ret_folder[static PATH_MAX])
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t size = slash ? (size_t)(slash - path) : 0;
    if (size >= sizeof folder) return false;
    memcpy(folder, path, size);
    folder[size] = '\0';
    const char *near = slash ? "/" : "."; /* the folder of a path with at most one slash, the first character */
    return realpath(size > 0 ? folder : near, ret_folder);
}

/* False: the folder is shared, or there is none. */
static bool add_folder_of(struct grants *grants, const char *path)
{
    char folder[PATH_MAX];
    return folder_of(path, folder) && !is_shared(folder) && grants_add(grants, folder, LANDLOCK_READ);
}

void grants_add_file(struct grants *grants, const char *path)
{
    char target[PATH_MAX];
    if (*path == '\0') return;
    add_folder_of(grants, path);
    if (!realpath(path, target)) return; /* not there yet */
    if (!add_folder_of(grants, target)) grants_add(grants, target, LANDLOCK_READ);
}

void port_set_add(struct port_set *set, uint16_t port)
{
    set->words[port / 64] |= UINT64_C(1) << port % 64;
}

bool port_set_has(const struct port_set *set, uint16_t port)
{
    return set->words[port / 64] >> port % 64 & 1;
}

bool port_set_find_missing(const struct port_set *set, const struct port_set *wanted, uint16_t *ret_port)
{
    for (unsigned i = 0; i < GRANT_PORTS / 64; i++) {
        uint64_t missing = wanted->words[i] & ~set->words[i];
        if (missing == 0) continue;
        *ret_port = (uint16_t)(i * 64 + (unsigned)__builtin_ctzll(missing));
        return true;
    }
    return false;
}

static bool allow_paths(const struct landlock *landlock, const struct grants *grants)
{
    for (size_t i = 0; i < grants->count; i++) {
        const struct grant *grant = &grants->list[i];
        int fd = open(grant->path, O_PATH | O_CLOEXEC);
        if (fd < 0) continue; /* gone since */
        bool good = landlock_allow_path(landlock, fd, grant->is_folder, grant->access);
        int error = errno;
        close(fd);
        errno = error;
        if (!good) return false;
    }
    return true;
}

static bool allow_ports(const struct landlock *landlock, const struct grants *grants)
{
    for (unsigned port = 0; port < GRANT_PORTS; port++) {
        if (port_set_has(&grants->bind, (uint16_t)port) && !landlock_allow_bind(landlock, (uint16_t)port)) return false;
        if (port_set_has(&grants->connect, (uint16_t)port) && !landlock_allow_connect(landlock, (uint16_t)port))
            return false;
    }
    return true;
}

bool grants_enforce(const struct grants *grants, bool with_abstract_sockets, int *ret_abi)
{
    struct landlock landlock;
    if (!landlock_open(&landlock, with_abstract_sockets)) return false;
    if (allow_paths(&landlock, grants) && allow_ports(&landlock, grants)) {
        *ret_abi = landlock.abi;
        return landlock_enforce(&landlock);
    }
    int error = errno;
    close(landlock.fd);
    errno = error;
    return false;
}

static bool is_below(const char *path, const char *folder)
{
    size_t size = strlen(folder);
    if (strncmp(path, folder, size) != 0) return false;
    return path[size] == '\0' || path[size] == '/' || size == 1;
}

bool grants_may_read(const struct grants *grants, const char *path)
{
    char canonical[PATH_MAX];
    struct stat status;
    bool exists = realpath(path, canonical) && stat(canonical, &status) == 0;
    if (!exists && !folder_of(path, canonical)) return false;
    for (size_t i = 0; i < grants->count; i++) {
        const struct grant *grant = &grants->list[i];
        if (grant->is_folder && is_below(canonical, grant->path)) return true;
        if (exists && grant->device == status.st_dev && grant->inode == status.st_ino) return true;
    }
    return false;
}

void grants_done(struct grants *grants)
{
    CHECK(grants->count <= GRANTS_MAX);
    for (size_t i = 0; i < grants->count; i++) free(grants->list[i].path);
    grants->count = 0;
}
