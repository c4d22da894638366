// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TC egress: nothing leaves in clear that policy wants sealed, and no first packet is lost. A packet comes
 * here after XFRM, so what was sealed is ESP by now; what is still clear is decided by its pair.
 * The programs work without the agent: verdicts stand, and what is undecided waits.
 */
#include "exempt.h"
#include "gate.h"
#include "hold.h"

char hf_license[] SEC("license") = "Dual BSD/GPL";

/* TCX knows no TC_ACT_STOLEN: any action but these goes on to the next program, that is, in clear onto the wire. */
#define ACT_PASS TC_ACT_UNSPEC /* other programs have their say */
#define ACT_DROP TC_ACT_SHOT   /* the sender learns: ENOBUFS, a local drop for TCP */

/* A device that cannot exist: redirecting there frees the packet and reports success, which is TCX's way to say stolen. */
#define NOWHERE 0x7fffffff

static __always_inline int steal(void)
{
	return hf_tcx ? (int)bpf_redirect(NOWHERE, 0) : TC_ACT_STOLEN;
}

enum origin {
	ORIGIN_STACK,
	ORIGIN_RELEASE_SEALED, /* the agent re-injected it through an SA */
	ORIGIN_RELEASE_BYPASS, /* the agent re-injected it to leave as it is */
};

static __always_inline enum origin packet_origin(struct __sk_buff *skb)
{
	__u64 cookie = bpf_get_socket_cookie(skb);
	struct hf_config *config;
	__u32 zero = 0;

	config = bpf_map_lookup_elem(&hf_config, &zero);
	if (!cookie || !config)
		return ORIGIN_STACK;
	for (int i = 0; i < HF_RELEASE_SOCKETS; i++) {
		if (config->sealed_cookie[i] == cookie)
			return ORIGIN_RELEASE_SEALED;
		if (config->bypass_cookie[i] == cookie)
			return ORIGIN_RELEASE_BYPASS;
	}
	return ORIGIN_STACK;
}

/* Keeps the packet; a packet that was held before is never held again. */
static __always_inline int hold(struct __sk_buff *skb, const struct packet *packet, enum hf_held held,
				enum hf_event_type type, enum hf_group group)
{
	switch (packet_origin(skb)) {
	case ORIGIN_RELEASE_BYPASS:
		COUNT(out_released);
		return ACT_PASS;
	case ORIGIN_RELEASE_SEALED:
		if (held == HF_HELD_SEALED) {
			COUNT(out_esp);
			return ACT_PASS;
		}
		COUNT(drop_reinjected);
		return ACT_DROP;
	case ORIGIN_STACK:
		break;
	}
	if (!hold_packet(skb, packet, held, type, group))
		return ACT_DROP;
	if (held == HF_HELD_SEALED)
		COUNT(held_sealed);
	if (type == HF_EVENT_STRAY)
		COUNT(held_stray);
	return steal();
}

static __always_inline int deny(struct __sk_buff *skb, const struct packet *packet, enum hf_group group)
{
	COUNT(drop_block);
	report_denied(skb, packet, group);
	return ACT_DROP;
}

/*
 * During a handoff the agent is sending what was held while newer packets already pass by themselves. They queue up
 * behind, or they would overtake: RFC 4303 allows it, applications do not expect it. Bounded in
 * time, so that an agent that died here stops nothing.
 */
static __always_inline bool must_queue_behind(const struct hf_gate *gate, const struct hf_pair *pair)
{
	struct hf_queue *queue;
	struct hf_hold hold;
	__u64 state;

	if (!gate || gate->handoff_until_ns <= bpf_ktime_get_ns() || !queue_find(pair, &hold))
		return false;
	queue = bpf_map_lookup_elem(&hf_queue, &hold.queue);
	if (!queue)
		return false;
	state = read_once(queue->state);
	return !(state & HF_QUEUE_CLOSED) && (__u32)state != read_once(queue->taken);
}

