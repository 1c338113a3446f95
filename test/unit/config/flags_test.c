/* The table of flags: each row is whole, and no two are taken for each other. */
#include "config/flags.h"

#include "outcome.h"

#include <getopt.h>

#include "config/settings.h"

static void every_row_is_whole(void **state)
{
    (void)state;
    for (int id = 0; id < FLAGS; id++) {
        const struct flag *flag = flag_at(id);
        assert_non_null(flag->name);
        assert_non_null(flag->help);
        assert_true((flag->value != NULL) == (flag->argument != no_argument));
        assert_false(flag->is_file && *flag_words(flag));
        if (flag->setting) assert_non_null(settings_find(settings_of_config(), flag->setting));
    }
}

static void names_and_letters_are_unique(void **state)
{
    (void)state;
    for (int id = 0; id < FLAGS; id++)
        for (int other = 0; other < id; other++) {
            assert_string_not_equal(flag_at(id)->name, flag_at(other)->name);
            assert_false(flag_at(id)->letter && flag_at(id)->letter == flag_at(other)->letter);
        }
}

static void words_are_those_of_the_setting_or_of_the_row(void **state)
{
    (void)state;
    const struct setting *level = settings_find(settings_of_config(), "log.level");
    assert_string_equal(flag_words(flag_at(FLAG_LOG_LEVEL)), level->words);
    assert_string_equal(flag_words(flag_at(FLAG_PRINT_COMPLETION)), "bash zsh fish");
    assert_string_equal(flag_words(flag_at(FLAG_WORKERS)), "auto");
    assert_string_equal(flag_words(flag_at(FLAG_LISTEN)), "");
    assert_string_equal(flag_words(flag_at(FLAG_CONFIG)), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(names_and_letters_are_unique),
        cmocka_unit_test(words_are_those_of_the_setting_or_of_the_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
