// SPDX-License-Identifier: Apache-2.0
/*
 * SK payloads: the message of RFC 7634 Appendix B, every cipher at every length around its block, padding of any
 * length, and messages that are damaged, cut short or too long (CVE-2019-10155, CVE-2016-1287). Memory that is
 * opened has exactly the datagram's size, so that a sanitizer sees one octet too many.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ike/proposal.h"
#include "kat.h"
#include "sealing.h"

static const uint8_t random_iv[16] = "random octets..";

static int setup(void **state)
{
	struct err err = ERR_NONE;

	(void)state;
	return crypto_init(&err);
}

/* A copy that ends where the message ends. */
static uint8_t *exact(const void *octets, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, octets, len);
	return copy;
}

static void test_rfc7634_b(void **state)
{
	json_t *file = kat_load("ikev2-kat.json");
	const json_t *entry = kat_entry(file, "rfc7634-B-ikev2-sk");
	const struct view message = kat_hex(entry, "message"), text = kat_hex(entry, "plaintext");
	const struct view key = kat_hex(entry, "sk_e");
	struct keymat keymat = { .prf = prf_find(PRF_HMAC_SHA2_256),
				 .cipher = cipher_find(ENCR_CHACHA20_POLY1305, 0, 0) };
	uint8_t out[128], again[128];
	struct header header;
	struct chain chain;
	struct view plain;
	size_t len = sizeof(again);

	(void)state;
	/* Flags 0: a request of the original responder. */
	memcpy(keymat.er, key.at, key.len);
	assert_int_equal(sealing_open(out, &plain, &chain, message, &keymat, false), 0);
	assert_true(view_equal(plain, view_of(text.at, text.len - 1)));
	assert_int_equal(chain.sk_next, PAYLOAD_NOTIFY);

	assert_int_equal(header_parse(&header, message), 0);
	header.next = 0;
	header.length = 0;
	assert_int_equal(seal_message(again, &len, &header, PAYLOAD_NOTIFY, plain, &keymat, false,
				      0x1011121314151617ull, NULL),
			 0);
	assert_true(view_equal(view_of(again, len), message));
	json_decref(file);
}

/* ESP is sealed by the kernel; the cipher is the same. */
static void test_rfc7634_a(void **state)
{
	json_t *file = kat_load("ikev2-kat.json");
	const json_t *entry = kat_entry(file, "rfc7634-A-esp");
	const struct view esp = kat_hex(entry, "esp"), plain = kat_hex(entry, "plaintext");
	const struct cipher *cipher = cipher_find(ENCR_CHACHA20_POLY1305, 0, 0);
	uint8_t out[256];

	(void)state;
	assert_int_equal(esp.len, 16 + plain.len + 16);
	assert_int_equal(cipher_open(cipher, out, view_of(esp.at + 16, plain.len), kat_hex(entry, "keymat"), VIEW_NONE,
				     esp.at + 8, esp.at + 16 + plain.len, view_of(esp.at, 8)),
			 0);
	assert_memory_equal(out, plain.at, plain.len);
	json_decref(file);
}

/* Sealed, opened, and with the form that RFC 7296 3.14 and RFC 5282 3 want. */
static void round_trip(const struct keymat *keymat, size_t plain_len, bool by_initiator)
{
	const struct cipher *cipher = keymat->cipher;
	const size_t text = (plain_len + 1 + cipher->block - 1) / cipher->block * cipher->block;
	const size_t want = 28 + 4 + cipher->iv_len + text + cipher->icv_len;
	const struct header header = sealing_header();
	uint8_t *content = malloc(plain_len + 1), *sealed = malloc(want), *out = malloc(want);
	size_t len = want;
	struct chain chain;
	struct view plain;

	sealing_fill(content, plain_len, 9);
	assert_int_equal(seal_message(sealed, &len, &header, PAYLOAD_DELETE, view_of(content, plain_len), keymat,
				      by_initiator, 0x0102030405060708ull, random_iv),
			 0);
	assert_int_equal(len, want);
	if (cipher->integ)
		assert_memory_equal(sealed + 32, random_iv, 16);
	else
		assert_memory_equal(sealed + 32, "\1\2\3\4\5\6\7\10", 8);
	assert_int_equal(sealing_open(out, &plain, &chain, view_of(sealed, len), keymat, by_initiator), 0);
	assert_true(view_equal(plain, view_of(content, plain_len)));
	assert_int_equal(chain.sk_next, PAYLOAD_DELETE);
	assert_int_equal(chain.sk_type, PAYLOAD_SK);
	/* The other side's keys do not open it. */
	assert_int_equal(sealing_open(out, &plain, &chain, view_of(sealed, len), keymat, !by_initiator), -EBADMSG);
	/* One octet of room too few: nothing is written. */
	len = want - 1;
	memset(sealed, 0xee, want);
	assert_int_equal(seal_message(sealed, &len, &header, PAYLOAD_DELETE, view_of(content, plain_len), keymat,
				      by_initiator, 1, random_iv),
			 -EMSGSIZE);
	assert_int_equal(len, want - 1);
	assert_int_equal(sealed[0], 0xee);
	free(content);
	free(sealed);
	free(out);
}

