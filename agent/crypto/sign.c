// SPDX-License-Identifier: Apache-2.0
/*
 * Digital signature authentication, method 14 (RFC 7427 3, RFC 8420): one octet of length, an AlgorithmIdentifier, the signature. The identifier is compared octet for
 * octet with a table and never parsed (CVE-2018-6459, CVE-2021-41990: PSS parameters out of a message). Method 1's PKCS#1 v1.5 is not
 * here at all (CVE-2018-16151). The key's kind, the identifier's and the hash must all agree before OpenSSL sees a signature.
 */
#include "crypto/internal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/rsa.h>

enum family { FAMILY_ED25519, FAMILY_ECDSA, FAMILY_PSS };

struct identifier {
	enum family family;
	uint8_t hash;	    /* SIGN_HASH_x */
	const char *digest; /* OpenSSL's name; NULL: the message itself is signed */
	struct view blob;
};

#define BLOB(...) VIEW_OF(((const uint8_t[]){ __VA_ARGS__ }))
#define ECDSA(last) BLOB(0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, last)

/*
 * RSASSA-PSS (RFC 4055 3.1) with the hash also in MGF1 and a salt as long as the hash. Four spellings of the same parameters are legal and met:
 * the hash's own parameters NULL or absent (RFC 4055 2.1: accept both), the trailer field explicit (the example in RFC
 * 7427 A.4.3) or left out because it is the default (DER). The lengths in them are the macros' arguments.
 */
#define SHA2_NULL(last) 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last, 0x05, 0x00
#define SHA2_BARE(last) 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last
#define PSS_HEAD(all, params) 0x30, all, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a, 0x30, params
#define MGF1(all, params) 0xa1, all, 0x30, params, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08
#define SALT(len) 0xa2, 0x03, 0x02, 0x01, len
#define TRAILER 0xa3, 0x03, 0x02, 0x01, 0x01
#define PSS_NULL(last, salt) \
	BLOB(PSS_HEAD(0x41, 0x34), 0xa0, 0x0f, SHA2_NULL(last), MGF1(0x1c, 0x1a), SHA2_NULL(last), SALT(salt))
#define PSS_BARE(last, salt) \
	BLOB(PSS_HEAD(0x3d, 0x30), 0xa0, 0x0d, SHA2_BARE(last), MGF1(0x1a, 0x18), SHA2_BARE(last), SALT(salt))
#define PSS_NULL_TRAILER(last, salt) \
	BLOB(PSS_HEAD(0x46, 0x39), 0xa0, 0x0f, SHA2_NULL(last), MGF1(0x1c, 0x1a), SHA2_NULL(last), SALT(salt), TRAILER)
#define PSS_BARE_TRAILER(last, salt) \
	BLOB(PSS_HEAD(0x42, 0x35), 0xa0, 0x0d, SHA2_BARE(last), MGF1(0x1a, 0x18), SHA2_BARE(last), SALT(salt), TRAILER)

