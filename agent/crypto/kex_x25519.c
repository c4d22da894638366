// SPDX-License-Identifier: Apache-2.0
/*
 * Curve25519 (RFC 8031): 32 octets as they are, non-canonical values accepted. A point of low order makes OpenSSL's derivation
 * fail, since the shared secret would be zero: that is the peer's fault, not a reason to stop (CVE-2015-3240).
 */
#include "crypto/internal.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#define LEN 32

static EVP_PKEY_CTX *maker; /* makes keys from octets; one look-up of the algorithm for all of them */

/*
 * A key from its octets, `private` or `public` NULL when not given. Given both the library does not compute the public half, which costs a scalar
 * multiplication and which derivation never looks at.
 */
static EVP_PKEY *make(const uint8_t *private, const uint8_t *public)
{
	OSSL_PARAM params[3], *at = params;
	EVP_PKEY *key = NULL;

	if (private)
		*at++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, (void *)private, LEN);
	if (public)
		*at++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)public, LEN);
	*at = OSSL_PARAM_construct_end();
	if (EVP_PKEY_fromdata_init(maker) != 1 ||
	    EVP_PKEY_fromdata(maker, &key, private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) != 1)
		return NULL;
	return key;
}

static int public_of(uint8_t *value, const EVP_PKEY *key)
{
	size_t len = LEN;

	return EVP_PKEY_get_raw_public_key(key, value, &len) == 1 && len == LEN ? 0 : lib_fail(-EIO);
}

static int derive(uint8_t *shared, EVP_PKEY *mine, struct view theirs)
{
	OWN_PKEY EVP_PKEY *peer = make(NULL, theirs.at);
	OWN_PKEY_CTX EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, mine, NULL);
	size_t len = LEN;

	/* Any 32 octets are a public value, so up to here failure is ours. */
	if (!peer || !ctx)
		return lib_fail(-ENOMEM);
	if (EVP_PKEY_derive_init(ctx) != 1 || EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) != 1)
		return lib_fail(-EIO);
	return EVP_PKEY_derive(ctx, shared, &len) == 1 && len == LEN ? 0 : lib_fail(-EBADMSG);
}

static int start(const struct kex *kex, uint8_t *value, const struct kex_private *mine)
{
	OWN_PKEY EVP_PKEY *key = make(mine->random, NULL);

	(void)kex;
	return key ? public_of(value, key) : lib_fail(-ENOMEM);
}

static int respond(const struct kex *kex, uint8_t *value, uint8_t *shared, struct view theirs,
		   const struct kex_private *mine)
{
	OWN_PKEY EVP_PKEY *key = make(mine->random, NULL);
	int rc = key ? public_of(value, key) : lib_fail(-ENOMEM);

	(void)kex;
	return rc ? rc : derive(shared, key, theirs);
}

static int finish(const struct kex *kex, uint8_t *shared, struct view theirs, const struct kex_private *mine)
{
	static const uint8_t unused[LEN];
	OWN_PKEY EVP_PKEY *key = make(mine->random, unused);

	(void)kex;
	return key ? derive(shared, key, theirs) : lib_fail(-ENOMEM);
}

const struct kex_impl kex_x25519 = { .start = start, .respond = respond, .finish = finish };

int kex_x25519_open(void)
{
	maker = EVP_PKEY_CTX_new_from_name(NULL, "X25519", NULL);
	return maker && EVP_PKEY_fromdata_init(maker) == 1 ? 0 : -ENOTSUP;
}

void kex_x25519_close(void)
{
	EVP_PKEY_CTX_free(maker);
	maker = NULL;
}
