#include "sandbox/landlock.h"

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same on all processors. */
enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446, ASK_FOR_VERSION = 1 };
enum { RULE_PATH = 1, RULE_PORT = 2 };
enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_PORTS = 4, ABI_DEVICES = 5, ABI_SCOPES = 6 };

#define BIT(n)       (UINT64_C(1) << (n))
#define FS_WRITE     BIT(1)
#define FS_READ      BIT(2)
#define FS_LIST      BIT(3)
#define FS_REMOVE    BIT(5)        /* a file, also by renaming it */
#define FS_MAKE      BIT(8)        /* a regular file */
#define FS_ALL       (BIT(13) - 1) /* of ABI 1 */
#define FS_REFER     BIT(13)
#define FS_TRUNCATE  BIT(14)
#define FS_DEVICE    BIT(15)
#define PORT_BIND    BIT(0)
#define PORT_CONNECT BIT(1)
#define SCOPE_SOCKET BIT(0) /* abstract UNIX sockets of processes outside */
#define SCOPE_SIGNAL BIT(1)

struct ruleset {
    uint64_t fs;
    uint64_t ports;
    uint64_t scopes;
};

struct path_rule {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

struct port_rule {
    uint64_t allowed;
    uint64_t port;
};

_Static_assert(sizeof(struct ruleset) == 24 && sizeof(struct path_rule) == 12 && sizeof(struct port_rule) == 16,
               "as the kernel reads them");

int landlock_abi(void)
{
    long abi = syscall(CREATE_RULESET, NULL, 0, ASK_FOR_VERSION);
    return abi > 0 ? (int)abi : 0;
}

static uint64_t known_fs(int abi)
{
    uint64_t known = FS_ALL;
    if (abi >= ABI_REFER) known |= FS_REFER;
    if (abi >= ABI_TRUNCATE) known |= FS_TRUNCATE;
    if (abi >= ABI_DEVICES) known |= FS_DEVICE;
    return known;
}

/* An older kernel refuses a longer struct unless the rest is zero; it is cut so that nothing hangs on that. */
static size_t ruleset_size(int abi)
{
    if (abi < ABI_PORTS) return offsetof(struct ruleset, ports);
    return abi < ABI_SCOPES ? offsetof(struct ruleset, scopes) : sizeof(struct ruleset);
}

bool landlock_open(struct landlock *ret_landlock, bool with_abstract_sockets)
{
    int abi = landlock_abi();
    if (abi == 0) return false;
    const struct ruleset ruleset = {
        .fs = known_fs(abi),
        .ports = abi >= ABI_PORTS ? PORT_BIND | PORT_CONNECT : 0,
        .scopes = abi < ABI_SCOPES ? 0 : SCOPE_SIGNAL | (with_abstract_sockets ? 0 : SCOPE_SOCKET),
    };
    long fd = syscall(CREATE_RULESET, &ruleset, ruleset_size(abi), 0);
    if (fd < 0) return false;
    *ret_landlock = (struct landlock){(int)fd, abi};
    return true;
}

bool landlock_allow_path(const struct landlock *landlock, int path_fd, bool is_folder, enum landlock_access access)
{
    uint64_t allowed = FS_READ;
    if (is_folder) allowed |= FS_LIST;
    if (access == LANDLOCK_WRITE) allowed |= FS_WRITE | FS_TRUNCATE;
    if (access == LANDLOCK_WRITE && is_folder) allowed |= FS_MAKE | FS_REMOVE;
    const struct path_rule rule = {.allowed = allowed & known_fs(landlock->abi), .fd = path_fd};
    return syscall(ADD_RULE, landlock->fd, RULE_PATH, &rule, 0) == 0;
}

static bool allow_port(const struct landlock *landlock, uint64_t allowed, uint16_t port)
{
    const struct port_rule rule = {.allowed = allowed, .port = port};
    if (landlock->abi < ABI_PORTS) return true;
    return syscall(ADD_RULE, landlock->fd, RULE_PORT, &rule, 0) == 0;
}

bool landlock_allow_bind(const struct landlock *landlock, uint16_t port)
{
    return allow_port(landlock, PORT_BIND, port);
}

bool landlock_allow_connect(const struct landlock *landlock, uint16_t port)
{
    return allow_port(landlock, PORT_CONNECT, port);
}

bool landlock_enforce(struct landlock *landlock)
{
    bool good = syscall(RESTRICT_SELF, landlock->fd, 0) == 0;
    int error = errno;
    close(landlock->fd);
    landlock->fd = -1;
    errno = error;
    return good;
}
