// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's life and its loop, see agent.h. One timer serves the deadlines of core and dataplane, the sweep over held
 * packets and the end of handoffs; descriptors are read a bounded number of events a turn.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/log.h"
#include "base/nstime.h"
#include "base/own.h"
#include "base/secret.h"
#include "daemon/confine.h"
#include "daemon/internal.h"

#define SWEEP_NS NSTIME_S

uint64_t agent_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSTIME_S + (uint64_t)now.tv_nsec;
}

struct event_base *agent_base(const struct agent *agent)
{
	return agent->base;
}

/* An initiator's first ESP comes before anything is decided about the pair where it answered: BPF cannot know that there is an SA for it. */
static bool has_sas(const struct agent *agent, const struct hf_pair *pair)
{
	struct peer_view view;

	return core_find(agent->core, &view, pair) &&
	       (view.state == PEER_INSTALL || view.state == PEER_HANDOFF || view.state == PEER_SECURE);
}

/* Of facts, what an operator should read later; what the keying brings, it writes itself. */
static void write_fact(struct agent *agent, const struct core_event *event, uint64_t now)
{
	struct journal *journal = agent->journal;

	switch (event->type) {
	case EVENT_FLOW_MISS:
		journal_write(journal, &event->pair, "held", now, "packets to it wait here for a decision");
		break;
	case EVENT_STRAY:
		journal_write(journal, &event->pair, "stray", now,
			      "a clear packet raced with the SA: it will be sealed");
		break;
	case EVENT_UNREADABLE:
		if (!has_sas(agent, &event->pair))
			journal_write(journal, &event->pair, "unreadable", now,
				      "it seals for SAs that this host has not");
		break;
	case EVENT_SA_EXPIRED:
		journal_write(journal, &event->pair, "expired", now, "SA %08x %s", ntohl(event->expired.spi_be),
			      event->expired.hard ? "is gone from the kernel" : "is old enough to be replaced");
		break;
	case EVENT_POLICY_GONE:
		journal_write(journal, &event->pair, "policy", now, "somebody else removed it: it is set again");
		break;
	case EVENT_ADOPT:
		journal_write(journal, &event->pair, "adopted", now, "its SAs were made by an earlier agent");
		break;
	default:
		break;
	}
}

/* Facts that may begin a peer's life say what is remembered of it. A new Child SA's maker has said so itself. */
static bool asks_memory(enum core_event_type type)
{
	return type == EVENT_FLOW_MISS || type == EVENT_STRAY || type == EVENT_UNREADABLE || type == EVENT_ADOPT;
}

void agent_event(struct agent *agent, const struct core_event *event)
{
	struct core_event known = *event;
	uint64_t now = agent_now();

	write_fact(agent, event, now);
	if (asks_memory(event->type) && agent->keying->sticky)
		known.sticky = agent->keying->sticky(agent->keying_arg, &event->pair.remote);
	core_take(agent->core, &known, now);
	secret_wipe(&known, sizeof(known));
	agent_perform(agent);
	agent_rearm(agent);
}

/* ---- the loop ---- */

void agent_rearm(struct agent *agent)
{
	struct timeval wait;
	uint64_t deadline, span;

	if (!agent->timer || agent->performing)
		return;
	deadline = nstime_min(core_deadline(agent->core), agent->sweep_ns);
	deadline = nstime_min(deadline, dataplane_deadline(agent->dp));
	if (agent->handoff_end_ns)
		deadline = nstime_min(deadline, agent->handoff_end_ns);
	/*
	 * Never set anew what is due as soon anyway: libevent takes a timer that is about to run off its list again, so
	 * that a stream of events would keep it from ever running.
	 */
	if (deadline >= agent->armed_ns)
		return;
	agent->armed_ns = deadline;
	span = nstime_until(deadline, agent_now());
	wait.tv_sec = (time_t)(span / NSTIME_S);
	wait.tv_usec = (suseconds_t)(span % NSTIME_S / NSTIME_US + 1);
	evtimer_add(agent->timer, &wait);
}

/*
 * A packet of a source that is not ours (forwarded, or sent in the instant an address went) is for the core to decide,
 * told so. What no interface has may still be routed to us as a prefix, which only the kernel knows.
 */
static void packets_wait(struct agent *agent, enum core_event_type type, const struct hf_pair *pair)
{
	struct core_event event = { .type = type, .pair = *pair };

	if (!agent_is_local(agent, &pair->local) && !netlink_is_local(agent->nl, &pair->local))
		event.error = -EADDRNOTAVAIL;
	agent_event(agent, &event);
}

static void on_held(void *arg, const struct hf_event *event)
{
	packets_wait(arg, event->type == HF_EVENT_STRAY ? EVENT_STRAY : EVENT_FLOW_MISS, &event->pair);
}

