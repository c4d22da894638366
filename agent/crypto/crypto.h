// SPDX-License-Identifier: Apache-2.0
/*
 * The only room that knows OpenSSL. Algorithms are const structs with their sizes, found by their IANA transform IDs
 * (no numbers of our own, CVE-2014-9221), and only if the library on this machine really has them (CVE-2016-3071). No I/O.
 *
 * Every function that can fail has a three-way result, and only 0 is success:
 *     0          done, or verified
 *     -EBADMSG   what the peer sent is wrong: a point off the curve, a signature, a tag
 *     other      our trouble: -ENOMEM, -EIO (the library failed), -EMSGSIZE, -ENOTSUP
 * Outputs are untouched (or wiped) on failure. Randomness comes from the caller, except for the nonce of an ECDSA signature and
 * the salt of an RSA-PSS one, which the library draws itself.
 */
#ifndef CRYPTO_CRYPTO_H
#define CRYPTO_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/secret.h"

/*
 * crypto_init fetches every algorithm once and runs a known-answer self-test of each; what is missing is not offered,
 * what computes wrongly is an error that names it, and so is a missing hash or kind of signature. Call it once before
 * anything else; again does nothing.
 */
int crypto_init(struct err *err);

/* ---- hashes and keyed hashes (hash.c, prf.c) ---- */

#define SHA1_LEN 20   /* NAT detection only (RFC 7296 2.23) */
#define SHA256_LEN 32 /* names of keys */
#define PRF_LEN_MAX 64

int hash_sha1(uint8_t out[SHA1_LEN], const struct view *parts, size_t count);
int hash_sha256(uint8_t out[SHA256_LEN], const struct view *parts, size_t count);

/* hash_sha256_apart is for a thread beside the loop's: hash_sha256 has one context for all. */
int hash_sha256_apart(uint8_t out[SHA256_LEN], struct view text);

/* A pseudo-random function (RFC 7296 transform type 2). */
struct prf {
	uint16_t id;	  /* PRF_HMAC_SHA2_256 5, _384 6, _512 7 */
	const char *name; /* "HMAC-SHA2-256" */
	size_t key_len;	  /* preferred key length, octets */
	size_t out_len;	  /* octets, also of prf+ blocks */
	const void *impl; /* this room's */
};

/* prf_find is NULL for what is unknown or missing. */
const struct prf *prf_find(uint16_t id);

/* prf_of computes prf(key, parts[0] | parts[1] | ...) into out[prf->out_len]. */
int prf_of(const struct prf *prf, uint8_t *out, struct view key, const struct view *parts, size_t count);

/* prf_plus fills `out` with prf+(key, seed parts) (RFC 7296 2.13). -EMSGSIZE above 255 blocks. */
int prf_plus(const struct prf *prf, uint8_t *out, size_t len, struct view key, const struct view *seed, size_t count);

/* ---- protection of IKE messages (cipher.c) ---- */

/* An AEAD (GCM, ChaCha20-Poly1305), or CBC with a truncated HMAC, behind one face (RFC 7296 3.14, 5282, 7634). */
struct cipher {
	uint16_t encr;	/* transform type 1: AES_CBC 12, AES_GCM_16 20, CHACHA20_POLY1305 28 */
	uint16_t bits;	/* key length attribute; 0 = none (ChaCha20) */
	uint16_t integ; /* transform type 3: AUTH_HMAC_SHA2_256_128 12; 0 with an AEAD */
	const char *name;
	size_t key_len;	  /* SK_e: key and, with an AEAD, the 4-octet salt */
	size_t integ_len; /* SK_a; 0 with an AEAD */
	size_t iv_len;	  /* on the wire: 8 with an AEAD, 16 with CBC */
	size_t block;	  /* the plain text with its padding is a multiple of this; 1 with an AEAD */
	size_t icv_len;	  /* 16 */
	const void *impl;
};

#define CIPHER_KEY_MAX 36
#define CIPHER_INTEG_MAX 32

/* cipher_find is NULL for what is unknown or missing. `integ` is 0 (NONE) with an AEAD. */
const struct cipher *cipher_find(uint16_t encr, uint16_t bits, uint16_t integ);

/*
 * cipher_seal encrypts `len` octets at `text` in place (padding included, a multiple of block) and writes icv_len
 * octets to `icv`. `iv` (iv_len octets): unique under the key with an AEAD, unpredictable with CBC. `aad` is what
 * stands before the IV on the wire, from the first octet of the IKE header.
 */
