// SPDX-License-Identifier: Apache-2.0
/*
 * The operator's questions about pairs: what is known of them, what happened to them, what would happen to a packet now.
 * Gathers from core, gate, kernel and journal; the answers' form is control/answer.h's. Only `connect`
 * does something, what a first packet would do, and `forget`, which undoes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/nstime.h"
#include "base/own.h"
#include "control/answer.h"
#include "daemon/internal.h"
#include "holdfast/control.h"

/* Pairs of one remote address that are told: one per own address, and a host with more of them sees the first ones. */
#define PAIRS_MAX 32

/* Steps in one answer: the client asks on. */
#define EVENTS_MAX 128

/* Any will do: nothing is sent there. */
#define PORT_DISCARD 9

static struct answer_clock clock_now(void)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	return (struct answer_clock){ .now = agent_now(),
				      .wall_ns = (uint64_t)wall.tv_sec * NSTIME_S + (uint64_t)wall.tv_nsec };
}

/* The address in the request. NULL when it is one; else the answer that says what is wrong. */
static json_t *read_address(struct hf_addr *out, const json_t *request)
{
	const char *text = json_string_value(json_object_get(request, CONTROL_ADDRESS));
	struct err err = ERR_NONE;

	if (!text)
		return answer_error("field \"%s\": an address is needed", CONTROL_ADDRESS);
	if (addr_parse(out, text, &err) < 0)
		return answer_error("field \"%s\": %s", CONTROL_ADDRESS, err.text);
	return NULL;
}

/* ---- one pair ---- */

static struct answer_use use_of(struct agent *agent, const struct hf_addr *dst, uint32_t spi_be)
{
	struct sa_counters counters;

	if (!spi_be || xfrm_state_counters(agent->nl, &counters, dst, spi_be, NULL) < 0)
		return (struct answer_use){ .known = false };
	return (struct answer_use){ .known = true, .packets = counters.packets, .bytes = counters.bytes };
}

/* Fills what is known of pair->pair. The journal's texts are borrowed until it is written to. */
static void gather(struct agent *agent, struct answer_pair *pair)
{
	const struct journal_pair *journal = journal_find(agent->journal, &pair->pair);

	pair->known = core_find(agent->core, &pair->peer, &pair->pair);
	pair->gated = dataplane_gate_get(agent->dp, &pair->pair, &pair->gate) == 0;
	if (journal) {
		pair->source = journal->facts.source;
		pair->name = journal->facts.name;
		pair->key = journal->facts.key;
		pair->ike = journal->facts.ike;
		pair->suite = journal->facts.suite;
	}
	if (!pair->known)
		return;
	pair->sent = use_of(agent, addr_is_none(&pair->peer.gateway) ? &pair->pair.remote : &pair->peer.gateway,
			    pair->peer.spi_out_be);
	pair->received = use_of(agent, &pair->pair.local, pair->peer.spi_in_be);
}

struct pair_search {
	struct agent *agent;
	const struct hf_addr *remote;
	struct answer_pair pairs[PAIRS_MAX];
	size_t count;
};

static void add_pair(void *arg, const struct hf_addr *local)
{
	struct pair_search *search = arg;
	struct answer_pair pair = { .pair = { .local = *local, .remote = *search->remote } };

	if (search->count == PAIRS_MAX || addr_is_v4(local) != addr_is_v4(search->remote))
		return;
	gather(search->agent, &pair);
	if (pair.known || pair.gated || journal_find(search->agent->journal, &pair.pair))
		search->pairs[search->count++] = pair;
}

static void find_pairs(struct pair_search *search, struct agent *agent, const struct hf_addr *remote)
{
	search->agent = agent;
	search->remote = remote;
	search->count = 0;
	agent_each_address(agent, add_pair, search);
}

json_t *inquiry_policy(struct agent *agent, const json_t *request)
{
	struct answer_clock clock = clock_now();
	struct pair_search search;
	struct hf_addr remote;
	json_t *wrong = read_address(&remote, request);

	if (wrong)
		return wrong;
	find_pairs(&search, agent, &remote);
	return answer_policy_test(&agent->config.policy, &remote, search.pairs, search.count, &clock);
}

json_t *inquiry_policy_list(struct agent *agent, const json_t *request)
{
	json_int_t after = json_integer_value(json_object_get(request, CONTROL_AFTER));

	return answer_policy_list(&agent->config.policy, after > 0 ? (size_t)after : 0, LIMIT_CONTROL_PREFIXES);
}

/* ---- peers ---- */

struct peers_search {
	struct agent *agent;
	const struct hf_addr *remote; /* NULL = all */
	uint32_t after;		      /* reqid */
	struct hf_pair pairs[LIMIT_CONTROL_PAIRS];
	uint32_t reqids[LIMIT_CONTROL_PAIRS];
	size_t count;
	bool more;
};

