/* file_mark: how a changed file is recognised. Any thread. */
#ifndef APP_FILE_MARK_H
#define APP_FILE_MARK_H

#include <stdbool.h>
#include <sys/stat.h>

/* Identifies one version of a file. All zero: the file does not exist. */
struct file_mark {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
    struct timespec owned; /* owner or permissions changed, last: it may be readable now */
};

struct file_mark file_mark_of(const char *path);
bool file_mark_equal(const struct file_mark *a, const struct file_mark *b);

#endif
