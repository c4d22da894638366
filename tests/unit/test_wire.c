// SPDX-License-Identifier: Apache-2.0
/*
 * IKEv2 messages as octets, header and chain: what is read, what is refused, and that what we write is what we read.
 * Tests named after a CVE are those of its rows that form can be guilty of; payload bodies are in test_wire_bodies.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "ike/wire.h"
#include "raw_chain.h"

static const struct header example = {
	.spi_i = { 1, 2, 3, 4, 5, 6, 7, 8 },
	.spi_r = { 9, 10, 11, 12, 13, 14, 15, 16 },
	.version = 0x20,
	.exchange = EXCHANGE_IKE_SA_INIT,
	.flags = FLAG_INITIATOR,
	.mid = 0x01020304,
};

/* A body of the right form for the type. */
static struct view body_of(uint8_t type)
{
	static const uint8_t notify[] = { 0, 0, 0x40, 4 }, delete[] = { 3, 4, 0, 1, 1, 2, 3, 4 };
	static const uint8_t cert[] = { CERT_RAW_PUBLIC_KEY, 0x30 }, other[32];

	switch (type) {
	case PAYLOAD_NOTIFY:
		return VIEW_OF(notify);
	case PAYLOAD_DELETE:
		return VIEW_OF(delete);
	case PAYLOAD_CERT:
		return VIEW_OF(cert);
	default:
		return VIEW_OF(other);
	}
}

static bool is_known(unsigned int type)
{
	return (type >= PAYLOAD_SA && type <= PAYLOAD_EAP) || type == PAYLOAD_SKF;
}

/* ---- header ---------------------------------------------------------------------------------- */

static int parse_header(struct header *header, const void *octets, size_t len)
{
	OWN_FREE uint8_t *copy = raw_copy(octets, len);

	return header_parse(header, view_of(copy, len));
}

static void test_header(void **state)
{
	uint8_t memory[64];
	struct message message;
	struct header header;
	struct view view;

	(void)state;
	message_start(&message, memory, sizeof(memory), &example);
	message_nonce(&message, view_of("0123456789abcdef", 16));
	view = message_finish(&message);
	assert_int_equal(view.len, HEADER_LEN + PAYLOAD_HEADER_LEN + 16);
	assert_int_equal(parse_header(&header, view.at, view.len), 0);
	assert_memory_equal(header.spi_i, example.spi_i, SPI_LEN);
	assert_memory_equal(header.spi_r, example.spi_r, SPI_LEN);
	assert_int_equal(header.next, PAYLOAD_NONCE);
	assert_int_equal(header.version, 0x20);
	assert_int_equal(header.exchange, EXCHANGE_IKE_SA_INIT);
	assert_int_equal(header.flags, FLAG_INITIATOR);
	assert_int_equal(header.mid, 0x01020304);
	assert_int_equal(header.length, view.len);

	memset(memory, 0, SPI_LEN);
	memset(&header, 0xee, sizeof(header));
	assert_int_equal(parse_header(&header, view.at, view.len), -EBADMSG);
	assert_int_equal(header.next, 0xee); /* untouched */
}

/* Datagrams of 0 to 64 octets, each with a length field of -1, 0, +1 and some wild ones. */
static void test_cve_2013_4564_length(void **state)
{
	static const int64_t off[] = { -29, -1, 0, 1, 0x10000, 0x7fffffff, 0xffffffffll - 64 };

	(void)state;
	for (size_t len = 0; len <= 64; len++) {
		for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
			uint32_t field = (uint32_t)((int64_t)len + off[i]);
			uint8_t octets[64] = { 1 };
			struct header header;

			for (size_t j = 0; j < 4; j++)
				octets[24 + j] = (uint8_t)(field >> (24 - 8 * j));
			assert_int_equal(parse_header(&header, octets, len),
					 len >= HEADER_LEN && field == len ? 0 : -EBADMSG);
		}
	}
}