/*
 * The lowest reqids behind `after`, in order. The core's own order is that of their making, in which a pair that goes
 * meanwhile would hide others.
 */
static bool take_peer(void *arg, const struct peer_view *view)
{
	struct peers_search *search = arg;
	size_t at;

	if (view->reqid <= search->after || (search->remote && !addr_equal(&view->pair.remote, search->remote)))
		return true;
	if (search->count == LIMIT_CONTROL_PAIRS) {
		search->more = true;
		if (view->reqid > search->reqids[search->count - 1])
			return true;
		search->count--;
	}
	for (at = search->count; at > 0 && search->reqids[at - 1] > view->reqid; at--)
		;
	memmove(&search->reqids[at + 1], &search->reqids[at], (search->count - at) * sizeof(search->reqids[0]));
	memmove(&search->pairs[at + 1], &search->pairs[at], (search->count - at) * sizeof(search->pairs[0]));
	search->reqids[at] = view->reqid;
	search->pairs[at] = view->pair;
	search->count++;
	return true;
}

json_t *inquiry_peers(struct agent *agent, const json_t *request)
{
	struct peers_search search = { .agent = agent };
	struct answer_clock clock = clock_now();
	json_t *list = json_array(), *wrong = NULL;
	struct core_counts counts;
	struct hf_addr remote;

	if (json_object_get(request, CONTROL_ADDRESS)) {
		wrong = read_address(&remote, request);
		search.remote = &remote;
	}
	if (wrong) {
		json_decref(list);
		return wrong;
	}
	search.after = (uint32_t)json_integer_value(json_object_get(request, CONTROL_AFTER));
	core_each(agent->core, take_peer, &search);
	core_count(agent->core, &counts);
	for (size_t i = 0; i < search.count; i++) {
		struct answer_pair pair = { .pair = search.pairs[i] };

		gather(agent, &pair);
		json_array_append_new(list, answer_pair_json(&pair, &clock));
	}
	return json_pack("{so so sI}", CONTROL_PEERS, list, CONTROL_NEXT,
			 search.more ? json_integer(search.reqids[search.count - 1]) : json_null(), "total",
			 (json_int_t)counts.peers);
}

/* ---- explain ---- */

static void say(json_t *list, const char *sentence)
{
	json_array_append_new(list, json_string(sentence));
}

static void foretell_attempt(const struct agent *agent, json_t *list, bool key, bool closed)
{
	const char *otherwise = closed ? "they are dropped and their senders are told"
				       : "they leave in clear, and so do later ones for a minute or more";
	char text[200];

	snprintf(text, sizeof(text), "the first packets to it wait in the kernel, for at most %u s",
		 agent->config.limits.hold_age_seconds);
	say(list, text);
	if (key)
		say(list, "its key is known: IKE starts, SAs are installed, and the packets leave as ESP");
	snprintf(text, sizeof(text), "%s: %s", key ? "if that fails" : "no key of it can be used", otherwise);
	say(list, text);
}

static json_t *foretell(const struct agent *agent, const struct hf_addr *remote, bool key, bool forged)
{
	enum hf_group group = policy_group(&agent->config.policy, remote);
	bool sticky = agent->keying->sticky && agent->keying->sticky(agent->keying_arg, remote);
	json_t *list = json_array();

	if (agent_is_local(agent, remote)) {
		say(list, "it is an address of this host: packets to it do not leave, and are never held");
		return list;
	}
	if (sticky && group_answers(group)) {
		say(list, "it was reached securely before, so it is as private");
		group = HF_GROUP_PRIVATE;
	}
	switch (group) {
	case HF_GROUP_CLEAR:
		say(list, "packets to it leave in clear, and its IKE is refused");
		break;
	case HF_GROUP_CLEAR_OR_PRIVATE:
		say(list, "packets to it leave in clear until it starts IKE itself");
		break;
	case HF_GROUP_BLOCK:
		say(list, "packets to it and from it are dropped");
		break;
	default:
		foretell_attempt(agent, list, key, forged || group == HF_GROUP_PRIVATE);
	}
	return list;
}

static size_t copy_steps(struct answer_step out[JOURNAL_STEPS], const struct journal_pair *journal)
{
	const struct journal_step *step;
	size_t count = 0;

	while (journal && (step = journal_step(journal, (uint32_t)count)) != NULL)
		out[count++] =
			(struct answer_step){ step->first_ns, step->last_ns, step->times, step->what, step->text };
	return count;
}

