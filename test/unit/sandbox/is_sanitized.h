/* is_sanitized: whether a sanitizer is built in. Its run-time library makes calls of its own when a thread starts, and
 * the program has no filter of calls with it. */
#ifndef TEST_IS_SANITIZED_H
#define TEST_IS_SANITIZED_H

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { IS_SANITIZED = 1 };
#else
enum { IS_SANITIZED = 0 };
#endif

#endif
