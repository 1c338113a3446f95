#include "metrics/http_request.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum {
    LENGTH_DIGITS_MAX = 18,   /* any more could exceed 63 bits */
    AUTHORITY_BYTES_MAX = 300 /* a name of 253, brackets, a port, and some to spare */
};

/* What the field lines say about the request as a whole. */
struct framing {
    unsigned hosts;
    unsigned lengths;
    unsigned codings;
    bool has_body;
    bool close;
};

/* ---- characters and texts ---- */

static bool is_token_char(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_target_char(char c)
{
    return c > ' ' && c < 0x7f && c != '#';
}

/* RFC 3986, 3.2.2 and 3.2.3; without user information. */
static bool is_authority_char(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("-._~%!$&'()*+,;=:[]", c));
}

/* RFC 9110, 5.5: visible characters, spaces, tabs, and what is not ASCII. */
static bool is_value_char(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

static bool consists_of(struct http_text text, bool (*is_allowed)(char))
{
    for (size_t i = 0; i < text.size; i++)
        if (!is_allowed(text.bytes[i])) return false;
    return true;
}

static bool equals(struct http_text text, const char *other)
{
    return text.size == strlen(other) && strncasecmp(text.bytes, other, text.size) == 0;
}

static struct http_text skip(struct http_text text, size_t size)
{
    return (struct http_text){text.bytes + size, text.size - size};
}

/* Removes what is before `c` from the front of `text`, and `c`. False if there is none. */
static bool take_until(struct http_text *text, char c, struct http_text *ret_part)
{
    const char *end = memchr(text->bytes, c, text->size);
    if (!end) return false;
    *ret_part = (struct http_text){text->bytes, (size_t)(end - text->bytes)};
    *text = skip(*text, ret_part->size + 1);
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct http_text trim(struct http_text text)
{
    while (text.size > 0 && is_blank(text.bytes[0])) text = skip(text, 1);
    while (text.size > 0 && is_blank(text.bytes[text.size - 1])) text.size--;
    return text;
}

/* The next element of a comma-separated list, trimmed; false at its end. */
static bool take_element(struct http_text *list, struct http_text *ret_element)
{
    if (list->size == 0) return false;
    if (!take_until(list, ',', ret_element)) {
        *ret_element = *list;
        list->size = 0;
    }
    *ret_element = trim(*ret_element);
    return true;
}

/* A line without its CRLF. A CR or LF alone stays in it, and is no allowed character anywhere. */
static bool take_line(struct http_text *rest, struct http_text *ret_line)
{
    const char *end = memmem(rest->bytes, rest->size, "\r\n", 2);
    if (!end) return false;
    *ret_line = (struct http_text){rest->bytes, (size_t)(end - rest->bytes)};
    *rest = skip(*rest, ret_line->size + 2);
    return true;
}

/* ---- where a head ends ---- */

size_t http_request_head_size(const uint8_t *bytes, size_t size)
{
    if (size >= 4 && memcmp(bytes, "\r\n\r\n", 4) == 0) return 4; /* a second empty line is no request */
    const uint8_t *end = bytes + size;
    const uint8_t *at = size >= 2 && memcmp(bytes, "\r\n", 2) == 0 ? bytes + 2 : bytes;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
        at++;
        if (at < end && *at == '\n') return (size_t)(at + 1 - bytes);
        if (end - at >= 2 && at[0] == '\r' && at[1] == '\n') return (size_t)(at + 2 - bytes);
    }
    return 0;
}

/* ---- the request line ---- */

static int check_version(struct http_text version, struct framing *framing)
{
    const char *v = version.bytes;
    if (version.size != 8 || strncmp(v, "HTTP/", 5) != 0 || !isdigit((unsigned char)v[5]) || v[6] != '.' ||
        !isdigit((unsigned char)v[7]))
        return 400;
    if (v[5] != '1') return 505;
    framing->close = v[7] == '0';
    return 0;
}

static int check_method(struct http_text method)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};
    if (method.size == 0 || !consists_of(method, is_token_char)) return 400;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (method.size == strlen(known[i]) && memcmp(method.bytes, known[i], method.size) == 0) return 0;
    return 501;
}

static bool is_authority(struct http_text text)
{
    return text.size <= AUTHORITY_BYTES_MAX && consists_of(text, is_authority_char);
}

/* An absolute target becomes its authority, and its path and query (RFC 9112, 3.2.2). */
static bool split_absolute(struct http_request *request)
{
    struct http_text *target = &request->target;
    struct http_text scheme;
    if (!take_until(target, ':', &scheme) || (!equals(scheme, "http") && !equals(scheme, "https"))) return false;
    if (target->size < 2 || memcmp(target->bytes, "//", 2) != 0) return false;
    *target = skip(*target, 2);
    size_t size = 0;
    while (size < target->size && target->bytes[size] != '/' && target->bytes[size] != '?') size++;
    request->authority = (struct http_text){target->bytes, size};
    *target = skip(*target, size);
    if (target->size == 0 && equals(request->method, "OPTIONS")) *target = (struct http_text){"*", 1};
    return size > 0 && is_authority(request->authority);
}

static int check_target(struct http_request *request)
{
    const struct http_text target = request->target;
    if (target.size > HTTP_TARGET_BYTES_MAX) return 414;
    if (target.size == 0 || !consists_of(target, is_target_char)) return 400;
    if (target.bytes[0] == '/') return 0;
    if (equals(target, "*")) return equals(request->method, "OPTIONS") ? 0 : 400;
    return split_absolute(request) ? 0 : 400;
}

