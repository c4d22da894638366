// SPDX-License-Identifier: Apache-2.0
/*
 * Running an agent from start to signal, with whatever keying it is given. `holdfast run` is daemon_run with the
 * product's; a test driver brings its own.
 */
#ifndef DAEMON_RUN_H
#define DAEMON_RUN_H

#include "daemon/daemon.h"
#include "daemon/keying.h"

/* daemon_run is daemon_main with a keying. `arg` is handed to its functions. */
int daemon_run(const struct daemon_options *options, const struct keying *keying, void *arg);

#endif
