/* sanitized: whether a sanitizer is built in. Its run-time library reads files, makes system calls and keeps memory as
 * it likes, and looks at the end for memory that was not freed. */
#ifndef COMMON_SANITIZED_H
#define COMMON_SANITIZED_H

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define IS_SANITIZED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

#endif
