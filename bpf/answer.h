/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Copies of DNS answers for the agent, which learns from them which name this host asked for before it sent a packet. Only what
 * a configured resolver sends to an own address over UDP, and only where the agent wants them. They are hints, so they come last:
 * three quarters of the ring, and all events that packets wait for, are before them. No packet's fate depends on this.
 */
#ifndef HF_ANSWER_H
#define HF_ANSWER_H

#include "exempt.h"
#include "gate.h"
#include "report.h"

#define UDP_HEADER_LEN 8
#define DNS_HEADER_LEN 12
#define DNS_RESPONSE 0x80 /* QR, RFC 1035 4.1.1 */
#define DNS_RCODE 0x0f

struct dns_head {
	__be16 id;
	__u8 flags, rcode;
	__be16 questions, answers;
};

static __always_inline bool answers_wanted(void)
{
	const struct hf_config *config;
	__u32 zero = 0;

	config = bpf_map_lookup_elem(&hf_config, &zero);
	return config && config->flags & HF_CONFIG_ANSWERS;
}

static __always_inline bool has_flag(const struct hf_addr *addr, __u32 flag)
{
	const struct hf_exempt *exempt = bpf_map_lookup_elem(&hf_exempt, addr);

	return exempt && exempt->flags & flag;
}

static __always_inline bool take_answer(__u64 now)
{
	struct hf_budget *budget = budget_of(now);

	return budget && fetch_add(&budget->answers, 1) < HF_ANSWERS_PER_SECOND;
}

/* At `offset` there are `len` octets of a DNS message: the agent gets the first of them. */
static __always_inline bool hand_over(struct __sk_buff *skb, const struct packet *packet, __u32 offset, __u32 len)
{
	struct hf_event_answer *answer;
	__u64 now = bpf_ktime_get_ns();

	if (!take_answer(now) || bpf_ringbuf_query(&hf_ring, BPF_RB_AVAIL_DATA) > HF_RING_BYTES / 4)
		return false;
	/* What a driver left in page fragments no relative load reads. */
	if (bpf_skb_pull_data(skb, 0) < 0)
		return false;
	answer = bpf_ringbuf_reserve(&hf_ring, sizeof(*answer), 0);
	if (!answer)
		return false;
	answer->event = event_of(skb->ifindex, HF_EVENT_ANSWER, &packet->pair, HF_GROUP_CLEAR, now);
	answer->whole = len;
	/* As in report_denied. */
	len = len < HF_ANSWER_DATA ? len : HF_ANSWER_DATA;
	len = len - 1;
	asm volatile("" : "+r"(len));
	len = (len & (HF_ANSWER_DATA - 1)) + 1;
	answer->len = len;
	if (load(skb, offset, answer->data, len) < 0) {
		bpf_ringbuf_discard(answer, 0);
		return false;
	}
	bpf_ringbuf_submit(answer, 0);
	return true;
}

/* report_answer is asked about every packet that arrives: the port first, for nearly all end there. */
static __always_inline void report_answer(struct __sk_buff *skb, const struct packet *packet)
{
	__u32 l4 = packet->l4 ? packet->l4 : packet->l3 + (__u32)sizeof(struct ipv6_header);
	struct dns_head dns;
	struct {
		__be16 source, dest, len, check;
	} udp;

	if (packet->proto != IPPROTO_UDP || packet->fragment || !answers_wanted())
		return;
	if (!load_header(skb, l4, &udp, sizeof(udp)) || udp.source != bpf_htons(PORT_DNS))
		return;
	if (!has_flag(&packet->pair.remote, HF_EXEMPT_RESOLVER) || !has_flag(&packet->pair.local, HF_EXEMPT_OWN))
		return;
	if (bpf_ntohs(udp.len) < UDP_HEADER_LEN + DNS_HEADER_LEN ||
	    !load_header(skb, l4 + UDP_HEADER_LEN, &dns, sizeof(dns)))
		return;
	if (!(dns.flags & DNS_RESPONSE) || dns.rcode & DNS_RCODE || dns.questions != bpf_htons(1) || !dns.answers)
		return;
	if (hand_over(skb, packet, l4 + UDP_HEADER_LEN, bpf_ntohs(udp.len) - UDP_HEADER_LEN))
		COUNT(answers);
	else
		COUNT(answers_lost);
}

#endif
