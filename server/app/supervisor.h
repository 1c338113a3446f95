/* supervisor: the work of the main thread while the others run: signals (reload, drain, stop), systemd's watchdog, the
 * CA bundle, the hosts file, addresses that are not served yet, health. */
#ifndef APP_SUPERVISOR_H
#define APP_SUPERVISOR_H

struct command_line;
struct config;
struct log;

/* Blocks the signals that the supervisor waits for. To be called before any thread is started. */
void supervisor_block_signals(void);

/* Runs the program until it is stopped; takes the configuration. Returns the exit code: 0 stopped as asked, 1 start-up
 * failure. Where connections were handed over it ends the process itself, with 0. */
int supervisor_run(const struct command_line *command, struct config *config, struct log *log);

#endif
