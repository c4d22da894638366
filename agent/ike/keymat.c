// SPDX-License-Identifier: Apache-2.0
/*
 * Keys of an IKE SA and its children, and what AUTH is computed over: RFC 7296 2.13 to 2.18 and 2.23, RFC 9370 2.2.2 and 2.2.4,
 * RFC 9242 3.3, RFC 7619 2.1. Every result is made in a local and copied out when it is whole, so that a failure leaves the
 * caller's keys as they were. Post-quantum pre-shared keys (RFC 8784) and resumption (RFC 5723) are not spoken.
 */
#include "ike/keymat.h"

#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "base/own.h"
#include "base/secret.h"
#include "ike/wire.h"

/* SK_d, SK_ai, SK_ar, SK_ei, SK_er, SK_pi, SK_pr at their longest. */
#define KEYS_MAX (3 * PRF_LEN_MAX + 2 * CIPHER_INTEG_MAX + 2 * CIPHER_KEY_MAX)
#define NONCE_MAX 256 /* RFC 7296 3.9 */

struct skeyseed {
	uint8_t octets[PRF_LEN_MAX];
};

static void wipe_skeyseed(struct skeyseed *seed)
{
	secret_wipe(seed, sizeof(*seed));
}

struct keys {
	uint8_t octets[KEYS_MAX];
};

static void wipe_keys(struct keys *keys)
{
	secret_wipe(keys, sizeof(*keys));
}

void keymat_wipe(struct keymat *keymat)
{
	secret_wipe(keymat, sizeof(*keymat));
}

static const uint8_t *cut(uint8_t *key, const uint8_t *from, size_t len)
{
	memcpy(key, from, len);
	return from + len;
}

/* {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr) (RFC 7296 2.14) */
static int expand(struct keymat *keymat, struct view skeyseed, const struct keymat_input *in)
{
	const struct view seed[] = { in->ni, in->nr, view_of(in->spi_i, SPI_LEN), view_of(in->spi_r, SPI_LEN) };
	const size_t prf_len = keymat->prf->key_len;
	const size_t integ_len = keymat->cipher->integ_len, key_len = keymat->cipher->key_len;
	const size_t len = 3 * prf_len + 2 * integ_len + 2 * key_len;
	OWN(wipe_keys) struct keys keys;
	const uint8_t *at = keys.octets;
	int error;

	error = prf_plus(keymat->prf, keys.octets, len, skeyseed, seed, 4);
	if (error)
		return error;
	at = cut(keymat->d, at, prf_len);
	at = cut(keymat->ai, at, integ_len);
	at = cut(keymat->ar, at, integ_len);
	at = cut(keymat->ei, at, key_len);
	at = cut(keymat->er, at, key_len);
	at = cut(keymat->pi, at, prf_len);
	cut(keymat->pr, at, prf_len);
	return 0;
}

int keymat_initial(struct keymat *keymat, const struct keymat_input *in, struct view shared)
{
	OWN(wipe_skeyseed) struct skeyseed skeyseed;
	uint8_t nonces[2 * NONCE_MAX];
	struct writer key;
	int error;

	writer_init(&key, nonces, sizeof(nonces));
	write_view(&key, in->ni);
	write_view(&key, in->nr);
	if (key.failed)
		return -EMSGSIZE;
	/* SKEYSEED = prf(Ni | Nr, g^ir) */
	error = prf_of(keymat->prf, skeyseed.octets, writer_view(&key), &shared, 1);
	if (error)
		return error;
	return expand(keymat, view_of(skeyseed.octets, keymat->prf->out_len), in);
}

int keymat_next(struct keymat *keymat, const struct keymat_input *in, struct view shared)
{
	/* The formula of a rekey with nothing added, whose old and new keys are the same place. */
	return keymat_rekey(keymat, keymat, in, shared, VIEW_NONE);
}

int keymat_rekey(struct keymat *keymat, const struct keymat *old, const struct keymat_input *in, struct view shared,
		 struct view added)
{
	const struct view parts[] = { shared, in->ni, in->nr, added };
	OWN(wipe_skeyseed) struct skeyseed skeyseed;
	int error;

