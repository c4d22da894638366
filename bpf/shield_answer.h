/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The answer that demands a cookie, HDR, N(COOKIE), in the frame that the question came in, back to where that came from: link header
 * with its tags as it was but for the addresses, then headers made anew, without the options that the question may have had. It is
 * always shorter than the question, which has HF_SHIELD_INIT_MIN octets at least where this has 48. What is behind it in the
 * frame is still the question's, until answer_cut.
 */
#ifndef HF_SHIELD_ANSWER_H
#define HF_SHIELD_ANSWER_H

#include "shield_cookie.h"

#define ANSWER_HOPS 64
#define EXCHANGE_IKE_SA_INIT 34
#define FLAG_INITIATOR 0x08
#define FLAG_RESPONSE 0x20

struct cookie_message {
	struct ike_header ike;
	struct payload_header payload;
	struct notify_header notify;
	__u8 cookie[HF_COOKIE_LEN];
} __attribute__((packed, aligned(4)));

struct answer_v4 {
	struct ipv4_header ip;
	struct udp_header udp;
	__u8 rest[MARKER_LEN + sizeof(struct cookie_message)];
} __attribute__((packed, aligned(4)));

struct answer_v6 {
	struct ipv6_header ip;
	struct udp_header udp;
	__u8 rest[MARKER_LEN + sizeof(struct cookie_message)];
} __attribute__((packed, aligned(4)));

static __always_inline __u16 fold(__s64 sum)
{
	__u64 folded = (__u32)sum;

	folded = (folded & 0xffff) + (folded >> 16);
	folded = (folded & 0xffff) + (folded >> 16);
	return ~folded;
}

/* The sum over the addresses and everything behind them, which lie in one piece, and the rest of the pseudo header. */
static __always_inline __sum16 udp_sum(void *from, __u32 octets, __u16 udp_len)
{
	__u32 seed = bpf_htons(IPPROTO_UDP) + bpf_htons(udp_len);
	__u16 sum = fold(bpf_csum_diff(NULL, 0, from, octets, seed));

	return sum ? sum : 0xffff; /* 0 says that there is none (RFC 768) */
}

static __always_inline struct udp_header udp_back(const struct frame *frame, __u16 len)
{
	return (struct udp_header){ .source = bpf_htons(frame->marker ? PORT_IKE_NATT : PORT_IKE),
				    .dest = bpf_htons(frame->port),
				    .len = bpf_htons(len) };
}

static __always_inline void write_message(__u8 *rest, bool marker, const struct ike_header *ike, const __u8 *cookie)
{
	struct cookie_message message = {
		.ike = { .spi_i = ike->spi_i,
			 .next = PAYLOAD_NOTIFY,
			 .version = 0x20,
			 .exchange = EXCHANGE_IKE_SA_INIT,
			 .flags = FLAG_RESPONSE,
			 .length = bpf_htonl(sizeof(message)) },
		.payload = { .len = bpf_htons(sizeof(message) - sizeof(message.ike)) },
		.notify = { .type = bpf_htons(NOTIFY_COOKIE) },
	};

	__builtin_memcpy(message.cookie, cookie, HF_COOKIE_LEN);
	__builtin_memset(rest, 0, MARKER_LEN);
	__builtin_memcpy(rest + (marker ? MARKER_LEN : 0), &message, sizeof(message));
}

/* Nobody sends from such an address, or it is our own: an answer would go astray, or around in a circle. */
static __always_inline bool is_answerable(const struct frame *frame)
{
	const __u8 *octet = frame->src.octet;
	const __u64 *word = (const __u64 *)&frame->src;

	if (!frame->port || is_own(&frame->src))
		return false;
	if (frame->v4)
		return octet[12] != 0 && octet[12] != 127 && octet[12] < 224;
	return octet[0] != 0xff && (word[0] || word[1] & ~bpf_cpu_to_be64(1));
}

static __always_inline bool turn_link(struct xdp_md *ctx)
{
	__u8 from[12], back[12];

	if (!LOAD(ctx, 0, &from) || (from[0] | from[6]) & 1) /* sent to many, or by nobody */
		return false;
	__builtin_memcpy(back, from + 6, 6);
	__builtin_memcpy(back + 6, from, 6);
	return bpf_xdp_store_bytes(ctx, 0, back, sizeof(back)) == 0;
}

