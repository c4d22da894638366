/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Cookies of RFC 7296 2.6 in a request: where its nonce and its cookie lie, what the cookie would have to be. A cookie counts only as
 * the first payload, where the RFC puts it.
 */
#ifndef HF_SHIELD_COOKIE_H
#define HF_SHIELD_COOKIE_H

#include "shield_frame.h"

#define PAYLOAD_NONE 0
#define PAYLOAD_NONCE 40
#define PAYLOAD_NOTIFY 41
#define NOTIFY_COOKIE 16390
#define NONCE_MIN 16

struct payload_header {
	__u8 next, flags;
	__be16 len;
};

struct notify_header {
	__u8 protocol, spi_len;
	__be16 type;
};

/* Its place in the frame, as found. */
struct claim {
	__u32 ni, ni_len;
	bool has_cookie; /* one of our length */
	__u8 cookie[HF_COOKIE_LEN];
};

/* A first payload that is N(COOKIE) with as many octets as ours have. */
static __always_inline void read_cookie(struct xdp_md *ctx, struct claim *claim, __u32 at, __u32 len)
{
	struct notify_header notify;

	if (len != sizeof(struct payload_header) + sizeof(notify) + HF_COOKIE_LEN)
		return;
	at += sizeof(struct payload_header);
	if (!LOAD(ctx, at, &notify) || notify.spi_len || notify.type != bpf_htons(NOTIFY_COOKIE))
		return;
	claim->has_cookie = LOAD(ctx, at + sizeof(notify), &claim->cookie);
}

/* claim_find is false when the chain of payloads has no nonce that the engine would take. */
static __always_inline bool claim_find(struct xdp_md *ctx, struct claim *claim, const struct frame *frame, __u8 next)
{
	__u32 at = frame->ike + IKE_HEADER_LEN, end = frame->ike + frame->ike_len;

	claim->has_cookie = false;
	for (int i = 0; i < HF_SHIELD_PAYLOADS && next != PAYLOAD_NONE; i++) {
		struct payload_header header;
		__u32 len;

		if (at + sizeof(header) > end || !LOAD(ctx, at, &header))
			return false;
		len = bpf_ntohs(header.len);
		if (len < sizeof(header) || at + len > end)
			return false;
		if (i == 0 && next == PAYLOAD_NOTIFY)
			read_cookie(ctx, claim, at, len);
		if (next == PAYLOAD_NONCE) {
			claim->ni = at + sizeof(header);
			claim->ni_len = len - sizeof(header);
			return claim->ni_len >= NONCE_MIN && claim->ni_len <= HF_COOKIE_NI_MAX;
		}
		next = header.next;
		at += len;
	}
	return false;
}

/* Lays out what is hashed, all but the stamp. False when the frame ends before the nonce does. */
static __always_inline bool claim_lay_out(struct xdp_md *ctx, struct hf_cookie_input *input, const struct frame *frame,
					  const struct claim *claim, const struct ike_header *ike)
{
	__u32 ni_len = claim->ni_len;

	/* Again, and behind a barrier: 6.1's verifier has forgotten the bounds of what was on the stack meanwhile. */
	asm volatile("" : "+r"(ni_len));
	if (ni_len < NONCE_MIN || ni_len > HF_COOKIE_NI_MAX)
		return false;
	input->port[0] = frame->port >> 8;
	input->port[1] = frame->port;
	input->ni_len[0] = ni_len >> 8;
	input->ni_len[1] = ni_len;
	addr_copy(&input->addr, &frame->src);
	__builtin_memcpy(input->spi_i, &ike->spi_i, sizeof(input->spi_i));
	return bpf_xdp_load_bytes(ctx, claim->ni, input->ni, ni_len) == 0;
}

/* The hash under the secret that the stamp in `input` names. */
static __always_inline __u64 claim_hash(const struct hf_shield_set *set, const struct hf_cookie_input *input,
					__u32 ni_len)
{
	return hf_cookie_hash(input->stamp[0] & 1 ? &set->secret[1] : &set->secret[0], input, ni_len);
}

static __always_inline bool is_cookie_good(const struct hf_shield_set *set, struct hf_cookie_input *input,
					   const struct claim *claim, __u64 now)
{
	__u64 hash;

	if (!claim->has_cookie || !hf_cookie_is_fresh(claim->cookie, set->secret_version, now))
		return false;
	__builtin_memcpy(input->stamp, claim->cookie, HF_COOKIE_STAMP_LEN);
	__builtin_memcpy(&hash, claim->cookie + HF_COOKIE_STAMP_LEN, sizeof(hash));
	/* One comparison of words: its time says nothing about where they differ. */
	return claim_hash(set, input, claim->ni_len) == hash;
}

#endif