int cipher_seal(const struct cipher *cipher, uint8_t *icv, uint8_t *text, size_t len, struct view key,
		struct view integ_key, const uint8_t *iv, struct view aad);

/*
 * cipher_open verifies and decrypts `sealed` (without IV and ICV) into `out`, which has room for as many octets; they
 * are wiped unless the result is 0.
 */
int cipher_open(const struct cipher *cipher, uint8_t *out, struct view sealed, struct view key, struct view integ_key,
		const uint8_t *iv, const uint8_t *icv, struct view aad);

/* ---- key exchange (kex.c) ---- */

/* A key exchange method (transform type 4). For a KEM the initiator's value is a key, the responder's a ciphertext. */
struct kex {
	uint16_t id; /* modp2048 14, P-256 19, P-384 20, Curve25519 31, ML-KEM-768 36 */
	const char *name;
	size_t random_len; /* what kex_start wants, and kex_respond of a KEM */
	size_t start_len;  /* octets of the initiator's KE data, exactly */
	size_t answer_len; /* octets of the responder's */
	size_t shared_len;
	unsigned int cost; /* of a responder's work, in units of X25519's; for limits (docs/PROTOCOL.md) */
	bool kem;
	const void *impl;
};

#define KEX_RANDOM_MAX 64
#define KEX_PUBLIC_MAX 1184
#define KEX_SHARED_MAX 256

/* What a side keeps between its two steps: its random octets, from which the key is made again. Wiped by its owner. */
struct kex_private {
	uint8_t random[KEX_RANDOM_MAX];
};

/* kex_find is NULL for what is unknown or missing. */
const struct kex *kex_find(uint16_t id);

/* kex_start makes the initiator's value (start_len octets at `value`) from what `mine->random` holds. */
int kex_start(const struct kex *kex, uint8_t *value, const struct kex_private *mine);

/*
 * kex_respond makes the responder's value (answer_len octets) and the shared secret (shared_len octets) from the initiator's value and
 * fresh random octets. -EBADMSG: length, range, curve, low order (RFC 6989), FIPS 203 7.2.
 */
int kex_respond(const struct kex *kex, uint8_t *value, uint8_t *shared, struct view theirs,
		const struct kex_private *mine);

/* kex_finish is the initiator's second step. -EBADMSG as above. */
int kex_finish(const struct kex *kex, uint8_t *shared, struct view theirs, const struct kex_private *mine);

/*
 * What kex->impl points to. Lengths were checked by the caller of these; the outputs are wiped for them when they fail.
 */
struct kex_impl {
	int (*start)(const struct kex *kex, uint8_t *value, const struct kex_private *mine);
	int (*respond)(const struct kex *kex, uint8_t *value, uint8_t *shared, struct view theirs,
		       const struct kex_private *mine);
	int (*finish)(const struct kex *kex, uint8_t *shared, struct view theirs, const struct kex_private *mine);
};

/*
 * kex_stand_in is for tests only: from now on kex_find answers with `kex`, whose impl is a struct kex_impl, for its id; NULL ends it. So the
 * engine's additional key exchange can be tested where the library has no ML-KEM. The product never calls it (tests/tidy/evp looks).
 */
void kex_stand_in(const struct kex *kex);

/* ---- signatures, raw public keys (sign.c, spki.c) ---- */

/* Hash algorithms of RFC 7427 7 (SIGNATURE_HASH_ALGORITHMS), as bits 1 << number of a mask. */
#define SIGN_HASH_SHA2_256 2
#define SIGN_HASH_SHA2_384 3
#define SIGN_HASH_SHA2_512 4
#define SIGN_HASH_IDENTITY 5 /* RFC 8420 */
#define SIGN_HASHES (1u << 2 | 1u << 3 | 1u << 4 | 1u << 5)

#define SPKI_MAX 1100	   /* octets of a DER SubjectPublicKeyInfo: RSA-8192 */
#define SIGN_AUTH_MAX 1100 /* octets of the authentication data of method 14 */

enum sign_kind { SIGN_ED25519 = 1, SIGN_ECDSA_P256, SIGN_ECDSA_P384, SIGN_RSA };

/* A host's own key. Opaque; free'd by sign_key_free. */
struct sign_key;

