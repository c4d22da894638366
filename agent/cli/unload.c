// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast unload`: takes everything of ours out of the kernel. From then on nothing is held or sealed, so it is not
 * done under a running agent by mistake.
 */
#include <errno.h>
#include <string.h>

#include "cli/client.h"
#include "cli/print.h"
#include "cli/progress.h"
#include "dataplane/dataplane.h"
#include "holdfast/control.h"
#include "netlink/netlink.h"

static void close_netlink(struct netlink **nl)
{
	if (*nl)
		netlink_close(*nl);
}

static int refuse_running(const struct cli *cli, struct err *err)
{
	struct err unheard = ERR_NONE;
	json_t *answer = NULL;
	int rc = client_ask(cli, &answer, client_request(CONTROL_PING), &unheard);
	long long pid = json_integer_value(json_object_get(answer, CONTROL_PID));

	json_decref(answer);
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return 0;
	if (rc < 0)
		return err_set(err, rc, "it is not certain that no agent runs (%s): stop it first, or use --force",
			       unheard.text);
	return err_set(err, -EBUSY,
		       "an agent is running (pid %lld) and would lose its maps: stop it first, or use --force", pid);
}

/* Programs first: policies that still stand keep sealing meanwhile, and no packet is held that nobody would release. */
static int unload(unsigned int *states, unsigned int *policies, struct err *err)
{
	static const struct netlink_events no_events;
	__attribute__((cleanup(close_netlink))) struct netlink *nl = NULL;
	int rc = netlink_open(&nl, &no_events, NULL, err);

	progress_show("taking away programs, maps, SAs and policies ...");
	if (rc == 0)
		rc = dataplane_unload(err);
	if (rc == 0)
		rc = xfrm_remove_ours(nl, states, policies, err);
	return rc;
}

int unload_command(const struct cli *cli, int argc, char **argv)
{
	unsigned int states = 0, policies = 0;
	struct err err = ERR_NONE;

	(void)argv;
	if (argc)
		return cli_usage("unload", "unload takes no words behind it");
	if (!cli->force && refuse_running(cli, &err) < 0)
		return cli_fail(cli, &err);
	if (unload(&states, &policies, &err) < 0)
		return cli_fail(cli, &err);
	if (cli->json)
		print_json(json_pack("{sb si si}", "unloaded", 1, "states", (int)states, "policies", (int)policies));
	else
		print_text(PRINT_PLAIN,
			   "Programs, maps, %u SAs and %u policies removed. Nothing is held or sealed any more.\n",
			   states, policies);
	return EXIT_DONE;
}