static void on_unreadable(void *arg, const struct hf_event *event)
{
	agent_event(arg, &(struct core_event){ .type = EVENT_UNREADABLE, .pair = event->pair });
}

/* For who asks why nothing arrives. Only what is known already has a place: whoever forges such packets drives out nobody's journal. */
static void on_clear(void *arg, const struct hf_event *event)
{
	struct agent *agent = arg;

	if (journal_find(agent->journal, &event->pair))
		journal_write(agent->journal, &event->pair, "dropped", agent_now(),
			      "a packet in clear from this address was dropped: it must be sealed");
}

static void on_dns_answer(void *arg, const struct hf_event_answer *answer)
{
	struct agent *agent = arg;

	if (agent->keying->heard)
		agent->keying->heard(agent->keying_arg, &answer->event.pair.remote, view_of(answer->data, answer->len));
}

static void on_waiting(void *arg, const struct hf_pair *pair)
{
	packets_wait(arg, EVENT_FLOW_MISS, pair);
}

static void on_ring(evutil_socket_t fd, short what, void *arg)
{
	static const struct dataplane_events events = {
		.held = on_held,
		.unreadable = on_unreadable,
		.clear = on_clear,
		.answer = on_dns_answer,
	};
	struct agent *agent = arg;

	(void)fd;
	(void)what;
	dataplane_ring_read(agent->dp, &events, agent, LIMIT_EVENTS_PER_TURN);
	agent_rearm(agent);
}

static void on_netlink(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	int error = netlink_ready(agent->nl, fd);

	(void)what;
	if (error < 0)
		log_error("netlink notifications cannot be read: %s", strerror(-error));
	agent_rearm(agent);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	uint64_t now = agent_now();

	(void)fd;
	(void)what;
	agent->armed_ns = NSTIME_NEVER;
	core_expire(agent->core, now);
	agent_perform(agent);
	dataplane_expire(agent->dp, now);
	if (agent->handoff_end_ns && now >= agent->handoff_end_ns) {
		agent->handoff_end_ns = 0;
		dataplane_handoffs(agent->dp, false);
	}
	if (now >= agent->sweep_ns) {
		agent->sweep_ns = nstime_add(now, SWEEP_NS);
		doorkeeper_tick(agent, now);
		dataplane_sweep(agent->dp, now, on_waiting, agent);
	}
	agent_rearm(agent);
}

static struct event *watch(struct agent *agent, int fd, event_callback_fn callback)
{
	struct event *event = event_new(agent->base, fd, EV_READ | EV_PERSIST, callback, agent);

	if (event)
		event_add(event, NULL);
	return event;
}

static int watch_all(struct agent *agent, struct err *err)
{
	agent->ring_event = watch(agent, dataplane_ring_fd(agent->dp), on_ring);
	agent->xfrm_event = watch(agent, netlink_xfrm_fd(agent->nl), on_netlink);
	agent->route_event = watch(agent, netlink_route_fd(agent->nl), on_netlink);
	agent->timer = evtimer_new(agent->base, on_timer, agent);
	if (!agent->ring_event || !agent->xfrm_event || !agent->route_event || !agent->timer)
		return err_set(err, -ENOMEM, "no memory for the event loop");
	agent_rearm(agent);
	return 0;
}

/* ---- policy ---- */

/* The rules of the trie being put together. */
struct rules {
	struct agent *agent;
	const struct policy *policy;
	struct dataplane_rule *rules;
	size_t count;
};

/* A sticky address is as private as its rule: also for pairs that nobody has seen yet, and with no agent at all. */
static void add_sticky(void *arg, const struct hf_addr *remote)
{
	const struct policy_entry *entry;
	struct rules *rules = arg;
	enum hf_group group;

	entry = policy_find(rules->policy, remote);
	group = policy_group(rules->policy, remote);
	if (!group_is_raised(group))
		return;
	if (entry && entry->prefix.prefix_len == 128) {
		rules->rules[entry - rules->policy->entries].group = HF_GROUP_PRIVATE;
		return;
	}
	if (rules->count == HF_POLICY_MAX - 2) {
		if (!rules->agent->trie_full)
			log_error(
				"more known peers than rules have room for: the oldest are closed when a packet of theirs comes");
		rules->agent->trie_full = true;
		return;
	}
	rules->rules[rules->count++] =
		(struct dataplane_rule){ { .prefix_len = 128, .addr = *remote }, HF_GROUP_PRIVATE };
}

