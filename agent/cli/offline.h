// SPDX-License-Identifier: Apache-2.0
/*
 * What can be answered without an agent, from the configuration that the next one would read. The only file of this
 * room, beside the program's entry, that opens the daemon's door.
 */
#ifndef CLI_OFFLINE_H
#define CLI_OFFLINE_H

#include <jansson.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "cli/cli.h"

/*
 * offline_socket finds the control socket: what was asked for, or what the configuration says. *path is owned by the caller; NULL when
 * memory ran out.
 */
int offline_socket(const struct cli *cli, char **path, struct err *err);

/* offline_key finds the file of this host's private key. *path is owned by the caller. */
int offline_key(const struct cli *cli, char **path, struct err *err);

/* Who would be asked for keys in the DNS, and what is trusted. */
#define OFFLINE_RESOLVERS_MAX 16
struct offline_dns {
	struct hf_addr resolvers[OFFLINE_RESOLVERS_MAX];
	size_t count; /* 0 = the servers of the zones themselves */
	char *anchors, *roots;
	bool off; /* an agent would not ask */
};

/* offline_dns is what an agent would use; where it would not ask, its resolvers. Free it with offline_dns_free. */
int offline_dns(const struct cli *cli, struct offline_dns *out, struct err *err);
void offline_dns_free(struct offline_dns *dns);

/* offline_policy_list and offline_policy_test answer like the agent, from the policy files. */
int offline_policy_list(const struct cli *cli, json_t **answer, struct err *err);
int offline_policy_test(const struct cli *cli, json_t **answer, const struct hf_addr *address, struct err *err);

/* offline_check reads the whole configuration as an agent would at its start, and counts the prefixes in it. */
int offline_check(const struct cli *cli, size_t *prefixes, struct err *err);

#endif
