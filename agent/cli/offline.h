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

/* offline_policy_list and offline_policy_test answer like the agent, from the policy files. */
int offline_policy_list(const struct cli *cli, json_t **answer, struct err *err);
int offline_policy_test(const struct cli *cli, json_t **answer, const struct hf_addr *address, struct err *err);

/* offline_check reads the whole configuration as an agent would at its start, and counts the prefixes in it. */
int offline_check(const struct cli *cli, size_t *prefixes, struct err *err);

#endif
