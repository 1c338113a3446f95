#include "app/file_mark.h"

struct file_mark file_mark_of(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) return (struct file_mark){0};
    return (struct file_mark){status.st_dev, status.st_ino, status.st_size, status.st_mtim, status.st_ctim};
}

bool file_mark_equal(const struct file_mark *a, const struct file_mark *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec &&
           a->owned.tv_sec == b->owned.tv_sec && a->owned.tv_nsec == b->owned.tv_nsec;
}
