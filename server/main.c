/* dns-tls-proxy: plain DNS over TCP in, DNS over TLS out. */
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "app/ca_bundle.h"
#include "app/confinement.h"
#include "app/explain.h"
#include "app/shared_cache.h"
#include "app/supervisor.h"
#include "common/port_holder.h"
#include "config/config.h"
#include "config/faults.h"
#include "config/manual.h"
#include "config/print.h"
#include "dns/validator.h"
#include "metrics/document.h"
#include "metrics/probe.h"

enum { EXIT_STOPPED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int print_version(void)
{
    printf("dns-tls-proxy %s (wolfSSL %s, ldns %s)\n", PROJECT_VERSION, tls_library_version(),
           validator_library_version());
    return EXIT_STOPPED;
}

static int check_health(const struct command_line *command, const struct config *config, FILE *errors)
{
    struct address listen = config->endpoint.listen;
    char message[PROBE_MESSAGE_BYTES];
    if (command->health_check_address && !address_parse(command->health_check_address, 0, &listen)) {
        char quoted[FAULT_QUOTE_BYTES];
        fprintf(errors, "--health-check: %s is not IP:PORT\n", fault_quote(command->health_check_address, quoted));
        return EXIT_USAGE;
    }
    if (listen.port == 0) {
        fprintf(errors, "--health-check: http.listen is switched off; name an address\n");
        return EXIT_FAILED;
    }
    bool ready = probe_ready(&listen, message);
    fprintf(ready ? stdout : errors, "%s\n", message);
    return ready ? EXIT_STOPPED : EXIT_FAILED;
}

/* Says of each address who has it; 1 if somebody has one. */
static int report_ports(const struct command_line *command, FILE *errors)
{
    static const char *const transports[] = {[PORT_TCP] = "TCP", [PORT_UDP] = "UDP"};
    bool is_taken = false;
    for (unsigned i = 0; i < 2 * command->port_holder_count; i++) {
        enum port_transport transport = i % 2 == 0 ? PORT_TCP : PORT_UDP;
        const char *text = command->port_holders[i / 2];
        char holder[PORT_HOLDER_BYTES];
        struct address address;
        if (!address_parse(text, 0, &address)) continue; /* the command line was checked */
        const char *said = port_holder(&address, transport, holder);
        fprintf(*said ? errors : stdout, "%s %s: %s%s\n", text, transports[transport], *said ? "taken" : "free", said);
        is_taken |= *said != '\0';
    }
    return is_taken ? EXIT_FAILED : EXIT_STOPPED;
}

/* What is printed and done with; false if the program is to run. */
static bool prints(const struct command_line *command)
{
    if (command->help)
        command_line_help(stdout);
    else if (command->version)
        print_version();
    else if (command->print_config_doc == CONFIG_DOC_MARKDOWN)
        manual_write_markdown(stdout);
    else if (command->print_config_doc == CONFIG_DOC_EXAMPLE)
        manual_write_example(stdout);
    else if (command->print_config_doc == CONFIG_DOC_METRICS)
        document_write(stdout);
    else if (command->print_completion)
        completion_write(command->print_completion, stdout);
    else
        return false;
    return true;
}

/* What a burst of handshakes took goes back to the system when it is over. By itself the C library keeps the more for
 * the next one, the larger a block it saw freed: some starts stayed a megabyte larger than others. */
static void give_memory_back(void)
{
    enum { TRIM_BYTES = 128 * 1024 }; /* its own first value, but fixed */
    mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
}

static int run(int argc, char **argv, FILE *errors)
{
    struct command_line command;
    struct config config;
    struct log log;
    if (!command_line_parse(argc, argv, &command, errors)) return EXIT_USAGE;
    if (prints(&command)) return EXIT_STOPPED;
    if (command.port_holder_count > 0) return report_ports(&command, errors);
    if (!config_load(&command, &config, errors)) return EXIT_FAILED;
    if (command.check_config) {
        bool good = ca_bundle_check(&config.tls, errors);
        good = confinement_check_user(&config, errors) && good;
        good = shared_cache_check(&config, errors) && good;
        if (good) printf("configuration is good\n");
        config_free(&config);
        return good ? EXIT_STOPPED : EXIT_FAILED;
    }
    if (command.print_config) {
        print_config(&config, stdout);
        config_free(&config);
        return EXIT_STOPPED;
    }
    if (command.query) {
        bool good = explain_name(&config, command.query, command.query_type, stdout, errors);
        config_free(&config);
        return good ? EXIT_STOPPED : EXIT_FAILED;
    }
    if (command.health_check) {
        int code = check_health(&command, &config, errors);
        config_free(&config);
        return code;
    }
    give_memory_back();
    supervisor_block_signals();
    log_init(&log, &config.log, STDERR_FILENO);
    int code = supervisor_run(&command, &config, &log);
    config_free(&config);
    return code;
}

int main(int argc, char **argv)
{
    FILE *errors = log_open_errors();
    if (!errors) return EXIT_FAILED;
    int code = run(argc, argv, errors);
    fclose(errors);
    return code;
}
