// SPDX-License-Identifier: Apache-2.0
/*
 * A configuration that nobody wrote, and the end of any.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "holdfast/control.h"

int config_defaults(struct config *config)
{
	struct policy_entry *entries = calloc(LIMIT_POLICY_ENTRIES, sizeof(*entries));

	*config = (struct config){
		.interfaces = calloc(LIMIT_INTERFACES, sizeof(char *)),
		.policies = strdup(CONFIG_POLICIES),
		.control_socket = strdup(CONTROL_SOCKET),
		.key = strdup(CONFIG_KEY),
		.pins = strdup(CONFIG_PINS),
		.state = strdup(CONFIG_STATE),
		.dnssec_anchors = strdup(CONFIG_ANCHORS),
		.log_level = LOG_LEVEL_INFO,
		.resolvers_auto = true,
		.sandbox = true,
		.limits = {
			.hold_slots = LIMIT_HOLD_SLOTS,
			.hold_big_slots = LIMIT_HOLD_BIG_SLOTS,
			.hold_queues = LIMIT_HOLD_QUEUES,
			.gate_entries = LIMIT_GATE_ENTRIES,
			.peers = LIMIT_PEERS,
			.hold_age_seconds = LIMIT_HOLD_AGE_SECONDS,
		},
	};
	policy_init(&config->policy, entries, LIMIT_POLICY_ENTRIES, HF_GROUP_CLEAR);
	if (!entries || !config->interfaces || !config->policies || !config->control_socket || !config->key ||
	    !config->pins || !config->state || !config->dnssec_anchors)
		return -ENOMEM;
	config->interfaces[0] = strdup("*");
	config->interface_count = config->interfaces[0] != NULL;
	return config->interface_count ? 0 : -ENOMEM;
}

void config_free(struct config *config)
{
	for (size_t i = 0; i < config->interface_count; i++)
		free(config->interfaces[i]);
	for (size_t i = 0; i < HF_GROUP_COUNT; i++)
		free(config->policy_files[i]);
	free(config->interfaces);
	free(config->policies);
	free(config->control_socket);
	free(config->metrics);
	free(config->key);
	free(config->pins);
	free(config->directory);
	free(config->directory_key);
	free(config->directory_id);
	free(config->directory_ca);
	free(config->dnssec_anchors);
	free(config->dnssec_roots);
	free(config->state);
	free(config->file);
	free(config->policy.entries);
	*config = (struct config){ 0 };
}
