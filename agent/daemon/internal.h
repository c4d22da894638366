// SPDX-License-Identifier: Apache-2.0
/*
 * What the agent's files share: agent.c (life and loop), perform.c (orders), adopt.c (what an earlier agent left),
 * host.c (interfaces and addresses), answer.c and inquiry.c (the operator's questions).
 */
#ifndef DAEMON_INTERNAL_H
#define DAEMON_INTERNAL_H

#include <jansson.h>

#include "control/control.h"
#include "control/exporter.h"
#include "control/status.h"
#include "daemon/agent.h"
#include "daemon/journal.h"
#include "dataplane/dataplane.h"
#include "netlink/netlink.h"

struct host_link {
	int ifindex;
	char name[16]; /* IFNAMSIZ */
	bool attached, ethernet, shielded;
};

struct host_addr {
	struct hf_addr addr;
	struct hf_addr broadcast; /* all zero = none */
	int ifindex;
};

struct agent {
	struct config config;
	struct event_base *base;
	const struct keying *keying;
	void *keying_arg;
	struct core *core;
	void *core_memory;
	struct dataplane *dp;
	struct netlink *nl;
	struct control *control;
	struct exporter *exporter; /* NULL = no metrics */
	struct journal *journal;
	struct event *ring_event, *xfrm_event, *route_event, *timer;
	uint64_t started_ns;
	uint64_t sweep_ns;	 /* next sweep */
	uint64_t armed_ns;	 /* when `timer` runs; NSTIME_NEVER = it is not set */
	uint64_t handoff_end_ns; /* 0 = no handoff pending */
	bool performing;	 /* orders are being carried out further up the stack */

	struct host_link links[LIMIT_ATTACHED];
	size_t link_count;
	struct host_addr addrs[HF_EXEMPT_MAX];
	size_t addr_count;
	bool host_full; /* more links or addresses than there is room for: said once */

	bool shielded;		  /* the shield is loaded */
	uint32_t spread_over;	  /* processors that the shield's program spreads ESP over; 0 = it does not */
	bool shield_up;		  /* when last looked: everybody is asked for a cookie */
	uint64_t demand_until_ns; /* until then because the engine wanted it so */

	uint64_t gate_full;
	bool trie_full; /* more sticky addresses than rules: said once */
};

/* perform.c */
void agent_perform(struct agent *agent);

/* adopt.c: finds SAs and policies of an earlier agent and gives them to the core, or removes them. */
int agent_adopt(struct agent *agent, struct err *err);

/* adopt.c: finds out which SAs and policies of our pairs somebody else removed, and tells the core. */
int agent_recheck(struct agent *agent, struct err *err);

/* doorkeeper.c: the shield in front of IKE, as far as the configuration wants one and the kernel allows it. */
void doorkeeper_open(struct agent *agent);
void doorkeeper_attach(struct agent *agent, struct host_link *link);
void doorkeeper_detach(struct agent *agent, struct host_link *link);
void doorkeeper_tick(struct agent *agent, uint64_t now);
void doorkeeper_status(struct agent *agent, struct status_shield *out);

/* host.c */
extern const struct netlink_events agent_netlink_events;
int host_apply_interfaces(struct agent *agent, struct err *err);
void host_apply_exemptions(struct agent *agent);
/* host_apply_gateway: an address is a gateway now, or is not one any more. */
void host_apply_gateway(struct agent *agent, const struct hf_addr *addr);

/* answer.c: agent_status is what status.h describes; the operator's socket and the metrics are made of it. */
json_t *agent_status(struct agent *agent);
json_t *agent_answer(void *arg, const json_t *request);

/* inquiry.c: the operator's questions about pairs */
json_t *inquiry_policy(struct agent *agent, const json_t *request);
json_t *inquiry_policy_list(struct agent *agent, const json_t *request);
json_t *inquiry_peers(struct agent *agent, const json_t *request);
json_t *inquiry_explain(struct agent *agent, const json_t *request);
json_t *inquiry_events(struct agent *agent, const json_t *request);
json_t *inquiry_connect(struct agent *agent, const json_t *request);
json_t *inquiry_forget(struct agent *agent, const json_t *request);

/* agent.c */
void agent_rearm(struct agent *agent);
int agent_apply_policy(struct agent *agent, const struct config *config, struct err *err);

#endif
