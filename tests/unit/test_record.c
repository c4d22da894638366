// SPDX-License-Identifier: Apache-2.0
/*
 * IPSECKEY RDATA and domain names: the examples of RFC 4025, 6605 and 9373, every cut of a record, every mistake with its reason, and the way there and
 * back.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "discover/record.h"

/* RFC 4025 3.2: an RSA key of 256 bits. */
#define KEY_4025 "AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ=="
/* RFC 9373 */
#define KEY_9373 "3WTXgUvpn1RlCXnm80gGY2LZ/ErUUEZtZ33IDi8yfhM="
/* RFC 6605 6.1 and 6.2 */
#define KEY_P256 "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA=="
#define KEY_P384                                                                                         \
	"xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1w/egsXvSADtNJhyem5RCOpgQ6K8X1DRSEkrbYQ+OB+v8/uX45N" \
	"BwY8rp65F6Glur8I/mlVNgF6W/qTI37m40"
/* The root zone's key of 2017, which has the form of RFC 3110, too. */
#define KEY_RSA                                                                                                \
	"AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3+/4RgWOq7HrxRixHlFlExOLAJr5emLvN7SWXgnLh4+B5" \
	"xQlNVz8Og8kvArMtNROxVQuCaSnIDdD5LKyWbRd2n9WGe2R8PzgCmr3EgVLrjyBxWezF0jLHwVN8efS3rCj/EWgvIWgb9tarpVUD" \
	"K/b58Da+sqqls3eNbuv7pr+eoZG+SrDK6nWeL3c6H5Apxz7LjVc1uTIdsIXxuOLYA4/ilBmSVIzuDWfdRUfhHdY6+cn8HFRm+2hM" \
	"8AnXGXws9555KrUB5qihylGa8subX2Nn6UwNR1AkUTV74bU="

struct octets {
	uint8_t at[2048];
	size_t len;
};

static void append(struct octets *octets, const void *more, size_t len)
{
	assert_true(octets->len + len <= sizeof(octets->at));
	memcpy(octets->at + octets->len, more, len);
	octets->len += len;
}

static void append_base64(struct octets *octets, const char *text)
{
	size_t len = sizeof(octets->at) - octets->len;

	assert_int_equal(base64_decode(octets->at + octets->len, &len, view_of(text, strlen(text))), 0);
	octets->len += len;
}

/* precedence 10, gateway type, algorithm, gateway, key */
static struct octets build(uint8_t type, uint8_t algorithm, const void *gateway, size_t gateway_len, const char *key)
{
	struct octets octets = { .at = { 10, type, algorithm }, .len = 3 };

	append(&octets, gateway, gateway_len);
	if (key)
		append_base64(&octets, key);
	return octets;
}

static struct view view_in(const struct octets *octets)
{
	return view_of(octets->at, octets->len);
}

static const uint8_t v4[] = { 192, 0, 2, 38 };
static const uint8_t v6[] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0x80, 0x02, 0, 0, 0, 0, 0x20, 0, 0, 1 };
static const uint8_t name[] = "\x09mygateway\x07"
			      "example\x03"
			      "com";

/* ---- the examples ------------------------------------------------------------------------------ */

