// SPDX-License-Identifier: Apache-2.0
/*
 * ML-KEM-768 (FIPS 203, draft-ietf-ipsecme-ikev2-mlkem): the initiator's value is an encapsulation key, the responder's a ciphertext. OpenSSL has it since
 * 3.5; everything is asked by name, so that this compiles against 3.0 and is simply not offered there. The library does the checks
 * of FIPS 203 7.2 (modulus) when it reads the key; a wrong ciphertext gives another secret, not an error (implicit rejection).
 */
#include "crypto/internal.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#define NAME "ML-KEM-768"
#define KEY_LEN 1184
#define CIPHERTEXT_LEN 1088
#define SHARED_LEN 32
#define SEED_LEN 64
#define ENTROPY_LEN 32

/* OpenSSL 3.5's names of parameters, which 3.0's headers do not have. */
#define PARAM_SEED "seed"
#define PARAM_ENTROPY "ikme"

static EVP_PKEY_CTX *maker;

static EVP_PKEY *make(const char *what, const void *octets, size_t len, int selection)
{
	OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_string(what, (void *)octets, len),
				OSSL_PARAM_construct_end() };
	EVP_PKEY *key = NULL;

	if (EVP_PKEY_fromdata_init(maker) != 1 || EVP_PKEY_fromdata(maker, &key, selection, params) != 1)
		return NULL;
	return key;
}

static int start(const struct kex *kex, uint8_t *value, const struct kex_private *mine)
{
	OWN_PKEY EVP_PKEY *key = make(PARAM_SEED, mine->random, SEED_LEN, EVP_PKEY_KEYPAIR);
	size_t len = 0;

	(void)kex;
	if (!key)
		return lib_fail(-ENOMEM);
	if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, value, KEY_LEN, &len) != 1 || len != KEY_LEN)
		return lib_fail(-EIO);
	return 0;
}

static int respond(const struct kex *kex, uint8_t *value, uint8_t *shared, struct view theirs,
		   const struct kex_private *mine)
{
	OWN_PKEY EVP_PKEY *key = make(OSSL_PKEY_PARAM_PUB_KEY, theirs.at, KEY_LEN, EVP_PKEY_PUBLIC_KEY);
	OWN_PKEY_CTX EVP_PKEY_CTX *ctx = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_string(PARAM_ENTROPY, (void *)mine->random, ENTROPY_LEN),
				OSSL_PARAM_construct_end() };
	size_t len = CIPHERTEXT_LEN, shared_len = SHARED_LEN;

	(void)kex;
	if (!key)
		return lib_fail(-EBADMSG);
	if (!ctx)
		return lib_fail(-ENOMEM);
	if (EVP_PKEY_encapsulate_init(ctx, params) != 1 ||
	    EVP_PKEY_encapsulate(ctx, value, &len, shared, &shared_len) != 1 || len != CIPHERTEXT_LEN ||
	    shared_len != SHARED_LEN)
		return lib_fail(-EIO);
	return 0;
}

static int finish(const struct kex *kex, uint8_t *shared, struct view theirs, const struct kex_private *mine)
{
	OWN_PKEY EVP_PKEY *key = make(PARAM_SEED, mine->random, SEED_LEN, EVP_PKEY_KEYPAIR);
	OWN_PKEY_CTX EVP_PKEY_CTX *ctx = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
	size_t len = SHARED_LEN;

	(void)kex;
	if (!ctx)
		return lib_fail(-ENOMEM);
	if (EVP_PKEY_decapsulate_init(ctx, NULL) != 1 ||
	    EVP_PKEY_decapsulate(ctx, shared, &len, theirs.at, theirs.len) != 1 || len != SHARED_LEN)
		return lib_fail(-EIO);
	return 0;
}

const struct kex_impl kex_mlkem768 = { .start = start, .respond = respond, .finish = finish };

/* One exchange with itself. The names above are a newer library's, and one that knows them otherwise must not be offered. */
static int try_out(void)
{
	static uint8_t key[KEY_LEN], ciphertext[CIPHERTEXT_LEN];
	const struct kex_private mine = { { 0 } };
	uint8_t theirs[SHARED_LEN], ours[SHARED_LEN];
	int rc = start(NULL, key, &mine);

	if (!rc)
		rc = respond(NULL, ciphertext, theirs, VIEW_OF(key), &mine);
	if (!rc)
		rc = finish(NULL, ours, VIEW_OF(ciphertext), &mine);
	return rc || memcmp(ours, theirs, SHARED_LEN) != 0 ? -ENOTSUP : 0;
}

int kex_mlkem768_open(void)
{
	EVP_KEM *kem = EVP_KEM_fetch(NULL, NAME, NULL);

	if (!kem)
		return lib_fail(-ENOTSUP);
	EVP_KEM_free(kem);
	maker = EVP_PKEY_CTX_new_from_name(NULL, NAME, NULL);
	return maker ? try_out() : lib_fail(-ENOTSUP);
}

void kex_mlkem768_close(void)
{
	EVP_PKEY_CTX_free(maker);
	maker = NULL;
}