/* Reserved bits all ones, everywhere. */
static void test_cve_2015_3204_reserved(void **state)
{
	uint8_t octets[HEADER_LEN] = { 1 };
	static struct raw raw;
	struct header header;
	struct chain chain;
	struct ke ke;

	(void)state;
	octets[19] = 0xff;
	octets[27] = HEADER_LEN;
	assert_int_equal(parse_header(&header, octets, sizeof(octets)), 0);
	assert_int_equal(header.flags, 0xff);
	raw_clear(&raw);
	raw_add(&raw, PAYLOAD_KE, 0xff, "\0\x1f\xff\xffkey", 7);
	raw_add(&raw, PAYLOAD_NONCE, 0x7f, "0123456789abcdef", 16);
	assert_int_equal(raw_parse(&chain, &raw, false), 0);
	assert_int_equal(ke_parse(&ke, chain.payload[SLOT_KE]), 0);
	assert_int_equal(ke.group, 31);
	assert_true(view_equal(ke.data, view_of("key", 3)));
}

/* ---- chain ----------------------------------------------------------------------------------- */

/* Every payload type, critical and not, in clear and inside SK, first and behind another. */
static void test_cve_2015_3991_payload_types(void **state)
{
	static struct raw raw;
	struct chain chain;

	(void)state;
	for (unsigned int i = 0; i < 256 * 8; i++) {
		uint8_t type = (uint8_t)(i >> 3), flags = i & 1 ? 0x80 : 0;
		bool inside = i & 2, second = i & 4;
		struct view body = body_of(type);
		int expected = 0;

		raw_clear(&raw);
		if (second)
			raw_add(&raw, PAYLOAD_VENDOR, 0, "v", 1);
		raw_add(&raw, type, flags, body.at, body.len);
		if (type == PAYLOAD_NONE) /* the end, and something behind it */
			expected = NOTIFY_INVALID_SYNTAX;
		else if (inside && (type == PAYLOAD_SK || type == PAYLOAD_SKF))
			expected = NOTIFY_INVALID_SYNTAX;
		else if (!is_known(type) && flags)
			expected = NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD;
		if (raw_parse(&chain, &raw, inside) != expected)
			fail_msg("type %u flags %x inside %d second %d", type, flags, inside, second);
		assert_int_equal(chain.unsupported, expected == NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD ? type : 0);
		assert_int_equal(chain.first, raw.first);
	}
}

/* The critical stranger does not hide what stands behind it, and malformed is worse than unsupported. */
static void test_unsupported_goes_on(void **state)
{
	static struct raw raw;
	struct chain chain;

	(void)state;
	raw_clear(&raw);
	raw_add(&raw, 200, 0x80, "x", 1);
	raw_add(&raw, 201, 0x80, "x", 1);
	raw_add(&raw, PAYLOAD_SK, 0, "sealed", 6);
	raw.at[raw.next_at] = PAYLOAD_IDI;
	assert_int_equal(raw_parse(&chain, &raw, false), NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD);
	assert_int_equal(chain.unsupported, 200);
	assert_int_equal(chain.sk_type, PAYLOAD_SK);
	assert_int_equal(chain.sk_next, PAYLOAD_IDI);
	assert_true(view_equal(chain.payload[SLOT_SK], view_of("sealed", 6)));
	assert_true(view_equal(chain.sk_header, view_of("\x23\0\0\x0a", 4)));
	raw.at[raw.len++] = 0;
	assert_int_equal(raw_parse(&chain, &raw, false), NOTIFY_INVALID_SYNTAX);
}

static void test_sk_is_last(void **state)
{
	static const uint8_t types[] = { PAYLOAD_SK, PAYLOAD_SKF };
	static struct raw raw;
	struct chain chain;

	(void)state;
	for (size_t i = 0; i < sizeof(types); i++) {
		raw_clear(&raw);
		raw_add(&raw, types[i], 0, "sealed", 6);
		assert_int_equal(raw_parse(&chain, &raw, false), 0);
		assert_int_equal(chain.sk_type, types[i]);
		assert_int_equal(raw_parse(&chain, &raw, true), NOTIFY_INVALID_SYNTAX);
		raw_add(&raw, PAYLOAD_VENDOR, 0, "v", 1);
		assert_int_equal(raw_parse(&chain, &raw, false), NOTIFY_INVALID_SYNTAX);
	}
}

