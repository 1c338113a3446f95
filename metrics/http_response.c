#include "metrics/http_response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "metrics/page.h"

static const char *status_text(int status)
{
    switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Internal Server Error";
    }
}

void http_response_set_status(struct http_response *response, int status)
{
    free(response->owned);
    response->owned = NULL;
    response->status = status;
    response->content_type = "text/plain; charset=utf-8";
    response->content_encoding = NULL;
    response->body = response->text;
    response->size = (size_t)snprintf(response->text, sizeof response->text, "%d %s\n", status, status_text(status));
}

/* `name: value` and CRLF, or nothing. */
static void print_field(FILE *out, const char *name, const char *value)
{
    if (value) fprintf(out, "%s: %s\r\n", name, value);
}

size_t http_response_write_head(const struct http_response *response, int64_t wall_s,
                                char out[static HTTP_RESPONSE_HEAD_BYTES])
{
    char date[40];
    struct tm utc;
    const time_t now_s = wall_s;
    gmtime_r(&now_s, &utc);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    FILE *head = fmemopen(out, HTTP_RESPONSE_HEAD_BYTES, "w");
    if (!head) return 0;
    fprintf(head, "HTTP/1.1 %d %s\r\nDate: %s\r\n", response->status, status_text(response->status), date);
    print_field(head, "Content-Type", response->body ? response->content_type : NULL);
    fprintf(head, "Content-Length: %zu\r\n", response->size);
    print_field(head, "Content-Encoding", response->content_encoding);
    print_field(head, "Vary", response->varies ? "Accept-Encoding" : NULL);
    print_field(head, "Allow", response->allow);
    print_field(head, "Connection", response->close ? "close" : NULL);
    fputs("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
          "Cross-Origin-Resource-Policy: same-origin\r\nContent-Security-Policy: " PAGE_SECURITY_POLICY "\r\n\r\n",
          head);
    long size = ftell(head);
    fclose(head);
    return size > 0 ? (size_t)size : 0;
}

static bool has_text(const uint8_t *bytes, size_t size, const char *text)
{
    return memmem(bytes, size, text, strlen(text)) != NULL;
}

bool http_response_is_whole(const uint8_t *bytes, size_t size, bool is_to_head)
{
    static const char field[] = "\r\nContent-Length: ";
    const uint8_t *blank = memmem(bytes, size, "\r\n\r\n", 4);
    if (!blank) return false;
    size_t head_size = (size_t)(blank - bytes) + 4;
    const char *length = memmem(bytes, head_size, field, strlen(field));
    if (!length) return false;
    size_t body_size = strtoul(length + strlen(field), NULL, 10); /* the blank line ends it */
    return size - head_size == (is_to_head ? 0 : body_size);
}

bool http_response_is_last(const uint8_t *bytes, size_t size)
{
    const uint8_t *blank = memmem(bytes, size, "\r\n\r\n", 4);
    if (!blank) return true;
    size_t head_size = (size_t)(blank - bytes) + 2;
    return has_text(bytes, head_size, "\r\nConnection: close\r\n") ||
           !has_text(bytes, head_size, "\r\nContent-Length: ");
}