/* The first row of a family and hash is what we send. */
static const struct identifier identifiers[] = {
	{ FAMILY_ED25519, SIGN_HASH_IDENTITY, NULL, BLOB(0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70) },
	{ FAMILY_ECDSA, SIGN_HASH_SHA2_256, "SHA2-256", ECDSA(0x02) },
	{ FAMILY_ECDSA, SIGN_HASH_SHA2_384, "SHA2-384", ECDSA(0x03) },
	{ FAMILY_ECDSA, SIGN_HASH_SHA2_512, "SHA2-512", ECDSA(0x04) },
	{ FAMILY_PSS, SIGN_HASH_SHA2_256, "SHA2-256", PSS_NULL(0x01, 0x20) },
	{ FAMILY_PSS, SIGN_HASH_SHA2_384, "SHA2-384", PSS_NULL(0x02, 0x30) },
	{ FAMILY_PSS, SIGN_HASH_SHA2_512, "SHA2-512", PSS_NULL(0x03, 0x40) },
	{ FAMILY_PSS, SIGN_HASH_SHA2_256, "SHA2-256", PSS_NULL_TRAILER(0x01, 0x20) },
	{ FAMILY_PSS, SIGN_HASH_SHA2_384, "SHA2-384", PSS_NULL_TRAILER(0x02, 0x30) },
	{ FAMILY_PSS, SIGN_HASH_SHA2_512, "SHA2-512", PSS_NULL_TRAILER(0x03, 0x40) },
	{ FAMILY_PSS, SIGN_HASH_SHA2_256, "SHA2-256", PSS_BARE(0x01, 0x20) },
	{ FAMILY_PSS, SIGN_HASH_SHA2_384, "SHA2-384", PSS_BARE(0x02, 0x30) },
	{ FAMILY_PSS, SIGN_HASH_SHA2_512, "SHA2-512", PSS_BARE(0x03, 0x40) },
	{ FAMILY_PSS, SIGN_HASH_SHA2_256, "SHA2-256", PSS_BARE_TRAILER(0x01, 0x20) },
	{ FAMILY_PSS, SIGN_HASH_SHA2_384, "SHA2-384", PSS_BARE_TRAILER(0x02, 0x30) },
	{ FAMILY_PSS, SIGN_HASH_SHA2_512, "SHA2-512", PSS_BARE_TRAILER(0x03, 0x40) },
};

#define IDENTIFIERS (sizeof(identifiers) / sizeof(identifiers[0]))

struct sign_key {
	EVP_PKEY *pkey;
	enum sign_kind kind;
	size_t spki_len;
	uint8_t spki[SPKI_MAX];
};

static enum family family_of(enum sign_kind kind)
{
	return kind == SIGN_ED25519 ? FAMILY_ED25519 : kind == SIGN_RSA ? FAMILY_PSS : FAMILY_ECDSA;
}

/* The parts as one piece, which Ed25519 needs. Borrowed when there is only one. */
struct joined {
	struct view all;
	uint8_t *memory;
};

static void joined_free(struct joined *joined)
{
	OPENSSL_free(joined->memory);
}

static int join(struct joined *joined, const struct view *parts, size_t count)
{
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += parts[i].len;
	if (len > LIB_LEN_MAX)
		return -EMSGSIZE;
	joined->memory = OPENSSL_malloc(len + 1);
	if (!joined->memory)
		return lib_fail(-ENOMEM);
	joined->all = view_of(joined->memory, len);
	len = 0;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].len)
			memcpy(joined->memory + len, parts[i].at, parts[i].len);
		len += parts[i].len;
	}
	return 0;
}

/* PSS as the identifier says: MGF1 with the same hash, salt as long as the hash; a verifier accepts no other length. */
static int set_pss(EVP_PKEY_CTX *ctx, const struct identifier *identifier)
{
	if (identifier->family != FAMILY_PSS)
		return 0;
	if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) != 1 ||
	    EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, identifier->digest, NULL) != 1 ||
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) != 1)
		return lib_fail(-EIO);
	return 0;
}

/* ---- verifying ---- */

static int verify(EVP_PKEY *pkey, const struct identifier *identifier, struct view signature, struct view message)
{
	OWN_MD_CTX EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *inner = NULL; /* belongs to ctx */
	int rc;

	if (!ctx)
		return lib_fail(-ENOMEM);
	if (EVP_DigestVerifyInit_ex(ctx, &inner, identifier->digest, NULL, NULL, pkey, NULL) != 1)
		return lib_fail(-EIO);
	rc = set_pss(inner, identifier);
	if (rc)
		return rc;
	/* 0 is a wrong signature, -1 one that is no signature at all (CVE-2013-2944). */
	if (EVP_DigestVerify(ctx, signature.at, signature.len, message.at, message.len) != 1)
		return lib_fail(-EBADMSG);
	return 0;
}

