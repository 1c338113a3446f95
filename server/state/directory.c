#include "state/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char snapshot_name[] = "snapshot";
static const char new_name[] = "snapshot.new";

/* Of a file that is written: what a worker may have to wait for is the copy of as many bytes, some 10 us. */
enum { BUFFER_BYTES = 32 * 1024 };

/* What leaves the page cache in one step of pace_step: a microsecond or two. */
enum { UNCACHE_BYTES = 32 * 1024 };

bool directory_find(const struct state_options *options, char ret_path[static STATE_PATH_MAX])
{
    const char *path = options->directory[0] ? options->directory : getenv("STATE_DIRECTORY");
    if (options->is_off || !path || !*path) return false;
    size_t size = strcspn(path, ":"); /* systemd puts colons between several */
    if (options->directory[0]) size = strlen(path);
    if (size >= STATE_PATH_MAX) return false;
    memcpy(ret_path, path, size);
    ret_path[size] = '\0';
    return true;
}

static void say(char why[static DIRECTORY_WHY_BYTES], const char *what, int error)
{
    snprintf(why, DIRECTORY_WHY_BYTES, "%s: %s", what, strerror(error));
}

static int open_directory(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* What is wrong with the file, or NULL. Root, who will become another user, takes the directory's owner for that one.
 */
static const char *fault_of(int fd, const struct stat *directory)
{
    struct stat status;
    if (fstat(fd, &status) != 0) return "it cannot be examined";
    if (!S_ISREG(status.st_mode)) return "it is not a regular file";
    bool is_ours = status.st_uid == geteuid() || (geteuid() == 0 && status.st_uid == directory->st_uid);
    if (!is_ours) return "it belongs to another user";
    if (status.st_mode & (S_IWGRP | S_IWOTH)) return "others may write to it";
    return NULL;
}

FILE *directory_open(const char *path, char ret_why[static DIRECTORY_WHY_BYTES])
{
    struct stat of_directory;
    ret_why[0] = '\0';
    int directory = open_directory(path);
    if (directory < 0) return NULL;
    int fd = fstat(directory, &of_directory) == 0
                 ? openat(directory, snapshot_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
                 : -1;
    int error = errno;
    close(directory);
    if (fd < 0) {
        if (error != ENOENT) say(ret_why, "it cannot be opened", error);
        return NULL;
    }
    const char *fault = fault_of(fd, &of_directory);
    FILE *file = fault ? NULL : fdopen(fd, "r");
    if (file) {
        setvbuf(file, NULL, _IONBF, 0); /* the reader has a window of its own */
        return file;
    }
    snprintf(ret_why, DIRECTORY_WHY_BYTES, "%s", fault ? fault : "memory is short");
    close(fd);
    return NULL;
}

FILE *directory_create(const char *path, char ret_why[static DIRECTORY_WHY_BYTES])
{
    ret_why[0] = '\0';
    if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST) {
        say(ret_why, "the directory is missing and cannot be made", errno);
        return NULL;
    }
    int directory = open_directory(path);
    if (directory < 0) {
        say(ret_why, "the directory cannot be opened", errno);
        return NULL;
    }
    unlinkat(directory, new_name, 0); /* of a run that was killed; a failure shows in what follows */
    int fd = openat(directory, new_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    int error = errno;
    close(directory);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file) {
        setvbuf(file, NULL, _IOFBF, BUFFER_BYTES);
        return file;
    }
    say(ret_why, "a new file cannot be made", error);
    if (fd >= 0) close(fd);
    return NULL;
}

/* Nobody reads the file before the next start. Its pages leave the cache in small steps: when a later snapshot takes
 * its place, the system would free them in one piece of work (6 ms for 140 MB), and until then they would only be in
 * the way of others. */
static void uncache(int fd, struct pace *pace)
{
    struct stat status;
    struct pace_stretch stretch = {0};
    uint64_t now_ns;
    if (fstat(fd, &status) != 0) return;
    for (off_t at = 0; at < status.st_size; at += UNCACHE_BYTES) {
        posix_fadvise(fd, at, UNCACHE_BYTES, POSIX_FADV_DONTNEED);
        if (pace_step(pace, &stretch, SAVE_WORK_NS, SAVE_PAUSE_NS, &now_ns) != PACE_GO_ON) return;
    }
}

bool directory_publish(const char *path, FILE *file, struct pace *pace, char ret_why[static DIRECTORY_WHY_BYTES])
{
    ret_why[0] = '\0';
    int error = 0;
    if (fflush(file) != 0 || fsync(fileno(file)) != 0) error = errno;
    if (pace && error == 0) uncache(fileno(file), pace);
    if (fclose(file) != 0 && error == 0) error = errno;
    int directory = open_directory(path);
    if (directory < 0) {
        say(ret_why, "the directory cannot be opened", errno);
        return false;
    }
    if (error == 0 && renameat(directory, new_name, directory, snapshot_name) != 0) error = errno;
    if (error == 0)
        fsync(directory); /* so that the name is on the disk, too; if it is not, the former snapshot may come back */
    else
        unlinkat(directory, new_name, 0);
    if (error != 0 && error != ENOENT) say(ret_why, "the new file cannot be completed", error);
    close(directory);
    return error == 0;
}

void directory_discard(const char *path, FILE *file)
{
    int directory = open_directory(path);
    fclose(file);
    if (directory < 0) return;
    unlinkat(directory, new_name, 0);
    close(directory);
}

bool directory_empty(const char *path, char ret_why[static DIRECTORY_WHY_BYTES])
{
    ret_why[0] = '\0';
    int directory = open_directory(path);
    if (directory < 0) {
        if (errno == ENOENT) return true;
        say(ret_why, "the directory cannot be opened", errno);
        return false;
    }
    int error = 0;
    /* In this order: a file that is completed between the two steps is removed by the second. */
    if (unlinkat(directory, new_name, 0) != 0 && errno != ENOENT) error = errno;
    if (unlinkat(directory, snapshot_name, 0) != 0 && errno != ENOENT) error = errno;
    if (fsync(directory) != 0 && error == 0 && errno != EINVAL && errno != EROFS) error = errno;
    close(directory);
    if (error != 0) say(ret_why, "a file cannot be removed", error);
    return error == 0;
}
