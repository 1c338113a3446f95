/* A YAML text becomes a tree with places, or a fault at the very character; what is exotic in YAML is
 * refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/document.h"

struct loaded {
    bool is_readable;
    yaml_document_t document;
    char *faults;
    size_t size;
};

/* From memory exactly as long as the text, so that a sanitizer sees a read behind its end. */
static struct loaded load_bytes(const char *text, size_t size)
{
    struct loaded loaded = {.faults = NULL};
    char *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    memcpy(exact, text, size);
    struct faults faults = {.file = "f", .out = open_memstream(&loaded.faults, &loaded.size)};
    loaded.is_readable = document_load(exact, size, &faults, &loaded.document);
    fclose(faults.out);
    free(exact);
    return loaded;
}

static struct loaded load(const char *text)
{
    return load_bytes(text, strlen(text));
}

static void done(struct loaded *loaded)
{
    if (loaded->is_readable) yaml_document_delete(&loaded->document);
    free(loaded->faults);
}

static void assert_faults_of_bytes(const char *text, size_t size, bool is_readable, const char *faults)
{
    struct loaded loaded = load_bytes(text, size);
    assert_string_equal(loaded.faults, faults);
    assert_int_equal(loaded.is_readable, is_readable);
    done(&loaded);
}

static void assert_unreadable(const char *text, const char *faults)
{
    assert_faults_of_bytes(text, strlen(text), false, faults);
}

static void assert_readable_with(const char *text, const char *faults)
{
    assert_faults_of_bytes(text, strlen(text), true, faults);
}

static yaml_node_t *node_at(struct loaded *loaded, int index)
{
    return yaml_document_get_node(&loaded->document, index);
}

static void nodes_know_their_line_and_column(void **state)
{
    (void)state;
    struct loaded loaded = load("first: 1\nsecond:\n  third: [4, 5]\n");
    assert_true(loaded.is_readable);
    yaml_node_t *root = yaml_document_get_root_node(&loaded.document);
    yaml_node_t *second = node_at(&loaded, root->data.mapping.pairs.start[1].value);
    yaml_node_t *list = node_at(&loaded, second->data.mapping.pairs.start[0].value);
    struct source_location location = document_location(node_at(&loaded, list->data.sequence.items.start[1]));
    assert_int_equal(location.line, 3);
    assert_int_equal(location.column, 14);
    assert_null(location.flag);
    done(&loaded);
}

static void columns_count_characters_not_bytes(void **state)
{
    (void)state;
    struct loaded loaded = load("äöü: x\n");
    yaml_node_t *root = yaml_document_get_root_node(&loaded.document);
    assert_int_equal(document_location(node_at(&loaded, root->data.mapping.pairs.start[0].value)).column, 6);
    done(&loaded);
}

static void a_text_without_content_has_no_root(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n\n", "# only a comment\n", "  # indented\n", "\xef\xbb\xbf"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct loaded loaded = load(texts[i]);
        assert_true(loaded.is_readable);
        assert_string_equal(loaded.faults, "");
        assert_null(yaml_document_get_root_node(&loaded.document));
        done(&loaded);
    }
}

static void nodes_say_what_they_are(void **state)
{
    (void)state;
    struct loaded loaded = load("[{}, [], x, ~, null, '', '~', Null, NULL, nUll, ]");
    static const char *const kinds[] = {"a mapping", "a list", "a single value"};
    static const bool nulls[] = {false, false, false, true, true, false, false, true, true, false};
    yaml_node_t *root = yaml_document_get_root_node(&loaded.document);
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++) {
        yaml_node_t *node = node_at(&loaded, root->data.sequence.items.start[i]);
        assert_string_equal(document_kind(node), kinds[i < 2 ? i : 2]);
        assert_int_equal(document_is_null(node), nulls[i]);
    }
    assert_string_equal(document_text(node_at(&loaded, root->data.sequence.items.start[2])), "x");
    done(&loaded);
}

static void broken_yaml_is_pointed_at(void **state)
{
    (void)state;
    assert_unreadable(
        "a: [1, 2\n",
        "f:2:1: not YAML: did not find expected ',' or ']' while parsing a flow sequence from line 1 on\n");
    assert_unreadable(
        "a: 'b\n", "f:2:1: not YAML: found unexpected end of stream while scanning a quoted scalar from line 1 on\n");
    assert_unreadable("a: b: c\n", "f:1:5: not YAML: mapping values are not allowed in this context; look at the "
                                   "indentation, and put a text with a ':' into double quotes\n");
    assert_unreadable("a: 1\n b: 2\n", "f:2:3: not YAML: mapping values are not allowed in this context; look at the "
                                       "indentation, and put a text with a ':' into double quotes\n");
    assert_unreadable(
        "a: @x\n", "f:1:4: not YAML: found character that cannot start any token while scanning for the next token\n");
    assert_unreadable("]", "f:1:1: not YAML: did not find expected node content while parsing a block node\n");
}

static void a_tab_is_called_a_tab(void **state)
{
    (void)state;
    assert_unreadable("a:\n\tb: 1\n",
                      "f:2:1: not YAML: found character that cannot start any token while scanning for the next token; "
                      "indent with spaces, not tabs\n");
    assert_unreadable("ä: # ö\n\tb: 1\n",
                      "f:2:1: not YAML: found character that cannot start any token while scanning for the next token; "
                      "indent with spaces, not tabs\n");
}

