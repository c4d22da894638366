// SPDX-License-Identifier: Apache-2.0
/*
 * Static pins: the operator's own list of hosts and keys, above every other source. Its form is that of hosts.h.
 */
#ifndef DISCOVER_PINS_H
#define DISCOVER_PINS_H

#include "base/err.h"
#include "discover/hosts.h"

#define PINS_OCTETS_MAX (16u << 20) /* HOSTS_MAX lines of the usual length */

/* pins_read reads the file. -EINVAL and others, with file:line in err; *out is untouched then. */
int pins_read(struct hosts **out, const char *path, struct err *err);

#endif
