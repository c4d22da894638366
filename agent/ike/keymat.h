// SPDX-License-Identifier: Apache-2.0
/*
 * Key derivation: RFC 7296 2.13, 2.14, 2.17, 2.18; RFC 9370 2.2.2 and 2.2.4; AUTH's octets of RFC 7296 2.15, RFC 9242 3.3.2
 * and RFC 7619 2.1. Names are the RFCs': SK_d, SK_ai, SK_ar, SK_ei, SK_er, SK_pi, SK_pr. Pure functions of
 * their arguments; results are 0 or crypto's negative errno.
 */
#ifndef IKE_KEYMAT_H
#define IKE_KEYMAT_H

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "ike/ike.h"

/* The keys of one generation of an IKE SA. Wiped by keymat_wipe. Lengths are those of prf and cipher. */
struct keymat {
	const struct prf *prf;
	const struct cipher *cipher;
	uint8_t d[PRF_LEN_MAX];
	uint8_t ai[CIPHER_INTEG_MAX], ar[CIPHER_INTEG_MAX];
	uint8_t ei[CIPHER_KEY_MAX], er[CIPHER_KEY_MAX];
	uint8_t pi[PRF_LEN_MAX], pr[PRF_LEN_MAX];
};

void keymat_wipe(struct keymat *keymat);

/* What goes into an IKE SA's keys besides the shared secret. */
struct keymat_input {
	struct view ni, nr;
	const uint8_t *spi_i, *spi_r; /* 8 octets each */
};

/*
 * keymat_initial: SKEYSEED = prf(Ni | Nr, g^ir), then prf+ (RFC 7296 2.14). keymat->prf and ->cipher are set by the
 * caller; the keys are filled.
 */
int keymat_initial(struct keymat *keymat, const struct keymat_input *in, struct view shared);

/* keymat_next, after an additional key exchange: SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr) (RFC 9370 2.2.2). In place. */
int keymat_next(struct keymat *keymat, const struct keymat_input *in, struct view shared);

/*
 * keymat_rekey: SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr [| SK(1)]) with the old PRF, prf+ with the new one
 * (RFC 7296 2.18, RFC 9370 2.2.4). `added` is empty without additional key exchange. keymat->prf and ->cipher are set.
 */
int keymat_rekey(struct keymat *keymat, const struct keymat *old, const struct keymat_input *in, struct view shared,
		 struct view added);

/*
 * keymat_child: KEYMAT = prf+(SK_d, [g^ir |] Ni | Nr [| SK(1)]) (RFC 7296 2.17, RFC 9370 2.2.4), cut for the algorithm: the keys of
 * the exchange's initiator -> responder first. `initiator`: this host started the exchange. Fills child->key_in and key_out by
 * child->algorithm.
 */
int keymat_child(struct child *child, const struct keymat *keymat, bool initiator, struct view ni, struct view nr,
		 struct view shared, struct view added);

/* keymat_child_len is the octets of one direction's key with salt. */
size_t keymat_child_len(enum child_algorithm algorithm);

/*
 * The octets that AUTH covers, as parts to sign: message | nonce | prf(SK_p, ID') [| IntAuth] (RFC 7296 2.15, RFC 9242 3.3.2).
 * The parts borrow from the arguments and from `maced`.
 */
struct signed_octets {
	struct view parts[4];
	size_t count;
	uint8_t maced[PRF_LEN_MAX];
};

/*
 * keymat_signed_octets: `of_initiator` says whose AUTH it is; message = that side's IKE_SA_INIT message from SPIi on, nonce = the other
 * side's, id_body = that side's ID payload body. intauth is empty without IKE_INTERMEDIATE.
 */
int keymat_signed_octets(struct signed_octets *out, const struct keymat *keymat, bool of_initiator, struct view message,
			 struct view nonce, struct view id_body, struct view intauth);

/* keymat_auth_psk: prf(prf(PSK, "Key Pad for IKEv2"), octets) (RFC 7296 2.15). prf->out_len octets. */
int keymat_auth_psk(uint8_t *out, const struct keymat *keymat, struct view psk, const struct signed_octets *octets);

/* keymat_auth_null: as PSK with SK_pi or SK_pr as the secret (RFC 7619 2.1). */
int keymat_auth_null(uint8_t *out, const struct keymat *keymat, bool of_initiator, const struct signed_octets *octets);

/*
 * keymat_intauth: one step of IntAuth_i or IntAuth_r: out = prf(SK_p, [prev |] A | P) (RFC 9242 3.3.1). `prev` is empty in the first
 * exchange. `header` is A with its adjusted lengths, made by the caller (seal_intauth_header).
 */
int keymat_intauth(uint8_t *out, const struct keymat *keymat, bool of_initiator, struct view prev, struct view header,
		   struct view plain);

/* keymat_natd is the hash of a NAT_DETECTION notify: SHA-1(SPIi | SPIr | address | port) (RFC 7296 2.23); port in host order. */
int keymat_natd(uint8_t out[SHA1_LEN], const uint8_t *spi_i, const uint8_t *spi_r, const struct hf_addr *addr,
		uint16_t port);

#endif