int agent_apply_policy(struct agent *agent, const struct config *config, struct err *err)
{
	const struct policy *policy = &config->policy;
	OWN_FREE struct dataplane_rule *rules = calloc(HF_POLICY_MAX, sizeof(*rules));
	struct rules all = { agent, policy, rules, policy->count };
	size_t count = 0;
	const struct dataplane_rule fallback[2] = {
		{ .prefix = { .prefix_len = 0 }, .group = policy->fallback },
		{ .prefix = { .prefix_len = 96, .addr = addr_from_v4(0) }, .group = policy->fallback },
	};

	if (!rules)
		return err_set(err, -ENOMEM, "no memory for %zu policy rules", policy->count);
	for (size_t i = 0; i < policy->count; i++)
		rules[count++] = (struct dataplane_rule){ policy->entries[i].prefix, policy->entries[i].group };
	if (agent->keying->each_sticky)
		agent->keying->each_sticky(agent->keying_arg, add_sticky, &all);
	count = all.count;
	for (int i = 0; i < 2; i++) {
		size_t at = 0;

		while (at < policy->count && !prefix_equal(&rules[at].prefix, &fallback[i].prefix))
			at++;
		if (at == policy->count)
			rules[count++] = fallback[i];
	}
	return dataplane_policy_set(agent->dp, rules, count, policy_is_strict(policy), err);
}

int agent_unstick(struct agent *agent, struct err *err)
{
	return agent_apply_policy(agent, &agent->config, err);
}

int agent_forget(struct agent *agent, const struct hf_addr *remote, struct err *err)
{
	struct core_event event = { .type = EVENT_FORGET, .pair = { .remote = *remote } };
	bool known = agent->keying->forget && agent->keying->forget(agent->keying_arg, remote);
	struct core_counts before, after;
	uint64_t now = agent_now();
	char text[ADDR_TEXT_MAX];
	int error;

	core_count(agent->core, &before);
	core_take(agent->core, &event, now);
	while (core_deadline(agent->core) <= now) {
		core_expire(agent->core, now);
		agent_perform(agent);
	}
	core_count(agent->core, &after);
	error = known ? agent_apply_policy(agent, &agent->config, err) : 0;
	agent_rearm(agent);
	if (error == 0 && !known && before.peers == after.peers)
		return err_set(err, -ENOENT, "nothing is known of %s", addr_format(text, remote));
	return error;
}

/* ---- life ---- */

static int open_core(struct agent *agent, struct err *err)
{
	struct core_options options = { .peers_max = agent->config.limits.peers, .reqid_base = NETLINK_REQID_BASE };

	if (getrandom(options.table_seed, sizeof(options.table_seed), 0) != sizeof(options.table_seed))
		return err_set(err, -EIO, "no random numbers from the kernel");
	agent->core_memory = calloc(1, core_memory(&options));
	if (!agent->core_memory)
		return err_set(err, -ENOMEM, "no memory for %u peers: lower [limits] peers", options.peers_max);
	agent->journal = journal_new(LIMIT_JOURNAL_PAIRS, options.table_seed);
	if (!agent->journal)
		return err_set(err, -ENOMEM, "no memory for the journal");
	agent->core = core_init(agent->core_memory, &options, &agent->config.policy);
	return 0;
}

static json_t *status_for_metrics(void *arg)
{
	return agent_status(arg);
}

/* What has changed is served from now on; on failure what was there stays. */
static int serve_metrics(struct agent *agent, const char *before, struct err *err)
{
	const char *where = agent->config.metrics;
	struct exporter *fresh = NULL;
	int error = 0;

	if ((!before && !where) || (before && where && strcmp(before, where) == 0))
		return 0;
	if (where)
		error = exporter_open(&fresh, agent->base, where, status_for_metrics, agent, err);
	if (error < 0)
		return error;
	exporter_close(agent->exporter);
	agent->exporter = fresh;
	return 0;
}

static int open_rooms(struct agent *agent, struct err *err)
{
	const struct config_limits *limits = &agent->config.limits;
	struct dataplane_options options = {
		.slots = limits->hold_slots,
		.slots_big = limits->hold_big_slots,
		.queues = limits->hold_queues,
		.gate_entries = limits->gate_entries,
		.hold_age_ns = limits->hold_age_seconds * NSTIME_S,
		.shield = agent->config.shield && agent->keying->cookies,
		.confine_porter = agent->config.sandbox ? confine_porter : NULL,
	};
	int error = open_core(agent, err);

	/* First, because it is refused while another agent lives: nothing of that one's has been touched by then. */
	if (error == 0)
		error = control_open(&agent->control, agent->base, agent->config.control_socket, agent_answer, agent,
				     err);
	if (error == 0)
		error = serve_metrics(agent, NULL, err);
	if (error == 0)
		error = netlink_open(&agent->nl, &agent_netlink_events, agent, err);
	if (error == 0)
		error = dataplane_open(&agent->dp, &options, err);
	return error;
}

