// SPDX-License-Identifier: Apache-2.0
/*
 * SA payloads (RFC 7296 3.3, 2.7): what we offer, what we choose from an offer, and whether an answer is one of what
 * we offered. An offer is lists per transform type in order of preference; the peer's is read as it comes and never stored.
 */
#ifndef IKE_PROPOSAL_H
#define IKE_PROPOSAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ike/wire.h"

enum transform_type {
	TRANSFORM_ENCR = 1,
	TRANSFORM_PRF = 2,
	TRANSFORM_INTEG = 3,
	TRANSFORM_KE = 4,
	TRANSFORM_ESN = 5,
	TRANSFORM_ADDKE1 = 6, /* RFC 9370; ADDKE2 to 7 are 7 to 12, of which we accept NONE only */
	TRANSFORM_ADDKE7 = 12,
};

enum transform_id {
	ENCR_AES_CBC = 12,
	ENCR_AES_GCM_16 = 20,
	ENCR_CHACHA20_POLY1305 = 28,
	PRF_HMAC_SHA2_256 = 5,
	PRF_HMAC_SHA2_384 = 6,
	PRF_HMAC_SHA2_512 = 7,
	INTEG_NONE = 0,
	INTEG_HMAC_SHA2_256_128 = 12,
	KE_NONE = 0,
	KE_MODP2048 = 14,
	KE_P256 = 19,
	KE_P384 = 20,
	KE_X25519 = 31,
	KE_MLKEM768 = 36,
};

/* One choice: exactly one transform per type that has a meaning for the protocol. */
struct suite {
	uint8_t number; /* of the peer's proposal */
	uint8_t protocol;
	uint16_t encr, encr_bits; /* bits 0: no key length attribute */
	uint16_t prf;		  /* IKE */
	uint16_t integ;		  /* 0 with an AEAD */
	uint16_t ke;		  /* KE_NONE: none (ESP only) */
	uint16_t addke;		  /* ADDKE1, KE_NONE: none */
	bool esn;		  /* ESP */
	uint16_t types; /* bits 1 << type: what the peer's proposal has, chosen as NONE or not; an answer has them all (RFC 7296 2.7) */
};

#define OFFER_TRANSFORMS_MAX 16

struct transform {
	uint8_t type;
	uint16_t id;
	uint16_t bits; /* 0: no key length attribute */
};

/* One proposal of ours. Absent types are not offered. */
struct offer_proposal {
	uint8_t protocol;
	size_t count;
	struct transform transforms[OFFER_TRANSFORMS_MAX]; /* by type, in order of preference */
};

#define OFFER_PROPOSALS_MAX 4

struct offer {
	size_t count;
	struct offer_proposal proposals[OFFER_PROPOSALS_MAX];
};

/* proposal_write writes the SA payload that offers all of `offer` (numbers from 1 on); `spi` is empty, 4 or 8 octets. */
void proposal_write(struct message *message, const struct offer *offer, struct view spi);

/* proposal_write_choice writes the SA payload that answers with `suite`, from proposal_choose, in the peer's numbering. */
void proposal_write_choice(struct message *message, const struct suite *suite, struct view spi);

/*
 * proposal_choose picks, for a responder: the first proposal of ours that the peer's SA payload offers, and in it for
 * each type the first of ours that the peer has. With `ke_hint` other than KE_NONE (the group of the peer's KE payload) that group is taken if
 * both have it, so that no round trip is lost. `peer_spi` is that of the chosen proposal; a reserved SPI (0; ESP: below 256, RFC 4303 2.1) makes
 * a proposal unacceptable. 0, NO_PROPOSAL_CHOSEN or INVALID_SYNTAX.
 */
int proposal_choose(struct suite *suite, struct view *peer_spi, struct view body, const struct offer *ours,
		    uint16_t ke_hint, size_t spi_len);

/*
 * proposal_accept checks a responder's answer: one proposal, one transform per type, each of them in what we offered
 * under that number, attributes unchanged. 0, NO_PROPOSAL_CHOSEN or INVALID_SYNTAX.
 */
int proposal_accept(struct suite *suite, struct view *peer_spi, struct view body, const struct offer *ours,
		    size_t spi_len);

/* ---- reading structure by structure, for the above and for people ---- */

/* A proposal as somebody wrote it. Borrows from the payload. */
struct proposal {
	uint8_t number, protocol;
	uint8_t count; /* of transforms */
	struct view spi;
	struct view transforms;
};

struct proposal_reader {
	struct reader in; /* in.failed: the form is wrong */
	bool more;
};

void proposal_reader_init(struct proposal_reader *reader, struct view body);
/* proposal_read is false at the end and when the form is wrong; ask reader->in.failed then. */
bool proposal_read(struct proposal *proposal, struct proposal_reader *reader);

struct transform_reader {
	struct reader in;
	unsigned int left;
};

void transform_reader_init(struct transform_reader *reader, const struct proposal *proposal);
/*
 * transform_read is as proposal_read. *usable is false for a transform with attributes other than one key length above 0: RFC 7296 3.3.6
 * wants that one transform refused and the others used.
 */
bool transform_read(struct transform *transform, bool *usable, struct transform_reader *reader);

/* Names for people: "ENCR", "AES_GCM_16"; "?" for what has none. */
const char *transform_type_name(uint8_t type);
const char *transform_name(uint8_t type, uint16_t id);

/* proposal_offers: whether the offer has that transform in any proposal. */
bool proposal_offers(const struct offer *offer, uint8_t type, uint16_t id);

#endif