/* Each payload that may come once, twice. */
static void test_twice(void **state)
{
	static struct raw raw;
	struct chain chain;

	(void)state;
	for (uint8_t type = PAYLOAD_SA; type <= PAYLOAD_EAP; type++) {
		bool many = type == PAYLOAD_CERT || type == PAYLOAD_CERTREQ || type == PAYLOAD_NOTIFY ||
			    type == PAYLOAD_DELETE || type == PAYLOAD_VENDOR;

		raw_clear(&raw);
		for (int i = 0; i < 2; i++)
			raw_add(&raw, type, 0, body_of(type).at, body_of(type).len);
		assert_int_equal(raw_parse(&chain, &raw, false), many ? 0 : NOTIFY_INVALID_SYNTAX);
	}
}

/* 0 to 256 payloads, unknown ones and ours, alone, before SK and SKF: one more than the bound is refused. */
static void test_cve_2026_12413_payload_count(void **state)
{
	static const uint8_t types[] = { PAYLOAD_VENDOR, 200, PAYLOAD_NOTIFY, PAYLOAD_CERTREQ };
	static const uint8_t lasts[] = { 0, PAYLOAD_SK, PAYLOAD_SKF };
	static struct raw raw;
	struct chain chain;

	(void)state;
	for (size_t count = 0; count <= 256; count++) {
		for (size_t i = 0; i < sizeof(types) * sizeof(lasts); i++) {
			uint8_t type = types[i / sizeof(lasts)], last = lasts[i % sizeof(lasts)];
			size_t all = count + (last != 0);
			struct view body = body_of(type);

			raw_clear(&raw);
			for (size_t j = 0; j < count; j++)
				raw_add(&raw, type, 0, body.at, body.len);
			if (last)
				raw_add(&raw, last, 0, "sealed", 6);
			assert_int_equal(raw_parse(&chain, &raw, false),
					 all <= CHAIN_PAYLOADS_MAX ? 0 : NOTIFY_INVALID_SYNTAX);
			assert_true(chain.notify_count <= CHAIN_NOTIFIES_MAX);
		}
	}
}

/* A chain with one payload of each kind, by our own writer. */
static struct view whole_message(uint8_t *memory, size_t max)
{
	static const uint8_t spis[] = { 0, 0, 1, 0, 0, 0, 1, 1 };
	struct message message;
	uint32_t spis_be[2];

	memcpy(spis_be, spis, sizeof(spis));
	message_start(&message, memory, max, &example);
	message_ke(&message, 31, view_of("0123456789abcdef0123456789abcdef", 32));
	message_nonce(&message, view_of("0123456789abcdef0123456789abcdef", 32));
	message_id(&message, PAYLOAD_IDI, ID_FQDN, view_of("a.example", 9));
	message_id(&message, PAYLOAD_IDR, ID_IPV4_ADDR, view_of("\xc0\0\2\1", 4));
	message_cert(&message, view_of("0key", 4));
	message_auth(&message, 14, view_of("proof", 5));
	message_notify(&message, 0, NOTIFY_COOKIE, VIEW_NONE, view_of("cookie", 6));
	message_notify(&message, PROTOCOL_ESP, NOTIFY_REKEY_SA, view_of("\1\2\3\4", 4), VIEW_NONE);
	message_notify(&message, 0, NOTIFY_NO_ADDITIONAL_SAS, VIEW_NONE, VIEW_NONE);
	message_delete_ike(&message);
	message_delete_esp(&message, spis_be, 2);
	return message_finish(&message);
}

