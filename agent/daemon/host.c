// SPDX-License-Identifier: Apache-2.0
/*
 * The host as the kernel reports it: interfaces come and go and get the programs, addresses come and go and are exempt or
 * end the pairs that used them. And what the kernel says about our SAs and policies.
 */
#include <linux/if_arp.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "daemon/internal.h"

static struct host_link *find_link(struct agent *agent, int ifindex)
{
	for (size_t i = 0; i < agent->link_count; i++)
		if (agent->links[i].ifindex == ifindex)
			return &agent->links[i];
	return NULL;
}

static void say_full(struct agent *agent, const char *what)
{
	if (!agent->host_full)
		log_error("more %s than this agent has room for: the rest is not handled", what);
	agent->host_full = true;
}

static void attach(struct agent *agent, struct host_link *link)
{
	struct err err = ERR_NONE;

	if (link->attached || !config_wants_interface(&agent->config, link->name))
		return;
	link->attached = dataplane_attach(agent->dp, link->ifindex, link->name, &err) == 0;
	if (!link->attached) {
		log_error("%s", err.text);
		return;
	}
	log_info("interface %s: attached (%s)", link->name, dataplane_is_tcx(agent->dp) ? "tcx" : "clsact");
	doorkeeper_attach(agent, link);
}

static void detach(struct agent *agent, struct host_link *link)
{
	doorkeeper_detach(agent, link);
	if (link->attached)
		dataplane_detach(agent->dp, link->ifindex);
	link->attached = false;
}

static void on_link(void *arg, int ifindex, const char *name, uint16_t type, bool up)
{
	struct agent *agent = arg;
	struct host_link *link = find_link(agent, ifindex);

	(void)up; /* attached before it comes up, so that nothing passes first */
	if (type == ARPHRD_LOOPBACK)
		return;
	if (!link) {
		if (agent->link_count == LIMIT_ATTACHED) {
			say_full(agent, "interfaces");
			return;
		}
		link = &agent->links[agent->link_count++];
		*link = (struct host_link){ .ifindex = ifindex, .ethernet = type == ARPHRD_ETHER };
	}
	if (strncmp(link->name, name, sizeof(link->name) - 1) != 0) {
		snprintf(link->name, sizeof(link->name), "%s", name);
		/* Renamed: the configuration goes by names. */
		if (!config_wants_interface(&agent->config, name))
			detach(agent, link);
	}
	attach(agent, link);
}

static void on_link_gone(void *arg, int ifindex)
{
	struct agent *agent = arg;
	struct host_link *link = find_link(agent, ifindex);

	if (!link)
		return;
	detach(agent, link);
	*link = agent->links[--agent->link_count];
}

int host_apply_interfaces(struct agent *agent, struct err *err)
{
	int error = netlink_links_dump(agent->nl, err);

	if (error < 0)
		return error;
	for (size_t i = 0; i < agent->link_count; i++) {
		struct host_link *link = &agent->links[i];

		if (!config_wants_interface(&agent->config, link->name)) {
			detach(agent, link);
			continue;
		}
		if (!link->attached) /* attach() has told why in the log */
			return err_set(err, -ENODEV, "interface %s cannot be protected: see the line above",
				       link->name);
	}
	return 0;
}

bool agent_is_local(const struct agent *agent, const struct hf_addr *addr)
{
	for (size_t i = 0; i < agent->addr_count; i++)
		if (addr_equal(&agent->addrs[i].addr, addr))
			return true;
	return false;
}

void agent_each_address(const struct agent *agent, void (*see)(void *arg, const struct hf_addr *addr), void *arg)
{
	for (size_t i = 0; i < agent->addr_count; i++)
		see(arg, &agent->addrs[i].addr);
}

static bool is_broadcast(const struct agent *agent, const struct hf_addr *addr)
{
	for (size_t i = 0; i < agent->addr_count; i++)
		if (addr_equal(&agent->addrs[i].broadcast, addr))
			return true;
	return false;
}

static bool is_resolver(const struct agent *agent, const struct hf_addr *addr)
{
	for (size_t i = 0; i < agent->config.resolver_count; i++)
		if (addr_equal(&agent->config.resolvers[i], addr))
			return true;
	return false;
}

static void exempt(struct agent *agent, const struct hf_addr *addr)
{
	static const struct hf_addr none;
	char text[ADDR_TEXT_MAX];
	uint32_t flags = 0;

	if (addr_equal(addr, &none))
		return;
	if (agent_is_local(agent, addr))
		flags |= HF_EXEMPT_OWN;
	if (is_broadcast(agent, addr))
		flags |= HF_EXEMPT_BROADCAST;
	if (is_resolver(agent, addr))
		flags |= HF_EXEMPT_RESOLVER;
	if (core_has_gateway(agent->core, addr))
		flags |= HF_EXEMPT_GATEWAY;
	if (dataplane_exempt_set(agent->dp, addr, flags) < 0)
		log_error("%s cannot be exempted: no room in hf_exempt", addr_format(text, addr));
}

void host_apply_gateway(struct agent *agent, const struct hf_addr *addr)
{
	exempt(agent, addr);
}

static bool exempt_gateway(void *arg, const struct peer_view *view)
{
	exempt(arg, &view->gateway);
	return true;
}