static const struct identifier *identifier_of(struct view blob)
{
	for (size_t i = 0; i < IDENTIFIERS; i++)
		if (view_equal(identifiers[i].blob, blob))
			return &identifiers[i];
	return NULL;
}

/* A signature is as long as its key says, but for ECDSA's DER (CVE-2017-11185). */
static bool is_length_right(const EVP_PKEY *pkey, enum sign_kind kind, size_t len)
{
	int size = EVP_PKEY_get_size(pkey);

	if (size <= 0)
		return false;
	if (kind == SIGN_ECDSA_P256 || kind == SIGN_ECDSA_P384)
		return len > 0 && len <= (size_t)size;
	return len == (size_t)size;
}

int sign_verify(struct view spki, unsigned int hashes, struct view auth, const struct view *parts, size_t count)
{
	OWN_PKEY EVP_PKEY *pkey = NULL;
	OWN(joined_free) struct joined joined = { .memory = NULL };
	const struct identifier *identifier;
	struct view blob, signature;
	enum sign_kind kind = 0;
	struct reader reader;
	int rc;

	reader_init(&reader, auth);
	blob = read_view(&reader, read_u8(&reader));
	signature = read_rest(&reader);
	identifier = identifier_of(blob);
	if (!reader_done(&reader) || !signature.len || !identifier || !(hashes & 1u << identifier->hash))
		return -EBADMSG;
	rc = spki_load(&pkey, &kind, spki);
	if (rc)
		return rc;
	if (family_of(kind) != identifier->family || !is_length_right(pkey, kind, signature.len))
		return -EBADMSG;
	rc = join(&joined, parts, count);
	return rc ? rc : verify(pkey, identifier, signature, joined.all);
}

/* ---- signing ---- */

/* Our own order, not the peer's: the hash that fits the key's strength first, then what is stronger, then what is weaker. */
static const struct identifier *choose(enum sign_kind kind, unsigned int hashes)
{
	static const uint8_t by_default[] = { SIGN_HASH_IDENTITY, SIGN_HASH_SHA2_256, SIGN_HASH_SHA2_384,
					      SIGN_HASH_SHA2_512 };
	static const uint8_t by_p384[] = { SIGN_HASH_SHA2_384, SIGN_HASH_SHA2_512, SIGN_HASH_SHA2_256,
					   SIGN_HASH_IDENTITY };
	const uint8_t *order = kind == SIGN_ECDSA_P384 ? by_p384 : by_default;

	for (size_t n = 0; n < sizeof(by_default); n++)
		for (size_t i = 0; i < IDENTIFIERS; i++)
			if (identifiers[i].family == family_of(kind) && identifiers[i].hash == order[n] &&
			    hashes & 1u << order[n])
				return &identifiers[i];
	return NULL;
}

static int make(uint8_t *out, size_t *len, EVP_PKEY *pkey, const struct identifier *identifier, struct view message)
{
	OWN_MD_CTX EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *inner = NULL; /* belongs to ctx */
	int rc;

	if (!ctx)
		return lib_fail(-ENOMEM);
	if (EVP_DigestSignInit_ex(ctx, &inner, identifier->digest, NULL, NULL, pkey, NULL) != 1)
		return lib_fail(-EIO);
	rc = set_pss(inner, identifier);
	if (rc)
		return rc;
	return EVP_DigestSign(ctx, out, len, message.at, message.len) == 1 ? 0 : lib_fail(-EIO);
}