static void test_write_then_read(void **state)
{
	uint8_t memory[512];
	struct view view = whole_message(memory, sizeof(memory)), value;
	struct header header;
	struct chain chain;
	struct auth auth;
	struct id id;
	struct ke ke;

	(void)state;
	assert_int_equal(header_parse(&header, view), 0);
	assert_int_equal(header.length, view.len);
	assert_int_equal(raw_parse_octets(&chain, header.next, view.at + HEADER_LEN, view.len - HEADER_LEN, false), 0);
	assert_int_equal(chain.seen, SLOT_BIT(SLOT_KE) | SLOT_BIT(SLOT_NONCE) | SLOT_BIT(SLOT_IDI) |
					     SLOT_BIT(SLOT_IDR) | SLOT_BIT(SLOT_CERT) | SLOT_BIT(SLOT_AUTH));
	assert_int_equal(ke_parse(&ke, chain.payload[SLOT_KE]), 0);
	assert_int_equal(ke.group, 31);
	assert_int_equal(ke.data.len, 32);
	assert_int_equal(nonce_parse(&value, chain.payload[SLOT_NONCE]), 0);
	assert_int_equal(value.len, 32);
	assert_int_equal(id_parse(&id, chain.payload[SLOT_IDI]), 0);
	assert_int_equal(id.type, ID_FQDN);
	assert_true(view_equal(id.data, view_of("a.example", 9)));
	assert_true(view_equal(id.body, view_of("\2\0\0\0a.example", 13)));
	assert_int_equal(id_parse(&id, chain.payload[SLOT_IDR]), 0);
	assert_int_equal(cert_parse(&value, chain.payload[SLOT_CERT]), 0);
	assert_true(view_equal(value, view_of("0key", 4)));
	assert_int_equal(auth_parse(&auth, chain.payload[SLOT_AUTH]), 0);
	assert_int_equal(auth.method, 14);
	assert_true(view_equal(auth.data, view_of("proof", 5)));

	assert_int_equal(chain.notify_count, 3);
	assert_true(view_equal(chain_notify(&chain, NOTIFY_COOKIE)->data, view_of("cookie", 6)));
	assert_int_equal(chain_notify(&chain, NOTIFY_REKEY_SA)->protocol, PROTOCOL_ESP);
	assert_true(view_equal(chain_notify(&chain, NOTIFY_REKEY_SA)->spi, view_of("\1\2\3\4", 4)));
	assert_int_equal(chain_error(&chain)->type, NOTIFY_NO_ADDITIONAL_SAS);
	assert_null(chain_notify(&chain, NOTIFY_INITIAL_CONTACT));

	assert_int_equal(chain.delete_count, 2);
	assert_int_equal(chain.deletes[0].protocol, PROTOCOL_IKE);
	assert_int_equal(chain.deletes[0].spis.len, 0);
	assert_int_equal(chain.deletes[1].count, 2);
	assert_true(view_equal(chain.deletes[1].spis, view_of("\0\0\1\0\0\0\1\1", 8)));
}

static void test_inside(void **state)
{
	uint8_t memory[64];
	struct message message;
	struct chain chain;
	struct view view;

	(void)state;
	message_start_inside(&message, memory, sizeof(memory));
	assert_int_equal(message_finish(&message).len, 0);
	assert_int_equal(message.first, PAYLOAD_NONE);
	assert_int_equal(chain_parse(&chain, message.first, message_finish(&message), true), 0);
	message_id(&message, PAYLOAD_IDI, ID_NULL, VIEW_NONE);
	message_notify(&message, 0, NOTIFY_INITIAL_CONTACT, VIEW_NONE, VIEW_NONE);
	view = message_finish(&message);
	assert_int_equal(message.first, PAYLOAD_IDI);
	assert_true(view_equal(view, view_of("\x29\0\0\x08\x0d\0\0\0\0\0\0\x08\0\0\x40\0", 16)));
	assert_int_equal(chain_parse(&chain, message.first, view, true), 0);
	assert_true(chain_has(&chain, SLOT_IDI));
	assert_non_null(chain_notify(&chain, NOTIFY_INITIAL_CONTACT));
}

/* A writer of every size too small fails as a whole; one that is exact does not. */
static void test_does_not_fit(void **state)
{
	uint8_t memory[512];
	size_t need = whole_message(memory, sizeof(memory)).len;

	(void)state;
	for (size_t max = 0; max <= need; max++) {
		OWN_FREE uint8_t *small = raw_copy(memory, max);
		struct view view = whole_message(small, max);

		assert_int_equal(view.len, max < need ? 0 : need);
	}
}

