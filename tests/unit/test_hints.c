// SPDX-License-Identifier: Apache-2.0
/*
 * Name hints: which names and addresses a DNS response holds, whatever its form, and that the table of them stays small and useful
 * whatever is heard.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/nstime.h"
#include "discover/hints.h"
#include "discover/response.h"

/* ---- messages ---- */

struct message {
	uint8_t octet[4096];
	struct writer writer;
};

static void put_name(struct writer *writer, const char *text)
{
	uint8_t name[DNAME_WIRE_MAX];
	size_t len;

	assert_int_equal(dname_parse(name, &len, text), 0);
	write_octets(writer, name, len);
}

static void begin(struct message *message, const char *question)
{
	writer_init(&message->writer, message->octet, sizeof(message->octet));
	write_u32(&message->writer, 0x12348180);
	write_u16(&message->writer, 1);
	write_zeros(&message->writer, 6);
	put_name(&message->writer, question);
	write_u32(&message->writer, 0x00010001);
}

/* The head of a record whose owner was just written. */
static void head(struct message *message, uint16_t type, uint32_t ttl_s, size_t len)
{
	write_u16(&message->writer, type);
	write_u16(&message->writer, 1);
	write_u32(&message->writer, ttl_s);
	write_u16(&message->writer, (uint16_t)len);
	put_u16(&message->writer, 6, (uint16_t)(message->octet[6] << 8 | message->octet[7]) + 1);
}

static void alias(struct message *message, const char *from, const char *to, uint32_t ttl_s)
{
	uint8_t name[DNAME_WIRE_MAX];
	size_t len;

	assert_int_equal(dname_parse(name, &len, to), 0);
	put_name(&message->writer, from);
	head(message, 5, ttl_s, len);
	write_octets(&message->writer, name, len);
}

static void address(struct message *message, const char *owner, const char *text, uint32_t ttl_s)
{
	struct hf_addr addr;
	const uint8_t *octets;
	size_t len;

	assert_int_equal(addr_parse(&addr, text, NULL), 0);
	octets = addr_octets(&addr, &len);
	put_name(&message->writer, owner);
	head(message, len == 4 ? 1 : 28, ttl_s, len);
	write_octets(&message->writer, octets, len);
}

static struct view whole(const struct message *message)
{
	return writer_view(&message->writer);
}

/* ---- what was read, as "name address ttl" lines ---- */

struct seen {
	char text[65536];
	int count;
};

static void on_seen(void *arg, struct view name, const struct hf_addr *addr, uint32_t ttl_s)
{
	char names[DNAME_TEXT_MAX], addrs[ADDR_TEXT_MAX];
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof(seen->text) - len, "%s %s %u\n", dname_format(names, name),
		 addr_format(addrs, addr), ttl_s);
	seen->count++;
}

static const char *read_all(struct seen *seen, struct view message)
{
	seen->text[0] = '\0';
	seen->count = 0;
	return response_read(message, on_seen, seen) < 0 ? "malformed" : seen->text;
}

static void test_addresses(void **state)
{
	struct message message;
	struct seen seen;

	(void)state;
	begin(&message, "Host.Example");
	address(&message, "hOST.exaMPLE", "192.0.2.1", 300);
	address(&message, "host.example", "2001:db8::1", 40);
	address(&message, "other.example", "192.0.2.2", 300);
	assert_string_equal(read_all(&seen, whole(&message)),
			    "host.example. 192.0.2.1 300\nhost.example. 2001:db8::1 40\n");
	begin(&message, "host.example");
	assert_string_equal(read_all(&seen, whole(&message)), "");
	/* It would speak for 192.0.2.1. */
	put_name(&message.writer, "host.example");
	head(&message, 28, 300, 16);
	write_zeros(&message.writer, 10);
	write_u16(&message.writer, 0xffff);
	write_u32(&message.writer, 0xc0000201);
	assert_string_equal(read_all(&seen, whole(&message)), "");
}

