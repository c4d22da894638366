// SPDX-License-Identifier: Apache-2.0
/*
 * Raw public keys: DER SubjectPublicKeyInfo (RFC 5280 4.1.2.7) of the four kinds we accept, read and written by fixed templates. There is no ASN.1 decoder
 * on this path, so nothing recursive and no lengths to trust (CVE-2017-9023, CVE-2026-14957): elliptic keys are a constant prefix and
 * their octets, and an RSA key is exactly the one DER form that its modulus and exponent have.
 */
#include "crypto/internal.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/params.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define RSA_OCTETS_MAX (RSA_BITS_MAX / 8)
#define RSA_EXPONENT_MIN 65537 /* smaller ones have a history (CVE-2018-16151) and no user */

struct template
{
	enum sign_kind kind;
	const char *group; /* OpenSSL's name of the curve; NULL: Ed25519 */
	size_t prefix_len, key_len;
	uint8_t prefix[28];
};

static const struct template templates[] = {
	{ SIGN_ED25519, NULL, 12, 32, { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 } },
	{ SIGN_ECDSA_P256, "prime256v1", 27, 64, { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
						   0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
						   0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04 } },
	{ SIGN_ECDSA_P384, "secp384r1", 24, 96, { 0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
						  0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
						  0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04 } },
};

#define TEMPLATES (sizeof(templates) / sizeof(templates[0]))

/* rsaEncryption with its NULL, as RFC 3279 2.3.1 wants it. */
static const uint8_t rsa_algorithm[] = { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
					 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00 };

int spki_from_raw(uint8_t *out, size_t *len, enum sign_kind kind, struct view raw)
{
	for (size_t i = 0; i < TEMPLATES; i++) {
		const struct template *t = &templates[i];

		if (t->kind != kind)
			continue;
		if (raw.len != t->key_len)
			return -EBADMSG;
		if (*len < t->prefix_len + t->key_len)
			return -EMSGSIZE;
		memcpy(out, t->prefix, t->prefix_len);
		memcpy(out + t->prefix_len, raw.at, raw.len);
		*len = t->prefix_len + t->key_len;
		return 0;
	}
	return -ENOTSUP;
}

/* ---- RSA ---- */

/* Octets of a DER tag and length before `content` octets. */
static size_t head_len(size_t content)
{
	return content < 128 ? 2 : content < 256 ? 3 : 4;
}

static void write_head(struct writer *writer, uint8_t tag, size_t content)
{
	write_u8(writer, tag);
	if (content >= 256) {
		write_u8(writer, 0x82);
		write_u16(writer, (uint16_t)content);
		return;
	}
	if (content >= 128)
		write_u8(writer, 0x81);
	write_u8(writer, (uint8_t)content);
}

/* The content of one DER element; the reader fails when it is another or not in the shortest form. */
static struct view read_element(struct reader *reader, uint8_t tag)
{
	bool right = read_u8(reader) == tag;
	size_t len = read_u8(reader), least = 0;

	if (len == 0x81) {
		len = read_u8(reader);
		least = 128;
	} else if (len == 0x82) {
		len = read_u16(reader);
		least = 256;
	} else if (len >= 128) {
		right = false;
	}
	if (!right || len < least)
		reader->failed = true;
	return read_view(reader, len);
}

/* A positive INTEGER without its sign octet; empty when it is not one. */
static struct view read_number(struct reader *reader)
{
	struct view number = read_element(reader, 0x02);

	if (!number.len || number.at[0] & 0x80)
		return VIEW_NONE;
	if (number.at[0])
		return number;
	/* A leading zero only where the next bit would be a sign. */
	return number.len > 1 && number.at[1] & 0x80 ? view_of(number.at + 1, number.len - 1) : VIEW_NONE;
}

struct rsa {
	struct view modulus, exponent; /* without leading zeros */
};

static size_t bits_of(struct view number)
{
	return number.len ? number.len * 8 - (size_t)__builtin_clz(number.at[0]) + 24 : 0;
}

/* CVE-2018-17540, CVE-2017-9022, CVE-2026-14957: sizes and parities are settled before any arithmetic. */
static bool is_acceptable(const struct rsa *rsa)
{
	size_t bits = bits_of(rsa->modulus);
	uint32_t exponent = 0;

	if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX || !(rsa->modulus.at[rsa->modulus.len - 1] & 1))
		return false;
	if (!rsa->exponent.len || rsa->exponent.len > 4)
		return false;
	for (size_t i = 0; i < rsa->exponent.len; i++)
		exponent = exponent << 8 | rsa->exponent.at[i];
	return exponent & 1 && exponent >= RSA_EXPONENT_MIN;
}