/*
 * sign_key_parse reads a private key: PKCS#8 or SEC1 or PKCS#1, PEM or DER, unencrypted. RSA below 2048 bits, an even modulus, a
 * wrong exponent or any other kind of key is an error that says so. `name` is for error texts (a file).
 */
int sign_key_parse(struct sign_key **out, struct view text, const char *name, struct err *err);
void sign_key_free(struct sign_key *key);
enum sign_kind sign_key_kind(const struct sign_key *key);
/* sign_key_spki is the DER SubjectPublicKeyInfo, valid as long as the key. */
struct view sign_key_spki(const struct sign_key *key);

/*
 * sign_auth makes the authentication data of method 14 (RFC 7427 3): ASN.1 length, AlgorithmIdentifier, signature over
 * the parts, using a hash of `hashes` (what the peer announced). -ENOTSUP when none fits the key. *len: room in, octets out.
 */
int sign_auth(uint8_t *out, size_t *len, const struct sign_key *key, unsigned int hashes, const struct view *parts,
	      size_t count);

/*
 * sign_verify checks authentication data of method 14 against one public key. The AlgorithmIdentifier must be, octet for
 * octet, one of those we know, of the key's own kind, with a hash of `hashes` (what we announced). 0 only for a
 * good signature, -EBADMSG for anything else the peer can cause, a key of another kind included (CVE-2020-16088).
 */
int sign_verify(struct view spki, unsigned int hashes, struct view auth, const struct view *parts, size_t count);

/* spki_check looks whether a DER SubjectPublicKeyInfo holds a key we accept; its kind goes to *kind (may be NULL). -EBADMSG. */
int spki_check(enum sign_kind *kind, struct view spki);

/*
 * spki_from_raw makes a DER SubjectPublicKeyInfo from what DNS or a directory gives: Ed25519's 32 octets, x|y of P-256 (64) or P-384
 * (96). *len: room in, octets out.
 */
int spki_from_raw(uint8_t *out, size_t *len, enum sign_kind kind, struct view raw);

/*
 * spki_from_rsa makes it of an RSA key's two numbers, big-endian. -EBADMSG for one we do not accept: fewer than 2048 bits or more than
 * 8192, exponent below 65537 or above 32 bits. spki_rsa is the inverse; its outputs point into `spki` and have no leading zeros.
 */
int spki_from_rsa(uint8_t *out, size_t *len, struct view exponent, struct view modulus);
int spki_rsa(struct view *exponent, struct view *modulus, struct view spki);

/* ---- signed files, made keys (ed25519.c, blake2b.c, scrypt.c) ---- */

#define BLAKE2B_LEN 64
#define ED25519_SEED_LEN 32
#define ED25519_PUBLIC_LEN 32
#define ED25519_SIGNATURE_LEN 64
#define ED25519_PEM_MAX 160

/* blake2b_of computes BLAKE2b-512 of the parts. */
int blake2b_of(uint8_t out[BLAKE2B_LEN], const struct view *parts, size_t count);

/* ed25519_verify checks a bare signature (RFC 8032 5.1.7). 0 only for a good one, -EBADMSG for what is not. */
int ed25519_verify(struct view public_key, struct view signature, struct view message);

/* ed25519_public is the public key of a seed, ed25519_sign a bare signature. */
int ed25519_public(uint8_t out[ED25519_PUBLIC_LEN], const uint8_t seed[ED25519_SEED_LEN]);
int ed25519_sign(uint8_t out[ED25519_SIGNATURE_LEN], const uint8_t seed[ED25519_SEED_LEN], struct view message);

/* ed25519_pem writes a private key as sign_key_parse and everybody else reads it (PKCS#8, RFC 8410 7), with its NUL. The seed is 32 random octets. */
void ed25519_pem(char out[ED25519_PEM_MAX], const uint8_t seed[ED25519_SEED_LEN]);

/*
 * scrypt_of fills `out` from a password (RFC 7914). -EMSGSIZE when it would take more than `memory_max` octets, -EBADMSG for parameters that are none.
 */
int scrypt_of(uint8_t *out, size_t len, struct view password, struct view salt, uint64_t n, uint64_t r, uint64_t p,
	      uint64_t memory_max);

/* crypto_equal compares in constant time; false when the lengths differ. */
bool crypto_equal(struct view a, struct view b);

#endif
