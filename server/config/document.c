#include "config/document.h"

#include <string.h>

/* A setting's value lies at most four deep: root, upstreams, its entry, its field. */
enum { DEPTH_MAX = 8 };

struct scan {
    struct faults *faults;
    unsigned documents;
    unsigned depth;
    bool is_readable; /* so far */
};

static struct source_location location_of(yaml_mark_t mark)
{
    return (struct source_location){.line = mark.line + 1, .column = mark.column + 1};
}

/* libyaml gives the offset only if bytes are no UTF-8. */
static struct source_location location_of_offset(const char *text, size_t size, size_t offset)
{
    struct source_location location = {.line = 1, .column = 1};
    for (size_t i = 0; i < offset && i < size; i++) {
        bool is_continuation = ((unsigned char)text[i] & 0xc0) == 0x80;
        location.column = text[i] == '\n' ? 1 : location.column + !is_continuation;
        location.line += text[i] == '\n';
    }
    return location;
}

/* The bytes of a line up to its end. */
static size_t line_bytes(const char *line, const char *end)
{
    const char *newline = memchr(line, '\n', (size_t)(end - line));
    return (size_t)((newline ? newline : end) - line);
}

/* Where a line, counted from 0, begins; NULL: there is none. */
static const char *find_line(const char *text, size_t size, size_t line)
{
    const char *end = text + size;
    while (text && line-- > 0) {
        text = memchr(text, '\n', (size_t)(end - text));
        if (text) text++;
    }
    return text;
}

/* An address outside of quotes that YAML takes for something else: [::1]:53 for a list, *:53 for an alias, @ and % for
 * nothing at all. */
static bool has_bare_address(const char *line, size_t size)
{
    char before = ' ';
    bool is_quoted = false;
    for (size_t i = 0; i + 1 < size && line[i] != '#'; i++) {
        bool is_colon_next = line[i + 1] == ':';
        if (line[i] == '"' || line[i] == '\'') is_quoted = !is_quoted;
        if (!is_quoted && strchr(" [,-", before) && (line[i] == '*' || line[i] == '[') && is_colon_next) return true;
        before = line[i];
    }
    return false;
}

static bool is_tab_at(const char *text, size_t size, size_t character)
{
    for (size_t i = 0; i < size; i++) {
        bool is_continuation = ((unsigned char)text[i] & 0xc0) == 0x80;
        if (!is_continuation && character-- == 0) return text[i] == '\t';
    }
    return false;
}

static bool is_indented_by_tab(const char *line, size_t size)
{
    size_t spaces = 0;
    while (spaces < size && line[spaces] == ' ') spaces++;
    return spaces < size && line[spaces] == '\t';
}

/* What the usual reason is for what libyaml complains of. */
static const char *hint_for(const yaml_parser_t *parser, const char *text, size_t size)
{
    const yaml_mark_t *mark = &parser->problem_mark;
    const char *line = find_line(text, size, mark->line);
    const char *former = mark->line > 0 ? find_line(text, size, mark->line - 1) : NULL;
    const char *end = text + size;
    size_t line_size = line ? line_bytes(line, end) : 0;
    if (is_tab_at(text, size, mark->index) || (line && is_indented_by_tab(line, line_size)))
        return "; indent with spaces, not tabs";
    if ((line && has_bare_address(line, line_size)) || (former && has_bare_address(former, line_bytes(former, end))))
        return "; put an address into double quotes, as \"[::1]:53\"";
    if (parser->problem && strstr(parser->problem, "mapping values are not allowed"))
        return "; look at the indentation, and put a text with a ':' into double quotes";
    return "";
}

