// SPDX-License-Identifier: Apache-2.0
/*
 * Keys, headers and opening for the tests of sealed messages, see sealing.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ike/proposal.h"
#include "sealing.h"

struct keymat sealing_keymat(unsigned int index)
{
	static const struct {
		uint16_t encr, bits, integ;
	} ciphers[SEALING_CIPHERS] = {
		{ ENCR_AES_GCM_16, 256, INTEG_NONE },
		{ ENCR_CHACHA20_POLY1305, 0, INTEG_NONE },
		{ ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_256_128 },
		{ ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_256_128 },
	};
	struct keymat keymat = { .prf = prf_find(PRF_HMAC_SHA2_256) };

	keymat.cipher = cipher_find(ciphers[index].encr, ciphers[index].bits, ciphers[index].integ);
	assert_non_null(keymat.cipher);
	sealing_fill(keymat.ai, sizeof(keymat.ai), 1);
	sealing_fill(keymat.ar, sizeof(keymat.ar), 2);
	sealing_fill(keymat.ei, sizeof(keymat.ei), 3);
	sealing_fill(keymat.er, sizeof(keymat.er), 4);
	return keymat;
}

struct header sealing_header(void)
{
	struct header header = { .version = 0x20, .exchange = EXCHANGE_INFORMATIONAL, .mid = 7 };

	header.flags = FLAG_INITIATOR;
	memset(header.spi_i, 0x1f, SPI_LEN);
	memset(header.spi_r, 0x2e, SPI_LEN);
	return header;
}

void sealing_fill(uint8_t *out, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(i * 7 + (i >> 8) * 13 + seed * 31 + 1);
}

int sealing_parse(struct header *header, struct chain *chain, struct view datagram)
{
	const int error = header_parse(header, datagram);

	if (error)
		return error;
	return chain_parse(chain, header->next, view_of(datagram.at + HEADER_LEN, datagram.len - HEADER_LEN), false);
}

int sealing_open(uint8_t *out, struct view *plain, struct chain *chain, struct view datagram,
		 const struct keymat *keymat, bool by_initiator)
{
	struct header header;
	const int error = sealing_parse(&header, chain, datagram);

	return error ? error : seal_open(out, plain, datagram, chain, keymat, by_initiator);
}
