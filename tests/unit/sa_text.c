// SPDX-License-Identifier: Apache-2.0
/*
 * See sa_text.h.
 */
#include "sa_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "raw_chain.h"

/* clang-format off */
const struct offer sa_ike_offer = { 2, {
	{ PROTOCOL_IKE, 9, {
		{ TRANSFORM_ENCR, ENCR_AES_GCM_16, 256 }, { TRANSFORM_ENCR, ENCR_CHACHA20_POLY1305, 0 },
		{ TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0 }, { TRANSFORM_PRF, PRF_HMAC_SHA2_512, 0 },
		{ TRANSFORM_KE, KE_X25519, 0 }, { TRANSFORM_KE, KE_P256, 0 }, { TRANSFORM_KE, KE_MODP2048, 0 },
		{ TRANSFORM_ADDKE1, KE_MLKEM768, 0 }, { TRANSFORM_ADDKE1, KE_NONE, 0 } } },
	{ PROTOCOL_IKE, 6, {
		{ TRANSFORM_ENCR, ENCR_AES_CBC, 256 }, { TRANSFORM_ENCR, ENCR_AES_CBC, 128 },
		{ TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0 },
		{ TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0 },
		{ TRANSFORM_KE, KE_X25519, 0 }, { TRANSFORM_KE, KE_P256, 0 } } } } };
/* clang-format on */

static void write_transform(struct writer *out, uint8_t type, uint16_t id, const char *attribute)
{
	size_t start = out->len;

	write_u8(out, 3);
	write_u8(out, 0xff); /* RESERVED */
	write_u16(out, 0);
	write_u8(out, type);
	write_u8(out, 0xff);
	write_u16(out, id);
	for (; *attribute == '/' || *attribute == ':'; attribute += strcspn(attribute + 1, "/: ,") + 1) {
		uint16_t value = (uint16_t)strtoul(attribute + 1, NULL, 0);

		write_u16(out, *attribute == '/' ? 0x800e : 14); /* ':': the long form, of so many octets */
		write_u16(out, value);
		if (*attribute == ':')
			write_zeros(out, value);
	}
	put_u16(out, start + 2, (uint16_t)(out->len - start));
}

/* E ENCR, P PRF, I INTEG, K KE, S ESN; A, B, C, D, F, G, H ADDKE1 to 7. */
static uint8_t type_of(char letter)
{
	static const char letters[] = "?EPIKSABCDFGH";
	const char *at = strchr(letters, letter);

	assert_non_null(at);
	return (uint8_t)(at - letters);
}

struct view sa_text(const char *text)
{
	static uint8_t memory[8192];
	struct writer out;

	writer_init(&out, memory, sizeof(memory));
	while (*text) {
		size_t start = out.len, count = 0, last = 0, spi_len;
		char *end;

		write_u8(&out, 2);
		write_u8(&out, 0xff);
		write_u16(&out, 0);
		write_u8(&out, (uint8_t)strtoul(text, &end, 10));
		write_u8(&out, *end == 'i' ? PROTOCOL_IKE : *end == 'a' ? PROTOCOL_AH : PROTOCOL_ESP);
		spi_len = strtoul(end + 1, &end, 10);
		write_u8(&out, (uint8_t)spi_len);
		write_u8(&out, 0);
		for (size_t i = 0; i < spi_len; i++)
			write_u8(&out, 0xa0);
		for (text = end; *text == ' '; count++) {
			bool other = text[1] == 'X';
			uint8_t type = other ? (uint8_t)strtoul(text + 2, &end, 10) : type_of(text[1]);
			uint16_t id = other ? 0 : (uint16_t)strtoul(text + 2, &end, 10);

			last = out.len;
			write_transform(&out, type, id, end);
			text = end + strcspn(end, " ,");
		}
		if (last)
			put_u8(&out, last, 0);
		put_u8(&out, start + 7, (uint8_t)count);
		put_u16(&out, start + 2, (uint16_t)(out.len - start));
		if (*text == ',')
			text += 2;
		else
			put_u8(&out, start, 0);
	}
	assert_false(out.failed);
	return writer_view(&out);
}

/* Views of the result die with the copy, so only the suite comes back. */
int sa_choose(struct suite *suite, struct view body, const struct offer *ours, uint16_t hint, size_t spi_len)
{
	OWN_FREE uint8_t *copy = raw_copy(body.at, body.len);
	struct view spi = VIEW_NONE;
	int rc = proposal_choose(suite, &spi, view_of(copy, body.len), ours, hint, spi_len);

	assert_int_equal(spi.len, rc ? 0 : spi_len);
	return rc;
}

int sa_accept(struct suite *suite, struct view body, const struct offer *ours, size_t spi_len)
{
	OWN_FREE uint8_t *copy = raw_copy(body.at, body.len);
	struct view spi = VIEW_NONE;
	int rc = proposal_accept(suite, &spi, view_of(copy, body.len), ours, spi_len);

	assert_int_equal(spi.len, rc ? 0 : spi_len);
	return rc;
}
