/* supervise: what the main thread does while the others work: signals (reload, drain, stop), systemd's watchdog, the CA
 * bundle, health. */
#ifndef APP_SUPERVISOR_H
#define APP_SUPERVISOR_H

struct command_line;
struct config;
struct log;

/* Blocks the signals it will wait for; before any thread is started. */
void supervisor_block_signals(void);

/* Runs the program until it is told to end; takes the configuration. Returns the exit code: 0 stopped as asked, 1 it
 * could not start. */
int supervisor_run(const struct command_line *command, struct config *config, struct log *log);

#endif
