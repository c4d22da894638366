/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Holding a packet: find or open the pair's queue, take a slot, copy, queue the slot, tell the agent.
 *
 * There are no locks and no free lists. A queue or slot is taken by moving its owner word from 0, so that
 * what is in use can be seen in the maps themselves: an agent that dies in the middle of anything leaks nothing that
 * its successor cannot find. Every loop is bounded; a bound that is reached drops the packet and counts it.
 */
#ifndef HF_HOLD_H
#define HF_HOLD_H

#include <linux/errno.h>

#include "maps.h"
#include "report.h"

#define SEARCH_MAX 64 /* slots or queues looked at; at 90 % in use the search fails once in a thousand */
#define SEARCH_RANDOM 32
#define SEARCH_STEP 0x9e3779b1 /* odd, and the golden ratio of 2^32: 32 steps spread evenly */
#define RACE_MAX 16	       /* tries against other CPUs that queue for the same pair */
#define REOPEN_MAX 3	       /* times a queue may be found closed, or gone */

enum pushed {
	PUSHED,
	PUSHED_CLOSED, /* the agent closed the queue: look the pair up anew */
	PUSHED_RACE,
	PUSHED_FULL, /* no room for another queue */
};

static __always_inline struct hf_slot_head *slot_head(__u32 ref)
{
	__u32 index = (ref & ~HF_REF_BIG) - 1;

	/* Two lookups instead of one through a map pointer: the verifier wants to know the map. */
	if (ref & HF_REF_BIG)
		return (struct hf_slot_head *)bpf_map_lookup_elem(&hf_slot_big, &index);
	return (struct hf_slot_head *)bpf_map_lookup_elem(&hf_slot, &index);
}

/*
 * The searches and the push are global functions, which the verifier checks once and by themselves: inlined, their
 * loops multiply with the paths that lead to them and pass its limit of a million instructions.
 */

/*
 * Where a search looks next. What dead peers hold lies together where it was taken, and a search that walked from
 * neighbour to neighbour would meet nothing but that, however much is free elsewhere. So it looks at random places, and
 * then goes round in steps that reach every entry of a small array (its size a power of two).
 */
static __always_inline __u32 probe(__u32 i, __u32 at)
{
	return i < SEARCH_RANDOM ? bpf_get_prandom_u32() : at + SEARCH_STEP;
}

/*
 * Strangers can make this host answer: what answers them (packet_is_reply) finds room in the first half of slots and
 * queues only, so that a flood from invented addresses leaves the other half to what this host begins itself.
 */
#define ROOM(total, reply) ((reply) ? (total) / 2 + 1 : (total))

/* slot_search returns the reference of a slot taken for the queue, 0 when none was found. */
__noinline __u32 slot_search(__u32 queue_index, bool reply)
{
	__u32 at = 0;

	for (__u32 i = 0; i < SEARCH_MAX; i++) {
		struct hf_slot *slot;
		__u32 index;

		at = probe(i, at);
		index = at % ROOM(hf_slots, reply);
		slot = bpf_map_lookup_elem(&hf_slot, &index);
		if (!slot)
			return 0;
		if (!read_once(slot->head.owner) && cmpxchg(&slot->head.owner, 0, queue_index + 1) == 0)
			return index + 1;
	}
	return 0;
}

__noinline __u32 slot_search_big(__u32 queue_index)
{
	__u32 at = 0;

	for (__u32 i = 0; i < SEARCH_MAX; i++) {
		struct hf_slot_big *slot;
		__u32 index;

		at = probe(i, at);
		index = at % hf_slots_big;
		slot = bpf_map_lookup_elem(&hf_slot_big, &index);
		if (!slot)
			return 0;
		if (!read_once(slot->head.owner) && cmpxchg(&slot->head.owner, 0, queue_index + 1) == 0)
			return (index + 1) | HF_REF_BIG;
	}
	return 0;
}

/* queue_search returns 1 + index of a free queue, which is the caller's then; 0 when none was found. */
__noinline __u32 queue_search(bool reply)
{
	__u32 at = 0;

	for (__u32 i = 0; i < SEARCH_MAX; i++) {
		struct hf_queue *queue;
		__u32 index;

		at = probe(i, at);
		index = at % ROOM(hf_queues, reply);
		queue = bpf_map_lookup_elem(&hf_queue, &index);
		if (!queue)
			return 0;
		if (!read_once(queue->owner) && cmpxchg(&queue->owner, 0, 1) == 0)
			return index + 1;
	}
	return 0;
}

static __always_inline __u32 slot_take(bool big, __u32 queue_index, bool reply)
{
	return big ? slot_search_big(queue_index) : slot_search(queue_index, reply);
}

/*
 * Copies `len` octets from the IP header on. The relative load reads linear data only, so what lies in page fragments
 * (GSO, large datagrams) is made linear first. The mask after a barrier: 6.1's verifier loses the lower bound of a
 * length that clang folds (len - 1 > N - 1).
 */
