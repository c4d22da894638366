// SPDX-License-Identifier: Apache-2.0
/*
 * Status as JSON, see status.h. The counters' names come from holdfast/abi.h by a list whose length is checked
 * against the structs, so that a new counter cannot be forgotten here.
 */
#include "control/status.h"

#include <stdio.h>

#include "base/addr.h"
#include "core/backoff.h"
#include "core/gate.h"
#include "core/limits.h"
#include "holdfast/control.h"

struct counter {
	const char *name;
	size_t offset;
};

#define PACKET(field)                                    \
	{                                                \
#field, offsetof(struct hf_count, field) \
	}
#define RELEASED(field)                                  \
	{                                                \
#field, offsetof(struct hf_agent, field) \
	}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct counter packet_counters[] = {
	PACKET(out_esp),	  PACKET(out_clear),	     PACKET(out_by_policy),  PACKET(out_released),
	PACKET(out_exempt),	  PACKET(out_not_ip),	     PACKET(held),	     PACKET(held_stray),
	PACKET(held_sealed),	  PACKET(drop_block),	     PACKET(drop_pair_full), PACKET(drop_slots_full),
	PACKET(drop_queues_full), PACKET(drop_too_big),	     PACKET(drop_copy),	     PACKET(drop_reinjected),
	PACKET(drop_race),	  PACKET(drop_malformed),    PACKET(in_esp),	     PACKET(in_decrypted),
	PACKET(in_pass),	  PACKET(in_exempt),	     PACKET(in_not_ip),	     PACKET(in_drop_clear),
	PACKET(in_drop_block),	  PACKET(in_drop_malformed), PACKET(events),	     PACKET(events_lost),
	PACKET(malformed_passed), PACKET(answers),	     PACKET(answers_lost),
};
_Static_assert(COUNT(packet_counters) * sizeof(__u64) == sizeof(struct hf_count), "every counter has its name here");

static const struct counter released_counters[] = {
	RELEASED(released_sealed), RELEASED(released_clear), RELEASED(passed_sealed),  RELEASED(segments),
	RELEASED(reassembled),	   RELEASED(drop_expired),   RELEASED(drop_denied),    RELEASED(drop_too_big),
	RELEASED(drop_error),	   RELEASED(drop_changed),   RELEASED(drop_malformed), RELEASED(told_sender),
};
_Static_assert(COUNT(released_counters) * sizeof(__u64) == sizeof(struct hf_agent), "every counter has its name here");

#define SHIELD(field)                                           \
	{                                                       \
#field, offsetof(struct hf_shield_count, field) \
	}

static const struct counter shield_counters[] = {
	SHIELD(known),	      SHIELD(responses),     SHIELD(malformed),	    SHIELD(odd_passed),
	SHIELD(odd_dropped),  SHIELD(init),	     SHIELD(init_passed),   SHIELD(init_malformed),
	SHIELD(cookies_sent), SHIELD(cookies_bad),   SHIELD(cookies_good),  SHIELD(proven_dropped),
	SHIELD(unanswerable), SHIELD(answer_failed), SHIELD(clear_dropped), SHIELD(esp_spread),
};
_Static_assert(COUNT(shield_counters) * sizeof(__u64) == sizeof(struct hf_shield_count),
	       "every counter has its name here");

#define IKE(field)                                         \
	{                                                  \
#field, offsetof(struct ike_counts, field) \
	}

/* Those of struct ike_counts that count messages and what became of them; the others have a place of their own below. */
static const struct counter ike_counters[] = {
	IKE(datagrams),	     IKE(dropped),	  IKE(cookies_sent), IKE(cookies_bad),
	IKE(refused_source), IKE(refused_prefix), IKE(refused_full), IKE(refused_cost),
	IKE(bad_icv),	     IKE(bad_syntax),	  IKE(bad_state),    IKE(replayed),
	IKE(retransmits),    IKE(answered_again), IKE(collisions),   IKE(outputs_lost),
};
/* Five are in use or bounds, three are told as initiated, responded and authentication_failed, two are memory. */
_Static_assert(sizeof(struct ike_counts) ==
		       6 * sizeof(uint32_t) + (COUNT(ike_counters) + 5 + IKE_REASONS) * sizeof(uint64_t),
	       "every counter has its name here");

const uint32_t status_spans_s[STATUS_SPANS] = { 60, 600, 1800, 3600, 7200, 14400, 28800, 86400 };

void status_lifetime(struct status_lifetimes *lifetimes, uint64_t age_s)
{
	size_t span = 0;

	while (span < STATUS_SPANS && age_s > status_spans_s[span])
		span++;
	lifetimes->within[span]++;
	lifetimes->sum_s += age_s;
}

static json_t *counters_json(const void *values, const struct counter *counters, size_t count)
{
	json_t *out = json_object();

	for (size_t i = 0; i < count; i++) {
		const __u64 *value = (const __u64 *)((const char *)values + counters[i].offset);

		json_object_set_new(out, counters[i].name, json_integer((json_int_t)*value));
	}
	return out;
}

