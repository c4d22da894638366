// SPDX-License-Identifier: Apache-2.0
/*
 * Bare Ed25519 (RFC 8032), as files are signed with it, and a host's new key as a file. IKE's own signatures are in sign.c.
 */
#include "crypto/internal.h"

#include "base/base64.h"
#include "base/secret.h"

int ed25519_verify(struct view public_key, struct view signature, struct view message)
{
	OWN_MD_CTX EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	OWN_PKEY EVP_PKEY *pkey = NULL;

	if (public_key.len != ED25519_PUBLIC_LEN || signature.len != ED25519_SIGNATURE_LEN)
		return -EBADMSG;
	pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, public_key.at, public_key.len);
	if (!pkey || !ctx)
		return lib_fail(-ENOTSUP);
	if (EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, pkey, NULL) != 1)
		return lib_fail(-EIO);
	if (EVP_DigestVerify(ctx, signature.at, signature.len, message.at, message.len) != 1)
		return lib_fail(-EBADMSG);
	return 0;
}

static int load_seed(EVP_PKEY **out, const uint8_t seed[ED25519_SEED_LEN])
{
	EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed, ED25519_SEED_LEN);

	if (!pkey)
		return lib_fail(-ENOTSUP);
	*out = pkey;
	return 0;
}

int ed25519_public(uint8_t out[ED25519_PUBLIC_LEN], const uint8_t seed[ED25519_SEED_LEN])
{
	OWN_PKEY EVP_PKEY *pkey = NULL;
	uint8_t key[ED25519_PUBLIC_LEN];
	size_t len = sizeof(key);
	int rc = load_seed(&pkey, seed);

	if (rc < 0)
		return rc;
	if (EVP_PKEY_get_raw_public_key(pkey, key, &len) != 1 || len != sizeof(key))
		return lib_fail(-EIO);
	memcpy(out, key, sizeof(key));
	return 0;
}

int ed25519_sign(uint8_t out[ED25519_SIGNATURE_LEN], const uint8_t seed[ED25519_SEED_LEN], struct view message)
{
	OWN_MD_CTX EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	OWN_PKEY EVP_PKEY *pkey = NULL;
	uint8_t signature[ED25519_SIGNATURE_LEN];
	size_t len = sizeof(signature);
	int rc = load_seed(&pkey, seed);

	if (rc < 0)
		return rc;
	if (!ctx)
		return lib_fail(-ENOMEM);
	if (EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, pkey, NULL) != 1)
		return lib_fail(-EIO);
	if (EVP_DigestSign(ctx, signature, &len, message.at, message.len) != 1 || len != sizeof(signature))
		return lib_fail(-EIO);
	memcpy(out, signature, sizeof(signature));
	return 0;
}

void ed25519_pem(char out[ED25519_PEM_MAX], const uint8_t seed[ED25519_SEED_LEN])
{
	/* SEQUENCE { version 0, { id-Ed25519 }, OCTET STRING { OCTET STRING { seed } } } */
	static const uint8_t head[] = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
					0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20 };
	static const char begin[] = "-----BEGIN PRIVATE KEY-----\n", end[] = "\n-----END PRIVATE KEY-----\n";
	uint8_t der[sizeof(head) + ED25519_SEED_LEN];
	char *at = out;

	memcpy(der, head, sizeof(head));
	memcpy(der + sizeof(head), seed, ED25519_SEED_LEN);
	at = stpcpy(at, begin);
	base64_encode(at, VIEW_OF(der));
	strcpy(at + BASE64_LEN(sizeof(der)), end);
	secret_wipe(der, sizeof(der));
}
