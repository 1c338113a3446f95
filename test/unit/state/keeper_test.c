/* The thread loads what there is, saves at the end, and goes on whatever is wrong with its directory. */
#include "state_story.h"

#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/keeper.h"

enum { ANSWERS = 200, SAVED = 5 };

struct world {
    struct tables tables;
    struct log log;
    FILE *log_file;
    struct mailbox mailbox;
    char base[32];
    char path[64];
};

static void on_mail(struct loop_source *source, uint32_t events)
{
    (void)source;
    (void)events;
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    const struct log_options options = {LOG_LEVEL_INFO, LOG_FORMAT_TEXT};
    strcpy(world->base, "/tmp/keeper-test-XXXXXX");
    assert_non_null(mkdtemp(world->base));
    snprintf(world->path, sizeof world->path, "%s/state", world->base);
    world->tables = tables_new(16 << 20);
    world->log_file = tmpfile();
    log_init(&world->log, &options, fileno(world->log_file));
    assert_true(mailbox_init(&world->mailbox, on_mail));
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    char command[64];
    tables_free(&world->tables);
    mailbox_done(&world->mailbox);
    fclose(world->log_file);
    snprintf(command, sizeof command, "rm -rf '%s'", world->base);
    assert_int_equal(system(command), 0);
    free(world);
    return 0;
}

static struct keeper_settings settings_of(const struct world *world, uint64_t interval_ns)
{
    struct keeper_settings settings = {
        .forwarder = story_options, .stale_ns = STORY_STALE_NS, .top = STORY_TOP, .origin = STORY_ORIGIN};
    snprintf(settings.options.directory, sizeof settings.options.directory, "%s", world->path);
    settings.options.save_interval_ns = interval_ns;
    return settings;
}

static struct keeper *make(struct world *world, const struct keeper_settings *settings)
{
    bool is_off;
    const struct keeper_deps deps = {&world->log, &world->tables.shared, &world->mailbox, SAVED};
    struct keeper *keeper = keeper_new(&deps, settings, &is_off);
    assert_false(is_off);
    assert_non_null(keeper);
    return keeper;
}

static struct keeper *start(struct world *world, uint64_t interval_ns)
{
    const struct keeper_settings settings = settings_of(world, interval_ns);
    struct keeper *keeper = make(world, &settings);
    assert_true(keeper_start(keeper, &settings));
    return keeper;
}

/* Waits for the mail that says that the last snapshot was made. */
static void finish(struct world *world, struct keeper *keeper)
{
    struct pollfd poll_fd = {.fd = world->mailbox.source.fd, .events = POLLIN};
    struct list mails;
    assert_true(keeper_save_last(keeper, CLOCK_NEVER - 1));
    assert_int_equal(poll(&poll_fd, 1, 60000), 1);
    list_init(&mails);
    mailbox_drain(&world->mailbox, &mails);
    struct list *node = list_take(&mails);
    int kind = node ? container_of(node, struct mail, node)->kind : 0;
    assert_int_equal(kind, SAVED);
    free(node); /* the mail's first member */
}