	error = prf_of(old->prf, skeyseed.octets, view_of(old->d, old->prf->key_len), parts, 4);
	if (error)
		return error;
	return expand(keymat, view_of(skeyseed.octets, old->prf->out_len), in);
}

/* Octets of key and salt by algorithm. */
static const uint8_t child_len[CHILD_ALGORITHMS] = {
	[CHILD_AES_GCM_16_256] = 32 + 4,    /* RFC 4106 8.1 */
	[CHILD_AES_GCM_16_128] = 16 + 4,    /* RFC 4106 8.1 */
	[CHILD_CHACHA20_POLY1305] = 32 + 4, /* RFC 7634 2 */
};

size_t keymat_child_len(enum child_algorithm algorithm)
{
	return (unsigned int)algorithm < CHILD_ALGORITHMS ? child_len[algorithm] : 0;
}

int keymat_child(struct child *child, const struct keymat *keymat, bool initiator, struct view ni, struct view nr,
		 struct view shared, struct view added)
{
	const struct view seed[] = { shared, ni, nr, added };
	const size_t len = keymat_child_len(child->algorithm);
	OWN(wipe_keys) struct keys keys;
	int error;

	if (!len)
		return -EINVAL;
	error = prf_plus(keymat->prf, keys.octets, 2 * len, view_of(keymat->d, keymat->prf->key_len), seed, 4);
	if (error)
		return error;
	memcpy(initiator ? child->key_out : child->key_in, keys.octets, len);
	memcpy(initiator ? child->key_in : child->key_out, keys.octets + len, len);
	return 0;
}

static struct view sk_p(const struct keymat *keymat, bool of_initiator)
{
	return view_of(of_initiator ? keymat->pi : keymat->pr, keymat->prf->key_len);
}

int keymat_signed_octets(struct signed_octets *out, const struct keymat *keymat, bool of_initiator, struct view message,
			 struct view nonce, struct view id_body, struct view intauth)
{
	uint8_t maced[PRF_LEN_MAX];
	const int error = prf_of(keymat->prf, maced, sk_p(keymat, of_initiator), &id_body, 1);

	if (error)
		return error;
	memcpy(out->maced, maced, keymat->prf->out_len);
	out->parts[0] = message;
	out->parts[1] = nonce;
	out->parts[2] = view_of(out->maced, keymat->prf->out_len);
	out->parts[3] = intauth;
	out->count = intauth.len ? 4 : 3;
	return 0;
}

int keymat_auth_psk(uint8_t *out, const struct keymat *keymat, struct view psk, const struct signed_octets *octets)
{
	static const char pad[] = "Key Pad for IKEv2"; /* without its NUL (RFC 7296 2.15) */
	const struct view text = view_of(pad, sizeof(pad) - 1);
	OWN(wipe_skeyseed) struct skeyseed key;
	int error;

	error = prf_of(keymat->prf, key.octets, psk, &text, 1);
	if (error)
		return error;
	return prf_of(keymat->prf, out, view_of(key.octets, keymat->prf->out_len), octets->parts, octets->count);
}

int keymat_auth_null(uint8_t *out, const struct keymat *keymat, bool of_initiator, const struct signed_octets *octets)
{
	return keymat_auth_psk(out, keymat, sk_p(keymat, of_initiator), octets);
}

int keymat_intauth(uint8_t *out, const struct keymat *keymat, bool of_initiator, struct view prev, struct view header,
		   struct view plain)
{
	const struct view parts[] = { prev, header, plain };
	uint8_t step[PRF_LEN_MAX];
	const int error = prf_of(keymat->prf, step, sk_p(keymat, of_initiator), parts, 3);

	/* `prev` may be what is overwritten. */
	if (!error)
		memcpy(out, step, keymat->prf->out_len);
	return error;
}

int keymat_natd(uint8_t out[SHA1_LEN], const uint8_t *spi_i, const uint8_t *spi_r, const struct hf_addr *addr,
		uint16_t port)
{
	const uint8_t port_be[] = { (uint8_t)(port >> 8), (uint8_t)port };
	struct view parts[] = { view_of(spi_i, SPI_LEN), view_of(spi_r, SPI_LEN), VIEW_NONE, VIEW_OF(port_be) };

	parts[2].at = addr_octets(addr, &parts[2].len);
	return hash_sha1(out, parts, 4);
}
