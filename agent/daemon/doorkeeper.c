// SPDX-License-Identifier: Apache-2.0
/*
 * The shield in front of IKE (bpf/shield.bpf.c): loaded when the configuration wants it, put on Ethernet interfaces, given its orders
 * and the engine's secrets every second, and said when it goes up or down. Nothing here is needed for the gate: where the
 * shield cannot be, the engine's own thresholds stand alone, and that is said.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/secret.h"
#include "core/limits.h"
#include "daemon/internal.h"
#include "daemon/keying.h"
#include "ike/ike.h"

static const char *const xdp_names[] = {
	[DATAPLANE_XDP_NONE] = "none",
	[DATAPLANE_XDP_GENERIC] = "generic",
	[DATAPLANE_XDP_NATIVE] = "native",
};

/* Beside what it is on an interface. */
static const char *describe(char out[STATUS_COMPANY_MAX], const struct dataplane_place *place)
{
	if (place->how == DATAPLANE_XDP_NONE)
		return "";
	if (place->others)
		snprintf(out, STATUS_COMPANY_MAX, "beside %u in the dispatcher", place->others);
	else
		snprintf(out, STATUS_COMPANY_MAX, "alone%s", place->dispatcher ? " in the dispatcher" : "");
	return out;
}

static struct hf_shield_rate rate(unsigned int burst, unsigned int per_second)
{
	uint64_t span = NSTIME_S / per_second;

	return (struct hf_shield_rate){ .span_ns = span, .burst_ns = burst * span };
}

#define RATE(name) rate(LIMIT_SHIELD_##name##_BURST, LIMIT_SHIELD_##name##_RATE)

static void give_orders(struct agent *agent, uint64_t now)
{
	struct hf_shield_set set = {
		.source = RATE(SOURCE),
		.site = RATE(SITE),
		.all = RATE(ALL),
		.proven_source = RATE(PROVEN_SOURCE),
		.proven_site = RATE(PROVEN_SITE),
		.odd = RATE(ODD),
	};
	struct ike_cookies cookies;

	agent->keying->cookies(agent->keying_arg, &cookies, now);
	if (cookies.demanded)
		agent->demand_until_ns = now + LIMIT_SHIELD_DEMAND_NS;
	set.demand = now < agent->demand_until_ns;
	set.secret_version = cookies.version;
	memcpy(set.secret, cookies.secret, sizeof(set.secret));
	dataplane_shield_set(agent->dp, &set);
	secret_wipe(&cookies, sizeof(cookies));
	secret_wipe(&set.secret, sizeof(set.secret));
}

static void spread(struct agent *agent)
{
	struct err err = ERR_NONE;
	int over = dataplane_shield_spread(agent->dp, agent->config.spread, &err);

	if (over < 0)
		log_warn("%s; ESP is not spread over processors", err.text);
	else if (agent->config.spread && !over)
		log_warn("spread = on, and this host has one processor");
	else if (over)
		log_info("ESP is spread over %d processors", over);
	agent->spread_over = over > 0 ? (uint32_t)over : 0;
}

void doorkeeper_open(struct agent *agent)
{
	struct err err = ERR_NONE;

	if (!agent->config.shield || !agent->keying->cookies) {
		dataplane_shield_remove(); /* an earlier agent's */
		return;
	}
	if (dataplane_shield_open(agent->dp, &err) < 0) {
		log_warn("%s; IKE goes without it", err.text);
		return;
	}
	agent->shielded = true;
	spread(agent);
	if (dataplane_shield_alone(agent->dp))
		log_info("the shield cannot stand beside XDP programs of others: %s",
			 dataplane_shield_alone(agent->dp));
	give_orders(agent, agent_now());
}

void doorkeeper_attach(struct agent *agent, struct host_link *link)
{
	struct dataplane_place place;
	struct err err = ERR_NONE;
	char company[STATUS_COMPANY_MAX];

	if (!agent->shielded || !link->ethernet)
		return;
	link->shielded = dataplane_shield_attach(agent->dp, link->ifindex, link->name, &err) == 0;
	if (!link->shielded) {
		log_warn("%s", err.text);
		return;
	}
	dataplane_shield_look(link->ifindex, &place);
	log_info("interface %s: IKE is shielded (%s XDP, %s)", link->name, xdp_names[place.how],
		 describe(company, &place));
	if (agent->spread_over && (place.dispatcher || place.how != DATAPLANE_XDP_NATIVE))
		log_warn("interface %s: ESP is not spread over processors there: %s", link->name,
			 place.how == DATAPLANE_XDP_NATIVE ? "the shield is one of several programs"
							   : "its driver does not run the shield");
}

void doorkeeper_detach(struct agent *agent, struct host_link *link)
{
	if (link->shielded)
		dataplane_shield_detach(agent->dp, link->ifindex);
	link->shielded = false;
}

/* For `watch`: under the address whose request was one too many, which may be forged. */
static void say(struct agent *agent, bool demanded, const struct hf_addr *raised_by,
		const struct hf_shield_count *count, uint64_t now)
{
	struct hf_pair pair = { { { 0 } }, { { 0 } } };

	if (!demanded)
		pair.remote = *raised_by;
	if (!agent->shield_up)
		journal_write(agent->journal, &pair, "shield", now,
			      "down: %llu were asked for a cookie, %llu brought it",
			      (unsigned long long)count->cookies_sent, (unsigned long long)count->cookies_good);
	else
		journal_write(agent->journal, &pair, "shield", now, "up, everybody brings a cookie: too many %s",
			      demanded ? "half-open SAs" : "requests a second; this sender may be forged");
	log_info("shield in front of IKE: %s", agent->shield_up ? "up" : "down");
}

void doorkeeper_tick(struct agent *agent, uint64_t now)
{
	struct hf_shield_state state;
	struct hf_shield_count count;
	bool up;

	if (!agent->shielded)
		return;
	give_orders(agent, now);
	dataplane_shield_see(agent->dp, &state, &count);
	up = now < agent->demand_until_ns || now < state.up_until_ns;
	if (up == agent->shield_up)
		return;
	agent->shield_up = up;
	say(agent, now < agent->demand_until_ns, &state.raised_by, &count, now);
}

void doorkeeper_status(struct agent *agent, struct status_shield *out)
{
	struct hf_shield_state state;

	if (!agent->shielded)
		return;
	out->present = true;
	dataplane_shield_see(agent->dp, &state, &out->count);
	out->spread_over = agent->spread_over;
	out->up = agent_now() < agent->demand_until_ns || agent_now() < state.up_until_ns;
	out->alone = dataplane_shield_alone(agent->dp);
	for (size_t i = 0; i < agent->link_count; i++) {
		const struct host_link *link = &agent->links[i];
		struct status_place *where = &out->where[out->where_count];
		struct dataplane_place place;

		if (!link->attached || !link->ethernet)
			continue;
		/* As it is now: with a dispatcher, others come and go, and may have thrown it out. */
		dataplane_shield_look(link->ifindex, &place);
		where->interface = link->name;
		where->how = xdp_names[place.how];
		describe(where->company, &place);
		out->where_count++;
	}
}