/* From here on the host is protected; before, nothing was changed that an earlier agent had not made. */
static int go_live(struct agent *agent, struct err *err)
{
	int error = agent_apply_policy(agent, &agent->config, err);

	if (error == 0)
		error = xfrm_policy_nd_allow(agent->nl, err);
	for (size_t i = 0; i < agent->config.resolver_count; i++)
		dataplane_exempt_set(agent->dp, &agent->config.resolvers[i], HF_EXEMPT_RESOLVER);
	dataplane_answers(agent->dp, agent->config.dnssec != CONFIG_DNSSEC_OFF);
	if (error == 0)
		error = agent_adopt(agent, err);
	if (error == 0)
		doorkeeper_open(agent);
	if (error == 0)
		error = host_apply_interfaces(agent, err);
	/* By now the addresses are known, and what an earlier agent left can be told from what is true. */
	if (error == 0)
		host_apply_exemptions(agent);
	if (error == 0)
		error = watch_all(agent, err);
	return error;
}

/* A host that was protected before we came stays so; on any other, nothing is left of a start that failed. */
static void undo_attach(struct agent *agent)
{
	struct err ignored = ERR_NONE;
	unsigned int states, policies;

	if (dataplane_adopted(agent->dp))
		return;
	dataplane_unload(&ignored);
	xfrm_remove_ours(agent->nl, &states, &policies, &ignored);
}

int agent_reload(struct agent *agent, struct err *err)
{
	struct config fresh = { 0 }, old = agent->config;
	int error = config_load(&fresh, old.file, err);
	uint64_t now = agent_now();

	if (error < 0)
		return error;
	error = config_check_interfaces(&fresh, err);
	if (error == 0)
		error = agent_apply_policy(agent, &fresh, err);
	if (error < 0) {
		config_free(&fresh);
		return error;
	}
	agent->config = fresh;
	/* A confined agent may not load programs any more. */
	if (fresh.shield != old.shield)
		log_warn("%s: shield was changed: that holds from the agent's next start on", fresh.file);
	if (fresh.spread != old.spread)
		log_warn("%s: spread was changed: that holds from the agent's next start on", fresh.file);
	core_set_policy(agent->core, &agent->config.policy, now);
	/* All of it at once: when this returns, no decision of the old policy stands. */
	while (core_deadline(agent->core) <= now) {
		core_expire(agent->core, now);
		agent_perform(agent);
	}
	error = serve_metrics(agent, old.metrics, err);
	if (error < 0) {
		/* What is still served is what the next reload compares with. */
		free(agent->config.metrics);
		agent->config.metrics = TAKE(old.metrics);
	}
	config_free(&old);
	if (agent->keying->reload && error == 0)
		error = agent->keying->reload(agent->keying_arg, agent, &agent->config, err);
	log_set_level(agent->config.log_level);
	host_apply_exemptions(agent);
	if (host_apply_interfaces(agent, err) < 0 && error == 0)
		error = -EIO;
	agent_rearm(agent);
	return error;
}

int agent_open(struct agent **out, struct config *config, struct event_base *base, const struct keying *keying,
	       void *keying_arg, struct err *err)
{
	struct agent *agent = calloc(1, sizeof(*agent));
	int error;

	if (!agent)
		return err_set(err, -ENOMEM, "no memory");
	agent->config = *config;
	agent->base = base;
	agent->keying = keying;
	agent->keying_arg = keying_arg;
	agent->started_ns = agent_now();
	agent->armed_ns = NSTIME_NEVER;
	error = open_rooms(agent, err);
	if (error == 0) {
		/* Before anything is attached: a wrong key file must not leave a host half protected. */
		if (keying->open)
			error = keying->open(keying_arg, agent, &agent->config, err);
		if (error == 0)
			error = go_live(agent, err);
		if (error < 0)
			undo_attach(agent);
	}
	if (error < 0) {
		agent->config = (struct config){ 0 }; /* still the caller's */
		agent_close(agent);
		return error;
	}
	*config = (struct config){ 0 };
	if (keying->ready)
		keying->ready(keying_arg, agent);
	*out = agent;
	return 0;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

void agent_close(struct agent *agent)
{
	if (!agent)
		return;
	free_event(agent->ring_event);
	free_event(agent->xfrm_event);
	free_event(agent->route_event);
	free_event(agent->timer);
	if (agent->keying && agent->keying->close)
		agent->keying->close(agent->keying_arg, agent);
	exporter_close(agent->exporter);
	if (agent->control)
		control_close(agent->control);
	dataplane_close(agent->dp);
	if (agent->nl)
		netlink_close(agent->nl);
	free(agent->core_memory);
	journal_free(agent->journal);
	config_free(&agent->config);
	free(agent);
}