static void report_syntax(const yaml_parser_t *parser, const char *text, size_t size, struct faults *faults)
{
    const char *problem = parser->problem ? parser->problem : "out of memory";
    struct source_location location = location_of(parser->problem_mark);
    if (parser->error == YAML_READER_ERROR) {
        location = location_of_offset(text, size, parser->problem_offset);
        faults_add(faults, &location, "not UTF-8 text: %s", problem);
        return;
    }
    char begun[48] = "";
    const char *context = parser->context ? parser->context : "";
    if (*context && parser->context_mark.line < parser->problem_mark.line)
        snprintf(begun, sizeof begun, " from line %zu on", parser->context_mark.line + 1);
    faults_add(faults, &location, "not YAML: %s%s%s%s%s", problem, *context ? " " : "", context, begun,
               hint_for(parser, text, size));
}

static void refuse(struct scan *scan, const yaml_event_t *event, const char *what)
{
    struct source_location location = location_of(event->start_mark);
    faults_add(scan->faults, &location, "%s", what);
}

static void check_properties(struct scan *scan, const yaml_event_t *event, const yaml_char_t *anchor,
                             const yaml_char_t *tag)
{
    if (anchor) refuse(scan, event, "anchors (&) are not supported; write the value where it is wanted");
    if (tag) refuse(scan, event, "tags (!) are not supported; a setting's kind is known");
}

static bool check_nesting(struct scan *scan, const yaml_event_t *event)
{
    if (++scan->depth <= DEPTH_MAX) return true;
    refuse(scan, event, "nested deeper than any setting");
    scan->is_readable = false;
    return false;
}

/* False: what comes behind is not looked at. */
static bool check_event(struct scan *scan, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++scan->documents == 2) refuse(scan, event, "a second document; a file holds one");
        return scan->documents == 1;
    case YAML_ALIAS_EVENT:
        refuse(scan, event, "aliases (*) are not supported; write the value where it is wanted");
        return true;
    case YAML_SCALAR_EVENT:
        check_properties(scan, event, event->data.scalar.anchor, event->data.scalar.tag);
        if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
            refuse(scan, event, "a NUL character in a text");
        return true;
    case YAML_SEQUENCE_START_EVENT:
        check_properties(scan, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
        return check_nesting(scan, event);
    case YAML_MAPPING_START_EVENT:
        check_properties(scan, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        return check_nesting(scan, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: scan->depth--; return true;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT: break;
    }
    return true;
}

static bool open_parser(yaml_parser_t *parser, const char *text, size_t size)
{
    if (yaml_parser_initialize(parser) == 0) return false;
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const unsigned char *)text, size);
    return true;
}

/* One pass over the events, since a loaded document no longer shows its aliases, and before loading, so that nesting
 * stops early. */
static bool scan_events(const char *text, size_t size, struct faults *faults)
{
    struct scan scan = {.faults = faults, .is_readable = true};
    yaml_parser_t parser;
    if (!open_parser(&parser, text, size)) return true; /* without memory: loading is about to say it */
    bool goes_on = true;
    while (goes_on && !faults_are_full(faults)) {
        yaml_event_t event;
        if (yaml_parser_parse(&parser, &event) == 0) {
            report_syntax(&parser, text, size, faults);
            scan.is_readable = false;
            break;
        }
        goes_on = check_event(&scan, &event) && event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return scan.is_readable;
}

bool document_load(const char *text, size_t size, struct faults *faults, yaml_document_t *ret_document)
{
    if (!scan_events(text, size, faults)) return false;
    yaml_parser_t parser;
    if (!open_parser(&parser, text, size)) {
        faults_add(faults, NULL, "out of memory");
        return false;
    }
    bool is_loaded = yaml_parser_load(&parser, ret_document) != 0;
    if (!is_loaded) report_syntax(&parser, text, size, faults);
    yaml_parser_delete(&parser);
    return is_loaded;
}

struct source_location document_location(const yaml_node_t *node)
{
    return location_of(node->start_mark);
}

bool document_is_null(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return false;
    const char *text = document_text(node);
    return *text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 || strcmp(text, "Null") == 0 ||
           strcmp(text, "NULL") == 0;
}

const char *document_text(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

const char *document_kind(const yaml_node_t *node)
{
    if (node->type == YAML_MAPPING_NODE) return "a mapping";
    return node->type == YAML_SEQUENCE_NODE ? "a list" : "a single value";
}
