// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TC ingress: a clear packet from a peer that must seal does not arrive. ESP passes to XFRM. In transport mode the
 * decrypted packet does not come by here again; in tunnel mode it does, and is known by its XFRM state.
 */
#include "admit.h"
#include "answer.h"
#include "count.h"
#include "exempt.h"
#include "report.h"

char hf_license[] SEC("license") = "Dual BSD/GPL";

#define ACT_PASS TC_ACT_UNSPEC
#define ACT_DROP TC_ACT_SHOT

/* linux/socket.h is none of UAPI. */
#define FAMILY_INET 2
#define FAMILY_INET6 10

/*
 * True for what ESP carried in and XFRM opened: the packet remembers the state that did it, and that must be one of
 * this very peer, or an authenticated peer could speak in another's name. A peer behind a gateway has none: there it is one of
 * ours, whose selector is the pair, which the kernel looks at before it hands the packet to a socket.
 */
static __always_inline bool was_sealed(struct __sk_buff *skb, const struct packet *packet, const struct hf_gate *gate)
{
	const __u32 *remote = (const __u32 *)&packet->pair.remote;
	struct bpf_xfrm_state state;

	if (bpf_skb_get_xfrm_state(skb, 0, &state, sizeof(state), 0) < 0)
		return false;
	if (gate && gate->flags & HF_GATE_GATEWAY)
		return state.reqid - HF_REQID_BASE < HF_REQID_COUNT;
	if (packet->v4)
		return state.family == FAMILY_INET && state.remote_ipv4 == remote[3];
	return state.family == FAMILY_INET6 && state.remote_ipv6[0] == remote[0] && state.remote_ipv6[1] == remote[1] &&
	       state.remote_ipv6[2] == remote[2] && state.remote_ipv6[3] == remote[3];
}

/*
 * ESP is XFRM's. Where nothing was decided no SA stands: a peer that seals for this host all the same was secure with it before
 * it lost its SAs, and would find out by its silence only. The agent makes new ones, if the group has it begin.
 */
static __always_inline int esp(struct __sk_buff *skb, const struct packet *packet)
{
	const struct hf_exempt *own, *peer;
	struct hf_gate gate;
	enum hf_group group;

	COUNT(in_esp);
	if (gate_find(&packet->pair, &gate))
		return ACT_PASS;
	group = policy_group(&packet->pair.remote);
	if (group != HF_GROUP_PRIVATE && group != HF_GROUP_PRIVATE_OR_CLEAR)
		return ACT_PASS;
	own = bpf_map_lookup_elem(&hf_exempt, &packet->pair.local);
	peer = bpf_map_lookup_elem(&hf_exempt, &packet->pair.remote);
	if (own && own->flags & HF_EXEMPT_OWN && !(peer && peer->flags & HF_EXEMPT_GATEWAY))
		report_unreadable(skb, packet, group);
	return ACT_PASS;
}

static __always_inline int malformed(void)
{
	if (!is_strict()) {
		COUNT(malformed_passed);
		return ACT_PASS;
	}
	COUNT(in_drop_malformed);
	return ACT_DROP;
}

SEC("tc")
int hf_ingress(struct __sk_buff *skb)
{
	const struct hf_gate *gate;
	struct hf_gate copy;
	struct packet packet;
	enum admit admit;

	switch (packet_parse(skb, &packet, false)) {
	case PARSED_NOT_IP:
		COUNT(in_not_ip);
		return ACT_PASS;
	case PARSED_MALFORMED:
		return malformed();
	case PARSED_IP:
		break;
	}
	if (packet.proto == IPPROTO_ESP)
		return esp(skb, &packet);
	report_answer(skb, &packet);
	gate = gate_find(&packet.pair, &copy);
	admit = admit_pair(&packet.pair, gate);
	if (admit == ADMIT) {
		COUNT(in_pass);
		return ACT_PASS;
	}

	packet_find_upper(skb, &packet);
	if (packet.proto == IPPROTO_ESP)
		return esp(skb, &packet);
	if (is_exempt(skb, &packet, false)) {
		COUNT(in_exempt);
		return ACT_PASS;
	}
	if (admit != ADMIT_NOTHING && was_sealed(skb, &packet, gate)) {
		COUNT(in_decrypted);
		return ACT_PASS;
	}
	admit_refused(admit, skb->ifindex, &packet.pair, gate);
	return ACT_DROP;
}