static __always_inline bool handoffs_pending(void)
{
	struct hf_config *config;
	__u32 zero = 0;

	config = bpf_map_lookup_elem(&hf_config, &zero);
	return config && read_once(config->handoffs);
}

static __always_inline int sealed(struct __sk_buff *skb, const struct packet *packet, const struct hf_gate *gate)
{
	if (handoffs_pending() && must_queue_behind(gate, &packet->pair))
		return hold(skb, packet, HF_HELD_SEALED, HF_EVENT_FLOW_MISS, gate->group);
	COUNT(out_esp);
	return ACT_PASS;
}

static __always_inline int clear(struct __sk_buff *skb, const struct packet *packet, const struct hf_gate *gate)
{
	if (gate->handoff_until_ns && handoffs_pending() && must_queue_behind(gate, &packet->pair))
		return hold(skb, packet, HF_HELD_CLEAR, HF_EVENT_FLOW_MISS, gate->group);
	COUNT(out_clear);
	return ACT_PASS;
}

static __always_inline int by_verdict(struct __sk_buff *skb, const struct packet *packet, const struct hf_gate *gate)
{
	/* While a handoff goes on the verdict is still HOLD. */
	if (gate->flags & HF_GATE_UDP_ENCAP && is_udp_encap(skb, packet, true))
		return sealed(skb, packet, gate);
	switch (gate->verdict) {
	case HF_VERDICT_HOLD:
		return hold(skb, packet, HF_HELD_CLEAR, HF_EVENT_FLOW_MISS, gate->group);
	case HF_VERDICT_SECURE:
		return hold(skb, packet, HF_HELD_CLEAR, HF_EVENT_STRAY, gate->group);
	case HF_VERDICT_CLEAR: /* decided before */
	case HF_VERDICT_BLOCK:
		break;
	}
	return deny(skb, packet, gate->group);
}

static __always_inline int by_group(struct __sk_buff *skb, const struct packet *packet, enum hf_group group)
{
	switch (group) {
	case HF_GROUP_PRIVATE_OR_CLEAR:
	case HF_GROUP_PRIVATE:
		return hold(skb, packet, HF_HELD_CLEAR, HF_EVENT_FLOW_MISS, group);
	default:
		return deny(skb, packet, group);
	}
}

static __always_inline int malformed(void)
{
	if (!is_strict()) {
		COUNT(malformed_passed);
		return ACT_PASS;
	}
	COUNT(drop_malformed);
	return ACT_DROP;
}

SEC("tc")
int hf_egress(struct __sk_buff *skb)
{
	const struct hf_gate *gate;
	struct hf_gate copy;
	struct packet packet;
	enum hf_group group = HF_GROUP_BLOCK;

	switch (packet_parse(skb, &packet, true)) {
	case PARSED_NOT_IP:
		COUNT(out_not_ip);
		return ACT_PASS;
	case PARSED_MALFORMED:
		return malformed();
	case PARSED_IP:
		break;
	}
	if (packet.proto == IPPROTO_ESP && !handoffs_pending()) {
		COUNT(out_esp);
		return ACT_PASS;
	}

	gate = gate_find(&packet.pair, &copy);
	if (gate && gate->verdict == HF_VERDICT_CLEAR)
		return clear(skb, &packet, gate);
	if (!gate) {
		group = policy_group(&packet.pair.remote);
		if (group == HF_GROUP_CLEAR || group == HF_GROUP_CLEAR_OR_PRIVATE) {
			COUNT(out_by_policy);
			return ACT_PASS;
		}
	}

	/* From here on the packet does not pass by its addresses alone. */
	packet_find_upper(skb, &packet);
	if (packet.proto == IPPROTO_ESP)
		return sealed(skb, &packet, gate);
	if (is_exempt(skb, &packet, true)) {
		COUNT(out_exempt);
		return ACT_PASS;
	}
	return gate ? by_verdict(skb, &packet, gate) : by_group(skb, &packet, group);
}
