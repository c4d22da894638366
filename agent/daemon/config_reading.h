// SPDX-License-Identifier: Apache-2.0
/* A configuration file while it is read: what config.c and config_together.c share. */
#ifndef DAEMON_CONFIG_READING_H
#define DAEMON_CONFIG_READING_H

#include <stdio.h>

#include "daemon/config.h"

#define CONFIG_KEYS_MAX 40

/* One configuration file while it is read. */
struct reading {
	struct config *config;
	const char *path;
	FILE *file;
	unsigned int line;
	unsigned int seen[CONFIG_KEYS_MAX]; /* line of each key, 0 = not yet */
	bool resolvers_given;
	struct err *err;
};

/* config_refuse fills err with file and line in front and returns -EINVAL. */
__attribute__((format(printf, 2, 3))) int config_refuse(struct reading *reading, const char *format, ...);

/* config_line_of is the line of a key, 0 when it was not given. */
unsigned int config_line_of(const struct reading *reading, const char *name);

/* config_check_together: 0, or -EINVAL with err filled in. */
int config_check_together(struct reading *reading);

#endif
