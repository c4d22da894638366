// SPDX-License-Identifier: Apache-2.0
/*
 * SK and SKF payloads: messages sealed and opened (RFC 7296 3.14, RFC 5282, RFC 7383), and reassembly of fragments
 * with its bounds. Nothing inside is parsed before its ICV was verified.
 */
#ifndef IKE_SEAL_H
#define IKE_SEAL_H

#include "base/bytes.h"
#include "ike/keymat.h"
#include "ike/wire.h"

#define SEAL_MESSAGE_MAX 65535
#define SEAL_FRAGMENTS_MAX 32		 /* in one message (Libreswan: 32) */
#define SEAL_BEFORE_AUTH_MAX (16 * 1024) /* octets of a reassembled message before the peer is known */
#define SEAL_AFTER_AUTH_MAX (64 * 1024)

/*
 * seal_message writes the whole message: header (its `next` and `length` are set here), SK payload with `plain`, whose first
 * payload has the type `first`. `by_initiator`: the sender is the IKE SA's original initiator, whose keys are SK_ei and SK_ai.
 * IVs: an AEAD sends `iv_counter` as its 8 octets, which the caller never uses twice under one key, that is per keymat and
 * sender; every fragment and every message has its own, a retransmission is sent again as it was made. CBC sends `iv_random`,
 * 16 octets that nobody can foresee, and ignores the counter; with an AEAD iv_random may be NULL.
 * 0, -EMSGSIZE or crypto's errno. *len: room in, octets out. `plain` does not overlap `out`.
 */
int seal_message(uint8_t *out, size_t *len, const struct header *header, uint8_t first, struct view plain,
		 const struct keymat *keymat, bool by_initiator, uint64_t iv_counter, const uint8_t iv_random[16]);

/*
 * seal_fragments is how many SKF messages of at most `size` octets (IKE message, without UDP and IP) `plain` needs; 1: it
 * fits in one SK message; 0: it cannot be sent (more than SEAL_FRAGMENTS_MAX, or no room for a fragment at all).
 */
unsigned int seal_fragments(struct view plain, size_t size, const struct keymat *keymat);

/*
 * seal_fragment writes SKF message `number` (1..total) of `plain` cut for `size`, as seal_message does. `total` and `size` are those
 * of seal_fragments: -EMSGSIZE when the cut is another, -EINVAL for a number that is none.
 */
int seal_fragment(uint8_t *out, size_t *len, const struct header *header, uint8_t first, struct view plain,
		  unsigned int number, unsigned int total, size_t size, const struct keymat *keymat, bool by_initiator,
		  uint64_t iv_counter, const uint8_t iv_random[16]);

/*
 * seal_open verifies and decrypts the SK or SKF payload of a message (chain of the outer payloads, chain->sk_type set) into `out`, with
 * room for the datagram's length; *plain is then the content without padding, in `out`. `chain` borrows from `datagram`.
 * -EBADMSG: too short, bad ICV, bad padding; nothing decrypted is left in `out` then.
 */
int seal_open(uint8_t *out, struct view *plain, struct view datagram, const struct chain *chain,
	      const struct keymat *keymat, bool by_initiator);

/* The fragment header of an SKF payload. -EBADMSG: too short, 0, number > total, inner type set in another than the first. */
struct fragment {
	uint16_t number, total;
};
int seal_fragment_parse(struct fragment *out, const struct chain *chain);

/*
 * A message being put together. Memory for the fragments is the caller's: `store` of `max` octets, in which fragments lie in the
 * order they came.
 */
struct reassembly {
	uint32_t mid;
	uint16_t total; /* 0: nothing */
	uint16_t have;	/* different fragments */
	uint8_t first;	/* inner type, from fragment 1 */
	uint32_t used;	/* octets in the store */
	uint32_t at[SEAL_FRAGMENTS_MAX];
	uint16_t len[SEAL_FRAGMENTS_MAX];
	uint32_t seen; /* bit number - 1 */
};

/* reassembly_wants: whether the fragment is new and fits the bounds, before any decryption (RFC 7383 2.6). A larger total starts anew. */
bool reassembly_wants(const struct reassembly *reassembly, uint32_t mid, const struct fragment *fragment);

/*
 * reassembly_add takes the verified content. 1: complete, 0: not yet, or it was not wanted. -EMSGSIZE: too long in all (the caller
 * drops the message); nothing of it is kept. `inner`: chain->sk_next. An all-zero reassembly is an empty one.
 */
int reassembly_add(struct reassembly *reassembly, uint8_t *store, size_t max, uint32_t mid,
		   const struct fragment *fragment, uint8_t inner, struct view content);

/* reassembly_join copies a complete message's content in order to `out` (room for `used`). */
struct view reassembly_join(const struct reassembly *reassembly, uint8_t *out, const uint8_t *store);

/*
 * seal_intauth_header makes A of RFC 9242 3.3.1 from a message: its header (length adjusted to `plain_len`) through SK's generic
 * header (length likewise). 32 octets, unless unencrypted payloads stand before SK, which we never send and refuse.
 */
void seal_intauth_header(uint8_t out[HEADER_LEN + PAYLOAD_HEADER_LEN], const struct header *header, uint8_t first,
			 size_t plain_len);

#endif
