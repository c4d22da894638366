// SPDX-License-Identifier: Apache-2.0
/*
 * Puts the product's programs on an interface and takes them off again, for the throughput bench: SIGUSR1 toggles, SIGTERM
 * ends. No agent is involved and no SA is touched, so that between two rounds nothing differs but the programs. With two
 * addresses the gate says SECURE for that pair; all else is group clear. Says "on" or "off" when it is done, and at its end
 * "saw ESP CLEAR": packets that its egress program let go.
 */
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/dataplane.h"

#define HOLD_AGE_NS 10000000000ull

static int fail(const struct err *err)
{
	fprintf(stderr, "bench_attach: %s\n", err->text);
	return 1;
}

static int set_clear(struct dataplane *dp, struct err *err)
{
	const struct dataplane_rule rules[] = {
		{ { 0, { { 0 } } }, HF_GROUP_CLEAR },
		{ { 96, addr_from_v4(0) }, HF_GROUP_CLEAR },
	};

	return dataplane_policy_set(dp, rules, 2, false, err);
}

static int set_secure(struct dataplane *dp, const char *local, const char *remote, struct err *err)
{
	const struct hf_gate gate = { .verdict = HF_VERDICT_SECURE, .group = HF_GROUP_PRIVATE };
	struct hf_pair pair;
	int rc = addr_parse(&pair.local, local, err);

	if (rc == 0)
		rc = addr_parse(&pair.remote, remote, err);
	return rc ? rc : dataplane_gate_set(dp, &pair, &gate);
}

/* Until SIGTERM: each SIGUSR1 turns the programs on or off. */
static int toggle(struct dataplane *dp, const sigset_t *signals, int ifindex, const char *name)
{
	struct err err = ERR_NONE;
	bool on = false;
	int got;

	while (sigwait(signals, &got) == 0 && got == SIGUSR1) {
		on = !on;
		if (!on)
			dataplane_detach(dp, ifindex);
		else if (dataplane_attach(dp, ifindex, name, &err) < 0)
			return fail(&err);
		fprintf(stderr, "%s\n", on ? "on" : "off");
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct dataplane_options options = { .hold_age_ns = HOLD_AGE_NS };
	struct dataplane *dp = NULL;
	struct hf_count count;
	struct err err = ERR_NONE;
	sigset_t signals;
	int rc;

	if ((argc != 2 && argc != 4) || !if_nametoindex(argv[1])) {
		fprintf(stderr, "usage: bench_attach INTERFACE [LOCAL REMOTE]\n");
		return 2;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	rc = dataplane_open(&dp, &options, &err);
	if (rc == 0)
		rc = set_clear(dp, &err);
	if (rc == 0 && argc == 4)
		rc = set_secure(dp, argv[2], argv[3], &err);
	if (rc < 0)
		return fail(&err);
	fprintf(stderr, "off\n");
	rc = toggle(dp, &signals, (int)if_nametoindex(argv[1]), argv[1]);
	dataplane_count(dp, &count);
	fprintf(stderr, "saw %llu %llu\n", (unsigned long long)count.out_esp, (unsigned long long)count.out_by_policy);
	dataplane_close(dp);
	return dataplane_unload(&err) < 0 ? fail(&err) : rc;
}
