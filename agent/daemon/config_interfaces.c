// SPDX-License-Identifier: Apache-2.0
/*
 * Which interfaces the configuration names: names, which must exist, and globs, which may match later.
 */
#include "daemon/config.h"

#include <errno.h>
#include <fnmatch.h>
#include <net/if.h>
#include <string.h>

static bool is_glob(const char *name)
{
	return strpbrk(name, "*?[") != NULL;
}

int config_check_interfaces(const struct config *config, struct err *err)
{
	for (size_t i = 0; i < config->interface_count; i++) {
		const char *name = config->interfaces[i];

		if (!is_glob(name) && if_nametoindex(name) == 0)
			return err_set(
				err, -ENODEV,
				"%s:%u: there is no interface \"%s\", so nothing would be protected on it: correct "
				"the name, or write \"%s*\" if it appears later",
				config->file, config->interfaces_line, name, name);
	}
	return 0;
}

bool config_wants_interface(const struct config *config, const char *name)
{
	bool wanted = false;

	for (size_t i = 0; i < config->interface_count && !wanted; i++)
		wanted = fnmatch(config->interfaces[i], name, 0) == 0;
	return wanted && strcmp(name, "lo") != 0;
}
