// SPDX-License-Identifier: Apache-2.0
/*
 * Lines of Wireshark's tables, see keylog.h. A line holds keys, so it is wiped after it was handed out; whether it may be
 * written at all was decided by who set ike_host.keylog.
 */
#include "ike/keylog.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/own.h"
#include "base/secret.h"
#include "ike/proposal.h"
#include "ike/wire.h"

#define TEXT_MAX 512 /* the longest has four keys, two SPIs and two names: 360 */

struct line {
	size_t len;
	char text[TEXT_MAX];
};

static void wipe_line(struct line *line)
{
	secret_wipe(line, sizeof(*line));
}

static void add_hex(struct line *line, const uint8_t *octets, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len && line->len + 2 < TEXT_MAX; i++) {
		line->text[line->len++] = digits[octets[i] >> 4];
		line->text[line->len++] = digits[octets[i] & 15];
	}
	line->text[line->len] = 0;
}

static void __attribute__((format(printf, 2, 3))) add(struct line *line, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line->text + line->len, TEXT_MAX - line->len, format, args);
	va_end(args);
	if (len > 0)
		line->len = line->len + (size_t)len < TEXT_MAX ? line->len + (size_t)len : TEXT_MAX - 1;
}

struct ike_name {
	uint16_t encr, bits, integ;
	const char *encr_name, *integ_name;
};

static const struct ike_name ike_names[] = {
	{ ENCR_AES_GCM_16, 128, INTEG_NONE, "AES-GCM-128 with 16 octet ICV [RFC5282]", "NONE [RFC4306]" },
	{ ENCR_AES_GCM_16, 256, INTEG_NONE, "AES-GCM-256 with 16 octet ICV [RFC5282]", "NONE [RFC4306]" },
	{ ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_256_128, "AES-CBC-128 [RFC3602]", "HMAC_SHA2_256_128 [RFC4868]" },
	{ ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_256_128, "AES-CBC-256 [RFC3602]", "HMAC_SHA2_256_128 [RFC4868]" },
};

static const struct ike_name *find_ike_name(const struct cipher *cipher)
{
	for (size_t i = 0; i < sizeof(ike_names) / sizeof(*ike_names); i++) {
		const struct ike_name *name = &ike_names[i];

		if (name->encr == cipher->encr && name->bits == cipher->bits && name->integ == cipher->integ)
			return name;
	}
	return NULL;
}

/* SPIi,SPIr,SK_ei,SK_er,"cipher",SK_ai,SK_ar,"integrity" */
void keylog_ike(const struct ike_host *host, const uint8_t spi_i[8], const uint8_t spi_r[8],
		const struct keymat *keymat)
{
	const struct cipher *cipher = keymat->cipher;
	const struct ike_name *name = find_ike_name(cipher);
	OWN(wipe_line) struct line line = { 0 };

	if (!host->keylog)
		return;
	if (!name)
		add(&line, "# ");
	add_hex(&line, spi_i, SPI_LEN);
	add(&line, ",");
	add_hex(&line, spi_r, SPI_LEN);
	add(&line, ",");
	add_hex(&line, keymat->ei, cipher->key_len);
	add(&line, ",");
	add_hex(&line, keymat->er, cipher->key_len);
	add(&line, ",\"%s\",", name ? name->encr_name : cipher->name);
	add_hex(&line, keymat->ai, cipher->integ_len);
	add(&line, ",");
	add_hex(&line, keymat->ar, cipher->integ_len);
	add(&line, ",\"%s\"", name ? name->integ_name : "NONE [RFC4306]");
	host->keylog(host->arg, false, line.text);
}

/* "IPv4","source","destination","0xSPI","cipher","0xkey and salt","NULL","" */
static void log_esp(const struct ike_host *host, const struct hf_addr *from, const struct hf_addr *to, uint32_t spi_be,
		    enum child_algorithm algorithm, const uint8_t *key)
{
	const bool known = algorithm != CHILD_CHACHA20_POLY1305;
	char source[ADDR_TEXT_MAX], destination[ADDR_TEXT_MAX];
	OWN(wipe_line) struct line line = { 0 };

	add(&line, "%s\"%s\",\"%s\",\"%s\",\"0x", known ? "" : "# ", addr_is_v4(from) ? "IPv4" : "IPv6",
	    addr_format(source, from), addr_format(destination, to));
	add_hex(&line, (const uint8_t *)&spi_be, sizeof(spi_be));
	add(&line, "\",\"%s\",\"0x",
	    known ? "AES-GCM with 16 octet ICV [RFC4106]" : "ChaCha20 with Poly1305 [RFC7634]");
	add_hex(&line, key, keymat_child_len(algorithm));
	add(&line, "\",\"NULL\",\"\"");
	host->keylog(host->arg, true, line.text);
}

void keylog_child(const struct ike_host *host, const struct ike_path *path, const struct child *child)
{
	if (!host->keylog)
		return;
	log_esp(host, &path->local, &path->remote, child->spi_out_be, child->algorithm, child->key_out);
	log_esp(host, &path->remote, &path->local, child->spi_in_be, child->algorithm, child->key_in);
}
