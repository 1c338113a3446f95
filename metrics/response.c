#include "metrics/response.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "metrics/page.h"

const char *response_status_text(int status)
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
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Internal Server Error";
    }
}

size_t response_write_head(const struct response *response, int64_t wall_s, char out[static RESPONSE_HEAD_BYTES])
{
    char date[40];
    struct tm utc;
    const time_t now_s = wall_s;
    gmtime_r(&now_s, &utc);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    int size = snprintf(
        out, RESPONSE_HEAD_BYTES,
        "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s%s"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
        "Cross-Origin-Resource-Policy: same-origin\r\nContent-Security-Policy: " PAGE_SECURITY_POLICY "\r\n\r\n",
        response->status, response_status_text(response->status), date, response->content_type, response->size,
        response->status == 405 ? "Allow: GET, HEAD\r\n" : "", response->close ? "Connection: close\r\n" : "");
    return (size_t)size;
}

static bool has_text(const uint8_t *bytes, size_t size, const char *text)
{
    return memmem(bytes, size, text, strlen(text)) != NULL;
}

bool response_is_last(const uint8_t *bytes, size_t size)
{
    const uint8_t *blank = memmem(bytes, size, "\r\n\r\n", 4);
    if (!blank) return true;
    size_t head_size = (size_t)(blank - bytes) + 2;
    return has_text(bytes, head_size, "\r\nConnection: close\r\n") ||
           !has_text(bytes, head_size, "\r\nContent-Length: ");
}