int sign_auth(uint8_t *out, size_t *len, const struct sign_key *key, unsigned int hashes, const struct view *parts,
	      size_t count)
{
	const struct identifier *identifier = choose(key->kind, hashes);
	OWN(joined_free) struct joined joined = { .memory = NULL };
	uint8_t signature[SIGN_AUTH_MAX];
	size_t signature_len = sizeof(signature);
	struct writer writer;
	int rc;

	if (!identifier)
		return -ENOTSUP;
	rc = join(&joined, parts, count);
	if (!rc)
		rc = make(signature, &signature_len, key->pkey, identifier, joined.all);
	if (rc)
		return rc;
	if (*len < 1 + identifier->blob.len + signature_len)
		return -EMSGSIZE;
	writer_init(&writer, out, *len);
	write_u8(&writer, (uint8_t)identifier->blob.len);
	write_view(&writer, identifier->blob);
	write_octets(&writer, signature, signature_len);
	*len = writer.len;
	return 0;
}

/* ---- the host's own key ---- */

/* An encrypted key is not asked for at a terminal that a daemon does not have. */
static int no_passphrase(char *text, size_t size, size_t *len, const OSSL_PARAM params[], void *arg)
{
	(void)text, (void)size, (void)len, (void)params, (void)arg;
	return 0;
}

static void own_decoder_free(OSSL_DECODER_CTX **ctx)
{
	OSSL_DECODER_CTX_free(*ctx);
}

static EVP_PKEY *decode(struct view text)
{
	EVP_PKEY *pkey = NULL;
	OWN(own_decoder_free)
	OSSL_DECODER_CTX *ctx = OSSL_DECODER_CTX_new_for_pkey(&pkey, NULL, NULL, NULL, EVP_PKEY_KEYPAIR, NULL, NULL);
	const unsigned char *at = text.at;
	size_t len = text.len;

	if (!ctx || OSSL_DECODER_CTX_set_passphrase_cb(ctx, no_passphrase, NULL) != 1 ||
	    OSSL_DECODER_from_data(ctx, &at, &len) != 1) {
		EVP_PKEY_free(pkey);
		return NULL;
	}
	return pkey;
}

/* Signs something and verifies it with the public half that peers will have. */
static int try_out(const struct sign_key *key)
{
	const struct view part = view_of("own key", 7);
	uint8_t auth[SIGN_AUTH_MAX];
	size_t len = sizeof(auth);
	int rc = sign_auth(auth, &len, key, SIGN_HASHES, &part, 1);

	return rc ? rc : sign_verify(view_of(key->spki, key->spki_len), SIGN_HASHES, view_of(auth, len), &part, 1);
}

static void own_key_free(struct sign_key **key)
{
	sign_key_free(*key);
}

int sign_key_parse(struct sign_key **out, struct view text, const char *name, struct err *err)
{
	OWN(own_key_free) struct sign_key *key = OPENSSL_zalloc(sizeof(*key));
	int rc;

	if (!key)
		return err_set(err, lib_fail(-ENOMEM), "%s: out of memory", name);
	key->spki_len = sizeof(key->spki);
	key->pkey = text.len && text.len <= LIB_LEN_MAX ? decode(text) : NULL;
	if (!key->pkey)
		return err_set(
			err, lib_fail(-EINVAL),
			"%s: not a private key that can be read (PKCS#8, SEC1 or PKCS#1, PEM or DER, without a passphrase)",
			name);
	rc = spki_of(key->spki, &key->spki_len, &key->kind, key->pkey);
	if (rc == -ENOTSUP)
		return err_set(
			err, -EINVAL,
			"%s: a key of a kind or size that is not used here; Ed25519, ECDSA P-256 or P-384, or RSA of 2048 to 8192 bits with an exponent of 65537 or more",
			name);
	if (!rc)
		rc = try_out(key);
	if (rc)
		return err_set(err, rc == -EBADMSG ? -EINVAL : rc,
			       "%s: the key does not work: what it signs is not verified by its public half", name);
	*out = TAKE(key);
	return 0;
}

void sign_key_free(struct sign_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	OPENSSL_free(key);
}

enum sign_kind sign_key_kind(const struct sign_key *key)
{
	return key->kind;
}

struct view sign_key_spki(const struct sign_key *key)
{
	return view_of(key->spki, key->spki_len);
}