static void bytes_that_are_not_utf_8_are_pointed_at(void **state)
{
    (void)state;
    assert_unreadable("\xff\xfe", "f:1:1: not UTF-8 text: invalid leading UTF-8 octet\n");
    assert_unreadable("a: 1\nö: \xff\n", "f:2:4: not UTF-8 text: invalid leading UTF-8 octet\n");
    assert_unreadable("a: \xc3", "f:1:4: not UTF-8 text: incomplete UTF-8 octet sequence\n");
    assert_unreadable("a: \xc3(", "f:1:5: not UTF-8 text: invalid trailing UTF-8 octet\n");
    assert_unreadable("a: \xed\xa0\x80", "f:1:4: not UTF-8 text: invalid Unicode character\n");
    assert_unreadable("a: \xc0\x80", "f:1:4: not UTF-8 text: invalid length of a UTF-8 sequence\n");
    assert_unreadable("a: \x01", "f:1:4: not UTF-8 text: control characters are not allowed\n");
}

static void utf_16_is_not_guessed_at(void **state)
{
    (void)state;
    static const char little[] = {'\xff', '\xfe', 'a', 0, ':', 0, ' ', 0, '1', 0};
    assert_faults_of_bytes(little, sizeof little, false, "f:1:1: not UTF-8 text: invalid leading UTF-8 octet\n");
    static const char nul[] = {'a', 0, ':'};
    assert_faults_of_bytes(nul, sizeof nul, false, "f:1:2: not UTF-8 text: control characters are not allowed\n");
}

static void a_nul_in_a_value_is_refused(void **state)
{
    (void)state;
    assert_readable_with("a: \"x\\0y\"\n", "f:1:4: a NUL character in a text\n");
    assert_readable_with("\"\\0\": 1\n", "f:1:1: a NUL character in a text\n");
}

static void aliases_anchors_and_tags_are_refused_each_by_name(void **state)
{
    (void)state;
    assert_readable_with("a: &x 1\nb: *x\nc: !!int 2\nd: &y [1]\ne: !z {f: 1}\n",
                         "f:1:4: anchors (&) are not supported; write the value where it is wanted\n"
                         "f:2:4: aliases (*) are not supported; write the value where it is wanted\n"
                         "f:3:4: tags (!) are not supported; a setting's kind is known\n"
                         "f:4:4: anchors (&) are not supported; write the value where it is wanted\n"
                         "f:5:4: tags (!) are not supported; a setting's kind is known\n");
}

static void an_alias_to_nothing_cannot_be_read(void **state)
{
    (void)state;
    assert_unreadable("a: *x\n", "f:1:4: aliases (*) are not supported; write the value where it is wanted\n"
                                 "f:1:4: not YAML: found undefined alias\n");
}

static void a_file_holds_one_document(void **state)
{
    (void)state;
    assert_readable_with("---\na: 1\n...\n", "");
    assert_readable_with("%YAML 1.1\n---\na: 1\n", "");
    assert_readable_with("a: 1\n---\nb: 1\n---\nc: 1\n", "f:2:1: a second document; a file holds one\n");
    assert_readable_with("---\n---\n", "f:2:1: a second document; a file holds one\n");
}

static void nesting_deeper_than_any_setting_is_refused_at_once(void **state)
{
    (void)state;
    assert_readable_with("[[[[[[[[1]]]]]]]]", "");
    assert_unreadable("[[[[[[[[[1]]]]]]]]]", "f:1:9: nested deeper than any setting\n");
    assert_unreadable("{a: {a: {a: {a: {a: {a: {a: {a: {a: 1}}}}}}}}}", "f:1:33: nested deeper than any setting\n");
    assert_unreadable("- - - - - - - - - 1", "f:1:17: nested deeper than any setting\n");
    assert_readable_with("[[1], [1], [1], [1], [1], [1], [1], [1], [1], [1]]", "");
}

static void a_million_brackets_cost_no_more_than_nine(void **state)
{
    (void)state;
    enum { SIZE = 1000000 };
    char *text = malloc(SIZE);
    assert_non_null(text);
    memset(text, '[', SIZE);
    assert_faults_of_bytes(text, SIZE, false, "f:1:9: nested deeper than any setting\n");
    free(text);
}

static void every_cut_of_a_text_is_read_or_refused(void **state)
{
    (void)state;
    static const char text[] = "%YAML 1.1\n---\na: {b: [1, \"\\u00e4\", 'c'], d: |\n  e\n }\nf: &g *h\n...\n";
    for (size_t size = 0; size < sizeof text; size++) {
        struct loaded loaded = load_bytes(text, size);
        assert_true(loaded.is_readable || loaded.faults[0] != '\0');
        done(&loaded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_know_their_line_and_column),
        cmocka_unit_test(columns_count_characters_not_bytes),
        cmocka_unit_test(a_text_without_content_has_no_root),
        cmocka_unit_test(nodes_say_what_they_are),
        cmocka_unit_test(broken_yaml_is_pointed_at),
        cmocka_unit_test(a_tab_is_called_a_tab),
        cmocka_unit_test(bytes_that_are_not_utf_8_are_pointed_at),
        cmocka_unit_test(utf_16_is_not_guessed_at),
        cmocka_unit_test(a_nul_in_a_value_is_refused),
        cmocka_unit_test(aliases_anchors_and_tags_are_refused_each_by_name),
        cmocka_unit_test(an_alias_to_nothing_cannot_be_read),
        cmocka_unit_test(a_file_holds_one_document),
        cmocka_unit_test(nesting_deeper_than_any_setting_is_refused_at_once),
        cmocka_unit_test(a_million_brackets_cost_no_more_than_nine),
        cmocka_unit_test(every_cut_of_a_text_is_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