static const char *log_of(struct world *world)
{
    static char text[8192];
    ssize_t size = pread(fileno(world->log_file), text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

static unsigned lines(struct world *world)
{
    unsigned count = 0;
    for (const char *c = log_of(world); *c; c++) count += *c == '\n';
    return count;
}

static void what_one_run_saves_the_next_has(void **state)
{
    struct world *world = *state;
    uint64_t age_ns;
    for (unsigned i = 0; i < ANSWERS; i++) story_put(&world->tables, i, 0);
    struct keeper *keeper = start(world, 0);
    finish(world, keeper);
    assert_int_equal(value_state_saved(keeper_counters(keeper)), ANSWERS);
    assert_int_equal(value_state_saves(keeper_counters(keeper), LABEL_STATE_SAVE_GOOD), 1);
    assert_true(keeper_figures(keeper).bytes > ANSWERS * 50);
    keeper_free(keeper);
    assert_int_equal(lines(world), 0); /* there was nothing to load, and nothing is wrong */
    cache_clear(world->tables.shared.cache);
    keeper = start(world, 0);
    finish(world, keeper);
    for (unsigned i = 0; i < ANSWERS; i++) assert_int_equal(story_see(&world->tables, i, &age_ns), CACHE_FRESH);
    assert_non_null(strstr(log_of(world), "state loaded"));
    assert_true(warmup_is_over(world->tables.shared.warmup));
    keeper_free(keeper);
}

static void a_purge_removes_the_snapshot(void **state)
{
    struct world *world = *state;
    char file[96];
    story_put(&world->tables, 1, 0);
    struct keeper *keeper = start(world, 0);
    finish(world, keeper);
    snprintf(file, sizeof file, "%s/snapshot", world->path);
    assert_int_equal(access(file, F_OK), 0);
    keeper_note_purge(keeper, NULL, 0);
    assert_true(keeper_remove_snapshot(keeper));
    assert_int_not_equal(access(file, F_OK), 0);
    keeper_free(keeper);
}

/* The HTTP server is there before the thread. */
static void a_purge_before_it_is_loaded_costs_no_more_than_the_name(void **state)
{
    struct world *world = *state;
    uint64_t age_ns;
    struct question_key purged = story_key(1);
    for (unsigned i = 0; i < ANSWERS; i++) story_put(&world->tables, i, 0);
    struct keeper *keeper = start(world, 0);
    finish(world, keeper);
    keeper_free(keeper);
    cache_clear(world->tables.shared.cache);

    const struct keeper_settings settings = settings_of(world, 0);
    keeper = make(world, &settings);
    keeper_note_purge(keeper, purged.bytes, question_key_name_size(&purged));
    assert_true(keeper_remove_snapshot(keeper));
    assert_true(keeper_start(keeper, &settings));
    finish(world, keeper);
    for (unsigned i = 0; i < ANSWERS; i++)
        assert_int_equal(story_see(&world->tables, i, &age_ns), i == 1 ? CACHE_ABSENT : CACHE_FRESH);
    assert_int_equal(value_state_rejected(keeper_counters(keeper), LABEL_STATE_REJECTED_PURGED), 1);
    assert_int_equal(value_state_saved(keeper_counters(keeper)), ANSWERS - 1);
    keeper_free(keeper);
}

static void a_directory_that_is_none_is_said_once(void **state)
{
    struct world *world = *state;
    FILE *file = fopen(world->path, "w");
    fclose(file);
    struct keeper *keeper = start(world, 1); /* it is tried all the time */
    while (value_state_saves(keeper_counters(keeper), LABEL_STATE_SAVE_FAILED) < 20) sched_yield();
    finish(world, keeper);
    assert_int_equal(value_state_saves(keeper_counters(keeper), LABEL_STATE_SAVE_GOOD), 0);
    keeper_free(keeper);
    unsigned said = 0;
    for (const char *c = log_of(world); (c = strstr(c, "state not saved")); c++) said++;
    assert_int_equal(said, 1);
}

static void it_works_again_when_the_directory_does(void **state)
{
    struct world *world = *state;
    FILE *file = fopen(world->path, "w");
    fclose(file);
    struct keeper *keeper = start(world, 1);
    while (value_state_saves(keeper_counters(keeper), LABEL_STATE_SAVE_FAILED) == 0) sched_yield();
    assert_int_equal(unlink(world->path), 0);
    finish(world, keeper);
    assert_true(value_state_saves(keeper_counters(keeper), LABEL_STATE_SAVE_GOOD) >= 1);
    assert_non_null(strstr(log_of(world), "state saved again"));
    keeper_free(keeper);
}

static void without_a_directory_there_is_no_keeper(void **state)
{
    struct world *world = *state;
    bool is_off = false;
    struct keeper_settings settings = settings_of(world, 0);
    const struct keeper_deps deps = {&world->log, &world->tables.shared, &world->mailbox, SAVED};
    settings.options.is_off = true;
    assert_null(keeper_new(&deps, &settings, &is_off));
    assert_true(is_off);
    keeper_free(NULL);
    keeper_note_purge(NULL, NULL, 0);
    assert_true(keeper_remove_snapshot(NULL));
    assert_false(keeper_save_last(NULL, 0));
    assert_true(keeper_figures(NULL).snapshot_s < 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_one_run_saves_the_next_has, setup, teardown),
        cmocka_unit_test_setup_teardown(a_purge_removes_the_snapshot, setup, teardown),
        cmocka_unit_test_setup_teardown(a_purge_before_it_is_loaded_costs_no_more_than_the_name, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_that_is_none_is_said_once, setup, teardown),
        cmocka_unit_test_setup_teardown(it_works_again_when_the_directory_does, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_directory_there_is_no_keeper, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
