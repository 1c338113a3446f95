/* Runs a fuzz target over every file of the folders named: its corpus becomes a test of the normal run. As under the
 * fuzzer, a timer interrupts the system calls that wait, here so often that none can count on being spared. */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_MAX = 1 << 20, TIMER_US = 100 };

static void on_timer(int signal)
{
    (void)signal;
}

/* Without SA_RESTART, as the fuzzer has its timer. */
static void start_timer(void)
{
    const struct itimerval every = {{0, TIMER_US}, {0, TIMER_US}};
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_timer}, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
}

static int replay_file(const char *path)
{
    static uint8_t bytes[FILE_MAX];
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    uint8_t *copy = malloc(size ? size : 1); /* exactly as long, so that a sanitizer sees a read behind the end */
    if (!copy) return 0;
    for (size_t i = 0; i < size; i++) copy[i] = bytes[i];
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    return 1;
}

static int replay_folder(const char *folder)
{
    DIR *directory = opendir(folder);
    if (!directory) return 0;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[4096];
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        count += replay_file(path);
    }
    closedir(directory);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;
    start_timer();
    for (int i = 1; i < argc; i++) count += replay_folder(argv[i]);
    printf("%d inputs replayed\n", count);
    return count > 0 ? 0 : 1; /* an empty corpus tests nothing */
}