static void test_aliases(void **state)
{
	struct message message;
	struct seen seen;
	char from[40], to[40];

	(void)state;
	begin(&message, "www.example");
	address(&message, "a.example", "192.0.2.1", 300);
	alias(&message, "b.example", "a.example", 20);
	alias(&message, "www.example", "b.example", 100);
	assert_string_equal(read_all(&seen, whole(&message)), "a.example. 192.0.2.1 20\nwww.example. 192.0.2.1 20\n");

	begin(&message, "www.example");
	alias(&message, "www.example", "b.example", 100);
	alias(&message, "b.example", "www.example", 100);
	address(&message, "www.example", "192.0.2.1", 300);
	assert_true(response_read(whole(&message), on_seen, &seen) == 0);

	for (int aliases = 7; aliases <= 9; aliases++) {
		begin(&message, "n0.example");
		for (int i = 0; i < aliases; i++) {
			snprintf(from, sizeof(from), "n%d.example", i);
			snprintf(to, sizeof(to), "n%d.example", i + 1);
			alias(&message, from, to, 100);
		}
		address(&message, to, "192.0.2.1", 300);
		read_all(&seen, whole(&message));
		assert_int_equal(seen.count, aliases <= RESPONSE_ALIASES_MAX ? 2 : 0);
	}
}

static void test_many_addresses(void **state)
{
	struct message message;
	struct seen seen;
	char text[40];

	(void)state;
	begin(&message, "host.example");
	for (int i = 0; i < 50; i++) {
		snprintf(text, sizeof(text), "192.0.2.%d", i + 1);
		address(&message, "host.example", text, 300);
	}
	read_all(&seen, whole(&message));
	assert_int_equal(seen.count, RESPONSE_ADDRESSES_MAX);
}

static void test_what_is_no_response(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} changes[] = { { 2, 0x01 }, { 3, 0x83 }, { 5, 0 }, { 5, 2 }, { 12 + 14 + 3, 3 /* class */ } };
	struct message message;
	struct seen seen;

	(void)state;
	begin(&message, "host.example");
	address(&message, "host.example", "192.0.2.1", 300);
	assert_int_equal(response_read(whole(&message), on_seen, &seen), 0);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		uint8_t before = message.octet[changes[i].at];

		message.octet[changes[i].at] = changes[i].value;
		assert_string_equal(read_all(&seen, whole(&message)), "malformed");
		message.octet[changes[i].at] = before;
	}
	/* The record's class and its length. */
	message.octet[12 + 18 + 14 + 3] = 3;
	assert_string_equal(read_all(&seen, whole(&message)), "");
	message.octet[12 + 18 + 14 + 3] = 1;
	message.octet[12 + 18 + 14 + 9] = 3;
	assert_string_equal(read_all(&seen, whole(&message)), "");
}

/* ---- compression ---- */

static void test_pointers(void **state)
{
	struct message message;
	struct seen seen;

	(void)state;
	begin(&message, "host.example");
	write_u16(&message.writer, 0xc00c);
	head(&message, 5, 100, 4);
	write_octets(&message.writer, "\1b\xc0\x11", 4); /* b.example */
	write_octets(&message.writer, "\1B\xc0\x11", 4);
	head(&message, 1, 100, 4);
	write_u32(&message.writer, 0xc0000201);
	assert_string_equal(read_all(&seen, whole(&message)),
			    "b.example. 192.0.2.1 100\nhost.example. 192.0.2.1 100\n");
}

/* The question's name is at 12; `name` replaces it. */
static const char *with_question(struct seen *seen, const void *name, size_t len)
{
	struct message message;

	writer_init(&message.writer, message.octet, sizeof(message.octet));
	write_u32(&message.writer, 0x12348180);
	write_u32(&message.writer, 0x00010001);
	write_u32(&message.writer, 0);
	write_octets(&message.writer, name, len);
	write_u32(&message.writer, 0x00010001);
	write_u16(&message.writer, 0xc00c);
	write_u32(&message.writer, 0x00010001);
	write_u32(&message.writer, 100);
	write_u16(&message.writer, 4);
	write_u32(&message.writer, 0xc0000201);
	return read_all(seen, whole(&message));
}

static void test_bad_names(void **state)
{
	uint8_t name[300];
	struct seen seen;

	(void)state;
#define TRY(text) with_question(&seen, text, sizeof(text) - 1)
	assert_string_equal(TRY("\1a\1b\0"), "a.b. 192.0.2.1 100\n");
	assert_string_equal(TRY("\xc0\x0c"), "malformed");    /* at itself */
	assert_string_equal(TRY("\1a\xc0\x0c"), "malformed"); /* at its own beginning */
	assert_string_equal(TRY("\1a\xc0\x0e"), "malformed"); /* at the pointer itself */
	assert_string_equal(TRY("\xc0\x20"), "malformed");    /* to what follows */
	assert_string_equal(TRY("\xff\xff"), "malformed");
	assert_string_equal(TRY("\x40"), "malformed"); /* neither length nor pointer */
	assert_string_equal(TRY("\x80\x01"), "malformed");

	/* The longest label and the longest name, and one more of each. */
	memset(name, 'x', sizeof(name));
	name[0] = 63;
	name[64] = 63;
	name[128] = 63;
	name[192] = 61;
	name[254] = 0;
	with_question(&seen, name, 255);
	assert_int_equal(seen.count, 1);
	name[192] = 62;
	name[255] = 0;
	assert_string_equal(with_question(&seen, name, 256), "malformed");
	name[0] = 64;
	assert_string_equal(with_question(&seen, name, 256), "malformed");
}

