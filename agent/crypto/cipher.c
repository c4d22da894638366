// SPDX-License-Identifier: Apache-2.0
/*
 * Protection of IKE messages, see crypto.h: AES-GCM and ChaCha20-Poly1305 with a salt (RFC 5282, RFC 7634), AES-CBC with HMAC-SHA2-256-128 over header, IV
 * and cipher text (RFC 7296 3.14). The tag is always 16 octets, never a length that a packet names. OpenSSL gives plain text away before the tag is
 * verified, so it is wiped again when the tag is wrong. The context is emptied after each call and keeps no key.
 */
#include "crypto/internal.h"

#include <openssl/crypto.h>

#define TAG_LEN 16
#define SALT_LEN 4
#define NONCE_LEN 12
#define PRF_OF_INTEG 5 /* AUTH_HMAC_SHA2_256_128 is the first half of PRF_HMAC_SHA2_256 */

struct method {
	const char *name; /* OpenSSL's */
	EVP_CIPHER *cipher;
};

static struct method methods[] = { { .name = "AES-256-GCM" },
				   { .name = "AES-128-GCM" },
				   { .name = "ChaCha20-Poly1305" },
				   { .name = "AES-256-CBC" },
				   { .name = "AES-128-CBC" } };
static EVP_CIPHER_CTX *ctx;

/* One row: an AEAD, or CBC with its HMAC. Key lengths in octets. */
#define AEAD(id, key_bits, text, key, method)                                                              \
	{                                                                                                  \
		.encr = (id), .bits = (key_bits), .integ = 0, .name = (text), .key_len = (key) + SALT_LEN, \
		.integ_len = 0, .iv_len = 8, .block = 1, .icv_len = TAG_LEN, .impl = (method)              \
	}
#define CBC(key_bits, text, key, method)                                                                        \
	{                                                                                                       \
		.encr = 12, .bits = (key_bits), .integ = 12, .name = (text), .key_len = (key), .integ_len = 32, \
		.iv_len = 16, .block = 16, .icv_len = TAG_LEN, .impl = (method)                                 \
	}

static const struct cipher ciphers[] = {
	AEAD(20, 256, "AES-GCM-16-256", 32, &methods[0]),
	AEAD(20, 128, "AES-GCM-16-128", 16, &methods[1]),
	AEAD(28, 0, "ChaCha20-Poly1305", 32, &methods[2]),
	CBC(256, "AES-CBC-256 with HMAC-SHA2-256-128", 32, &methods[3]),
	CBC(128, "AES-CBC-128 with HMAC-SHA2-256-128", 16, &methods[4]),
};

#define CIPHERS (sizeof(ciphers) / sizeof(ciphers[0]))

static const EVP_CIPHER *method_of(const struct cipher *cipher)
{
	return ((const struct method *)cipher->impl)->cipher;
}

const struct cipher *cipher_find(uint16_t encr, uint16_t bits, uint16_t integ)
{
	for (size_t i = 0; i < CIPHERS; i++) {
		const struct cipher *cipher = &ciphers[i];

		if (cipher->encr == encr && cipher->bits == bits && cipher->integ == integ)
			return method_of(cipher) && (!integ || prf_find(PRF_OF_INTEG)) ? cipher : NULL;
	}
	return NULL;
}

static int check(const struct cipher *cipher, size_t len, struct view key, struct view integ_key, struct view aad)
{
	if (!method_of(cipher) || !ctx)
		return -ENOTSUP;
	if (key.len != cipher->key_len || integ_key.len != cipher->integ_len)
		return -EINVAL;
	if (len > LIB_LEN_MAX || aad.len > LIB_LEN_MAX)
		return -EMSGSIZE;
	return 0;
}

/* The nonce is salt | IV (RFC 5282 4, RFC 7634 2). */
static void make_nonce(uint8_t nonce[NONCE_LEN], const struct cipher *cipher, struct view key, const uint8_t *iv)
{
	memcpy(nonce, key.at + cipher->key_len - SALT_LEN, SALT_LEN);
	memcpy(nonce + SALT_LEN, iv, NONCE_LEN - SALT_LEN);
}

static int seal_aead(const struct cipher *cipher, uint8_t *icv, uint8_t *text, size_t len, struct view key,
		     const uint8_t *iv, struct view aad)
{
	uint8_t nonce[NONCE_LEN], tag[TAG_LEN];
	int out;

	make_nonce(nonce, cipher, key, iv);
	if (EVP_EncryptInit_ex2(ctx, method_of(cipher), key.at, nonce, NULL) != 1)
		return lib_fail(-EIO);
	if (aad.len && EVP_EncryptUpdate(ctx, NULL, &out, aad.at, (int)aad.len) != 1)
		return lib_fail(-EIO);
	if (len && (EVP_EncryptUpdate(ctx, text, &out, text, (int)len) != 1 || out != (int)len))
		return lib_fail(-EIO);
	if (EVP_EncryptFinal_ex(ctx, tag, &out) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tag) != 1)
		return lib_fail(-EIO);
	memcpy(icv, tag, TAG_LEN);
	return 0;
}