static bool parse_rsa(struct rsa *rsa, struct view spki)
{
	struct reader outer, inner, bits, key;
	struct view string;

	reader_init(&outer, spki);
	reader_init(&inner, read_element(&outer, 0x30));
	if (!view_equal(read_view(&inner, sizeof(rsa_algorithm)), VIEW_OF(rsa_algorithm)))
		return false;
	string = read_element(&inner, 0x03);
	if (!reader_done(&outer) || !reader_done(&inner))
		return false;
	reader_init(&bits, string);
	if (read_u8(&bits) != 0) /* unused bits */
		return false;
	reader_init(&key, read_element(&bits, 0x30));
	rsa->modulus = read_number(&key);
	rsa->exponent = read_number(&key);
	return reader_done(&bits) && reader_done(&key) && is_acceptable(rsa);
}

static size_t number_len(struct view number)
{
	return number.len + (number.at[0] >> 7);
}

static void write_number(struct writer *writer, struct view number)
{
	write_head(writer, 0x02, number_len(number));
	write_zeros(writer, number.at[0] >> 7);
	write_view(writer, number);
}

static int build_rsa(uint8_t *out, size_t *len, const struct rsa *rsa)
{
	size_t modulus = number_len(rsa->modulus), exponent = number_len(rsa->exponent);
	size_t key = head_len(modulus) + modulus + head_len(exponent) + exponent;
	size_t string = 1 + head_len(key) + key;
	struct writer writer;

	writer_init(&writer, out, *len);
	write_head(&writer, 0x30, sizeof(rsa_algorithm) + head_len(string) + string);
	write_octets(&writer, rsa_algorithm, sizeof(rsa_algorithm));
	write_head(&writer, 0x03, string);
	write_u8(&writer, 0);
	write_head(&writer, 0x30, key);
	write_number(&writer, rsa->modulus);
	write_number(&writer, rsa->exponent);
	if (writer.failed)
		return -EMSGSIZE;
	*len = writer.len;
	return 0;
}

/* ---- to and from OpenSSL's keys ---- */

static int make(EVP_PKEY **out, const char *algorithm, OSSL_PARAM *params)
{
	OWN_PKEY_CTX EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL);
	EVP_PKEY *pkey = NULL;

	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1)
		return lib_fail(-ENOTSUP);
	if (EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		return lib_fail(-EBADMSG); /* a point that is not on the curve */
	*out = pkey;
	return 0;
}

static int load_elliptic(EVP_PKEY **out, const struct template *t, struct view spki)
{
	/* The last prefix octet is 04: an uncompressed point. */
	struct view point = view_of(spki.at + t->prefix_len - 1, t->key_len + 1);
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)t->group, 0),
				OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point.at, point.len),
				OSSL_PARAM_construct_end() };

	return make(out, "EC", params);
}

static int load_ed25519(EVP_PKEY **out, struct view spki)
{
	EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, spki.at + spki.len - 32, 32);

	if (!pkey)
		return lib_fail(-ENOTSUP);
	*out = pkey;
	return 0;
}

static void own_build_free(OSSL_PARAM_BLD **build)
{
	OSSL_PARAM_BLD_free(*build);
}

static void own_params_free(OSSL_PARAM **params)
{
	OSSL_PARAM_free(*params);
}

static int load_rsa(EVP_PKEY **out, const struct rsa *rsa)
{
	OWN(own_build_free) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OWN_BN BIGNUM *modulus = BN_bin2bn(rsa->modulus.at, (int)rsa->modulus.len, NULL);
	OWN_BN BIGNUM *exponent = BN_bin2bn(rsa->exponent.at, (int)rsa->exponent.len, NULL);
	OWN(own_params_free) OSSL_PARAM *params = NULL;

	if (!build || !modulus || !exponent)
		return lib_fail(-ENOMEM);
	if (OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) != 1 ||
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) != 1)
		return lib_fail(-ENOMEM);
	params = OSSL_PARAM_BLD_to_param(build);
	return params ? make(out, "RSA", params) : lib_fail(-ENOMEM);
}

