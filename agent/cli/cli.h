// SPDX-License-Identifier: Apache-2.0
/*
 * The command line's commands, and what they share: the options that were given and how to ask a running agent.
 * Every command returns the program's exit code.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

#define EXIT_DONE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2

struct cli {
	bool json;
	bool foreground;
	bool force;
	bool nsupdate; /* of `publish`, as the next */
	bool check;
	const char *config; /* NULL = default */
	const char *socket; /* NULL = what the configuration says */
	const char *keys;   /* of `decode`; NULL = none */
	const char *key;    /* of `directory`; NULL = none */
	const char *days;   /* of `directory sign`; NULL = default */
	const char *dir;    /* of `init`; NULL = default */
};

/* Each gets the words behind its name, options taken out. */
int show_command(const struct cli *cli, int argc, char **argv);
int init_command(const struct cli *cli, int argc, char **argv);
int publish_command(const struct cli *cli, int argc, char **argv);
int lookup_command(const struct cli *cli, int argc, char **argv);
int directory_command(const struct cli *cli, int argc, char **argv);
int peers_command(const struct cli *cli, int argc, char **argv);
int explain_command(const struct cli *cli, int argc, char **argv);
int watch_command(const struct cli *cli, int argc, char **argv);
int connect_command(const struct cli *cli, int argc, char **argv);
int forget_command(const struct cli *cli, int argc, char **argv);
int policy_command(const struct cli *cli, int argc, char **argv);
int doctor_command(const struct cli *cli, int argc, char **argv);
int decode_command(const struct cli *cli, int argc, char **argv);
int unload_command(const struct cli *cli, int argc, char **argv);

/* cli_fail says what went wrong, as text on stderr or as {"error": ...} on stdout, and returns EXIT_FAILED. */
int cli_fail(const struct cli *cli, const struct err *err);

/* cli_usage says what is wrong with the command line and returns EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) int cli_usage(const char *command, const char *format, ...);

#endif
