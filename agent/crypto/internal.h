// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of this room share and nobody else sees: ownership of OpenSSL's objects, and one way to read its results. An EVP result is
 * compared with 1, never used as a truth value: several functions answer -1 for "wrong" (CVE-2013-2944, CVE-2020-16088); tests/tidy/evp holds us to it.
 */
#ifndef CRYPTO_INTERNAL_H
#define CRYPTO_INTERNAL_H

#include <errno.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/own.h"
#include "crypto/crypto.h"

/* Longer input than this is refused before a length meets OpenSSL's int. */
#define LIB_LEN_MAX (1u << 20)

/*
 * lib_fail empties OpenSSL's queue of errors, which would otherwise grow with what peers send, and returns `code`. The
 * queue's texts go nowhere: who decides says what was refused.
 */
static inline int lib_fail(int code)
{
	ERR_clear_error();
	return code;
}

static inline void own_pkey_free(EVP_PKEY **pkey)
{
	EVP_PKEY_free(*pkey);
}

static inline void own_pkey_ctx_free(EVP_PKEY_CTX **ctx)
{
	EVP_PKEY_CTX_free(*ctx);
}

static inline void own_md_ctx_free(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static inline void own_bn_clear_free(BIGNUM **bn)
{
	BN_clear_free(*bn);
}

static inline void own_bn_ctx_free(BN_CTX **ctx)
{
	BN_CTX_free(*ctx);
}

#define OWN_PKEY OWN(own_pkey_free)
#define OWN_PKEY_CTX OWN(own_pkey_ctx_free)
#define OWN_MD_CTX OWN(own_md_ctx_free)
#define OWN_BN OWN(own_bn_clear_free)
#define OWN_BN_CTX OWN(own_bn_ctx_free)

/*
 * Each file fetches what it needs. 0 with some algorithms missing is fine except for the hashes, without which there is no IKE at all.
 * The X_clear give everything back; after them nothing is found.
 */
int hash_init(struct err *err);
void hash_clear(void);
int prf_init(struct err *err);
void prf_clear(void);
int cipher_init(struct err *err);
void cipher_clear(void);
int kex_init(struct err *err);
void kex_clear(void);

/*
 * The methods by family, for kex.c's table. An open gives 0 when the library has the method; failure means only that it is not offered. A close
 * may follow whether or not the open worked.
 */
extern const struct kex_impl kex_x25519, kex_p256, kex_p384, kex_modp2048, kex_mlkem768;
int kex_x25519_open(void);
void kex_x25519_close(void);
int kex_p256_open(void);
void kex_p256_close(void);
int kex_p384_open(void);
void kex_p384_close(void);
int kex_modp2048_open(void);
void kex_modp2048_close(void);
int kex_mlkem768_open(void);
void kex_mlkem768_close(void);

/* selftest_run computes the known answers of everything that was fetched. -EIO names what is wrong. */
int selftest_run(struct err *err);

/* crypto_clear undoes crypto_init, so that tests can start again with a library that lacks something. */
void crypto_clear(void);

/* spki_load makes OpenSSL's key of a DER SubjectPublicKeyInfo. -EBADMSG for what spki_check refuses. The caller owns *out. */
int spki_load(EVP_PKEY **out, enum sign_kind *kind, struct view spki);

/* spki_of writes the SubjectPublicKeyInfo of a key. -ENOTSUP for a kind or size that we do not accept. *len: room in, octets out. */
int spki_of(uint8_t *out, size_t *len, enum sign_kind *kind, const EVP_PKEY *pkey);

#endif
