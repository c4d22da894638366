// SPDX-License-Identifier: Apache-2.0
/*
 * Reading Wireshark's table of IKEv2 keys: SPIi,SPIr,SK_ei,SK_er,"cipher",SK_ai,SK_ar,"integrity", digits in hexadecimal, '#' for
 * comments. Lines for ChaCha20-Poly1305, which Wireshark does not know, are comments of the agent's and are read, too.
 * An SA has a line for each generation of its keys (RFC 9370), so every line that fits is tried.
 */
#include "cli/decode_keys.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/secret.h"
#include "crypto/crypto.h"
#include "ike/keymat.h"
#include "ike/proposal.h"
#include "ike/seal.h"

#define LINE_MAX_LEN 1024
#define FIELDS 8

enum field { FIELD_SPI_I, FIELD_SPI_R, FIELD_EI, FIELD_ER, FIELD_ENCR, FIELD_AI, FIELD_AR, FIELD_INTEG };

/* How Wireshark's names begin; what follows is the RFC's number. */
static const struct {
	const char *encr, *integ_name;
	uint16_t id, bits, integ;
} names[] = {
	{ "AES-GCM-256 with 16 octet ICV", "NONE", ENCR_AES_GCM_16, 256, INTEG_NONE },
	{ "AES-GCM-128 with 16 octet ICV", "NONE", ENCR_AES_GCM_16, 128, INTEG_NONE },
	{ "AES-CBC-256", "HMAC_SHA2_256_128", ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_256_128 },
	{ "AES-CBC-128", "HMAC_SHA2_256_128", ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_256_128 },
	{ "ChaCha20-Poly1305", "NONE", ENCR_CHACHA20_POLY1305, 0, INTEG_NONE },
};

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static const struct cipher *find_cipher(const char *encr, const char *integ)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (starts_with(encr, names[i].encr) && starts_with(integ, names[i].integ_name))
			return cipher_find(names[i].id, names[i].bits, names[i].integ);
	return NULL;
}

/* Exactly `len` octets of digits. */
static bool read_hex(uint8_t *out, size_t len, const char *text)
{
	if (strlen(text) != 2 * len)
		return false;
	for (size_t i = 0; i < 2 * len; i++) {
		uint8_t value;

		if (!isxdigit((unsigned char)text[i]))
			return false;
		value = (uint8_t)(isdigit((unsigned char)text[i]) ? text[i] - '0' : (text[i] | 0x20) - 'a' + 10);
		out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | value : value << 4);
	}
	return true;
}

static size_t split(char *fields[FIELDS], char *line)
{
	size_t count = 0;
	char *field;

	line[strcspn(line, "\r\n")] = '\0';
	line += strspn(line, "# ");
	while (count < FIELDS && (field = strsep(&line, ","))) {
		if (*field == '"')
			field++;
		field[strcspn(field, "\"")] = '\0';
		fields[count++] = field;
	}
	return line ? 0 : count;
}

/* Whether the line has keys of that SA; they are in *keymat then. */
static bool read_line(struct keymat *keymat, char *line, const struct header *header)
{
	uint8_t spi_i[SPI_LEN], spi_r[SPI_LEN];
	char *fields[FIELDS];

	if (split(fields, line) != FIELDS)
		return false;
	if (!read_hex(spi_i, SPI_LEN, fields[FIELD_SPI_I]) || !read_hex(spi_r, SPI_LEN, fields[FIELD_SPI_R]))
		return false;
	if (memcmp(spi_i, header->spi_i, SPI_LEN) != 0 || memcmp(spi_r, header->spi_r, SPI_LEN) != 0)
		return false;
	keymat->cipher = find_cipher(fields[FIELD_ENCR], fields[FIELD_INTEG]);
	return keymat->cipher && read_hex(keymat->ei, keymat->cipher->key_len, fields[FIELD_EI]) &&
	       read_hex(keymat->er, keymat->cipher->key_len, fields[FIELD_ER]) &&
	       read_hex(keymat->ai, keymat->cipher->integ_len, fields[FIELD_AI]) &&
	       read_hex(keymat->ar, keymat->cipher->integ_len, fields[FIELD_AR]);
}

static int open_with(uint8_t *out, struct view *plain, struct view message, const struct chain *chain, FILE *file,
		     const char *name, struct err *err)
{
	OWN(keymat_wipe) struct keymat keymat = { 0 };
	char line[LINE_MAX_LEN];
	struct header header;
	unsigned int lines = 0;
	int rc = -ENOENT;

	if (header_parse(&header, message))
		return err_set(err, -EBADMSG, "the message has no header");
	while (rc && fgets(line, sizeof(line), file)) {
		if (!read_line(&keymat, line, &header))
			continue;
		lines++;
		rc = seal_open(out, plain, message, chain, &keymat, header.flags & FLAG_INITIATOR);
	}
	secret_wipe(line, sizeof(line));
	if (!lines)
		return err_set(err, -ENOENT, "%s: no keys that can be used for the SPIs of this message", name);
	if (rc)
		return err_set(err, -EBADMSG, "%s: %u lines have the SPIs of this message, and none of them opens it",
			       name, lines);
	return 0;
}

int decode_keys_open(uint8_t *out, struct view *plain, struct view message, const struct chain *chain, const char *name,
		     struct err *err)
{
	int rc = crypto_init(err);
	FILE *file;

	if (rc < 0)
		return rc;
	file = fopen(name, "r");
	if (!file)
		return err_set(err, -errno, "%s: cannot be read (%s)", name, strerror(errno));
	rc = open_with(out, plain, message, chain, file, name, err);
	fclose(file);
	return rc;
}
