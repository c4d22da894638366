// SPDX-License-Identifier: Apache-2.0
/*
 * The agent: the rooms wired together on one event loop. Facts from the kernel, the operator and the keying go into the
 * core; what the core orders is done at once, by netlink and dataplane. Everything that chooses is in core/.
 */
#ifndef DAEMON_AGENT_H
#define DAEMON_AGENT_H

#include <event2/event.h>

#include "core/core.h"
#include "daemon/config.h"
#include "daemon/keying.h"

struct agent;

/*
 * agent_open brings everything up on `base`: maps and programs, XFRM, interfaces, the operator's socket. What an
 * earlier agent left is adopted. Nothing is attached when it fails. `config` is taken over on success;
 * `keying` and `keying_arg` must outlive the agent.
 */
int agent_open(struct agent **out, struct config *config, struct event_base *base, const struct keying *keying,
	       void *keying_arg, struct err *err);

/* agent_close leaves the datapath as it is: programs attached, SAs and policies standing. */
void agent_close(struct agent *agent);

/* agent_event gives the core a fact and does what it orders. */
void agent_event(struct agent *agent, const struct core_event *event);

/*
 * agent_forget is the operator's `forget ADDRESS`: its pairs end, failures are forgotten, and it is not sticky any more.
 * 0, or -ENOENT when nothing was known of it.
 */
int agent_forget(struct agent *agent, const struct hf_addr *remote, struct err *err);

/* agent_unstick: the address is sticky no longer; its prefix's group decides again. */
int agent_unstick(struct agent *agent, struct err *err);

/* agent_reload reads the configuration again. On failure the old one stays in force. */
int agent_reload(struct agent *agent, struct err *err);

/* agent_now is CLOCK_MONOTONIC in nanoseconds. */
uint64_t agent_now(void);

/* agent_base is the loop, for a keying with timers or sockets of its own. */
struct event_base *agent_base(const struct agent *agent);

/* agent_is_local is true for an address of this host. */
bool agent_is_local(const struct agent *agent, const struct hf_addr *addr);

/* agent_each_address calls `see` for every address of this host. */
void agent_each_address(const struct agent *agent, void (*see)(void *arg, const struct hf_addr *addr), void *arg);

#endif
