// SPDX-License-Identifier: Apache-2.0
/*
 * Listening at a path of the file system: the folder is made, what a dead agent left there is replaced, a living one is not.
 */
#ifndef CONTROL_LISTEN_H
#define CONTROL_LISTEN_H

#include "base/err.h"

/* listen_unix is a socket, mode 0660, that listens at `path`, or -errno. `key`: of the configuration, to be named in err. */
int listen_unix(const char *path, const char *key, struct err *err);

#endif