/* A payload longer than its length field can say. */
static void test_too_long(void **state)
{
	static uint8_t memory[140000], data[65532];
	struct message message;

	(void)state;
	message_start(&message, memory, sizeof(memory), &example);
	message_nonce(&message, view_of(data, 65531));
	assert_int_equal(message_finish(&message).len, HEADER_LEN + 65535);
	message_start(&message, memory, sizeof(memory), &example);
	message_nonce(&message, view_of(data, 65532));
	assert_int_equal(message_finish(&message).len, 0);
}

/* Cut short at every octet, and one octet too many. */
static void test_vpp_1918_truncated(void **state)
{
	uint8_t memory[512];
	struct view view = whole_message(memory, sizeof(memory) - 1);
	struct chain chain;

	(void)state;
	for (size_t len = HEADER_LEN; len <= view.len + 1; len++)
		assert_int_equal(raw_parse_octets(&chain, memory[16], memory + HEADER_LEN, len - HEADER_LEN, false),
				 len == view.len ? 0 : NOTIFY_INVALID_SYNTAX);
}

/* Every length field of every payload: too small, one less, one more, the maximum. */
static void test_vpp_1918_length_fields(void **state)
{
	static const uint16_t wrong[] = { 0, 1, 2, 3, 0xffff };
	uint8_t memory[512];
	struct view view = whole_message(memory, sizeof(memory));
	struct chain chain;

	(void)state;
	for (size_t at = HEADER_LEN; at < view.len;) {
		size_t len = (size_t)memory[at + 2] << 8 | memory[at + 3];

		for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
			memory[at + 2] = (uint8_t)(wrong[i] >> 8);
			memory[at + 3] = (uint8_t)wrong[i];
			assert_int_equal(raw_parse_octets(&chain, memory[16], memory + HEADER_LEN,
							  view.len - HEADER_LEN, false),
					 NOTIFY_INVALID_SYNTAX);
		}
		memory[at + 2] = (uint8_t)(len >> 8);
		memory[at + 3] = (uint8_t)len;
		at += len;
	}
}

/* Each payload in turn is missing: the chain says so, and gives nothing in its place. */
static void test_cve_2013_6467_missing_payload(void **state)
{
	static const uint8_t types[] = { PAYLOAD_SA,   PAYLOAD_KE,    PAYLOAD_IDI, PAYLOAD_IDR,
					 PAYLOAD_AUTH, PAYLOAD_NONCE, PAYLOAD_TSI, PAYLOAD_TSR };
	static const enum slot slots[] = { SLOT_SA,   SLOT_KE,	  SLOT_IDI, SLOT_IDR,
					   SLOT_AUTH, SLOT_NONCE, SLOT_TSI, SLOT_TSR };
	static struct raw raw;
	struct chain chain;

	(void)state;
	for (size_t missing = 0; missing < sizeof(types); missing++) {
		raw_clear(&raw);
		for (size_t i = 0; i < sizeof(types); i++)
			if (i != missing)
				raw_add(&raw, types[i], 0, body_of(types[i]).at, body_of(types[i]).len);
		assert_int_equal(raw_parse(&chain, &raw, true), 0);
		for (size_t i = 0; i < sizeof(types); i++)
			assert_int_equal(chain_has(&chain, slots[i]), i != missing);
		assert_null(chain.payload[slots[missing]].at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_cve_2013_4564_length),
		cmocka_unit_test(test_cve_2015_3204_reserved),
		cmocka_unit_test(test_cve_2015_3991_payload_types),
		cmocka_unit_test(test_unsupported_goes_on),
		cmocka_unit_test(test_sk_is_last),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_cve_2026_12413_payload_count),
		cmocka_unit_test(test_write_then_read),
		cmocka_unit_test(test_inside),
		cmocka_unit_test(test_does_not_fit),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_vpp_1918_truncated),
		cmocka_unit_test(test_vpp_1918_length_fields),
		cmocka_unit_test(test_cve_2013_6467_missing_payload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
