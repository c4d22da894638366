// SPDX-License-Identifier: Apache-2.0
/*
 * The daemon's door: `holdfast run` opens it.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <stdbool.h>

struct daemon_options {
	const char *config; /* path of the configuration file; NULL = the default one, which may be missing */
	bool foreground;    /* says nothing to a service manager, even when there is one */
};

/*
 * daemon_main runs until a signal ends it. Returns the exit code: 0 after an orderly end, 1 when it could not start
 * or go on; the reason is in the log.
 */
int daemon_main(const struct daemon_options *options);

#endif
