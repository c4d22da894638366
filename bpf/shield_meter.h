/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How much is too much. Three buckets stand before a request without a cookie: its site's, its address's, and that of all. The first
 * two are asked first, so that one site that asks too much is asked for cookies alone and does not bring the shield up for everybody;
 * only senders without number, which is what forged ones are, do that. While the shield is up nothing is remembered of
 * who asks: a flood of forged senders then writes to no map, and cannot push out what is remembered.
 *
 * CPUs race for a token here and there: a few more pass then, which no bound below depends on.
 */
#ifndef HF_SHIELD_METER_H
#define HF_SHIELD_METER_H

#include "shield_frame.h"

static __always_inline bool take(__u64 *full_ns, const struct hf_shield_rate *rate, __u64 now)
{
	__u64 full = read_once(*full_ns);

	if (full < now)
		full = now;
	if (full + rate->span_ns > now + rate->burst_ns)
		return false;
	write_once(*full_ns, full + rate->span_ns);
	return true;
}

/* IPv4: the address and its /24; IPv6: /64 and /48 (the engine's quota.c has the same). */
static __always_inline void source_of(struct hf_addr *key, const struct frame *frame)
{
	addr_copy(key, &frame->src);
	if (!frame->v4)
		((__u64 *)key)[1] = 0;
}

static __always_inline void site_of(struct hf_addr *key, const struct frame *frame)
{
	addr_copy(key, &frame->src);
	if (frame->v4) {
		key->octet[15] = 0;
	} else {
		((__u64 *)key)[1] = 0;
		key->octet[6] = 0;
		key->octet[7] = 0;
	}
}

/* A prefix that nothing is remembered of has a full bucket; so has one that could not be entered. */
static __always_inline bool take_of(void *map, const struct hf_addr *key, const struct hf_shield_rate *rate,
				    bool proven, __u64 now)
{
	struct hf_shield_bucket *bucket = bpf_map_lookup_elem(map, key);
	struct hf_shield_bucket fresh = { 0 };

	if (bucket)
		return take(proven ? &bucket->proven_full_ns : &bucket->full_ns, rate, now);
	if (!take(proven ? &fresh.proven_full_ns : &fresh.full_ns, rate, now))
		return false;
	bpf_map_update_elem(map, key, &fresh, BPF_ANY);
	return true;
}

/* The site first: an address whose site is full enters no map. */
static __always_inline bool take_prefixes(const struct hf_shield_set *set, const struct frame *frame, bool proven,
					  __u64 now)
{
	struct hf_addr key;

	site_of(&key, frame);
	if (!take_of(&hf_shield_site, &key, proven ? &set->proven_site : &set->site, proven, now))
		return false;
	source_of(&key, frame);
	return take_of(&hf_shield_source, &key, proven ? &set->proven_source : &set->source, proven, now);
}

static __always_inline bool is_up(const struct hf_shield_set *set, const struct hf_shield_state *state, __u64 now)
{
	return set->demand || now < read_once(state->up_until_ns);
}

/* The rate of all is exceeded. Not written at every request: under a flood all CPUs read this. */
static __always_inline void raise_for_all(struct hf_shield_state *state, const struct frame *frame, __u64 now)
{
	__u64 until = read_once(state->up_until_ns);

	if (until <= now)
		addr_copy(&state->raised_by, &frame->src);
	if (until < now + HF_SHIELD_UP_NS - HF_SHIELD_UP_NS / 10)
		write_once(state->up_until_ns, now + HF_SHIELD_UP_NS);
}

/* True when the request may pass as it is. Otherwise a cookie is due. */
static __always_inline bool is_below(const struct hf_shield_set *set, struct hf_shield_state *state,
				     const struct frame *frame, __u64 now)
{
	if (is_up(set, state, now) || !take_prefixes(set, frame, false, now))
		return false;
	if (take(&state->all_full_ns, &set->all, now))
		return true;
	raise_for_all(state, frame, now);
	return false;
}

#endif
