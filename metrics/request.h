/* request: where the head of an HTTP request ends (RFC 9112, 2.1). Pure; any thread. */
#ifndef METRICS_REQUEST_H
#define METRICS_REQUEST_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the head at the front of `bytes`, the blank line included; 0 where it is not whole yet. What is in it is not
 * looked at. A line may end without its CR (RFC 9112, 2.2), as civetweb takes it: what is whole here is whole there. */
size_t request_head_size(const uint8_t *bytes, size_t size);

#endif