#define COPY_PACKET(skb, packet, data, size)                                \
	({                                                                  \
		__u32 last_ = (packet)->len - 1;                            \
		long copied_;                                               \
		asm volatile("" : "+r"(last_));                             \
		last_ &= (size)-1;                                          \
		copied_ = load(skb, (packet)->l3, data, last_ + 1);         \
		if (copied_ < 0 && bpf_skb_pull_data(skb, (skb)->len) == 0) \
			copied_ = load(skb, (packet)->l3, data, last_ + 1); \
		copied_;                                                    \
	})

static __always_inline void head_fill(struct __sk_buff *skb, const struct packet *packet, struct hf_slot_head *head,
				      enum hf_held held)
{
	head->len = packet->len;
	head->pair = packet->pair;
	head->time_ns = bpf_ktime_get_ns();
	head->ifindex = skb->ifindex;
	head->mark = skb->mark;
	head->priority = skb->priority;
	head->gso_size = skb->gso_size;
	head->held = held;
}

static __always_inline bool slot_fill(struct __sk_buff *skb, const struct packet *packet, __u32 ref, enum hf_held held)
{
	__u32 index = (ref & ~HF_REF_BIG) - 1;

	if (ref & HF_REF_BIG) {
		struct hf_slot_big *big = bpf_map_lookup_elem(&hf_slot_big, &index);
		if (!big)
			return false;
		head_fill(skb, packet, &big->head, held);
		return COPY_PACKET(skb, packet, big->data, HF_SLOT_BIG_DATA) == 0;
	}

	struct hf_slot *slot = bpf_map_lookup_elem(&hf_slot, &index);

	if (!slot)
		return false;
	head_fill(skb, packet, &slot->head, held);
	return COPY_PACKET(skb, packet, slot->data, HF_SLOT_DATA) == 0;
}

enum opened {
	OPENED,
	OPENED_NOT, /* another CPU was faster: look the pair up anew */
	OPENED_FULL,
};

/*
 * Takes a free queue for the pair and enters it in hf_hold. One that does not get in is given back: nobody can have queued
 * into it, since nobody was told this opening's number.
 */
static __always_inline enum opened queue_open(const struct hf_pair *pair, struct hf_hold *hold, bool reply)
{
	struct hf_queue *queue;
	__u64 state;
	int error; /* as the map's function has it: before 6.4 its upper half in a long is not the sign */

	hold->queue = queue_search(reply) - 1;
	queue = bpf_map_lookup_elem(&hf_queue, &hold->queue); /* NULL for -1, which is beyond any array */
	if (!queue)
		return OPENED_FULL;
	queue->pair = *pair;
	queue->taken = 0;
	queue->bytes = 0;
	queue->reported = 0;
	queue->first_ns = bpf_ktime_get_ns();
	state = (read_once(queue->state) & ~(HF_QUEUE_CLOSED | HF_QUEUE_COUNT)) + HF_QUEUE_OPENED;
	state &= ~HF_QUEUE_CLOSED;
	xchg(&queue->state, state);

	hold->opening = state >> 32;
	error = (int)bpf_map_update_elem(&hf_hold, pair, hold, BPF_NOEXIST);
	if (!error)
		return OPENED;
	xchg(&queue->state, state | HF_QUEUE_CLOSED);
	write_once(queue->owner, 0);
	return error == -E2BIG ? OPENED_FULL : OPENED_NOT;
}

static __always_inline bool queue_find(const struct hf_pair *pair, struct hf_hold *hold)
{
	const struct hf_hold *found = bpf_map_lookup_elem(&hf_hold, pair);

	if (!found)
		return false;
	*hold = *found;
	return true;
}

static __always_inline bool pair_equal(const struct hf_pair *a, const struct hf_pair *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3];
}

/*
 * Frees the slot of a packet that a newer one of its pair, of `len` octets, has displaced. One addition for both: a program
 * that is stopped in front of it until its queue went to another pair leaves that one the difference of two packets, until
 * it is opened anew.
 */
static __always_inline void queue_displace(struct hf_queue *queue, __u32 ref, __u32 len)
{
	struct hf_slot_head *head = slot_head(ref);

	fetch_add(&queue->bytes, len - (head ? head->len : 0));
	if (head)
		write_once(head->owner, 0);
	COUNT(drop_pair_full);
}

/* Puts `ref` at position `n`, which is the caller's. The octets count first: the agent takes them off as soon as it can. */
static __always_inline void queue_append(struct hf_queue *queue, __u32 n, __u32 ref, __u32 len)
{
	__u32 old;

	fetch_add(&queue->bytes, len);
	old = xchg(&queue->slot[n % HF_QUEUE_SLOTS], ref);
	if (old)
		queue_displace(queue, old, 0);
}

