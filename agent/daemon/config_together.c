// SPDX-License-Identifier: Apache-2.0
/* Keys of the configuration that say something only together. Each mistake is told at the line that is to be changed. */
#include <errno.h>
#include <string.h>

#include "daemon/config_reading.h"

static int check_directory(struct reading *reading)
{
	const struct config *config = reading->config;
	const char *idle = config->directory_key  ? "directory_key"
			   : config->directory_id ? "directory_id"
			   : config->directory_ca ? "directory_ca"
						  : NULL;

	if (config->directory && !config->directory_key) {
		reading->line = config_line_of(reading, "directory");
		return config_refuse(reading,
				     "directory without directory_key, so that nobody could check it: add the minisign "
				     "public key that signs it");
	}
	if (config->directory && *config->directory == '/' && config->directory_ca) {
		reading->line = config_line_of(reading, "directory_ca");
		return config_refuse(reading,
				     "directory_ca is for a directory at an https:// address, and this one is a "
				     "file: remove the line");
	}
	if (config->directory || !idle)
		return 0;
	reading->line = config_line_of(reading, idle);
	return config_refuse(reading, "%s without a directory, nothing reads it: add directory, or remove the line",
			     idle);
}

static int check_dnssec(struct reading *reading)
{
	const struct config *config = reading->config;
	bool off = config->dnssec == CONFIG_DNSSEC_OFF, asks = config->dnssec == CONFIG_DNSSEC_RESOLVERS;
	const char *idle = off && config_line_of(reading, "dnssec_anchors")	      ? "dnssec_anchors"
			   : (off || asks) && config_line_of(reading, "dnssec_roots") ? "dnssec_roots"
										      : NULL;

	if (idle) {
		reading->line = config_line_of(reading, idle);
		return config_refuse(reading, "nothing reads %s here: add dnssec = %s, or remove the line", idle,
				     idle[7] == 'r' ? "recursion" : "resolvers");
	}
	if (!asks || config->resolvers_auto || config->resolver_count)
		return 0;
	reading->line = config_line_of(reading, "dnssec");
	return config_refuse(reading,
			     "dnssec = resolvers and [policy] resolvers = none: name some there, or write recursion");
}

static int check_spread(struct reading *reading)
{
	if (!reading->config->spread || reading->config->shield)
		return 0;
	reading->line = config_line_of(reading, "spread");
	return config_refuse(reading, "spread = on is the shield's work: add shield = on");
}

static int check_peers(struct reading *reading)
{
	const struct config_limits *limits = &reading->config->limits;
	unsigned int peers = config_line_of(reading, "peers"), entries = config_line_of(reading, "gate_entries");

	if (limits->gate_entries >= limits->peers)
		return 0;
	reading->line = peers > entries ? peers : entries;
	return config_refuse(
		reading, "peers = %u is more than gate_entries = %u, and every peer needs an entry: raise gate_entries",
		limits->peers, limits->gate_entries);
}

int config_check_together(struct reading *reading)
{
	int rc = check_peers(reading);

	if (rc == 0)
		rc = check_directory(reading);
	if (rc == 0)
		rc = check_dnssec(reading);
	return rc == 0 ? check_spread(reading) : rc;
}
