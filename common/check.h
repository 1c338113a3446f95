/* check: run-time checks of what must hold inside the program: counts, ownership, list membership, states.
 *
 * CHECK(condition) ends the program, with a line on stderr that names the place, if the condition is false. It is
 * for faults of this program only, never for bytes from the network or for a full disk. It stays on in release builds,
 * because going on with a wrong count is worse than a restart, so the condition must be cheap: a comparison or two.
 * CHECK_SLOW(condition) is for conditions that walk a list or a table; it is compiled in only if DTP_CHECKS is
 * defined (presets dev, clang, asan, tsan and fuzz). The condition must have no side effect. Any thread. */
#ifndef COMMON_CHECK_H
#define COMMON_CHECK_H

/* Writes one line to stderr and aborts. Allocates nothing. */
_Noreturn void check_failed(const char *file, int line, const char *condition);

#define CHECK(condition) (__builtin_expect(!(condition), 0) ? check_failed(__FILE__, __LINE__, #condition) : (void)0)

#ifdef DTP_CHECKS
#define CHECK_SLOW(condition) CHECK(condition)
#else
#define CHECK_SLOW(condition) ((void)sizeof(condition))
#endif

#endif
