/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Telling the agent, through the ring buffer. One event per queue until the agent closes it; what does not
 * fit the ring is reported again with the pair's next packet.
 */
#ifndef HF_REPORT_H
#define HF_REPORT_H

#include "count.h"
#include "parse.h"

static __always_inline struct hf_event event_of(__u32 ifindex, enum hf_event_type type, const struct hf_pair *pair,
						enum hf_group group, __u64 now)
{
	return (struct hf_event){ .type = type, .time_ns = now, .pair = *pair, .group = group, .ifindex = ifindex };
}

static __always_inline void report_queue(struct __sk_buff *skb, struct hf_queue *queue, __u32 index,
					 enum hf_event_type type, enum hf_group group)
{
	struct hf_event *event;

	if (read_once(queue->reported) || cmpxchg(&queue->reported, 0, 1) != 0)
		return;
	event = bpf_ringbuf_reserve(&hf_ring, sizeof(*event), 0);
	if (!event) {
		write_once(queue->reported, 0);
		COUNT(events_lost);
		return;
	}
	*event = event_of(skb->ifindex, type, &queue->pair, group, bpf_ktime_get_ns());
	event->queue = index;
	bpf_ringbuf_submit(event, 0);
	COUNT(events);
}

/* Budgets per second, so that nobody who ignores errors, or sends what he likes, can crowd out what matters on the ring. */
static __always_inline struct hf_budget *budget_of(__u64 now)
{
	__u64 second = now / 1000000000;
	struct hf_budget *budget;
	__u32 zero = 0;

	budget = bpf_map_lookup_elem(&hf_budget, &zero);
	if (budget && read_once(budget->second) != second) {
		write_once(budget->second, second);
		write_once(budget->denied, 0);
		write_once(budget->unreadable, 0);
		write_once(budget->answers, 0);
		write_once(budget->clear, 0);
	}
	return budget;
}

/* Counts up, so that CPUs that race here overshoot by a few and never wrap. */
static __always_inline bool take_denied(__u64 now)
{
	struct hf_budget *budget = budget_of(now);

	return budget && fetch_add(&budget->denied, 1) < HF_DENIED_PER_SECOND;
}

static __always_inline bool take_unreadable(__u64 now)
{
	struct hf_budget *budget = budget_of(now);

	return budget && fetch_add(&budget->unreadable, 1) < HF_UNREADABLE_PER_SECOND;
}

static __always_inline bool take_clear(__u64 now)
{
	struct hf_budget *budget = budget_of(now);

	return budget && fetch_add(&budget->clear, 1) < HF_CLEAR_PER_SECOND;
}

/* Events that packets wait for keep half of the ring. */
static __always_inline bool ring_has_room(void)
{
	return bpf_ringbuf_query(&hf_ring, BPF_RB_AVAIL_DATA) <= HF_RING_BYTES / 2;
}

/* report_denied hands the agent the head of a dropped packet, so that its sender learns of it at once. */
static __always_inline void report_denied(struct __sk_buff *skb, const struct packet *packet, enum hf_group group)
{
	struct hf_event_denied *denied;
	__u64 now = bpf_ktime_get_ns();
	__u32 len;

	if (!take_denied(now))
		return;
	if (!ring_has_room())
		return;
	denied = bpf_ringbuf_reserve(&hf_ring, sizeof(*denied), 0);
	if (!denied)
		return;
	denied->event = event_of(skb->ifindex, HF_EVENT_DENIED, &packet->pair, group, now);
	denied->mark = skb->mark;

	/* 6.1's verifier needs the mask after a barrier: clang folds the comparison away otherwise. */
	len = packet->len < HF_EVENT_HEAD ? packet->len : HF_EVENT_HEAD;
	len = len - 1;
	asm volatile("" : "+r"(len));
	len = (len & (HF_EVENT_HEAD - 1)) + 1;
	denied->len = load(skb, packet->l3, denied->head, len) == 0 ? len : 0;
	bpf_ringbuf_submit(denied, 0);
	COUNT(events);
}

/* An event that nothing waits for. */
static __always_inline void report_pair(__u32 ifindex, enum hf_event_type type, const struct hf_pair *pair,
					enum hf_group group, __u64 now)
{
	struct hf_event *event;

	if (!ring_has_room())
		return;
	event = bpf_ringbuf_reserve(&hf_ring, sizeof(*event), 0);
	if (!event)
		return;
	*event = event_of(ifindex, type, pair, group, now);
	bpf_ringbuf_submit(event, 0);
	COUNT(events);
}

/* report_unreadable tells the agent that the peer of a pair sends ESP that nothing here can open. */
static __always_inline void report_unreadable(struct __sk_buff *skb, const struct packet *packet, enum hf_group group)
{
	__u64 now = bpf_ktime_get_ns();

	if (take_unreadable(now))
		report_pair(skb->ifindex, HF_EVENT_UNREADABLE, &packet->pair, group, now);
}

/* report_clear tells it that a packet in clear from the peer of a decided pair was dropped, for who asks why nothing arrives. */
static __always_inline void report_clear(__u32 ifindex, const struct hf_pair *pair, enum hf_group group)
{
	__u64 now = bpf_ktime_get_ns();

	if (take_clear(now))
		report_pair(ifindex, HF_EVENT_CLEAR, pair, group, now);
}

#endif
