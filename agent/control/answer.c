// SPDX-License-Identifier: Apache-2.0
/*
 * Answers as JSON, see answer.h.
 */
#include "control/answer.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/nstime.h"
#include "core/backoff.h"
#include "holdfast/control.h"

json_t *answer_error(const char *format, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* Text that is no UTF-8 (a path, say) is no JSON either. */
	return json_pack("{ss}", CONTROL_ERROR, text) ?: json_pack("{ss}", CONTROL_ERROR, "the reason is not text");
}

json_t *answer_ping(int pid)
{
	return json_pack("{si ss}", CONTROL_PID, pid, CONTROL_VERSION, HF_VERSION);
}

/* Whole seconds from `now` to `time`, rounded up; null when there is no such time. */
static json_t *seconds_left(uint64_t time, uint64_t now)
{
	if (time == 0 || time == NSTIME_NEVER)
		return json_null();
	return json_integer((json_int_t)((nstime_until(time, now) + NSTIME_S - 1) / NSTIME_S));
}

json_t *answer_time(uint64_t time_ns, const struct answer_clock *clock)
{
	uint64_t wall_ns = clock->wall_ns - nstime_until(clock->now, time_ns);

	return json_real((double)(wall_ns / NSTIME_MS) / 1000);
}

static json_t *steps_json(const struct answer_step *steps, size_t count, const struct answer_clock *clock)
{
	json_t *out = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(out,
				      json_pack("{so ss ss si so}", "time", answer_time(steps[i].first_ns, clock),
						"event", steps[i].what, "text", steps[i].text, "times",
						(int)steps[i].times, "last", answer_time(steps[i].last_ns, clock)));
	return out;
}

static void set_text(json_t *out, const char *field, const char *text)
{
	if (text && *text)
		json_object_set_new(out, field, json_string(text));
}

static void set_use(json_t *out, const char *field, const struct answer_use *use)
{
	if (use->known)
		json_object_set_new(out, field,
				    json_pack("{sI sI}", "packets", (json_int_t)use->packets, "bytes",
					      (json_int_t)use->bytes));
}

static void set_spi(json_t *out, const char *field, uint32_t spi_be)
{
	char text[16];

	snprintf(text, sizeof(text), "%08x", ntohl(spi_be));
	if (spi_be)
		json_object_set_new(out, field, json_string(text));
}

json_t *answer_pair_json(const struct answer_pair *pair, const struct answer_clock *clock)
{
	char local[ADDR_TEXT_MAX], remote[ADDR_TEXT_MAX], gateway[ADDR_TEXT_MAX];
	uint64_t now = clock->now;
	json_t *out = json_pack("{ss ss}", "local", addr_format(local, &pair->pair.local), "remote",
				addr_format(remote, &pair->pair.remote));

	if (pair->known) {
		json_object_set_new(out, "state", json_string(peer_state_name(pair->peer.state)));
		json_object_set_new(out, "since",
				    json_integer((json_int_t)(nstime_until(now, pair->peer.since_ns) / NSTIME_S)));
		json_object_set_new(out, "failures", json_integer(pair->peer.failures));
		if (pair->peer.failures)
			json_object_set_new(out, "failure", json_string(failure_name(pair->peer.failure)));
		if (pair->peer.sticky)
			json_object_set_new(out, "sticky", json_true());
		if (!addr_is_none(&pair->peer.gateway))
			set_text(out, "gateway", addr_format(gateway, &pair->peer.gateway));
	}
	if (pair->gated) {
		json_object_set_new(out, "verdict", json_string(verdict_name(pair->gate.verdict)));
		json_object_set_new(out, "verdict_group", json_string(group_name(pair->gate.group)));
		json_object_set_new(out, "seconds_left", seconds_left(pair->gate.until_ns, now));
	}
	set_text(out, "key_source", pair->source);
	set_text(out, "name", pair->name);
	set_text(out, "key", pair->key);
	set_text(out, "ike", pair->ike);
	set_text(out, "suite", pair->suite);
	if (pair->known) {
		set_spi(out, "spi_in", pair->peer.spi_in_be);
		set_spi(out, "spi_out", pair->peer.spi_out_be);
	}
	set_use(out, "sent", &pair->sent);
	set_use(out, "received", &pair->received);
	if (pair->steps)
		json_object_set_new(out, CONTROL_EVENTS, steps_json(pair->steps, pair->step_count, clock));
	return out;
}

json_t *answer_policy_test(const struct policy *policy, const struct hf_addr *address, const struct answer_pair *pairs,
			   size_t count, const struct answer_clock *clock)
{
	const struct policy_entry *entry = policy_find(policy, address);
	char addr_text[ADDR_TEXT_MAX], prefix_text[PREFIX_TEXT_MAX];
	json_t *list = json_array();
	json_t *out = json_pack("{ss ss}", CONTROL_ADDRESS, addr_format(addr_text, address), CONTROL_GROUP,
				group_name(policy_group(policy, address)));

	if (entry) {
		json_object_set_new(out, CONTROL_PREFIX, json_string(prefix_format(prefix_text, &entry->prefix)));
		json_object_set_new(out, CONTROL_FILE, json_string(entry->file));
		json_object_set_new(out, CONTROL_LINE, json_integer(entry->line));
	}
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, answer_pair_json(&pairs[i], clock));
	json_object_set_new(out, CONTROL_PAIRS, list);
	return out;
}

static json_t *entry_json(const struct policy_entry *entry)
{
	char text[PREFIX_TEXT_MAX];
	json_t *out = json_pack("{ss ss si}", CONTROL_PREFIX, prefix_format(text, &entry->prefix), CONTROL_GROUP,
				group_name(entry->group), CONTROL_LINE, (int)entry->line);

	/* A path that is no UTF-8 is left out, the prefix is not. */
	json_object_set_new(out, CONTROL_FILE, json_string(entry->file));
	return out;
}

json_t *answer_policy_list(const struct policy *policy, size_t after, size_t max)
{
	json_int_t count[HF_GROUP_COUNT] = { 0 };
	json_t *groups = json_object(), *prefixes = json_array();
	size_t at = after;

	for (size_t i = 0; i < policy->count; i++)
		count[policy->entries[i].group]++;
	for (int group = 0; group < HF_GROUP_COUNT; group++)
		json_object_set_new(groups, group_name((enum hf_group)group), json_integer(count[group]));
	for (; at < policy->count && at - after < max; at++)
		json_array_append_new(prefixes, entry_json(&policy->entries[at]));
	return json_pack("{ss so so so sI}", CONTROL_DEFAULT, group_name(policy->fallback), CONTROL_GROUPS, groups,
			 CONTROL_PREFIXES, prefixes, CONTROL_NEXT,
			 at < policy->count ? json_integer((json_int_t)at) : json_null(), "total",
			 (json_int_t)policy->count);
}
