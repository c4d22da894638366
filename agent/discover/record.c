// SPDX-License-Identifier: Apache-2.0
/*
 * IPSECKEY RDATA, see record.h. RFC 4025 2.1 draws the algorithm with seven bits; it is an octet like the others.
 */
#include "discover/record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"

#define ED25519_LEN 32
#define ED448_LEN 57
#define P256_LEN 64
#define P384_LEN 96

const char *record_algorithm_name(uint8_t algorithm)
{
	static const char *const names[] = { "none", "DSA", "RSA", "ECDSA", "EdDSA" };

	return algorithm < sizeof(names) / sizeof(names[0]) ? names[algorithm] : "unknown";
}

/* ---- reading ---------------------------------------------------------------------------------- */

static void read_gateway(struct reader *reader, struct record *record, uint8_t type)
{
	size_t len = type == RECORD_GATEWAY_V4 ? 4 : 16;
	struct view octets;

	record->gateway_type = type;
	if (type == RECORD_GATEWAY_NONE)
		return;
	if (type == RECORD_GATEWAY_NAME) {
		record->name = dname_read(reader);
		return;
	}
	octets = read_view(reader, len);
	if (!reader->failed)
		record->gateway = addr_from_octets(octets.at, len);
	/* An IPv4 address in the clothes of an IPv6 one would be read as the other type. */
	if (type == RECORD_GATEWAY_V6 && addr_is_v4(&record->gateway))
		reader->failed = true;
}

int record_read(struct record *out, struct view rdata, struct err *err)
{
	static const char *const gateways[] = { "", "an IPv4 address", "an IPv6 address", "a name" };
	struct record record = { 0 };
	struct reader reader;
	uint8_t type;

	reader_init(&reader, rdata);
	record.precedence = read_u8(&reader);
	type = read_u8(&reader);
	record.algorithm = read_u8(&reader);
	if (reader.failed)
		return err_set(err, -EBADMSG, "the record has %zu octets and needs at least 3", rdata.len);
	if (type > RECORD_GATEWAY_NAME)
		return err_set(err, -ENOTSUP, "its gateway type %u is not known", type);
	read_gateway(&reader, &record, type);
	if (reader.failed)
		return err_set(err, -EBADMSG, "its gateway is said to be %s and is not", gateways[type]);
	record.key = read_rest(&reader);
	if (!record.algorithm && record.key.len)
		return err_set(err, -EBADMSG, "it says that it has no key, and has %zu octets of one", record.key.len);
	if (record.algorithm && !record.key.len)
		return err_set(err, -EBADMSG, "it says that it has a key (%s, %u), and has none",
			       record_algorithm_name(record.algorithm), record.algorithm);
	*out = record;
	return 0;
}

/* ---- keys ------------------------------------------------------------------------------------- */

/* Exponent length in one octet, or 0 and two octets; exponent; modulus (RFC 3110 2). */
static int read_rsa(uint8_t *out, size_t *len, struct view key, struct err *err)
{
	struct reader reader;
	struct view exponent, modulus;
	size_t exponent_len;
	int rc;

	reader_init(&reader, key);
	exponent_len = read_u8(&reader);
	if (!exponent_len)
		exponent_len = read_u16(&reader);
	exponent = read_view(&reader, exponent_len);
	modulus = read_rest(&reader);
	if (reader.failed || !exponent.len || !modulus.len)
		return err_set(err, -EBADMSG, "its RSA key of %zu octets ends inside its exponent", key.len);
	if (!exponent.at[0] || !modulus.at[0])
		return err_set(err, -EBADMSG, "a number of its RSA key begins with zeros");
	rc = spki_from_rsa(out, len, exponent, modulus);
	if (rc == -EBADMSG)
		return err_set(err, -ENOTSUP,
			       "its RSA key (modulus of %zu octets, exponent of %zu) is not one of 2048 to 8192 bits "
			       "with an exponent of 65537 or more",
			       modulus.len, exponent.len);
	return rc;
}

static int read_ecdsa(uint8_t *out, size_t *len, struct view key, struct err *err)
{
	if (key.len != P256_LEN && key.len != P384_LEN)
		return err_set(err, -EBADMSG, "its ECDSA key has %zu octets, and one of P-256 has %d, of P-384 %d",
			       key.len, P256_LEN, P384_LEN);
	return spki_from_raw(out, len, key.len == P256_LEN ? SIGN_ECDSA_P256 : SIGN_ECDSA_P384, key);
}

static int read_eddsa(uint8_t *out, size_t *len, struct view key, struct err *err)
{
	if (key.len == ED448_LEN)
		return err_set(err, -ENOTSUP, "its key is of Ed448, which is not used here");
	if (key.len != ED25519_LEN)
		return err_set(err, -EBADMSG, "its EdDSA key has %zu octets, and one of Ed25519 has %d", key.len,
			       ED25519_LEN);
	return spki_from_raw(out, len, SIGN_ED25519, key);
}