int spki_load(EVP_PKEY **out, enum sign_kind *kind, struct view spki)
{
	struct rsa rsa;

	for (size_t i = 0; i < TEMPLATES; i++) {
		const struct template *t = &templates[i];

		if (spki.len != t->prefix_len + t->key_len || memcmp(spki.at, t->prefix, t->prefix_len) != 0)
			continue;
		*kind = t->kind;
		return t->group ? load_elliptic(out, t, spki) : load_ed25519(out, spki);
	}
	if (spki.len > SPKI_MAX || !parse_rsa(&rsa, spki))
		return -EBADMSG;
	*kind = SIGN_RSA;
	return load_rsa(out, &rsa);
}

int spki_check(enum sign_kind *kind, struct view spki)
{
	OWN_PKEY EVP_PKEY *pkey = NULL;
	enum sign_kind found = 0;
	int rc = spki_load(&pkey, &found, spki);

	if (!rc && kind)
		*kind = found;
	return rc;
}

static int number_of(uint8_t *out, size_t len, const EVP_PKEY *pkey, const char *name)
{
	OWN_BN BIGNUM *number = NULL;

	if (EVP_PKEY_get_bn_param(pkey, name, &number) != 1)
		return lib_fail(-EIO);
	return BN_bn2binpad(number, out, (int)len) == (int)len ? 0 : lib_fail(-ENOTSUP);
}

static struct view without_zeros(struct view number)
{
	while (number.len && !number.at[0])
		number = view_of(number.at + 1, number.len - 1);
	return number;
}

int spki_from_rsa(uint8_t *out, size_t *len, struct view exponent, struct view modulus)
{
	const struct rsa rsa = { .modulus = without_zeros(modulus), .exponent = without_zeros(exponent) };

	return is_acceptable(&rsa) ? build_rsa(out, len, &rsa) : -EBADMSG;
}

int spki_rsa(struct view *exponent, struct view *modulus, struct view spki)
{
	struct rsa rsa;

	if (spki.len > SPKI_MAX || !parse_rsa(&rsa, spki))
		return -EBADMSG;
	*exponent = rsa.exponent;
	*modulus = rsa.modulus;
	return 0;
}

static int of_rsa(uint8_t *out, size_t *len, const EVP_PKEY *pkey)
{
	uint8_t modulus[RSA_OCTETS_MAX], exponent[4];
	struct rsa rsa = { view_of(modulus, sizeof(modulus)), view_of(exponent, sizeof(exponent)) };
	int rc = number_of(modulus, sizeof(modulus), pkey, OSSL_PKEY_PARAM_RSA_N);

	if (!rc)
		rc = number_of(exponent, sizeof(exponent), pkey, OSSL_PKEY_PARAM_RSA_E);
	if (rc)
		return rc;
	rc = spki_from_rsa(out, len, rsa.exponent, rsa.modulus);
	return rc == -EBADMSG ? -ENOTSUP : rc;
}

static int of_elliptic(uint8_t *out, size_t *len, const struct template *t, const EVP_PKEY *pkey)
{
	uint8_t raw[96];
	size_t half = t->key_len / 2;
	int rc = number_of(raw, half, pkey, OSSL_PKEY_PARAM_EC_PUB_X);

	if (!rc)
		rc = number_of(raw + half, half, pkey, OSSL_PKEY_PARAM_EC_PUB_Y);
	return rc ? rc : spki_from_raw(out, len, t->kind, view_of(raw, t->key_len));
}

int spki_of(uint8_t *out, size_t *len, enum sign_kind *kind, const EVP_PKEY *pkey)
{
	char group[32] = "";
	uint8_t raw[32];
	size_t raw_len = sizeof(raw);

	if (EVP_PKEY_is_a(pkey, "ED25519") == 1) {
		*kind = SIGN_ED25519;
		if (EVP_PKEY_get_raw_public_key(pkey, raw, &raw_len) != 1 || raw_len != sizeof(raw))
			return lib_fail(-EIO);
		return spki_from_raw(out, len, SIGN_ED25519, VIEW_OF(raw));
	}
	if (EVP_PKEY_is_a(pkey, "RSA") == 1) {
		*kind = SIGN_RSA;
		return of_rsa(out, len, pkey);
	}
	if (EVP_PKEY_is_a(pkey, "EC") == 1 && EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) == 1)
		for (size_t i = 0; i < TEMPLATES; i++)
			if (templates[i].group && strcmp(group, templates[i].group) == 0) {
				*kind = templates[i].kind;
				return of_elliptic(out, len, &templates[i], pkey);
			}
	return lib_fail(-ENOTSUP);
}