static void test_round_trip(void **state)
{
	static const size_t longer[] = { 255, 256, 1200, 4096, 60000 };

	(void)state;
	for (unsigned int index = 0; index < SEALING_CIPHERS; index++) {
		const struct keymat keymat = sealing_keymat(index);

		for (size_t len = 0; len <= 70; len++)
			round_trip(&keymat, len, len & 1);
		for (size_t i = 0; i < sizeof(longer) / sizeof(*longer); i++)
			round_trip(&keymat, longer[i], i & 1);
	}
}

/* The longest message there is, and one octet more. */
static void test_longest(void **state)
{
	static uint8_t content[SEAL_MESSAGE_MAX + 1], sealed[SEAL_MESSAGE_MAX + 64], out[SEAL_MESSAGE_MAX + 64];
	const struct header header = sealing_header();

	(void)state;
	for (unsigned int index = 0; index < SEALING_CIPHERS; index++) {
		const struct keymat keymat = sealing_keymat(index);
		const struct cipher *cipher = keymat.cipher;
		const size_t around = 28 + 4 + cipher->iv_len + cipher->icv_len;
		const size_t most = (SEAL_MESSAGE_MAX - around) / cipher->block * cipher->block - 1;
		size_t len = sizeof(sealed);
		struct chain chain;
		struct view plain;

		assert_int_equal(seal_message(sealed, &len, &header, 0, view_of(content, most + 1), &keymat, true, 1,
					      random_iv),
				 -EMSGSIZE);
		assert_int_equal(seal_message(sealed, &len, &header, 0, view_of(content, SIZE_MAX), &keymat, true, 1,
					      random_iv),
				 -EMSGSIZE);
		assert_int_equal(len, sizeof(sealed));
		assert_int_equal(seal_message(sealed, &len, &header, PAYLOAD_NOTIFY, view_of(content, most), &keymat,
					      true, 1, random_iv),
				 0);
		assert_int_equal(sealing_open(out, &plain, &chain, view_of(sealed, len), &keymat, true), 0);
		assert_int_equal(plain.len, most);
	}
}

/* A sealed message, in memory of its own size. */
static uint8_t *sealed_copy(size_t *len, const struct keymat *keymat, size_t plain_len)
{
	const struct header header = sealing_header();
	uint8_t content[256], sealed[512];

	sealing_fill(content, sizeof(content), 5);
	*len = sizeof(sealed);
	assert_int_equal(seal_message(sealed, len, &header, PAYLOAD_NOTIFY, view_of(content, plain_len), keymat, true,
				      1, random_iv),
			 0);
	return exact(sealed, *len);
}