int record_spki(uint8_t *out, size_t *len, const struct record *record, struct err *err)
{
	uint8_t spki[SPKI_MAX];
	size_t spki_len = sizeof(spki);
	int rc;

	switch (record->algorithm) {
	case RECORD_KEY_NONE:
		return err_set(err, -ENOTSUP, "it has no key");
	case RECORD_KEY_RSA:
		rc = read_rsa(spki, &spki_len, record->key, err);
		break;
	case RECORD_KEY_ECDSA:
		rc = read_ecdsa(spki, &spki_len, record->key, err);
		break;
	case RECORD_KEY_EDDSA:
		rc = read_eddsa(spki, &spki_len, record->key, err);
		break;
	default:
		return err_set(err, -ENOTSUP, "its key is of algorithm %u (%s), which is not used here",
			       record->algorithm, record_algorithm_name(record->algorithm));
	}
	if (rc == 0)
		rc = spki_check(NULL, view_of(spki, spki_len));
	if (rc < 0)
		return err_set(err, rc, "its %s key is none: no such point or number",
			       record_algorithm_name(record->algorithm));
	if (spki_len > *len)
		return err_set(err, -EMSGSIZE, "no room for its key");
	memcpy(out, spki, spki_len);
	*len = spki_len;
	return 0;
}

static int set_rsa(struct record *record, uint8_t *memory, struct view spki)
{
	struct view exponent, modulus;
	struct writer writer;
	int rc = spki_rsa(&exponent, &modulus, spki);

	if (rc < 0)
		return rc;
	writer_init(&writer, memory, SPKI_MAX);
	write_u8(&writer, (uint8_t)exponent.len);
	write_view(&writer, exponent);
	write_view(&writer, modulus);
	record->algorithm = RECORD_KEY_RSA;
	record->key = writer_view(&writer);
	return writer.failed ? -EMSGSIZE : 0;
}

/* The raw octets are the end of the SubjectPublicKeyInfo. */
static int set_raw(struct record *record, uint8_t *memory, struct view spki, uint8_t algorithm, size_t len)
{
	memcpy(memory, spki.at + spki.len - len, len);
	record->algorithm = algorithm;
	record->key = view_of(memory, len);
	return 0;
}

int record_set_key(struct record *record, uint8_t *memory, struct view spki)
{
	enum sign_kind kind = 0;
	int rc = spki_check(&kind, spki);

	if (rc < 0)
		return rc;
	switch (kind) {
	case SIGN_ED25519:
		return set_raw(record, memory, spki, RECORD_KEY_EDDSA, ED25519_LEN);
	case SIGN_ECDSA_P256:
		return set_raw(record, memory, spki, RECORD_KEY_ECDSA, P256_LEN);
	case SIGN_ECDSA_P384:
		return set_raw(record, memory, spki, RECORD_KEY_ECDSA, P384_LEN);
	case SIGN_RSA:
		return set_rsa(record, memory, spki);
	default:
		return -ENOTSUP;
	}
}

/* ---- writing ---------------------------------------------------------------------------------- */

int record_write(uint8_t *out, size_t *len, const struct record *record)
{
	struct writer writer;
	size_t octets;
	const uint8_t *at = addr_octets(&record->gateway, &octets);

	writer_init(&writer, out, *len);
	write_u8(&writer, record->precedence);
	write_u8(&writer, (uint8_t)record->gateway_type);
	write_u8(&writer, record->algorithm);
	if (record->gateway_type == RECORD_GATEWAY_V4 || record->gateway_type == RECORD_GATEWAY_V6)
		write_octets(&writer, at, octets);
	if (record->gateway_type == RECORD_GATEWAY_NAME)
		write_view(&writer, record->name);
	write_view(&writer, record->key);
	if (writer.failed)
		return -EMSGSIZE;
	*len = writer.len;
	return 0;
}

int record_format(char out[RECORD_TEXT_MAX], const struct record *record)
{
	char gateway[DNAME_TEXT_MAX] = ".", addr[ADDR_TEXT_MAX];
	int used;

	if (record->key.len > SPKI_MAX)
		return -EMSGSIZE;
	if (record->gateway_type == RECORD_GATEWAY_NAME)
		dname_format(gateway, record->name);
	else if (record->gateway_type != RECORD_GATEWAY_NONE)
		snprintf(gateway, sizeof(gateway), "%s", addr_format(addr, &record->gateway));
	used = snprintf(out, RECORD_TEXT_MAX, "%u %u %u %s%s", record->precedence, (unsigned int)record->gateway_type,
			record->algorithm, gateway, record->key.len ? " " : "");
	if (record->key.len)
		base64_encode(out + used, record->key);
	return 0;
}