/* A pointer to a pointer to a pointer, as deep as a message allows, always to the front: an end, and no more than 255 octets. */
static void test_deep_pointers(void **state)
{
	struct message message;
	struct seen seen;
	size_t at;

	(void)state;
	begin(&message, "host.example");
	put_name(&message.writer, "x.example");
	head(&message, 16, 100, 2002);
	at = message.writer.len;
	write_u16(&message.writer, 0xc00c);
	for (size_t i = 0; i < 1000; i++) {
		write_u16(&message.writer, (uint16_t)(0xc000 | at));
		at += 2;
	}
	write_u16(&message.writer, (uint16_t)(0xc000 | at));
	head(&message, 1, 100, 4);
	write_u32(&message.writer, 0xc0000201);
	assert_string_equal(read_all(&seen, whole(&message)), "host.example. 192.0.2.1 100\n");
}

/* What is left of a response gives the beginning of what all of it gives. */
static void test_every_truncation(void **state)
{
	struct message message;
	struct seen all, part;

	(void)state;
	begin(&message, "www.example");
	alias(&message, "www.example", "b.example", 100);
	address(&message, "b.example", "192.0.2.1", 300);
	address(&message, "b.example", "2001:db8::1", 300);
	read_all(&all, whole(&message));
	assert_int_equal(all.count, 4);
	for (size_t len = 0; len < message.writer.len; len++) {
		/* Of its own size, so that a sanitizer sees one octet too many. */
		uint8_t *copy = test_malloc(len + 1);

		memcpy(copy, message.octet, len);
		if (strcmp(read_all(&part, view_of(copy, len)), "malformed") != 0)
			assert_memory_equal(part.text, all.text, strlen(part.text));
		assert_true(part.count < all.count);
		test_free(copy);
	}
}

/* ---- the table ---- */

static const uint8_t seed[SIPHASH_KEY] = { 1, 2, 3 };
static const uint64_t start = 1000 * NSTIME_S;

static struct hf_addr addr_of(const char *text)
{
	struct hf_addr addr;

	assert_int_equal(addr_parse(&addr, text, NULL), 0);
	return addr;
}

static void hear(struct hints *hints, const char *source, const char *name, const char *text, uint32_t ttl_s,
		 uint64_t now)
{
	struct hf_addr from = addr_of(source);
	struct message message;

	begin(&message, name);
	address(&message, name, text, ttl_s);
	hints_hear(hints, &from, whole(&message), now);
}

/* The names an address has, "a.b. c.d.". */
static const char *names_of(const struct hints *hints, const char *text, uint64_t now)
{
	static char out[HINTS_NAMES_MAX * DNAME_TEXT_MAX];
	struct view names[HINTS_NAMES_MAX];
	struct hf_addr addr = addr_of(text);
	size_t count = hints_names(hints, &addr, now, names);
	char name[DNAME_TEXT_MAX];

	out[0] = '\0';
	for (size_t i = 0; i < count; i++)
		sprintf(out + strlen(out), "%s%s", i ? " " : "", dname_format(name, names[i]));
	return out;
}

static struct hints *fresh(void)
{
	struct hints *hints;

	assert_int_equal(hints_new(&hints, seed), 0);
	return hints;
}

static void count_news(void *arg, const struct hf_addr *addr)
{
	(void)addr;
	(*(unsigned int *)arg)++;
}

