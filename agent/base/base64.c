// SPDX-License-Identifier: Apache-2.0
/*
 * Base64, see base64.h.
 */
#include "base/base64.h"

#include <errno.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The 24 bits of four characters, of which the last `padding` must be =. -1 when they are not base64. */
static int32_t quantum_of(const uint8_t *at, size_t padding)
{
	int32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - padding ? value_of(at[i]) : at[i] == '=' ? 0 : -1;

		if (value < 0)
			return -1;
		bits = bits << 6 | value;
	}
	/* Bits that no octet takes are zero in the canonical form. */
	if ((padding == 1 && bits & 0xff) || (padding == 2 && bits & 0xffff))
		return -1;
	return bits;
}

int base64_decode(uint8_t *out, size_t *len, struct view text)
{
	size_t padding = 0, octets;

	if (text.len % 4)
		return -EBADMSG;
	while (padding < 2 && padding < text.len && text.at[text.len - 1 - padding] == '=')
		padding++;
	octets = text.len / 4 * 3 - padding;
	if (octets > *len)
		return -EMSGSIZE;
	/* Looked at as a whole first: a failure leaves the output alone. */
	for (size_t i = 0; i < text.len; i += 4)
		if (quantum_of(text.at + i, i + 4 == text.len ? padding : 0) < 0)
			return -EBADMSG;
	for (size_t i = 0, at = 0; i < text.len; i += 4) {
		int32_t bits = quantum_of(text.at + i, i + 4 == text.len ? padding : 0);

		for (int shift = 16; shift >= 0 && at < octets; shift -= 8)
			out[at++] = (uint8_t)(bits >> shift);
	}
	*len = octets;
	return 0;
}

const char *base64_encode(char *out, struct view octets)
{
	char *at = out;

	for (size_t i = 0; i < octets.len; i += 3) {
		size_t left = octets.len - i;
		uint32_t bits = (uint32_t)octets.at[i] << 16;

		if (left > 1)
			bits |= (uint32_t)octets.at[i + 1] << 8;
		if (left > 2)
			bits |= octets.at[i + 2];
		*at++ = alphabet[bits >> 18];
		*at++ = alphabet[bits >> 12 & 63];
		*at++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
		*at++ = left > 2 ? alphabet[bits & 63] : '=';
	}
	*at = '\0';
	return out;
}