static json_t *strings_json(const char *const *strings, size_t count)
{
	json_t *out = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(out, json_string(strings[i]));
	return out;
}

static json_t *policies_json(const struct status *status)
{
	json_t *out = json_pack("{ss}", "default", group_name(status->fallback));

	for (int group = 0; group < HF_GROUP_COUNT; group++)
		json_object_set_new(out, group_name((enum hf_group)group),
				    json_integer((json_int_t)status->prefixes[group]));
	return out;
}

static json_t *peers_json(const struct core_counts *core)
{
	json_t *out = json_pack("{sI sI}", "total", (json_int_t)core->peers, "max", (json_int_t)core->peers_max);

	for (int state = 0; state < PEER_STATES; state++)
		json_object_set_new(out, peer_state_name((enum peer_state)state), json_integer(core->by_state[state]));
	json_object_set_new(out, "secured_ever", json_integer((json_int_t)core->secured));
	json_object_set_new(out, "withdrawn_ever", json_integer((json_int_t)core->closed_key));
	return out;
}

static const char *const failure_fields[] = {
	[FAILURE_NO_KEY] = "no_key", [FAILURE_LOOKUP] = "lookup",   [FAILURE_NEGOTIATION] = "negotiation",
	[FAILURE_KERNEL] = "kernel", [FAILURE_FOREIGN] = "foreign",
};
_Static_assert(COUNT(failure_fields) == FAILURES, "every failure has its field here");

static json_t *failures_json(const struct core_counts *core)
{
	json_t *out = json_object();

	for (int failure = 0; failure < FAILURES; failure++)
		json_object_set_new(out, failure_fields[failure], json_integer((json_int_t)core->failures[failure]));
	return out;
}

static json_t *use_json(const struct status_use *use)
{
	return json_pack("{sI sI}", "used", (json_int_t)use->used, "max", (json_int_t)use->max);
}

/* Also by verdict. */
static json_t *gate_json(const struct status *status)
{
	json_t *out = use_json(&status->gate), *verdicts = json_object();

	for (int verdict = HF_VERDICT_HOLD; verdict <= HF_VERDICT_BLOCK; verdict++)
		json_object_set_new(verdicts, verdict_name((enum hf_verdict)verdict),
				    json_integer(status->verdicts[verdict]));
	json_object_set_new(out, "verdicts", verdicts);
	return out;
}

/* What the agent itself counts, beside the pairs' failures. */
static json_t *agent_json(const struct status *status)
{
	const struct core_counts *core = &status->core;

	return json_pack("{sI sI sI sI sI sI}", "peers_full", (json_int_t)core->peers_full, "peers_evicted",
			 (json_int_t)core->evicted, "handoffs_cut", (json_int_t)core->handoffs_cut, "gate_full",
			 (json_int_t)status->gate_full, "probes", (json_int_t)core->probes, "closed_idle",
			 (json_int_t)core->closed_idle);
}

/* ---- limits that bit ------------------------------------------------------------------------- */

static void add_limit(json_t *out, uint64_t times, const char *limit, const char *effect, const char *advice)
{
	if (times)
		json_array_append_new(out, json_pack("{ss sI ss ss}", "limit", limit, "times", (json_int_t)times,
						     "effect", effect, "advice", advice));
}

static json_t *limits_json(const struct status *status)
{
	const struct hf_count *packets = &status->packets;
	json_t *out = json_array();

	add_limit(out, packets->drop_slots_full, "hold_slots", "packets dropped: every slot was taken",
		  "raise hold_slots in [limits]");
	add_limit(out, packets->drop_queues_full, "hold_queues", "packets dropped: too many pairs wait",
		  "raise hold_queues in [limits]");
	add_limit(out, packets->drop_pair_full, "pair", "packets dropped: newer ones of their pair took their place",
		  "none: a sender was faster than its peer answered");
	add_limit(out, packets->drop_too_big, "big_tcp", "packets dropped: larger than 64 KB",
		  "set the device's gso_ipv6_max_size to 65536");
	add_limit(out, status->released.drop_expired, "hold_age_seconds", "packets dropped: held too long",
		  "none: their peers did not answer");
	add_limit(out, packets->events_lost, "events", "reports late: the agent did not keep up",
		  "none: a pair's next packet reports it again");
	add_limit(out, status->core.peers_full, "peers", "pairs left to their group: no room for another peer",
		  "raise peers in [limits]");
	add_limit(out, status->core.evicted, "peers_evicted", "remembered failures forgotten early",
		  "raise peers in [limits]");
	add_limit(out, status->gate_full, "gate_entries", "pairs left to their group: the gate was full",
		  "raise gate_entries in [limits]");
	add_limit(out, status->core.handoffs_cut, "handoff", "pairs whose packets may have changed order",
		  "none: a sender was faster than re-injection");
	add_limit(out, status->keying.renewals_full, "renewals", "pairs without SAs until new ones were there",
		  "none: more peers than that had another key in the DNS at once");
	return out;
}

/* ---- IKE and discovery ----------------------------------------------------------------------- */