/* Whoever remembers what was found of the address without a name hears of it once. */
static void test_names(void **state)
{
	struct hints *hints = fresh();
	unsigned int news = 0;

	(void)state;
	hints_watch(hints, count_news, &news);
	assert_string_equal(names_of(hints, "192.0.2.1", start), "");
	hear(hints, "10.0.0.53", "a.example", "192.0.2.1", 300, start);
	hear(hints, "10.0.0.53", "b.example", "192.0.2.1", 300, start);
	hear(hints, "10.0.0.53", "c.example", "2001:db8::1", 300, start);
	assert_string_equal(names_of(hints, "192.0.2.1", start), "b.example. a.example.");
	assert_string_equal(names_of(hints, "2001:db8::1", start), "c.example.");
	/* Heard again, it is the latest. */
	hear(hints, "10.0.0.53", "a.example", "192.0.2.1", 300, start);
	assert_string_equal(names_of(hints, "192.0.2.1", start), "a.example. b.example.");
	assert_int_equal(news, 3);
	/* As good as new when it was over. */
	hear(hints, "10.0.0.53", "b.example", "192.0.2.1", 300, start + 300 * NSTIME_S);
	assert_int_equal(news, 4);
	hints_free(hints);
}

static void test_lives(void **state)
{
	struct hints *hints = fresh();

	(void)state;
	hear(hints, "10.0.0.53", "short.example", "192.0.2.1", 0, start);
	hear(hints, "10.0.0.53", "kept.example", "192.0.2.2", 300, start);
	hear(hints, "10.0.0.53", "long.example", "192.0.2.3", 86400, start);
	assert_string_equal(names_of(hints, "192.0.2.1", start + 59 * NSTIME_S), "short.example.");
	assert_string_equal(names_of(hints, "192.0.2.1", start + 60 * NSTIME_S), "");
	assert_string_equal(names_of(hints, "192.0.2.2", start + 299 * NSTIME_S), "kept.example.");
	assert_string_equal(names_of(hints, "192.0.2.2", start + 300 * NSTIME_S), "");
	assert_string_equal(names_of(hints, "192.0.2.3", start + 3599 * NSTIME_S), "long.example.");
	assert_string_equal(names_of(hints, "192.0.2.3", start + 3600 * NSTIME_S), "");
	hints_free(hints);
}

static void test_no_hosts(void **state)
{
	static const char *const nowhere[] = { "127.0.0.1", "0.0.0.0", "224.0.0.1", "169.254.1.1",
					       "::1",	    "::",      "ff02::1",   "fe80::1" };
	struct hints *hints = fresh();
	struct hints_counts counts;

	(void)state;
	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
		hear(hints, "10.0.0.53", "a.example", nowhere[i], 300, start);
	hear(hints, "10.0.0.53", "single", "192.0.2.1", 300, start);
	hear(hints, "10.0.0.53", ".", "192.0.2.1", 300, start);
	hints_hear(hints, &(struct hf_addr){ { 0 } }, view_of("x", 1), start);
	hints_count(hints, &counts);
	assert_int_equal(counts.used, 0);
	assert_int_equal(counts.malformed, 1);
	hints_free(hints);
}

/* Many lies about one address: the latest are kept, none of them in another's way. */
static void test_many_names_of_one_address(void **state)
{
	struct hints *hints = fresh();
	struct hints_counts counts;
	char name[40];

	(void)state;
	hear(hints, "10.0.0.53", "other.example", "192.0.2.2", 300, start);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		hear(hints, "10.0.0.53", name, "192.0.2.1", 300, start);
	}
	assert_string_equal(names_of(hints, "192.0.2.1", start), "n99.example. n98.example. n97.example. n96.example.");
	assert_string_equal(names_of(hints, "192.0.2.2", start), "other.example.");
	hints_count(hints, &counts);
	assert_int_equal(counts.used, HINTS_NAMES_MAX + 1);
	assert_int_equal(counts.displaced, 100 - HINTS_NAMES_MAX);
	hints_free(hints);
}

/*
 * A million different hints as fast as the BPF programs let them come, from two sources: the table holds what it holds, a name that
 * was taken at any moment is there a minute later, and a third source is heard all the time.
 */
