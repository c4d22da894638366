// SPDX-License-Identifier: Apache-2.0
/*
 * Answers without an agent, see offline.h.
 */
#include "cli/offline.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/own.h"
#include "control/answer.h"
#include "daemon/config.h"
#include "daemon/resolvers.h"
#include "holdfast/control.h"

int offline_socket(const struct cli *cli, char **path, struct err *err)
{
	OWN(config_free) struct config config = { 0 };
	int rc = cli->socket ? 0 : config_load(&config, cli->config, err);

	if (rc < 0)
		return rc;
	*path = cli->socket ? strdup(cli->socket) : TAKE(config.control_socket);
	return 0;
}

int offline_key(const struct cli *cli, char **path, struct err *err)
{
	OWN(config_free) struct config config = { 0 };
	int rc = config_load(&config, cli->config, err);

	if (rc == 0)
		*path = TAKE(config.key);
	return rc;
}

int offline_dns(const struct cli *cli, struct offline_dns *out, struct err *err)
{
	OWN(config_free) struct config config = { 0 };
	int rc = config_load(&config, cli->config, err);

	_Static_assert(LIMIT_RESOLVERS <= OFFLINE_RESOLVERS_MAX, "all of them have room");
	if (rc < 0)
		return rc;
	*out = (struct offline_dns){ .off = config.dnssec == CONFIG_DNSSEC_OFF };
	if (config.dnssec != CONFIG_DNSSEC_RECURSION) {
		memcpy(out->resolvers, config.resolvers, config.resolver_count * sizeof(out->resolvers[0]));
		out->count = config.resolver_count ? config.resolver_count
						   : resolvers_local(out->resolvers, LIMIT_RESOLVERS);
	}
	out->anchors = TAKE(config.dnssec_anchors);
	out->roots = TAKE(config.dnssec_roots);
	return 0;
}

void offline_dns_free(struct offline_dns *dns)
{
	free(dns->anchors);
	free(dns->roots);
}

int offline_policy_list(const struct cli *cli, json_t **answer, struct err *err)
{
	OWN(config_free) struct config config = { 0 };
	int rc = config_load(&config, cli->config, err);

	if (rc < 0)
		return rc;
	*answer = answer_policy_list(&config.policy, 0, SIZE_MAX);
	return *answer ? 0 : err_set(err, -ENOMEM, "out of memory");
}

int offline_policy_test(const struct cli *cli, json_t **answer, const struct hf_addr *address, struct err *err)
{
	OWN(config_free) struct config config = { 0 };
	const struct answer_clock no_clock = { 0 };
	int rc = config_load(&config, cli->config, err);

	if (rc < 0)
		return rc;
	*answer = answer_policy_test(&config.policy, address, NULL, 0, &no_clock);
	return *answer ? 0 : err_set(err, -ENOMEM, "out of memory");
}

int offline_check(const struct cli *cli, size_t *prefixes, struct err *err)
{
	OWN(config_free) struct config config = { 0 };
	int rc = config_load(&config, cli->config, err);

	if (rc == 0)
		rc = config_check_interfaces(&config, err);
	if (rc == 0)
		*prefixes = config.policy.count;
	return rc;
}