/*
 * Gives the place at position `n` to `ref`, if a packet still waits there: the agent may be taking it off, and a
 * reference left at a place that it has passed would never be seen again.
 */
static __always_inline bool queue_replace(struct hf_queue *queue, __u32 n, __u32 ref, __u32 len)
{
	__u32 old = read_once(queue->slot[n % HF_QUEUE_SLOTS]);

	if (!old || cmpxchg(&queue->slot[n % HF_QUEUE_SLOTS], old, ref) != old)
		return false;
	queue_displace(queue, old, len);
	return true;
}

/* Both words move while they are read: the differences are signed. The newest packet may pass the limit of octets. */
static __always_inline bool queue_is_full(struct hf_queue *queue, __u32 n, __u32 len)
{
	__s32 waiting = n - read_once(queue->taken), bytes = read_once(queue->bytes);

	return waiting > 0 && (waiting >= HF_QUEUE_SLOTS || bytes + (__s32)len > HF_QUEUE_BYTES);
}

/*
 * queue_push queues the slot as its pair's newest packet. A full queue gives the newest one's place to this one, so
 * that the first packets and the latest survive (RFC 4322 3.1). `opening` is what hf_hold said: the queue may have been
 * given back since, and opened by somebody for whom it is not in hf_hold yet. Returns enum pushed.
 */
__noinline int queue_push(__u32 index, __u32 opening, __u32 ref)
{
	struct hf_queue *queue = bpf_map_lookup_elem(&hf_queue, &index);
	struct hf_slot_head *head = slot_head(ref);

	if (!queue || !head)
		return PUSHED_RACE;
	for (int i = 0; i < RACE_MAX; i++) {
		/* Reads with full ordering: whose queue it is must not be read earlier (arm64). */
		__u64 state = fetch_add(&queue->state, 0);
		__u32 n = (__u32)state;

		if (state >> 32 != opening || !pair_equal(&queue->pair, &head->pair))
			return PUSHED_CLOSED;
		if (queue_is_full(queue, n, head->len)) {
			if (queue_replace(queue, n - 1, ref, head->len))
				return PUSHED;
		} else if (cmpxchg(&queue->state, state, state + 1) == state) {
			queue_append(queue, n, ref, head->len);
			return PUSHED;
		}
	}
	return PUSHED_RACE;
}

static __always_inline void set_owner(__u32 ref, __u32 owner)
{
	struct hf_slot_head *head = slot_head(ref);

	if (head)
		write_once(head->owner, owner);
}

/* Queues the slot with its pair's packets and tells the agent. Returns enum pushed. */
static __always_inline int hold_push(struct __sk_buff *skb, const struct packet *packet, __u32 ref,
				     enum hf_event_type type, enum hf_group group, bool reply)
{
	struct hf_queue *queue;
	struct hf_hold hold;
	int pushed;

	/* Unrolled: the loop that clang makes of it falls through into its own head, which 6.1's verifier takes for endless. */
#pragma unroll
	for (int i = 0; i < REOPEN_MAX; i++) {
		if (!queue_find(&packet->pair, &hold)) {
			enum opened opened = queue_open(&packet->pair, &hold, reply);

			if (opened == OPENED_FULL)
				return PUSHED_FULL;
			if (opened == OPENED_NOT)
				continue;
		}
		set_owner(ref, hold.queue + 1);
		pushed = queue_push(hold.queue, hold.opening, ref);
		if (pushed == PUSHED_CLOSED)
			continue;
		queue = bpf_map_lookup_elem(&hf_queue, &hold.queue);
		if (queue && pushed == PUSHED)
			report_queue(skb, queue, hold.queue, type, group);
		return pushed;
	}
	return PUSHED_CLOSED;
}

/* hold_packet keeps the packet for its pair; false when it could not, which is counted. */
static __always_inline bool hold_packet(struct __sk_buff *skb, const struct packet *packet, enum hf_held held,
					enum hf_event_type type, enum hf_group group)
{
	bool reply = packet_is_reply(skb, packet);
	__u32 ref;

	if (!packet->len || packet->len > HF_SLOT_BIG_DATA) {
		COUNT(drop_too_big);
		return false;
	}
	ref = slot_take(packet->len > HF_SLOT_DATA, 0, reply);
	if (!ref) {
		COUNT(drop_slots_full);
		return false;
	}
	if (!slot_fill(skb, packet, ref, held)) {
		set_owner(ref, 0);
		COUNT(drop_copy);
		return false;
	}
	switch (hold_push(skb, packet, ref, type, group, reply)) {
	case PUSHED:
		COUNT(held);
		return true;
	case PUSHED_FULL:
		COUNT(drop_queues_full);
		break;
	default:
		COUNT(drop_race);
		break;
	}
	set_owner(ref, 0);
	return false;
}

#endif