json_t *inquiry_explain(struct agent *agent, const json_t *request)
{
	struct answer_step steps[PAIRS_MAX][JOURNAL_STEPS];
	struct answer_clock clock = clock_now();
	struct pair_search search;
	char found[200] = "";
	struct hf_addr remote;
	bool key = false, forged = false;
	json_t *out = read_address(&remote, request);

	if (out)
		return out;
	find_pairs(&search, agent, &remote);
	for (size_t i = 0; i < search.count; i++) {
		search.pairs[i].steps = steps[i];
		search.pairs[i].step_count = copy_steps(steps[i], journal_find(agent->journal, &search.pairs[i].pair));
	}
	out = answer_policy_test(&agent->config.policy, &remote, search.pairs, search.count, &clock);
	if (agent->keying->foresee)
		key = agent->keying->foresee(agent->keying_arg, &remote, &forged, found, sizeof(found));
	json_object_set_new(out, CONTROL_WOULD, foretell(agent, &remote, key, forged));
	if (*found)
		json_object_set_new(out, CONTROL_DISCOVERY, json_string(found));
	return out;
}

/* ---- events ---- */

static json_t *event_json(const struct journal_recent *recent, const struct answer_clock *clock)
{
	char local[ADDR_TEXT_MAX], remote[ADDR_TEXT_MAX];

	return json_pack("{sI so ss ss ss ss}", "number", (json_int_t)recent->number, "time",
			 answer_time(recent->time_ns, clock), "local", addr_format(local, &recent->pair.local),
			 "remote", addr_format(remote, &recent->pair.remote), "event", recent->what, "text",
			 recent->text);
}

json_t *inquiry_events(struct agent *agent, const json_t *request)
{
	const json_t *given = json_object_get(request, CONTROL_AFTER);
	uint64_t last = journal_last(agent->journal);
	uint64_t after = given ? (uint64_t)json_integer_value(given) : last, lost = 0;
	struct answer_clock clock = clock_now();
	json_t *list = json_array();

	/* A client of an earlier agent counts from there. */
	if (after > last)
		after = 0;
	if (last - after > JOURNAL_RECENT) {
		lost = last - after - JOURNAL_RECENT;
		after += lost;
	}
	for (size_t i = 0; i < EVENTS_MAX && after < last; i++) {
		const struct journal_recent *recent = journal_at(agent->journal, ++after);

		if (recent)
			json_array_append_new(list, event_json(recent, &clock));
	}
	return json_pack("{sI sI so}", CONTROL_LAST, (json_int_t)after, CONTROL_LOST, (json_int_t)lost, CONTROL_EVENTS,
			 list);
}

/* ---- connect ---- */

/* The address this host would send from. */
static int find_source(struct hf_addr *out, const struct hf_addr *remote)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT_DISCARD) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(PORT_DISCARD) };
	bool is_v4 = addr_is_v4(remote);
	struct sockaddr *to = is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t len = is_v4 ? sizeof(v4) : sizeof(v6);
	OWN_FD int fd = socket(addr_family(remote), SOCK_DGRAM | SOCK_CLOEXEC, 0);

	v4.sin_addr.s_addr = is_v4 ? addr_v4(remote) : 0;
	memcpy(&v6.sin6_addr, remote->octet, sizeof(v6.sin6_addr));
	if (fd < 0 || connect(fd, to, len) < 0 || getsockname(fd, to, &len) < 0)
		return -errno;
	*out = is_v4 ? addr_from_v4(v4.sin_addr.s_addr) : addr_from_octets(&v6.sin6_addr, sizeof(v6.sin6_addr));
	return 0;
}

json_t *inquiry_connect(struct agent *agent, const json_t *request)
{
	char local[ADDR_TEXT_MAX], remote[ADDR_TEXT_MAX];
	struct core_event event = { .type = EVENT_FLOW_MISS };
	struct peer_view peer = { .state = PEER_IDLE };
	json_t *wrong = read_address(&event.pair.remote, request);
	enum hf_group group;
	int error;

	if (wrong)
		return wrong;
	addr_format(remote, &event.pair.remote);
	group = policy_group(&agent->config.policy, &event.pair.remote);
	if (agent_is_local(agent, &event.pair.remote))
		return answer_error("%s is an address of this host: there is nothing to secure", remote);
	if (!group_wants_sas(group))
		return answer_error("%s belongs to group %s, and this host starts no IKE for it: put it into private "
				    "or private-or-clear",
				    remote, group_name(group));
	error = find_source(&event.pair.local, &event.pair.remote);
	if (error < 0)
		return answer_error("%s cannot be reached (%s): there is no route to it", remote, strerror(-error));
	agent_event(agent, &event);
	core_find(agent->core, &peer, &event.pair);
	return json_pack("{ss ss ss ss}", "local", addr_format(local, &event.pair.local), "remote", remote, "state",
			 peer_state_name(peer.state), CONTROL_GROUP, group_name(group));
}

json_t *inquiry_forget(struct agent *agent, const json_t *request)
{
	struct err err = ERR_NONE;
	char text[ADDR_TEXT_MAX];
	struct hf_addr remote;
	json_t *wrong = read_address(&remote, request);

	if (wrong)
		return wrong;
	if (agent_forget(agent, &remote, &err) < 0)
		return answer_error("%s", err.text);
	return json_pack("{ss}", CONTROL_ADDRESS, addr_format(text, &remote));
}
