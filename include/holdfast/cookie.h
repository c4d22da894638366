/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The cookie of RFC 7296 2.6, the one definition for the agent's engine and for the shield in BPF: what one of them
 * demanded, the other believes. tests/vectors/cookie.json has it as octets.
 *
 *   cookie = version | time | SipHash-2-4(secret, version | time | port | length of Ni | address | SPIi | Ni)
 *
 * RFC 7296 wants a hash that nobody computes without the secret, not which. SipHash-2-4 is made for that, costs a few dozen
 * instructions a word and has no table and no branch on the secret; a loop of SHA-256 is beyond what 6.1's verifier
 * takes. Its key has 128 bits. Its result has 64: whoever guesses blindly needs 2^63 datagrams within 16 s for one good cookie, and
 * has gained no more than what an address of his own would have given him. A longer one would only fill the answer,
 * which must never be longer than the question.
 */
#ifndef HOLDFAST_COOKIE_H
#define HOLDFAST_COOKIE_H

#include <linux/types.h>

#include "holdfast/abi.h"

#define HF_COOKIE_STAMP_LEN 4 /* 1 version, 3 time, big-endian */
#define HF_COOKIE_LEN 12      /* then 8 hash, as SipHash writes it: little-endian */
#define HF_COOKIE_SECRET_LEN 16
#define HF_COOKIE_SLOT_NS 8000000000ull /* a cookie is good in the slot that it was made in and in the next */
#define HF_COOKIE_SLOTS 0x1000000u	/* 24 bits of slots: four years */
#define HF_COOKIE_NI_MAX 256		/* RFC 7296 3.9 */

struct hf_cookie_secret {
	__u8 octet[HF_COOKIE_SECRET_LEN];
} __attribute__((aligned(8)));

/* What is hashed, as it is hashed. The octets of `ni` from ni_len on do not count, but must be there. */
struct hf_cookie_input {
	__u8 stamp[HF_COOKIE_STAMP_LEN];
	__u8 port[2];	     /* the sender's, big-endian */
	__u8 ni_len[2];	     /* big-endian, HF_COOKIE_NI_MAX at most */
	struct hf_addr addr; /* the sender's */
	__u8 spi_i[8];
	__u8 ni[HF_COOKIE_NI_MAX + 8]; /* the hash reads whole words, the last of them behind the longest nonce */
} __attribute__((aligned(8)));

#define HF_COOKIE_INPUT_HEAD 32 /* octets before ni */
#define HF_COOKIE_INPUT_WORDS ((HF_COOKIE_INPUT_HEAD + HF_COOKIE_NI_MAX) / 8)

/* hf_cookie_slot is the time in a stamp; `now` is CLOCK_MONOTONIC. */
static inline __u32 hf_cookie_slot(__u64 now)
{
	return (__u32)(now / HF_COOKIE_SLOT_NS) & (HF_COOKIE_SLOTS - 1);
}

static inline void hf_cookie_stamp(__u8 stamp[HF_COOKIE_STAMP_LEN], __u8 version, __u64 now)
{
	__u32 slot = hf_cookie_slot(now);

	stamp[0] = version;
	stamp[1] = (__u8)(slot >> 16);
	stamp[2] = (__u8)(slot >> 8);
	stamp[3] = (__u8)slot;
}

/* hf_cookie_is_fresh: the stamp is of this secret or of the one before, of this slot or of the one before, and none of the future. */
static inline int hf_cookie_is_fresh(const __u8 stamp[HF_COOKIE_STAMP_LEN], __u8 version, __u64 now)
{
	__u32 slot = (__u32)stamp[1] << 16 | (__u32)stamp[2] << 8 | stamp[3];

	return (stamp[0] == version || stamp[0] == (__u8)(version - 1)) &&
	       ((hf_cookie_slot(now) - slot) & (HF_COOKIE_SLOTS - 1)) <= 1;
}

static inline __u64 hf_sip_word(const void *octets)
{
	__u64 word;

	__builtin_memcpy(&word, octets, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

static inline __u64 hf_sip_rotate(__u64 value, int bits)
{
	return value << bits | value >> (64 - bits);
}

/* SIPROUND, names of the paper's figure 2.1. */
#define HF_SIP_ROUND(v0, v1, v2, v3)                 \
	do {                                         \
		(v0) += (v1);                        \
		(v2) += (v3);                        \
		(v1) = hf_sip_rotate(v1, 13) ^ (v0); \
		(v3) = hf_sip_rotate(v3, 16) ^ (v2); \
		(v0) = hf_sip_rotate(v0, 32);        \
		(v2) += (v1);                        \
		(v0) += (v3);                        \
		(v1) = hf_sip_rotate(v1, 17) ^ (v2); \
		(v3) = hf_sip_rotate(v3, 21) ^ (v0); \
		(v2) = hf_sip_rotate(v2, 32);        \
	} while (0)

/* hf_cookie_hash is the last eight octets of a cookie, as a word whose first octet in memory is the cookie's. */
static inline __u64 hf_cookie_hash(const struct hf_cookie_secret *secret, const struct hf_cookie_input *input,
				   __u32 ni_len)
{
	__u64 k0 = hf_sip_word(secret->octet), k1 = hf_sip_word(secret->octet + 8);
	__u64 v0 = k0 ^ 0x736f6d6570736575ull, v1 = k1 ^ 0x646f72616e646f6dull;
	__u64 v2 = k0 ^ 0x6c7967656e657261ull, v3 = k1 ^ 0x7465646279746573ull;
	__u32 len = HF_COOKIE_INPUT_HEAD + ni_len;

	/* The bound is a constant and the index too: 6.1's verifier follows the loop, and the last word is inside it. */
	for (__u32 i = 0; i <= HF_COOKIE_INPUT_WORDS; i++) {
		__u64 word = hf_sip_word((const __u8 *)input + (unsigned long)8 * i);
		__u32 at = 8 * i;

		if (at + 8 > len)
			word = (word & ((1ull << 8 * (len & 7)) - 1)) | (__u64)(len & 0xff) << 56;
		v3 ^= word;
		HF_SIP_ROUND(v0, v1, v2, v3);
		HF_SIP_ROUND(v0, v1, v2, v3);
		v0 ^= word;
		if (at + 8 > len)
			break;
	}
	v2 ^= 0xff;
	HF_SIP_ROUND(v0, v1, v2, v3);
	HF_SIP_ROUND(v0, v1, v2, v3);
	HF_SIP_ROUND(v0, v1, v2, v3);
	HF_SIP_ROUND(v0, v1, v2, v3);
	v0 ^= v1 ^ v2 ^ v3;
	return hf_sip_word(&v0);
}

#endif