/* CVE-2019-10155: no bit of a message, header and reserved octets included, can change. */
static void test_every_bit(void **state)
{
	(void)state;
	for (unsigned int index = 0; index < SEALING_CIPHERS; index++) {
		const struct keymat keymat = sealing_keymat(index);
		struct chain chain, flipped_chain;
		uint8_t out[512], *sealed;
		struct header header;
		struct view plain;
		size_t len;

		sealed = sealed_copy(&len, &keymat, 40);
		assert_int_equal(sealing_parse(&header, &chain, view_of(sealed, len)), 0);
		for (size_t bit = 0; bit < len * 8; bit++) {
			sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
			/* Also where the damage would already be seen in the clear. */
			assert_int_equal(seal_open(out, &plain, view_of(sealed, len), &chain, &keymat, true), -EBADMSG);
			assert_int_not_equal(
				sealing_open(out, &plain, &flipped_chain, view_of(sealed, len), &keymat, true), 0);
			sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		assert_int_equal(seal_open(out, &plain, view_of(sealed, len), &chain, &keymat, true), 0);
		free(sealed);
	}
}

/* Nothing of what was decrypted stays where the caller could read it. */
static void test_wiped(void **state)
{
	(void)state;
	for (unsigned int index = 0; index < SEALING_CIPHERS; index++) {
		const struct keymat keymat = sealing_keymat(index);
		uint8_t out[512], zero[512] = { 0 }, *sealed;
		struct view plain = VIEW_NONE;
		struct chain chain;
		size_t len;

		sealed = sealed_copy(&len, &keymat, 40);
		sealed[len - 1] ^= 1;
		memset(out, 0, sizeof(out));
		assert_int_equal(sealing_open(out, &plain, &chain, view_of(sealed, len), &keymat, true), -EBADMSG);
		assert_memory_equal(out, zero, sizeof(out));
		assert_null(plain.at);
		free(sealed);
	}
}

/* A message with `body_len` octets of SK or SKF, whatever they are. */
static uint8_t *bare(size_t *len, uint8_t type, size_t body_len)
{
	uint8_t *message;

	*len = 28 + 4 + body_len;
	message = calloc(1, *len);
	assert_non_null(message);
	message[0] = 1;
	message[16] = type;
	message[17] = 0x20;
	message[18] = EXCHANGE_INFORMATIONAL;
	message[26] = (uint8_t)(*len >> 8);
	message[27] = (uint8_t)*len;
	message[30] = (uint8_t)((4 + body_len) >> 8);
	message[31] = (uint8_t)(4 + body_len);
	if (type == PAYLOAD_SKF && body_len >= 4)
		message[33] = message[35] = 1;
	return message;
}

/* CVE-2016-1287: bodies shorter than what must be in them, and just long enough. */
static void test_short_bodies(void **state)
{
	(void)state;
	for (unsigned int index = 0; index < SEALING_CIPHERS; index++) {
		const struct keymat keymat = sealing_keymat(index);

		for (size_t n = 0; n <= 2 * 100; n++) {
			const size_t body_len = n / 2;
			struct fragment fragment = { 9, 9 };
			struct header header;
			struct chain chain;
			struct view plain;
			uint8_t *message, *out;
			size_t len;
			int error;

			message = bare(&len, n & 1 ? PAYLOAD_SKF : PAYLOAD_SK, body_len);
			out = malloc(len);
			assert_int_equal(sealing_parse(&header, &chain, view_of(message, len)), 0);
			assert_int_equal(seal_open(out, &plain, view_of(message, len), &chain, &keymat, true),
					 -EBADMSG);
			error = seal_fragment_parse(&fragment, &chain);
			assert_int_equal(error, n & 1 && body_len >= 4 ? 0 : -EBADMSG);
			assert_int_equal(fragment.number, error ? 9 : 1);
			free(message);
			free(out);
		}
	}
}

/* The length field says less than was sealed: every beginning of a message, made consistent again. */
static void test_cut_short(void **state)
{
	(void)state;
	for (unsigned int index = 0; index < SEALING_CIPHERS; index++) {
		const struct keymat keymat = sealing_keymat(index);
		uint8_t *sealed;
		size_t len;

		sealed = sealed_copy(&len, &keymat, 40);
		for (size_t cut = 32; cut < len; cut++) {
			uint8_t *part = exact(sealed, cut), *out = malloc(cut);
			struct chain chain;
			struct view plain;

			part[26] = (uint8_t)(cut >> 8);
			part[27] = (uint8_t)cut;
			part[30] = (uint8_t)((cut - 28) >> 8);
			part[31] = (uint8_t)(cut - 28);
			assert_int_equal(sealing_open(out, &plain, &chain, view_of(part, cut), &keymat, true),
					 -EBADMSG);
			free(part);
			free(out);
		}
		free(sealed);
	}
}

/* Sealed with the right key around a text of our choice: what a peer with another idea of padding sends. */
static int open_text(const struct keymat *keymat, const uint8_t *text, size_t text_len, struct view *plain,
		     uint8_t *out)
{
	const struct cipher *cipher = keymat->cipher;
	struct chain chain;
	uint8_t *message;
	size_t len;
	int result;

	message = bare(&len, PAYLOAD_SK, cipher->iv_len + text_len + cipher->icv_len);
	memcpy(message + 32 + cipher->iv_len, text, text_len);
	assert_int_equal(cipher_seal(cipher, message + len - cipher->icv_len, message + 32 + cipher->iv_len, text_len,
				     view_of(keymat->ei, cipher->key_len), view_of(keymat->ai, cipher->integ_len),
				     message + 32, view_of(message, 32)),
			 0);
	result = sealing_open(out, plain, &chain, view_of(message, len), keymat, true);
	free(message);
	return result;
}

/* Any pad length that fits is accepted, whatever the padding holds (RFC 7296 3.14); one that does not is refused. */
static void test_padding(void **state)
{
	(void)state;
	for (unsigned int index = 0; index < SEALING_CIPHERS; index++) {
		const struct keymat keymat = sealing_keymat(index);

		for (size_t text_len = 16; text_len <= 272; text_len += text_len < 64 ? 16 : 208)
			for (unsigned int pad = 0; pad < 256; pad++) {
				uint8_t text[272], out[512], zero[512] = { 0 };
				struct view plain = VIEW_NONE;
				int result;

				memset(out, 0, sizeof(out));
				sealing_fill(text, text_len, pad);
				text[text_len - 1] = (uint8_t)pad;
				result = open_text(&keymat, text, text_len, &plain, out);
				if (pad < text_len) {
					assert_int_equal(result, 0);
					assert_true(view_equal(plain, view_of(text, text_len - 1 - pad)));
				} else {
					assert_int_equal(result, -EBADMSG);
					assert_memory_equal(out, zero, sizeof(out));
				}
			}
	}
}

/* With a good ICV, but without even a pad length, or not in whole blocks: only a peer with the keys can make these. */
static void test_good_icv_bad_text(void **state)
{
	static const size_t lens[] = { 0, 1, 15, 17, 31, 33 };

	(void)state;
	for (unsigned int index = 0; index < SEALING_CIPHERS; index++) {
		const struct keymat keymat = sealing_keymat(index);
		const struct cipher *cipher = keymat.cipher;

		for (size_t i = 0; i < (cipher->integ ? sizeof(lens) / sizeof(*lens) : 1); i++) {
			uint8_t *message, *icv, out[128], mac[PRF_LEN_MAX];
			struct view plain, covered;
			struct chain chain;
			size_t len;

			message = bare(&len, PAYLOAD_SK, cipher->iv_len + lens[i] + cipher->icv_len);
			icv = message + len - cipher->icv_len;
			covered = view_of(message, len - cipher->icv_len);
			if (cipher->integ) {
				assert_int_equal(
					prf_of(prf_find(PRF_HMAC_SHA2_256), mac, VIEW_OF(keymat.ai), &covered, 1), 0);
				memcpy(icv, mac, cipher->icv_len);
			} else {
				assert_int_equal(cipher_seal(cipher, icv, icv, 0, view_of(keymat.ei, cipher->key_len),
							     VIEW_NONE, message + 32, view_of(message, 32)),
						 0);
			}
			assert_int_equal(sealing_open(out, &plain, &chain, view_of(message, len), &keymat, true),
					 -EBADMSG);
			free(message);
		}
	}
}

/* A chain without SK has nothing to open. */
static void test_not_sealed(void **state)
{
	static const uint8_t datagram[64] = { 0 };
	const struct keymat keymat = sealing_keymat(0);
	const struct chain chain = { 0 };
	struct fragment fragment;
	uint8_t out[64];
	struct view plain;

	(void)state;
	assert_int_equal(seal_open(out, &plain, VIEW_OF(datagram), &chain, &keymat, true), -EBADMSG);
	assert_int_equal(seal_fragment_parse(&fragment, &chain), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc7634_b),    cmocka_unit_test(test_rfc7634_a),
		cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_longest),
		cmocka_unit_test(test_every_bit),    cmocka_unit_test(test_wiped),
		cmocka_unit_test(test_short_bodies), cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_padding),	     cmocka_unit_test(test_good_icv_bad_text),
		cmocka_unit_test(test_not_sealed),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