static int open_aead(const struct cipher *cipher, uint8_t *out, struct view sealed, struct view key, const uint8_t *iv,
		     const uint8_t *icv, struct view aad)
{
	uint8_t nonce[NONCE_LEN], tag[TAG_LEN];
	int len;

	make_nonce(nonce, cipher, key, iv);
	memcpy(tag, icv, TAG_LEN);
	if (EVP_DecryptInit_ex2(ctx, method_of(cipher), key.at, nonce, NULL) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) != 1)
		return lib_fail(-EIO);
	if (aad.len && EVP_DecryptUpdate(ctx, NULL, &len, aad.at, (int)aad.len) != 1)
		return lib_fail(-EIO);
	if (sealed.len &&
	    (EVP_DecryptUpdate(ctx, out, &len, sealed.at, (int)sealed.len) != 1 || len != (int)sealed.len))
		return lib_fail(-EIO);
	return EVP_DecryptFinal_ex(ctx, tag, &len) == 1 ? 0 : lib_fail(-EBADMSG);
}

static int mac(uint8_t icv[TAG_LEN], const struct cipher *cipher, struct view integ_key, struct view aad,
	       const uint8_t *iv, struct view sealed)
{
	const struct view parts[] = { aad, view_of(iv, cipher->iv_len), sealed };
	const struct prf *prf = prf_find(PRF_OF_INTEG);
	uint8_t full[PRF_LEN_MAX];
	int rc = prf ? prf_of(prf, full, integ_key, parts, 3) : -ENOTSUP;

	if (!rc)
		memcpy(icv, full, TAG_LEN);
	return rc;
}

static int seal_cbc(const struct cipher *cipher, uint8_t *icv, uint8_t *text, size_t len, struct view key,
		    struct view integ_key, const uint8_t *iv, struct view aad)
{
	int out;

	if (!len || len % cipher->block)
		return -EINVAL;
	if (EVP_EncryptInit_ex2(ctx, method_of(cipher), key.at, iv, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(ctx, 0) != 1 || EVP_EncryptUpdate(ctx, text, &out, text, (int)len) != 1 ||
	    out != (int)len)
		return lib_fail(-EIO);
	return mac(icv, cipher, integ_key, aad, iv, view_of(text, len));
}

/* Nothing is decrypted before the MAC is right, so there is no padding to ask about. */
static int open_cbc(const struct cipher *cipher, uint8_t *out, struct view sealed, struct view key,
		    struct view integ_key, const uint8_t *iv, const uint8_t *icv, struct view aad)
{
	uint8_t expect[TAG_LEN];
	int len, rc;

	if (!sealed.len || sealed.len % cipher->block)
		return -EBADMSG;
	rc = mac(expect, cipher, integ_key, aad, iv, sealed);
	if (rc)
		return rc;
	if (CRYPTO_memcmp(expect, icv, TAG_LEN) != 0)
		return -EBADMSG;
	if (EVP_DecryptInit_ex2(ctx, method_of(cipher), key.at, iv, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(ctx, 0) != 1 ||
	    EVP_DecryptUpdate(ctx, out, &len, sealed.at, (int)sealed.len) != 1 || len != (int)sealed.len)
		return lib_fail(-EIO);
	return 0;
}

/* No key schedule stays behind. A library that cannot even do this is left alone: the context is made anew. */
static int empty(int rc)
{
	if (EVP_CIPHER_CTX_reset(ctx) == 1)
		return rc;
	EVP_CIPHER_CTX_free(ctx);
	ctx = EVP_CIPHER_CTX_new();
	return rc ? rc : lib_fail(-EIO);
}

int cipher_seal(const struct cipher *cipher, uint8_t *icv, uint8_t *text, size_t len, struct view key,
		struct view integ_key, const uint8_t *iv, struct view aad)
{
	int rc = check(cipher, len, key, integ_key, aad);

	if (rc)
		return rc;
	rc = empty(cipher->integ ? seal_cbc(cipher, icv, text, len, key, integ_key, iv, aad)
				 : seal_aead(cipher, icv, text, len, key, iv, aad));
	/* In place: the plain text may be half gone, and nobody may send what is left of it. */
	if (rc) {
		secret_wipe(text, len);
		secret_wipe(icv, cipher->icv_len);
	}
	return rc;
}

int cipher_open(const struct cipher *cipher, uint8_t *out, struct view sealed, struct view key, struct view integ_key,
		const uint8_t *iv, const uint8_t *icv, struct view aad)
{
	int rc = check(cipher, sealed.len, key, integ_key, aad);

	if (!rc)
		rc = empty(cipher->integ ? open_cbc(cipher, out, sealed, key, integ_key, iv, icv, aad)
					 : open_aead(cipher, out, sealed, key, iv, icv, aad));
	if (rc)
		secret_wipe(out, sealed.len);
	return rc;
}

int cipher_init(struct err *err)
{
	size_t found = 0;

	ctx = EVP_CIPHER_CTX_new();
	if (!ctx)
		return err_set(err, lib_fail(-ENOMEM), "out of memory for a cipher");
	for (size_t i = 0; i < CIPHERS; i++) {
		methods[i].cipher = EVP_CIPHER_fetch(NULL, methods[i].name, NULL);
		found += methods[i].cipher != NULL;
	}
	ERR_clear_error();
	return found ? 0 : err_set(err, -ENOTSUP, "OpenSSL on this machine has no cipher that IKEv2 can use here");
}

void cipher_clear(void)
{
	for (size_t i = 0; i < CIPHERS; i++) {
		EVP_CIPHER_free(methods[i].cipher);
		methods[i].cipher = NULL;
	}
	EVP_CIPHER_CTX_free(ctx);
	ctx = NULL;
}
