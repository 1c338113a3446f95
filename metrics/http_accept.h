/* http_accept: what a client prefers, from its Accept and Accept-Encoding fields (RFC 9110, 12.5). An element whose
 * weight is malformed is ignored. Pure; any thread. */
#ifndef METRICS_HTTP_ACCEPT_H
#define METRICS_HTTP_ACCEPT_H

#include <stdbool.h>

enum {
    HTTP_WEIGHT_MAX = 1000,   /* "q=1"; weights have three decimals */
    HTTP_WEIGHT_UNNAMED = -1, /* no element of the list covers it */
};

/* The weight of a media type ("text/plain") or coding ("gzip") in a field's value: of the most specific element that
 * covers it, and of equal ones the largest; 0 is "not acceptable". Parameters other than the weight are not compared.
 * `field` NULL: the field is absent. */
int http_accept_weight(const char *field, const char *wanted);

/* Whether a response should be compressed with gzip: named or covered by "*", and not less wanted than `identity`. */
bool http_accept_gzip(const char *accept_encoding);

#endif