static void exempt_again(void *arg, const struct hf_addr *addr)
{
	exempt(arg, addr);
}

/* What stays true is never taken away for a moment: the shield lets everything pass that is for no own address. */
void host_apply_exemptions(struct agent *agent)
{
	for (size_t i = 0; i < agent->addr_count; i++) {
		exempt(agent, &agent->addrs[i].addr);
		exempt(agent, &agent->addrs[i].broadcast);
	}
	for (size_t i = 0; i < agent->config.resolver_count; i++)
		exempt(agent, &agent->config.resolvers[i]);
	core_each(agent->core, exempt_gateway, agent);
	dataplane_exempt_each(agent->dp, exempt_again, agent);
}

static struct host_addr *find_addr(struct agent *agent, int ifindex, const struct hf_addr *addr)
{
	for (size_t i = 0; i < agent->addr_count; i++)
		if (agent->addrs[i].ifindex == ifindex && addr_equal(&agent->addrs[i].addr, addr))
			return &agent->addrs[i];
	return NULL;
}

static void addr_gone(struct agent *agent, struct host_addr *entry)
{
	struct host_addr gone = *entry;
	struct core_event event = { .type = EVENT_LOCAL_GONE };
	char text[ADDR_TEXT_MAX];

	*entry = agent->addrs[--agent->addr_count];
	exempt(agent, &gone.addr);
	exempt(agent, &gone.broadcast);
	if (agent_is_local(agent, &gone.addr))
		return; /* another interface has it too */
	log_info("%s: no address of this host any more, the SAs of its pairs are closed",
		 addr_format(text, &gone.addr));
	event.pair.local = gone.addr;
	agent_event(agent, &event);
}

static void on_address(void *arg, int ifindex, const struct hf_addr *addr, const struct hf_addr *broadcast, bool added)
{
	struct agent *agent = arg;
	struct host_addr *entry = find_addr(agent, ifindex, addr);

	if (!added) {
		if (entry)
			addr_gone(agent, entry);
		return;
	}
	if (!entry) {
		if (agent->addr_count == HF_EXEMPT_MAX) {
			say_full(agent, "addresses");
			return;
		}
		entry = &agent->addrs[agent->addr_count++];
		*entry = (struct host_addr){ .addr = *addr, .ifindex = ifindex };
	}
	entry->broadcast = *broadcast;
	exempt(agent, addr);
	exempt(agent, broadcast);
}

static void on_expired(void *arg, const struct hf_addr *dst, uint32_t spi_be, uint32_t reqid, bool hard)
{
	struct agent *agent = arg;
	struct core_event event = { .type = EVENT_SA_EXPIRED, .expired = { .spi_be = spi_be, .hard = hard } };

	(void)dst;
	if (core_pair_of(agent->core, &event.pair, reqid))
		agent_event(agent, &event);
}

static void on_moved(void *arg, const struct hf_addr *dst, uint32_t spi_be, uint32_t reqid, const struct hf_addr *src,
		     uint16_t port)
{
	struct agent *agent = arg;
	struct hf_pair pair;

	if (agent->keying->moved && core_pair_of(agent->core, &pair, reqid) && addr_equal(&pair.local, dst))
		agent->keying->moved(agent->keying_arg, agent, &pair, spi_be, src, port);
}

/* The kernel has a policy of ours and no SA for it: the pair is not secure any more, whatever was believed. */
static void on_acquire(void *arg, const struct hf_pair *pair, uint32_t reqid)
{
	struct agent *agent = arg;
	struct core_event event = { .type = EVENT_SA_EXPIRED, .pair = *pair };
	struct peer_view view;

	(void)reqid;
	if (!core_find(agent->core, &view, pair))
		return;
	event.expired.spi_be = view.spi_out_be;
	event.expired.hard = true;
	agent_event(agent, &event);
}

/* Without it neighbours of secured pairs cannot be found any more. */
static void allow_nd_again(struct agent *agent)
{
	struct err err = ERR_NONE;

	if (xfrm_policy_nd_allow(agent->nl, &err) < 0)
		log_error("%s", err.text);
}

static void on_policy_gone(void *arg, enum policy_dir dir, uint32_t reqid)
{
	struct agent *agent = arg;
	struct core_event event = { .type = EVENT_POLICY_GONE };

	(void)dir;
	if (reqid == 0)
		allow_nd_again(agent);
	else if (core_pair_of(agent->core, &event.pair, reqid))
		agent_event(agent, &event);
}

static void on_lost(void *arg)
{
	struct agent *agent = arg;
	struct err err = ERR_NONE;

	/* Nothing passes in clear meanwhile: packets without an SA wait, those without a policy are strays. */
	log_warn("notifications were lost, or somebody flushed SAs or policies: asking for everything again");
	allow_nd_again(agent);
	if (agent_recheck(agent, &err) < 0)
		log_error("%s", err.text);
	if (netlink_links_dump(agent->nl, &err) < 0)
		log_error("%s", err.text);
}

const struct netlink_events agent_netlink_events = {
	.acquire = on_acquire,
	.expired = on_expired,
	.moved = on_moved,
	.policy_gone = on_policy_gone,
	.link = on_link,
	.link_gone = on_link_gone,
	.address = on_address,
	.lost = on_lost,
};
