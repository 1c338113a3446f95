/* The scripts for shells as texts. That shells understand them is shown by test/integration/test_completion.py. */
#include "config/completion.h"

#include "outcome.h"

#include "config/flags.h"

static char *written(enum completion_shell shell)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    completion_write(shell, out);
    fclose(out);
    return text;
}

static void every_script_has_every_flag_and_its_words(void **state)
{
    (void)state;
    for (int shell = COMPLETION_BASH; shell <= COMPLETION_FISH; shell++) {
        char *text = written((enum completion_shell)shell);
        for (int id = 0; id < FLAGS; id++) {
            char flag[64];
            snprintf(flag, sizeof flag, "%s%s", shell == COMPLETION_FISH ? "-l " : "--", flag_at(id)->name);
            assert_non_null(strstr(text, flag));
            assert_non_null(strstr(text, flag_words(flag_at(id))));
        }
        free(text);
    }
}

static void nothing_is_written_for_no_shell(void **state)
{
    (void)state;
    char *text = written(COMPLETION_NONE);
    assert_string_equal(text, "");
    free(text);
}

static void quotes_and_brackets_of_the_help_stay_text(void **state)
{
    (void)state;
    char *zsh = written(COMPLETION_ZSH), *fish = written(COMPLETION_FISH);
    assert_non_null(strstr(zsh, "not the system'\\''s"));
    assert_non_null(strstr(fish, "not the system\\'s"));
    assert_null(strstr(zsh, "\nprint"));
    free(zsh);
    free(fish);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_script_has_every_flag_and_its_words),
        cmocka_unit_test(nothing_is_written_for_no_shell),
        cmocka_unit_test(quotes_and_brackets_of_the_help_stay_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
