// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * XDP: the shield in front of IKE. What strangers send before anything is known of them costs the host as little as can be: what
 * the engine would throw away is thrown away here, and above the agent's rates an IKE_SA_INIT request is answered here with a cookie
 * (RFC 7296 2.6) and passes only with a good one. Whatever names a responder's SPI is never touched; whatever is no IKE
 * message to this host passes,
 * but for clear text that may not come in, where that can be told here.
 */
#include "shield_answer.h"
#include "shield_door.h"
#include "shield_meter.h"
#include "shield_spread.h"

char hf_license[] SEC("license") = "Dual BSD/GPL";

static __always_inline int answer(struct xdp_md *ctx, const struct hf_shield_set *set, struct hf_cookie_input *input,
				  const struct frame *frame, const struct claim *claim, const struct ike_header *ike,
				  __u64 now)
{
	__u8 cookie[HF_COOKIE_LEN];
	__u64 hash;

	if (!is_answerable(frame)) {
		SHIELD_COUNT(unanswerable);
		return XDP_DROP;
	}
	hf_cookie_stamp(input->stamp, set->secret_version, now);
	hash = claim_hash(set, input, claim->ni_len);
	__builtin_memcpy(cookie, input->stamp, HF_COOKIE_STAMP_LEN);
	__builtin_memcpy(cookie + HF_COOKIE_STAMP_LEN, &hash, sizeof(hash));
	if (!answer_write(ctx, frame, ike, cookie)) {
		SHIELD_COUNT(answer_failed);
		return XDP_DROP;
	}
	SHIELD_COUNT(cookies_sent);
	if (claim->has_cookie)
		SHIELD_COUNT(cookies_bad);
	return XDP_TX;
}

static __always_inline int init(struct xdp_md *ctx, const struct hf_shield_set *set, struct hf_shield_state *state,
				const struct frame *frame, const struct ike_header *ike, __u64 now)
{
	struct hf_cookie_input *input;
	struct claim claim;
	__u32 zero = 0;

	SHIELD_COUNT(init);
	if (is_below(set, state, frame, now)) {
		SHIELD_COUNT(init_passed);
		return XDP_PASS;
	}
	input = bpf_map_lookup_elem(&hf_shield_work, &zero);
	if (!input || !claim_find(ctx, &claim, frame, ike->next) || !claim_lay_out(ctx, input, frame, &claim, ike)) {
		SHIELD_COUNT(init_malformed);
		return XDP_DROP;
	}
	if (is_cookie_good(set, input, &claim, now)) {
		if (!take_prefixes(set, frame, true, now)) {
			SHIELD_COUNT(proven_dropped);
			return XDP_DROP;
		}
		SHIELD_COUNT(cookies_good);
		return XDP_PASS;
	}
	/* Who still comes without one keeps it up. */
	if (is_up(set, state, now) && !take(&state->all_full_ns, &set->all, now))
		raise_for_all(state, frame, now);
	return answer(ctx, set, input, frame, &claim, ike, now);
}

/* A request that names no responder: an IKE_SA_INIT, or something that no honest peer of ours sends. */
static __always_inline int request(struct xdp_md *ctx, const struct hf_shield_set *set, struct hf_shield_state *state,
				   const struct frame *frame, const struct ike_header *ike)
{
	__u64 now = bpf_ktime_get_ns();

	if (!ike->spi_i || bpf_ntohl(ike->length) != frame->ike_len) {
		SHIELD_COUNT(malformed);
		return XDP_DROP;
	}
	/* Another version, which the engine may have a word for, or another exchange. */
	if (ike->version >> 4 != 2 || ike->exchange != EXCHANGE_IKE_SA_INIT) {
		if (take(&state->odd_full_ns, &set->odd, now)) {
			SHIELD_COUNT(odd_passed);
			return XDP_PASS;
		}
		SHIELD_COUNT(odd_dropped);
		return XDP_DROP;
	}
	if (!(ike->flags & FLAG_INITIATOR) || ike->mid || frame->ike_len < HF_SHIELD_INIT_MIN) {
		SHIELD_COUNT(malformed);
		return XDP_DROP;
	}
	return init(ctx, set, state, frame, ike, now);
}

static __always_inline int message(struct xdp_md *ctx, const struct frame *frame)
{
	struct hf_shield_state *state;
	struct hf_shield_set *set;
	struct ike_header ike;
	__u32 zero = 0;

	set = bpf_map_lookup_elem(&hf_shield_set, &zero);
	state = bpf_map_lookup_elem(&hf_shield_state, &zero);
	if (!set || !state || read_once(set->version) != HF_SHIELD_VERSION)
		return XDP_PASS;
	if (frame->ike_len < IKE_HEADER_LEN || !LOAD(ctx, frame->ike, &ike)) {
		SHIELD_COUNT(malformed);
		return XDP_DROP;
	}
	if (ike.spi_r) {
		SHIELD_COUNT(known);
		return XDP_PASS;
	}
	if (ike.flags & FLAG_RESPONSE) {
		SHIELD_COUNT(responses);
		return XDP_PASS;
	}
	return request(ctx, set, state, frame, &ike);
}

/* What it says of a frame that may be IKE. */
static __always_inline int answer_ike(struct xdp_md *ctx, struct frame *frame)
{
	return frame_find(ctx, frame) ? message(ctx, frame) : XDP_PASS;
}

static __always_inline int judge_ike(struct xdp_md *ctx)
{
	struct frame frame;
	int action = answer_ike(ctx, &frame);

	if (action != XDP_TX || answer_cut(ctx, &frame))
		return action;
	SHIELD_COUNT(answer_failed);
	return XDP_DROP;
}

static __always_inline int judge(struct xdp_md *ctx, bool in_driver)
{
	__be32 spi = 0;

	switch (glance(ctx, &spi)) {
	case GLANCE_ESP:
		return in_driver ? spread(spi) : XDP_PASS;
	case GLANCE_IKE:
		return judge_ike(ctx);
	default:
		return in_driver && is_stopped(ctx) ? XDP_DROP : XDP_PASS;
	}
}

/* frags: drivers then take it with large MTUs, too (5.18). All that is read or written goes through helpers that know of them. */
SEC("xdp.frags")
int hf_shield(struct xdp_md *ctx)
{
	return judge(ctx, false);
}

/* Where the driver runs it, before the kernel has made a packet of the frame. */
SEC("xdp.frags")
int hf_shield_driver(struct xdp_md *ctx)
{
	return judge(ctx, true);
}

/*
 * As one of several in a dispatcher of libxdp's, where it takes the place of a function. Linux (6.13, and stable releases of
 * earlier ones) refuses that to what changes the frame's length when the function did not, as those of libxdp 1.3.1 (Debian 12). So its answers
 * keep the length of the question's frame; the IP packet in it is as short as ever, and whoever forwards it leaves the rest behind. It
 * is for IKE alone: clear text is left to ingress, and ESP to the processor that has it.
 */
SEC("xdp.frags")
int hf_shield_guest(struct xdp_md *ctx)
{
	struct frame frame;
	__be32 spi = 0;

	return glance(ctx, &spi) == GLANCE_IKE ? answer_ike(ctx, &frame) : XDP_PASS;
}
