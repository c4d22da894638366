// SPDX-License-Identifier: Apache-2.0
/*
 * Sealed messages. The first octet chooses cipher, side and path: the input as a datagram, which is not read beyond its
 * end; or as a plain text sealed with the right key, which must open as it was and whose chain is then parsed as the engine
 * would; or as a sealed message of which one octet is changed, which must not open; or as a text with padding of its own
 * under a good ICV.
 */
#include <stdlib.h>
#include <string.h>

#include "ike/proposal.h"
#include "ike/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define CIPHERS 5
#define PLAIN_MAX 4096
#define SEALED_MAX (PLAIN_MAX + 128)

static struct keymat keys[CIPHERS];
static const uint8_t random_iv[16] = "sixteen octets.";

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint16_t ciphers[CIPHERS][3] = { { ENCR_AES_GCM_16, 256, 0 },
						      { ENCR_AES_GCM_16, 128, 0 },
						      { ENCR_CHACHA20_POLY1305, 0, 0 },
						      { ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_256_128 },
						      { ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_256_128 } };
	struct err err = ERR_NONE;

	(void)argc;
	(void)argv;
	if (crypto_init(&err))
		abort();
	for (int i = 0; i < CIPHERS; i++) {
		memset(&keys[i], 0x40 + i, sizeof(keys[i]));
		keys[i].prf = prf_find(PRF_HMAC_SHA2_256);
		keys[i].cipher = cipher_find(ciphers[i][0], ciphers[i][1], ciphers[i][2]);
		memset(keys[i].er, 0x60 + i, sizeof(keys[i].er));
		memset(keys[i].ar, 0x80 + i, sizeof(keys[i].ar));
		if (!keys[i].prf || !keys[i].cipher)
			abort();
	}
	return 0;
}

/* A copy of exactly this size, so that the sanitizer sees the octet behind it. */
static uint8_t *exact(const void *octets, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		abort();
	if (len)
		memcpy(copy, octets, len);
	return copy;
}

static int open_datagram(const uint8_t *datagram, size_t len, const struct keymat *keymat, bool by_initiator,
			 struct view want)
{
	struct header header;
	struct chain chain;
	struct fragment fragment;
	struct view plain = VIEW_NONE;
	uint8_t *out;
	int result = -1;

	if (header_parse(&header, view_of(datagram, len)))
		return -1;
	if (chain_parse(&chain, header.next, view_of(datagram + HEADER_LEN, len - HEADER_LEN), false))
		return -1;
	if (!seal_fragment_parse(&fragment, &chain) &&
	    (!fragment.number || fragment.number > fragment.total || chain.sk_type != PAYLOAD_SKF))
		abort();
	out = malloc(len);
	if (out && !seal_open(out, &plain, view_of(datagram, len), &chain, keymat, by_initiator)) {
		struct chain inside;

		if (want.at && !view_equal(plain, want))
			abort();
		chain_parse(&inside, chain.sk_next, plain, true);
		result = 0;
	}
	free(out);
	return result;
}

static const struct header a_header = {
	.spi_i = { 1, 2, 3, 4 }, .spi_r = { 5, 6, 7, 8 }, .version = 0x20, .exchange = EXCHANGE_INFORMATIONAL
};

/* data[0]: type of the first payload inside; the rest is the plain text. */
static void seal_and_open(const uint8_t *data, size_t len, const struct keymat *keymat, bool by_initiator)
{
	uint8_t sealed[SEALED_MAX], *copy;
	size_t sealed_len = sizeof(sealed);
	struct view plain;

	if (!len || len > PLAIN_MAX)
		return;
	plain = view_of(data + 1, len - 1);
	if (seal_message(sealed, &sealed_len, &a_header, data[0], plain, keymat, by_initiator, len, random_iv))
		abort();
	copy = exact(sealed, sealed_len);
	if (open_datagram(copy, sealed_len, keymat, by_initiator, plain))
		abort();
	if (!open_datagram(copy, sealed_len, keymat, !by_initiator, VIEW_NONE))
		abort();
	free(copy);
}

/* data[0..2]: where and how a sealed message is changed; then as above. It must not open. */
static void seal_and_damage(const uint8_t *data, size_t len, const struct keymat *keymat, bool by_initiator)
{
	uint8_t sealed[SEALED_MAX], *copy;
	size_t sealed_len = sizeof(sealed), at;

	if (len < 4 || len > PLAIN_MAX || !data[2])
		return;
	if (seal_message(sealed, &sealed_len, &a_header, data[3], view_of(data + 4, len - 4), keymat, by_initiator, 1,
			 random_iv))
		abort();
	at = ((size_t)data[0] << 8 | data[1]) % sealed_len;
	sealed[at] ^= data[2];
	copy = exact(sealed, sealed_len);
	if (!open_datagram(copy, sealed_len, keymat, by_initiator, VIEW_NONE))
		abort();
	free(copy);
}

/* data[0] type, data[1] pad length; the text with its padding is ours, so any padding occurs under a good ICV. */
static void seal_raw(const uint8_t *data, size_t len, const struct keymat *keymat, bool by_initiator)
{
	const struct cipher *cipher = keymat->cipher;
	uint8_t *message, *text;
	size_t text_len, total;
	int result;

	if (len < 3 || len > PLAIN_MAX)
		return;
	text_len = (len - 2 + cipher->block) / cipher->block * cipher->block;
	total = HEADER_LEN + PAYLOAD_HEADER_LEN + cipher->iv_len + text_len + cipher->icv_len;
	message = calloc(1, total);
	if (!message)
		return;
	message[0] = 1;
	message[16] = PAYLOAD_SK;
	message[17] = 0x20;
	message[26] = (uint8_t)(total >> 8);
	message[27] = (uint8_t)total;
	message[28] = data[0];
	message[30] = (uint8_t)((total - HEADER_LEN) >> 8);
	message[31] = (uint8_t)(total - HEADER_LEN);
	text = message + 32 + cipher->iv_len;
	memcpy(text, data + 2, len - 2);
	text[text_len - 1] = data[1];
	if (cipher_seal(cipher, text + text_len, text, text_len,
			view_of(by_initiator ? keymat->ei : keymat->er, cipher->key_len),
			view_of(by_initiator ? keymat->ai : keymat->ar, cipher->integ_len), message + 32,
			view_of(message, 32)))
		abort();
	result = open_datagram(message, total, keymat, by_initiator, VIEW_NONE);
	if (result != (data[1] < text_len ? 0 : -1))
		abort();
	free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct keymat *keymat;
	bool by_initiator;
	uint8_t *copy;

	if (!len)
		return 0;
	keymat = &keys[data[0] % CIPHERS];
	by_initiator = data[0] & 0x20;
	switch (data[0] >> 6) {
	case 0:
		copy = exact(data + 1, len - 1);
		open_datagram(copy, len - 1, keymat, by_initiator, VIEW_NONE);
		free(copy);
		break;
	case 1:
		seal_and_open(data + 1, len - 1, keymat, by_initiator);
		break;
	case 2:
		seal_and_damage(data + 1, len - 1, keymat, by_initiator);
		break;
	default:
		seal_raw(data + 1, len - 1, keymat, by_initiator);
		break;
	}
	return 0;
}