static int parse_request_line(struct http_text line, struct http_request *request, struct framing *framing)
{
    if (!take_until(&line, ' ', &request->method) || !take_until(&line, ' ', &request->target)) return 400;
    int status = check_version(line, framing);
    if (status == 0) status = check_method(request->method);
    return status == 0 ? check_target(request) : status;
}

/* ---- the fields ---- */

static int take_length(struct http_text value, struct framing *framing)
{
    if (framing->lengths++ > 0 || value.size == 0 || value.size > LENGTH_DIGITS_MAX) return 400;
    for (size_t i = 0; i < value.size; i++) {
        if (value.bytes[i] < '0' || value.bytes[i] > '9') return 400;
        if (value.bytes[i] != '0') framing->has_body = true;
    }
    return 0;
}

/* Chunks are not decoded: the body is never read. But an unknown coding may mean something else to the next reader. */
static int take_coding(struct http_text value, struct framing *framing)
{
    framing->has_body = true;
    if (framing->codings++ > 0) return 400;
    return equals(value, "chunked") ? 0 : 501;
}

static int take_host(struct http_text value, struct http_request *request, struct framing *framing)
{
    if (framing->hosts++ > 0 || !is_authority(value)) return 400;
    if (!request->authority.bytes) request->authority = value; /* an absolute target counts more */
    return 0;
}

static void take_connection(struct http_text value, struct framing *framing)
{
    struct http_text element;
    while (take_element(&value, &element)) framing->close |= equals(element, "close");
}

/* A folded line begins with a blank, which no name does. */
static bool split_field(struct http_text line, struct http_text *ret_name, struct http_text *ret_value)
{
    if (!take_until(&line, ':', ret_name) || ret_name->size == 0) return false;
    *ret_value = trim(line);
    return consists_of(*ret_name, is_token_char) && consists_of(*ret_value, is_value_char);
}

static int parse_field(struct http_text line, struct http_request *request, struct framing *framing)
{
    struct http_text name;
    struct http_text value;
    if (!split_field(line, &name, &value)) return 400;
    if (equals(name, "Content-Length")) return take_length(value, framing);
    if (equals(name, "Transfer-Encoding")) return take_coding(value, framing);
    if (equals(name, "Host")) return take_host(value, request, framing);
    if (equals(name, "Connection")) take_connection(value, framing);
    return 0;
}

/* What holds for the fields together (RFC 9112, 3.2 and 6.1). */
static int check_framing(const struct framing *framing, bool is_1_0)
{
    if (framing->codings > 0 && (framing->lengths > 0 || is_1_0)) return 400;
    return framing->hosts == 0 && !is_1_0 ? 400 : 0;
}

int http_request_parse(const uint8_t *head, size_t size, struct http_request *ret_request)
{
    struct http_text rest = {(const char *)head, size};
    struct http_request request = {0};
    struct framing framing = {0};
    struct http_text line;
    int refused = 0;
    if (size >= 2 && memcmp(head, "\r\n", 2) == 0) rest = skip(rest, 2);
    if (!take_line(&rest, &line)) return 400;
    int status = parse_request_line(line, &request, &framing);
    if (status != 0) return status;
    bool is_1_0 = framing.close;
    request.fields.bytes = rest.bytes;
    for (;;) {
        if (!take_line(&rest, &line)) return 400;
        if (line.size == 0) break;
        request.fields.size = (size_t)(rest.bytes - request.fields.bytes);
        status = parse_field(line, &request, &framing);
        if (status == 400) return 400;
        if (status != 0) refused = status; /* a later fault counts more */
    }
    if (rest.size > 0) return 400; /* an empty line ended by LF alone had been taken for the end */
    status = check_framing(&framing, is_1_0);
    if (status != 0 || refused != 0) return status != 0 ? status : refused;
    request.is_last = framing.close || framing.has_body;
    *ret_request = request;
    return 0;
}

/* ---- writing ---- */

static bool add_text(struct buffer *out, struct http_text text)
{
    return buffer_add(out, text.bytes, text.size);
}

static bool add(struct buffer *out, const char *text)
{
    return buffer_add(out, text, strlen(text));
}

/* All values of a field in one line; nothing if there is none. The lines were checked when they were parsed. */
static bool add_field(const struct http_request *request, const char *wanted, struct buffer *out)
{
    struct http_text rest = request->fields;
    struct http_text line;
    struct http_text name;
    struct http_text value;
    unsigned count = 0;
    bool added = true;
    while (added && take_line(&rest, &line)) {
        if (!split_field(line, &name, &value) || !equals(name, wanted)) continue;
        if (count++ == 0)
            added = add(out, wanted) && add(out, ": ");
        else
            added = add(out, ", ");
        added = added && add_text(out, value);
    }
    return added && (count == 0 || add(out, "\r\n"));
}

bool http_request_write(const struct http_request *request, struct buffer *out)
{
    static const char *const fields[] = {"Accept", "Accept-Encoding", "Origin"};
    bool has_path = request->target.size > 0 && request->target.bytes[0] == '/';
    bool added = add_text(out, request->method) && add(out, has_path ? " " : " /") && add_text(out, request->target) &&
                 add(out, " HTTP/1.1\r\n");
    if (added && request->authority.bytes)
        added = add(out, "Host: ") && add_text(out, request->authority) && add(out, "\r\n");
    for (size_t i = 0; added && i < sizeof fields / sizeof *fields; i++) added = add_field(request, fields[i], out);
    if (added && request->is_last) added = add(out, "Connection: close\r\n");
    return added && add(out, "\r\n");
}