/* `len` is the answer's without the link header. */
static __always_inline bool replace(struct xdp_md *ctx, __u32 l3, void *answer, __u32 len)
{
	return l3 + len < bpf_xdp_get_buff_len(ctx) && bpf_xdp_store_bytes(ctx, l3, answer, len) == 0;
}

static __always_inline __u32 answer_len(const struct frame *frame)
{
	return (frame->v4 ? sizeof(struct answer_v4) : sizeof(struct answer_v6)) - (frame->marker ? 0 : MARKER_LEN);
}

/* Both: `marker` is a constant, so that every length is one. */
static __always_inline bool answer_v4(struct xdp_md *ctx, const struct frame *frame, const struct ike_header *ike,
				      const __u8 *cookie, const bool marker)
{
	const __u32 len = sizeof(struct answer_v4) - (marker ? 0 : MARKER_LEN);
	const __u32 udp_len = len - sizeof(struct ipv4_header);
	struct answer_v4 answer = {
		.ip = { .version_ihl = 0x45,
			.tot_len = bpf_htons(len),
			.frag_off = bpf_htons(IPV4_DF),
			.ttl = ANSWER_HOPS,
			.protocol = IPPROTO_UDP },
		.udp = udp_back(frame, udp_len),
	};

	__builtin_memcpy(answer.ip.saddr, &frame->dst.octet[12], 4);
	__builtin_memcpy(answer.ip.daddr, &frame->src.octet[12], 4);
	answer.ip.check = fold(bpf_csum_diff(NULL, 0, (__be32 *)&answer.ip, sizeof(answer.ip), 0));
	write_message(answer.rest, marker, ike, cookie);
	answer.udp.check = udp_sum(answer.ip.saddr, len - offsetof(struct answer_v4, ip.saddr), udp_len);
	return replace(ctx, frame->l3, &answer, len);
}

static __always_inline bool answer_v6(struct xdp_md *ctx, const struct frame *frame, const struct ike_header *ike,
				      const __u8 *cookie, const bool marker)
{
	const __u32 len = sizeof(struct answer_v6) - (marker ? 0 : MARKER_LEN);
	const __u32 udp_len = len - sizeof(struct ipv6_header);
	struct answer_v6 answer = {
		.ip = { .version_class = 0x60,
			.payload_len = bpf_htons(udp_len),
			.nexthdr = IPPROTO_UDP,
			.hop_limit = ANSWER_HOPS },
		.udp = udp_back(frame, udp_len),
	};

	__builtin_memcpy(&answer.ip.saddr, &frame->dst, sizeof(answer.ip.saddr));
	__builtin_memcpy(&answer.ip.daddr, &frame->src, sizeof(answer.ip.daddr));
	write_message(answer.rest, marker, ike, cookie);
	answer.udp.check = udp_sum(&answer.ip.saddr, len - offsetof(struct answer_v6, ip.saddr), udp_len);
	return replace(ctx, frame->l3, &answer, len);
}

/* answer_write turns the frame into the answer. When it is false the frame is fit for nothing but to be dropped. */
static __always_inline bool answer_write(struct xdp_md *ctx, const struct frame *frame, const struct ike_header *ike,
					 const __u8 *cookie)
{
	if (!turn_link(ctx))
		return false;
	if (frame->v4)
		return frame->marker ? answer_v4(ctx, frame, ike, cookie, true)
				     : answer_v4(ctx, frame, ike, cookie, false);
	return frame->marker ? answer_v6(ctx, frame, ike, cookie, true) : answer_v6(ctx, frame, ike, cookie, false);
}

/* answer_cut takes the rest of the question away. When it is false the frame is as it was. */
static __always_inline bool answer_cut(struct xdp_md *ctx, const struct frame *frame)
{
	__u32 end = frame->l3 + answer_len(frame), have = bpf_xdp_get_buff_len(ctx);

	return end < have && bpf_xdp_adjust_tail(ctx, (int)end - (int)have) == 0;
}

#endif