static json_t *ended_json(const uint64_t down[IKE_REASONS])
{
	json_t *out = json_object();

	for (int reason = IKE_REASON_NONE + 1; reason < IKE_REASONS; reason++)
		json_object_set_new(out, ike_reason_name((enum ike_reason)reason),
				    json_integer((json_int_t)down[reason]));
	return out;
}

/* "within": by the span's end in seconds, as a histogram of Prometheus has it: each counts those of the spans before it too. */
static json_t *lifetimes_json(const struct status_lifetimes *lifetimes)
{
	json_t *within = json_object();
	uint64_t count = 0;
	char end[16];

	for (size_t i = 0; i < STATUS_SPANS; i++) {
		count += lifetimes->within[i];
		snprintf(end, sizeof(end), "%u", status_spans_s[i]);
		json_object_set_new(within, end, json_integer((json_int_t)count));
	}
	return json_pack("{so sI sI}", "within", within, "count", (json_int_t)(count + lifetimes->within[STATUS_SPANS]),
			 "sum", (json_int_t)lifetimes->sum_s);
}

static void add_keying(json_t *out, const struct status_keying *keying)
{
	const struct ike_counts *ike = &keying->ike;

	if (!keying->present)
		return;
	json_object_set_new(out, "ike",
			    json_pack("{ss? si si si si sI sI sI sI si si so so so}", "key",
				      *keying->key ? keying->key : NULL, "half_open", (int)ike->half_open,
				      "established", (int)ike->established, "max", (int)ike->sas_max, "children",
				      (int)ike->children, "initiated", (json_int_t)ike->initiated, "responded",
				      (json_int_t)ike->responded, "authentication_failed", (json_int_t)ike->auth_failed,
				      "renewals_full", (json_int_t)keying->renewals_full, "blocks", (int)ike->blocks,
				      "blocks_max", (int)ike->blocks_max, "messages",
				      counters_json(ike, ike_counters, COUNT(ike_counters)), "ended",
				      ended_json(ike->down), "lifetimes", lifetimes_json(&keying->lifetimes)));
	json_object_set_new(
		out, "discovery",
		json_pack("{sI sI sI so sI sI sI sI sI sI sI sI sI sI sI}", "pinned", (json_int_t)keying->pinned,
			  "listed", (json_int_t)keying->listed, "directory_serial",
			  (json_int_t)keying->directory_serial, "directory_expires",
			  keying->directory_expires_s ? json_integer((json_int_t)keying->directory_expires_s)
						      : json_null(),
			  "directories_rejected", (json_int_t)keying->directories_rejected, "known",
			  (json_int_t)keying->known, "asked", (json_int_t)keying->asked, "keys",
			  (json_int_t)keying->keys, "no_key", (json_int_t)keying->no_key, "failed",
			  (json_int_t)keying->failed, "dns_remembered", (json_int_t)keying->dns_remembered,
			  "dns_asking", (json_int_t)keying->dns_asking, "dns_refused", (json_int_t)keying->dns_refused,
			  "hints", (json_int_t)keying->hints, "hints_refused", (json_int_t)keying->hints_refused));
}

static void add_shield(json_t *out, const struct status_shield *shield)
{
	json_t *interfaces, *company;

	if (!shield->present)
		return;
	interfaces = json_object();
	company = json_object();
	for (size_t i = 0; i < shield->where_count; i++) {
		json_object_set_new(interfaces, shield->where[i].interface, json_string(shield->where[i].how));
		json_object_set_new(company, shield->where[i].interface, json_string(shield->where[i].company));
	}
	json_object_set_new(out, "shield",
			    json_pack("{si si so so ss? so}", "up", (int)shield->up, "spread_over",
				      (int)shield->spread_over, "interfaces", interfaces, "company", company,
				      "alone_because", shield->alone, "messages",
				      counters_json(&shield->count, shield_counters, COUNT(shield_counters))));
}

/* json_pack's "o" takes over each part, and frees them all when one is NULL. */
json_t *status_json(const struct status *status)
{
	json_t *held = json_pack("{so so so}", "packets", use_json(&status->slots), "big_packets",
				 use_json(&status->big_slots), "pairs", use_json(&status->queues));

	json_t *out = json_pack("{si ss sI ss? ss? ss? so so so so so so so so so so so}", CONTROL_PID, status->pid,
				CONTROL_VERSION, HF_VERSION, "uptime", (json_int_t)status->uptime_s, "kernel",
				status->kernel, "attach", status->attach, "config", status->config, "interfaces",
				strings_json(status->interfaces, status->interface_count), "policies",
				policies_json(status), "peers", peers_json(&status->core), "failures",
				failures_json(&status->core), "held", held, "gate", gate_json(status), "packets",
				counters_json(&status->packets, packet_counters, COUNT(packet_counters)), "released",
				counters_json(&status->released, released_counters, COUNT(released_counters)), "agent",
				agent_json(status), "limits", limits_json(status), "problems",
				strings_json(status->problems, status->problem_count));

	if (!out)
		return NULL;
	add_keying(out, &status->keying);
	add_shield(out, &status->shield);
	return out;
}