static void test_flood(void **state)
{
	struct hints *hints = fresh();
	char name[40], text[40], mine[40];
	struct hints_counts counts;
	uint64_t now = start, last = 0;

	(void)state;
	for (unsigned int i = 0; i < 1000000; i++) {
		now = start + i * (NSTIME_S / HF_ANSWERS_PER_SECOND);
		snprintf(name, sizeof(name), "n%u.example", i);
		snprintf(text, sizeof(text), "203.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		hear(hints, i & 1 ? "10.0.0.53" : "10.0.0.54", name, text, 3600, now);
		if (now - last < 50 * NSTIME_S)
			continue;
		/* 50 s ago: */
		if (last)
			assert_string_equal(names_of(hints, "192.0.2.1", now), mine);
		snprintf(mine, sizeof(mine), "m%u.example.", i);
		hear(hints, "10.0.0.55", mine, "192.0.2.1", 60, now);
		assert_memory_equal(names_of(hints, "192.0.2.1", now), mine, strlen(mine));
		last = now;
	}
	hints_count(hints, &counts);
	assert_int_equal(counts.used, HINTS_MAX);
	assert_in_range(counts.taken, 2 * HINTS_PER_SECOND * (1000000 / HF_ANSWERS_PER_SECOND - 1),
			2 * (HINTS_BURST + HINTS_PER_SECOND * (1000000 / HF_ANSWERS_PER_SECOND + 1)) + 100);
	assert_true(counts.refused > 700000);
	hints_free(hints);
}

static void test_more_sources_than_accounts(void **state)
{
	struct hints *hints = fresh();
	struct hints_counts counts;
	char source[40], name[40];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(source, sizeof(source), "10.0.0.%d", i);
		snprintf(name, sizeof(name), "n%d.example", i);
		hear(hints, source, name, "192.0.2.1", 300, start + (uint64_t)i);
	}
	hints_count(hints, &counts);
	assert_int_equal(counts.taken, 100);
	hints_free(hints);
}

/* ---- hosts(5) ---- */

static void read_file(struct hints *hints, const char *text)
{
	hints_file(hints, view_of(text, strlen(text)));
}

static void test_file(void **state)
{
	struct hints *hints = fresh();
	struct hints_counts counts;

	(void)state;
	read_file(
		hints,
		"127.0.0.1 localhost local.example\n# 192.0.2.9 no.example\n\n192.0.2.1\tb B.Example b.example # x.example\n"
		"nonsense n.example\n2001:db8::1 c.example\n192.0.2.2 ..bad. \\068.example");
	assert_string_equal(names_of(hints, "192.0.2.1", start), "b.example.");
	assert_string_equal(names_of(hints, "2001:db8::1", start), "c.example.");
	assert_string_equal(names_of(hints, "192.0.2.2", UINT64_MAX - 1), "d.example.");
	assert_string_equal(names_of(hints, "192.0.2.9", start), "");
	hints_count(hints, &counts);
	assert_int_equal(counts.file, 3);

	/* It comes first, whatever is heard, and goes when the file no longer has it. */
	for (int i = 0; i < 5; i++)
		hear(hints, "10.0.0.53", (const char *[]){ "1.x", "2.x", "b.example", "4.x", "5.x" }[i], "192.0.2.1",
		     300, start);
	assert_string_equal(names_of(hints, "192.0.2.1", start), "b.example. 5.x. 4.x. 2.x.");
	read_file(hints, "192.0.2.1 5.x\n");
	assert_string_equal(names_of(hints, "192.0.2.1", start), "5.x. 4.x. 2.x. 1.x.");
	read_file(hints, "");
	assert_string_equal(names_of(hints, "192.0.2.1", start), "4.x. 2.x. 1.x.");
	hints_free(hints);
}

static void test_large_file(void **state)
{
	char *text = test_malloc(200000), *at = text;
	struct hints *hints = fresh();
	struct hints_counts counts;

	(void)state;
	for (int i = 0; i < 5000; i++)
		at += sprintf(at, "192.0.%d.%d h%d.example\n", i >> 8, i & 255, i);
	read_file(hints, text);
	hints_count(hints, &counts);
	assert_int_equal(counts.file, HINTS_FILE_MAX);
	assert_string_equal(names_of(hints, "192.0.0.7", start), "h7.example.");
	hear(hints, "10.0.0.53", "a.example", "198.51.100.1", 300, start);
	assert_string_equal(names_of(hints, "198.51.100.1", start), "a.example.");
	test_free(text);
	hints_free(hints);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),      cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_many_addresses), cmocka_unit_test(test_what_is_no_response),
		cmocka_unit_test(test_pointers),       cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_deep_pointers),  cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_names),	       cmocka_unit_test(test_lives),
		cmocka_unit_test(test_no_hosts),       cmocka_unit_test(test_many_names_of_one_address),
		cmocka_unit_test(test_flood),	       cmocka_unit_test(test_more_sources_than_accounts),
		cmocka_unit_test(test_file),	       cmocka_unit_test(test_large_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