static void expect_text(const struct octets *octets, const char *expected)
{
	static char text[RECORD_TEXT_MAX];
	struct octets again = { .len = sizeof(again.at) };
	struct err err = ERR_NONE;
	struct record record;

	if (record_read(&record, view_in(octets), &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(record_format(text, &record), 0);
	assert_string_equal(text, expected);
	assert_int_equal(record_write(again.at, &again.len, &record), 0);
	assert_true(view_equal(view_in(&again), view_in(octets)));
	again.len = octets->len - 1;
	assert_int_equal(record_write(again.at, &again.len, &record), -EMSGSIZE);
}

static void test_rfc_4025(void **state)
{
	struct octets octets;

	(void)state;
	octets = build(1, 2, v4, sizeof(v4), KEY_4025);
	expect_text(&octets, "10 1 2 192.0.2.38 " KEY_4025);
	octets = build(0, 2, NULL, 0, KEY_4025);
	expect_text(&octets, "10 0 2 . " KEY_4025);
	octets = build(3, 2, name, sizeof(name), KEY_4025);
	expect_text(&octets, "10 3 2 mygateway.example.com. " KEY_4025);
	octets = build(2, 2, v6, sizeof(v6), KEY_4025);
	expect_text(&octets, "10 2 2 2001:db8:0:8002::2000:1 " KEY_4025);
	octets = build(1, 0, v4, sizeof(v4), NULL);
	expect_text(&octets, "10 1 0 192.0.2.38");
	octets = build(3, 4, "", 1, KEY_9373);
	expect_text(&octets, "10 3 4 . " KEY_9373);
}

static void test_keys(void **state)
{
	static const struct {
		uint8_t algorithm;
		const char *key;
		enum sign_kind kind;
		size_t tail; /* octets of the RDATA's key that end the SubjectPublicKeyInfo */
	} rows[] = {
		{ 4, KEY_9373, SIGN_ED25519, 32 },
		{ 3, KEY_P256, SIGN_ECDSA_P256, 64 },
		{ 3, KEY_P384, SIGN_ECDSA_P384, 96 },
		{ 2, KEY_RSA, SIGN_RSA, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct octets octets = build(0, rows[i].algorithm, NULL, 0, rows[i].key);
		uint8_t spki[SPKI_MAX], memory[SPKI_MAX];
		size_t len = sizeof(spki), shorter;
		struct record record, again = { 0 };
		struct err err = ERR_NONE;
		enum sign_kind kind = 0;

		assert_int_equal(record_read(&record, view_in(&octets), &err), 0);
		if (record_spki(spki, &len, &record, &err) < 0)
			fail_msg("row %zu: %s", i, err.text);
		assert_int_equal(spki_check(&kind, view_of(spki, len)), 0);
		assert_int_equal(kind, rows[i].kind);
		if (rows[i].tail)
			assert_memory_equal(spki + len - rows[i].tail, octets.at + 3, rows[i].tail);
		assert_int_equal(record_set_key(&again, memory, view_of(spki, len)), 0);
		assert_int_equal(again.algorithm, rows[i].algorithm);
		assert_true(view_equal(again.key, record.key));
		shorter = len - 1;
		assert_int_equal(record_spki(spki, &shorter, &record, &err), -EMSGSIZE);
	}
}

/* The SubjectPublicKeyInfo that RSA's numbers become, put together by hand. */
static void test_rsa_numbers(void **state)
{
	static const uint8_t head[] = { 0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48,
					0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x03, 0x82, 0x01,
					0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00 };
	struct octets octets = build(0, 2, NULL, 0, KEY_RSA), expected = { .len = 0 }, longer;
	uint8_t spki[SPKI_MAX];
	size_t len = sizeof(spki);
	struct err err = ERR_NONE;
	struct record record;

	(void)state;
	append(&expected, head, sizeof(head));
	append(&expected, octets.at + 3 + 4, 256);
	append(&expected, "\x02\x03\x01\x00\x01", 5);
	assert_int_equal(record_read(&record, view_in(&octets), &err), 0);
	assert_int_equal(record_spki(spki, &len, &record, &err), 0);
	assert_true(view_equal(view_of(spki, len), view_in(&expected)));
	/* The same with the exponent's length in three octets. */
	longer = build(0, 2, "\x00\x00\x03", 3, NULL);
	append(&longer, octets.at + 3 + 1, 3 + 256);
	len = sizeof(spki);
	assert_int_equal(record_read(&record, view_in(&longer), &err), 0);
	assert_int_equal(record_spki(spki, &len, &record, &err), 0);
	assert_true(view_equal(view_of(spki, len), view_in(&expected)));
}

/* ---- mistakes ---------------------------------------------------------------------------------- */

static void expect_no_record(const struct octets *octets, int rc, const char *reason)
{
	struct record record = { .precedence = 77 };
	struct err err = ERR_NONE;

	assert_int_equal(record_read(&record, view_in(octets), &err), rc);
	if (!strstr(err.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", err.text, reason);
	assert_int_equal(record.precedence, 77);
}

static void expect_no_key(const struct octets *octets, int rc, const char *reason)
{
	uint8_t spki[SPKI_MAX] = { 77 };
	size_t len = sizeof(spki);
	struct err err = ERR_NONE;
	struct record record;

	assert_int_equal(record_read(&record, view_in(octets), &err), 0);
	assert_int_equal(record_spki(spki, &len, &record, &err), rc);
	if (!strstr(err.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", err.text, reason);
	assert_int_equal(spki[0], 77);
	assert_int_equal(len, sizeof(spki));
}

static void test_malformed(void **state)
{
	static const uint8_t compressed[] = { 3, 'a', 'b', 'c', 0xc0, 0x0c }, long_label[] = { 64, 'a', 'b' };
	static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1 };
	struct octets octets = build(0, 0, NULL, 0, NULL), long_name = build(3, 0, NULL, 0, NULL);

	(void)state;
	for (octets.len = 0; octets.len < 3; octets.len++)
		expect_no_record(&octets, -EBADMSG, "at least 3");
	for (unsigned int type = 4; type < 256; type++) {
		octets = build((uint8_t)type, 4, NULL, 0, KEY_9373);
		expect_no_record(&octets, -ENOTSUP, "gateway type");
	}
	for (size_t len = 0; len < 4; len++) {
		octets = build(1, 0, v4, len, NULL);
		expect_no_record(&octets, -EBADMSG, "an IPv4 address and is not");
	}
	for (size_t len = 0; len < 16; len++) {
		octets = build(2, 0, v6, len, NULL);
		expect_no_record(&octets, -EBADMSG, "an IPv6 address and is not");
	}
	for (size_t len = 0; len < sizeof(name); len++) {
		octets = build(3, 0, name, len, NULL);
		expect_no_record(&octets, -EBADMSG, "a name and is not");
	}
	octets = build(2, 4, mapped, sizeof(mapped), KEY_9373);
	expect_no_record(&octets, -EBADMSG, "an IPv6 address and is not");
	octets = build(3, 4, compressed, sizeof(compressed), KEY_9373);
	expect_no_record(&octets, -EBADMSG, "a name and is not");
	octets = build(3, 4, long_label, sizeof(long_label), KEY_RSA);
	expect_no_record(&octets, -EBADMSG, "a name and is not");
	for (int i = 0; i < 128; i++)
		append(&long_name, "\x01x", 2);
	append(&long_name, "", 1);
	expect_no_record(&long_name, -EBADMSG, "a name and is not");
	octets = build(0, 0, NULL, 0, KEY_9373);
	expect_no_record(&octets, -EBADMSG, "has 32 octets of one");
	octets = build(1, 4, v4, sizeof(v4), NULL);
	expect_no_record(&octets, -EBADMSG, "has none");
}

/* Every length of a key but the right ones is refused. */
static void test_key_lengths(void **state)
{
	(void)state;
	for (uint8_t algorithm = 3; algorithm <= 4; algorithm++) {
		for (size_t len = 1; len < 200; len++) {
			struct octets octets = build(0, algorithm, NULL, 0, NULL);
			uint8_t zeros[200] = { 0 };
			bool right = algorithm == 3 ? len == 64 || len == 96 : len == 32;

			append(&octets, zeros, len);
			if (algorithm == 4 && len == 57)
				expect_no_key(&octets, -ENOTSUP, "Ed448");
			else if (!right)
				expect_no_key(&octets, -EBADMSG, "octets, and one of");
			else if (algorithm == 3)
				expect_no_key(&octets, -EBADMSG, "no such point");
		}
	}
}

static void test_unusable_keys(void **state)
{
	struct octets octets = build(1, 0, v4, sizeof(v4), NULL);

	(void)state;
	expect_no_key(&octets, -ENOTSUP, "it has no key");
	octets = build(0, 2, NULL, 0, KEY_4025);
	expect_no_key(&octets, -ENOTSUP, "modulus of 32 octets, exponent of 1");
	octets = build(0, 1, NULL, 0, KEY_4025);
	expect_no_key(&octets, -ENOTSUP, "algorithm 1 (DSA)");
	for (unsigned int algorithm = 5; algorithm < 256; algorithm++) {
		octets = build(0, (uint8_t)algorithm, NULL, 0, KEY_9373);
		expect_no_key(&octets, -ENOTSUP, "(unknown)");
	}
	octets = build(0, 2, "\x00", 1, NULL);
	expect_no_key(&octets, -EBADMSG, "ends inside");
	octets = build(0, 2, "\x00\x01", 2, NULL);
	expect_no_key(&octets, -EBADMSG, "ends inside");
	octets = build(0, 2, "\x00\x00\x00\x01", 4, NULL);
	expect_no_key(&octets, -EBADMSG, "ends inside");
	octets = build(0, 2, "\x03\x01\x00\x01", 4, NULL);
	expect_no_key(&octets, -EBADMSG, "ends inside");
	octets = build(0, 2, "\x02\x00\x03\x81", 4, NULL);
	expect_no_key(&octets, -EBADMSG, "begins with zeros");
	octets = build(0, 2, "\x03\x01\x00\x01\x00\x81", 6, NULL);
	expect_no_key(&octets, -EBADMSG, "begins with zeros");
}

/* ---- names ------------------------------------------------------------------------------------- */

static void expect_name(const char *text, const char *formatted)
{
	uint8_t wire[DNAME_WIRE_MAX];
	char again[DNAME_TEXT_MAX];
	size_t len = 0;
	struct reader reader;

	assert_int_equal(dname_parse(wire, &len, text), 0);
	reader_init(&reader, view_of(wire, len));
	assert_int_equal(dname_read(&reader).len, len);
	assert_true(reader_done(&reader));
	assert_string_equal(dname_format(again, view_of(wire, len)), formatted);
}

static void test_names(void **state)
{
	static const char *const wrong[] = { "", "..", ".a", "a..b", "a\\", "a\\1", "a\\12", "a\\256", "a\\1x3" };
	char label[64 + 1], text[512] = "";
	uint8_t wire[DNAME_WIRE_MAX] = { 77 };
	size_t len = 5;

	(void)state;
	expect_name(".", ".");
	expect_name("a.example.org", "a.example.org.");
	expect_name("A.example.org.", "A.example.org.");
	expect_name("odd\\.label.x", "odd\\.label.x.");
	expect_name("\\000\\255 \\\"\\(", "\\000\\255\\032\\\"\\(.");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(dname_parse(wire, &len, wrong[i]), -EINVAL);
	memset(label, 'x', 64);
	label[64] = '\0';
	assert_int_equal(dname_parse(wire, &len, label), -EINVAL);
	label[63] = '\0';
	assert_int_equal(wire[0], 77);
	assert_int_equal(len, 5);
	/* 63 + 63 + 63 + 61 and a length for each: the longest there is. */
	snprintf(text, sizeof(text), "%s.%s.%s.%.61s", label, label, label, label);
	assert_int_equal(dname_parse(wire, &len, text), 0);
	assert_int_equal(len, DNAME_WIRE_MAX);
	snprintf(text, sizeof(text), "%s.%s.%s.%.62s", label, label, label, label);
	assert_int_equal(dname_parse(wire, &len, text), -EINVAL);
}

/* The longest text: every octet is written as four characters. */
static void test_longest_text(void **state)
{
	uint8_t wire[DNAME_WIRE_MAX] = { 0 };
	char text[DNAME_TEXT_MAX], again[DNAME_WIRE_MAX];
	size_t len = 0;
	struct reader reader;

	(void)state;
	wire[0] = wire[64] = wire[128] = 63;
	wire[192] = 61;
	reader_init(&reader, VIEW_OF(wire));
	assert_int_equal(dname_read(&reader).len, DNAME_WIRE_MAX);
	assert_int_equal(strlen(dname_format(text, VIEW_OF(wire))), 250 * 4 + 4);
	assert_int_equal(dname_parse((uint8_t *)again, &len, text), 0);
	assert_memory_equal(again, wire, DNAME_WIRE_MAX);
}

static void test_equal_names(void **state)
{
	(void)state;
	assert_true(dname_equal(view_of("\x03"
					"AbC\x00",
					5),
				view_of("\x03"
					"aBc\x00",
					5)));
	assert_false(dname_equal(view_of("\x03"
					 "abc\x00",
					 5),
				 view_of("\x03"
					 "abd\x00",
					 5)));
	assert_false(dname_equal(view_of("\x01@\x00", 3), view_of("\x01`\x00", 3)));
	assert_false(dname_equal(view_of("\x01[\x00", 3), view_of("\x01{\x00", 3)));
}

static void test_reverse(void **state)
{
	char text[DNAME_REVERSE_MAX];
	struct hf_addr addr;

	(void)state;
	assert_int_equal(addr_parse(&addr, "192.0.2.38", NULL), 0);
	assert_string_equal(dname_reverse(text, &addr), "38.2.0.192.in-addr.arpa.");
	assert_int_equal(addr_parse(&addr, "2001:db8:0:8002::2000:1", NULL), 0);
	assert_string_equal(dname_reverse(text, &addr),
			    "1.0.0.0.0.0.0.2.0.0.0.0.0.0.0.0.2.0.0.8.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.");
}

static int start(void **state)
{
	(void)state;
	return crypto_init(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc_4025),    cmocka_unit_test(test_keys),
		cmocka_unit_test(test_rsa_numbers), cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_key_lengths), cmocka_unit_test(test_unusable_keys),
		cmocka_unit_test(test_names),	    cmocka_unit_test(test_longest_text),
		cmocka_unit_test(test_equal_names), cmocka_unit_test(test_reverse),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
