/* page: the files the program carries, and what they may not do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/page.h"

/* A copy with a NUL at its end; the caller frees. */
static char *text_of(const char *path)
{
    const struct page_file *file = page_find(path);
    assert_non_null(file);
    char *text = strndup(file->text, (size_t)(file->end - file->text));
    assert_non_null(text);
    assert_int_equal(strlen(text), file->end - file->text);
    return text;
}

static void each_file_is_whole(void **state)
{
    (void)state;
    char *html = text_of("/");
    char *css = text_of("/page.css");
    char *js = text_of("/page.js");
    assert_int_equal(strncmp(html, "<!DOCTYPE html>", 15), 0);
    assert_non_null(strstr(html, "</html>\n"));
    assert_int_equal(strncmp(css, ":root {", 7), 0);
    assert_int_equal(css[strlen(css) - 1], '\n');
    assert_non_null(strstr(js, "\nrun();\n"));
    assert_non_null(strstr(js, "from \"./figures.js\";\n"));
    free(html);
    free(css);
    free(js);
}

static void files_say_what_they_are(void **state)
{
    (void)state;
    assert_string_equal(page_find("/")->content_type, "text/html; charset=utf-8");
    assert_string_equal(page_find("/page.css")->content_type, "text/css; charset=utf-8");
    assert_string_equal(page_find("/page.js")->content_type, "text/javascript; charset=utf-8");
    assert_string_equal(page_find("/figures.js")->content_type, "text/javascript; charset=utf-8");
}

static void there_are_no_other_files(void **state)
{
    (void)state;
    static const char *const paths[] = {"",         "/page", "/page.js/",   "page.js",
                                        "/PAGE.JS", "//",    "/index.html", "/page.html"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) assert_null(page_find(paths[i]));
}

/* Another site is named only where a reader may follow a link to the project's own documents. */
static void expect_links_only(const char *html)
{
    static const char link[] = "<a href=\"https://github.com/dns-tls-proxy/dns-tls-proxy/blob/main/docs/";
    const size_t before = strlen("<a href=\"https:");
    for (const char *at = html; (at = strstr(at, "//")); at += 2) {
        assert_true(at - html > (ptrdiff_t)before);
        if (strncmp(at - before, link, strlen(link)) != 0) fail_msg("%.60s in the page", at);
    }
}

/* What the policy would refuse must not be there: nothing inline, and nobody else's. */
static void nothing_is_inline_and_nothing_comes_from_elsewhere(void **state)
{
    (void)state;
    char *html = text_of("/");
    static const char *const not_here[] = {"<style", "style=", " onclick", " onload", "javascript:", "<iframe", "<img"};
    for (size_t i = 0; i < sizeof not_here / sizeof *not_here; i++)
        if (strstr(html, not_here[i])) fail_msg("%s in the page", not_here[i]);
    expect_links_only(html);
    const char *script = strstr(html, "<script");
    assert_non_null(script);
    assert_int_equal(strncmp(script, "<script type=\"module\" src=\"page.js\"></script>", 45), 0);
    assert_null(strstr(script + 1, "<script"));
    assert_non_null(strstr(html, "<link rel=\"icon\" href=\"data:,\">"));
    free(html);
}

/* A name is whatever somebody asked for: it may become text only. */
static void names_cannot_become_markup(void **state)
{
    (void)state;
    char *js = text_of("/page.js");
    static const char *const sinks[] = {"innerHTML", "outerHTML", "insertAdjacentHTML",       "document.write",
                                        "eval(",     "Function(", "createContextualFragment", "srcdoc"};
    for (size_t i = 0; i < sizeof sinks / sizeof *sinks; i++)
        if (strstr(js, sinks[i])) fail_msg("%s in the script", sinks[i]);
    free(js);
}

static void the_policy_is_strict(void **state)
{
    (void)state;
    const char *policy = PAGE_SECURITY_POLICY;
    assert_int_equal(strncmp(policy, "default-src 'none';", 19), 0);
    assert_null(strstr(policy, "unsafe"));
    assert_null(strstr(policy, "*"));
    assert_non_null(strstr(policy, "require-trusted-types-for 'script'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_file_is_whole),
        cmocka_unit_test(files_say_what_they_are),
        cmocka_unit_test(there_are_no_other_files),
        cmocka_unit_test(nothing_is_inline_and_nothing_comes_from_elsewhere),
        cmocka_unit_test(names_cannot_become_markup),
        cmocka_unit_test(the_policy_is_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
